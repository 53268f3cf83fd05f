"""The whole job as staff do it, in a real browser against a real hub: write, hear, approve, watch, alarm, stop."""

import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flows_support import RunningDemo
from pagelab import chromium, enter, leave
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNTY, TOWNSHIP = "990101000000", "990101001000"
WORDS = "各位村民：拿不准的电话，先打96110问一问。验证码不要告诉任何人。"
DESKTOP, PHONE = (1366, 768), (390, 844)
SignIn = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def troubles() -> Iterator[list[str]]:
    """What the browsers complained about; there must be nothing in it at the end."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def sign_in_as(browser: Browser, demo: RunningDemo, troubles: list[str]) -> Iterator[SignIn]:
    """Open a browser of one's own and sign in."""
    contexts = []

    def open_page(login: str, size: tuple[int, int] = DESKTOP) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(f"{login}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(f"{login}: {error}"))
        enter(page, demo.address, login, "cunxiang-demo")
        return page

    yield open_page
    for context in contexts:
        leave(context)


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def write(page: Page, address: str, region: str, *, sms: bool = False) -> int:
    """Write the announcement, listen to it, submit it; return the promised seconds."""
    page.goto(f"{address}/compose")
    page.fill("input[name=title]", "防诈骗提醒")
    page.fill("textarea[name=text]", WORDS)
    page.check(f"input[name=region][value='{region}']")
    if sms:
        page.check("input[name=channel][value=sms]")
    page.locator("label", has_text=re.compile("^马上$")).click()
    page.wait_for_selector("text=九六幺幺零")
    page.click("text=试听")
    page.wait_for_selector("audio", state="attached", timeout=30_000)
    promised = re.search(r"正好\s*(\d+)\s*秒", page.inner_text("main"))
    assert promised, page.inner_text("main")
    page.locator("button:visible", has_text="提交审批").first.click()
    page.wait_for_url(re.compile(r"/announcements/"))
    return int(promised[1])


def approve(page: Page) -> None:
    """Approve our announcement, not the one that lies on the demo's desk anyway."""
    page.locator(".card", has_text="防诈骗提醒").locator("button", has_text="通过").first.click()


def states(demo: RunningDemo, kind: str) -> dict[str, int]:
    rows = demo.ask(
        "SELECT d.state, count(*) FROM speaker_delivery d JOIN broadcast b ON b.id = d.broadcast_id "
        "WHERE b.kind = ? AND b.source NOT LIKE 'demo:%' GROUP BY d.state",  # yesterday's, which the demo brings
        kind,
    )
    return {str(state): int(str(number)) for state, number in rows}


def recordings(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.wav"))


def seconds_of(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())


def test_words_typed_by_staff_are_heard_in_every_village_and_read_on_phones(
    demo: RunningDemo, sign_in_as: SignIn
) -> None:
    demo.start()
    demo.wait(lambda: demo.online() == 120)
    promised = write(sign_in_as("editor"), demo.address, COUNTY, sms=True)

    chief = sign_in_as("chief")
    chief.goto(f"{demo.address}/approvals")
    approve(chief)
    chief.wait_for_url(re.compile(r"/broadcasts/"))
    demo.wait(lambda: states(demo, "routine").get("finished", 0) == 120, within_s=120)
    chief.wait_for_selector("text=/喇叭播完了|播完了，都响了|都响了/", timeout=30_000)
    assert re.search(r"120\s*应响[\s\S]*120\s*播完", chief.inner_text("main")), chief.inner_text("main")

    # What a loudspeaker really sounded is the announcement, as long as the page promised.
    played = recordings(demo.folder / "speakers")
    assert played, "some simulated loudspeakers keep what they play"
    assert all(abs(seconds_of(path) - promised) <= 0.1 * promised for path in played)

    demo.wait(lambda: demo.ask("SELECT count(*) FROM sms_message WHERE state = 'delivered'")[0][0] != 0)
    phones = sign_in_as("editor", PHONE)
    phones.goto(f"{demo.address}/sms/phones")
    phones.wait_for_selector("text=96110")
    assert no_sideways_scroll(phones)


def test_an_emergency_overtakes_what_is_playing_and_one_press_stops_it(demo: RunningDemo, sign_in_as: SignIn) -> None:
    demo.start()
    demo.wait(lambda: demo.online() == 120)
    write(sign_in_as("clerk"), demo.address, TOWNSHIP)
    approver = sign_in_as("approver", PHONE)
    approver.goto(f"{demo.address}/approvals")
    assert no_sideways_scroll(approver)
    approve(approver)
    demo.wait(lambda: states(demo, "routine").get("started", 0) == 30)

    duty = sign_in_as("duty", PHONE)
    duty.goto(f"{demo.address}/emergency")
    duty.click("text=山洪")
    expected = duty.locator("[data-expect]").first.get_attribute("data-expect")
    assert expected == "30"
    duty.fill("input[inputmode=numeric]", "29")
    assert duty.locator("button:visible", has_text="立即播发").first.is_disabled(), "a wrong number fires nothing"
    duty.fill("input[inputmode=numeric]", expected)
    duty.keyboard.press("Enter")
    duty.wait_for_url(re.compile(r"/emergency/[0-9a-f-]+"))
    address, context = duty.url, duty.context
    duty.close()  # in the countdown: it is the hub's
    assert demo.ask("SELECT state FROM alert") == [("armed",)]
    demo.wait(lambda: states(demo, "emergency").get("started", 0) == 30, within_s=20)
    duty = context.new_page()
    duty.goto(address)
    assert states(demo, "routine").get("started", 0) == 0, "nothing routine sounds beside an emergency"

    duty.locator("button:visible", has_text="马上停止").first.click()
    demo.wait(lambda: states(demo, "emergency").get("stopped", 0) == 30, within_s=15)
    assert demo.ask("SELECT count(*) FROM alert WHERE state = 'stopped'") == [(1,)]
