"""The shout page in a real browser with a microphone that hears a tone, down to the loudspeaker that sounds it."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import builders
import pytest
from builders import BRIDGE, HILL
from livehub import LiveHub, began_at, live_hub, until
from pagelab import chromium, enter, leave
from playwright.sync_api import Browser, Page
from shoutlab import a_tone, a_wav, first_tone_s, tone_seconds
from sqlalchemy import select

from broadcasts.shout.models import Ended, Shout, ShoutState

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
PHONE, DESKTOP = (390, 844), (1366, 768)
LATEST_S = 4.0
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[LiveHub]:
    with live_hub(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    voice = tmp_path_factory.mktemp("voice") / "tone.wav"
    voice.write_bytes(a_wav(a_tone(20, peak=0.3)))
    with chromium(*MICROPHONE, f"--use-file-for-fake-audio-capture={voice}") as browser:
        yield browser


def is_trouble(kind: str, text: str) -> bool:
    """Whether the browser complains. It notes down every refusal as well, which the page tells in words."""
    return kind in ("error", "warning") and "status of 409" not in text


@pytest.fixture
def open_as(browser: Browser, hub: LiveHub) -> Iterator[Open]:
    """Open a page of the hub as one of the PEOPLE; at the end the browser must have had nothing to complain about."""
    contexts, troubles = [], []

    def open_page(
        login: str, path: str, size: tuple[int, int] = PHONE, *, address: str = "", **options: object
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale="zh-CN",
            **options,  # type: ignore[arg-type]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(m.text) if is_trouble(m.type, m.text) else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        home = address or hub.address
        enter(page, home, login, builders.PASSWORD)
        page.goto(home + path)
        return page

    yield open_page
    for context in contexts:
        leave(context)
    assert troubles == []


def shouts(hub: LiveHub) -> list[Shout]:
    with hub.runtime.sessions.read() as session:
        return list(session.scalars(select(Shout).order_by(Shout.made_at)))


def hold(page: Page, seconds: float) -> None:
    """Press the big button and keep it down."""
    page.locator("#talk-button").hover()
    page.mouse.down()
    page.wait_for_timeout(seconds * 1000)
    page.mouse.up()


def over(hub: LiveHub) -> Shout:
    until(lambda: shouts(hub)[-1].state is ShoutState.OVER, what="the end")
    until(lambda: not hub.sounding, what="silence")
    return shouts(hub)[-1]


def no_sideways_scroll(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_hold_to_talk_is_heard_within_four_seconds(hub: LiveHub, open_as: Open) -> None:
    page = open_as("secretary", "/shout")
    assert no_sideways_scroll(page)
    page.check("#f-mode-2")
    before = len(hub.sounded())
    hold(page, 5)
    page.wait_for_selector("text=/说完了，一共 [4-9] 秒/", timeout=30_000)
    began = datetime.fromtimestamp(float(page.get_attribute("#talk", "data-begun") or 0) / 1000, tz=UTC)
    shout = over(hub)
    assert shout.ended == Ended.RELEASED
    (recording,) = hub.sounded()[before:]
    sound, rate = hub.read(recording)
    assert tone_seconds(sound, rate) >= 3.0
    first = first_tone_s(sound, rate)
    assert first is not None
    late = (began_at(recording) - began).total_seconds() + first
    print(f"live shout from a browser: heard {late:.2f} s after it was spoken")  # noqa: T201 - docs/live-shout.md
    assert 0 < late < LATEST_S
    page.click("text=看哪些喇叭响了")
    page.wait_for_url(re.compile("/broadcasts/"))
    page.wait_for_selector("audio", state="attached")
    assert "桥村村支书自己的声音" in page.inner_text("main")


def test_record_listen_send(hub: LiveHub, open_as: Open) -> None:
    page = open_as("secretary", "/shout")
    before = len(hub.sounded())
    hold(page, 2.5)
    page.wait_for_url(re.compile("/shout/takes/"), timeout=20_000)
    assert no_sideways_scroll(page)
    assert len(hub.sounded()) == before, "nothing sounds before it is sent"
    page.click(".wave-play")
    until(lambda: page.evaluate("document.querySelector('audio').currentTime > 0.3"), what="the recording")
    page.click("#send-it")
    page.wait_for_url(re.compile("/broadcasts/"))
    until(lambda: hub.sounded()[before:], what="sound")
    until(lambda: not hub.sounding, what="silence")
    sound, rate = hub.read(hub.sounded()[-1])
    assert tone_seconds(sound, rate) > 1.5


def test_the_keyboard_talks_too_and_a_tap_keeps_recording(hub: LiveHub, open_as: Open) -> None:
    page = open_as("approver", f"/shout?region={HILL}", DESKTOP)
    page.focus("#talk-button")
    page.keyboard.down("Space")
    page.wait_for_selector(".talk.on")
    page.wait_for_timeout(1500)
    page.keyboard.up("Space")
    page.wait_for_url(re.compile("/shout/takes/"), timeout=20_000)
    page.click("text=不行，重录")
    page.wait_for_selector("#talk-button")
    page.locator("#talk-button").hover()
    page.mouse.down()
    page.wait_for_selector(".talk.on")
    page.mouse.up()
    page.wait_for_timeout(1500)
    if "takes" not in page.url:
        assert page.inner_text("#talk-word") in ("点一下停", "松开就停")
        page.mouse.down()
        page.mouse.up()
    page.wait_for_url(re.compile("/shout/takes/"), timeout=20_000)


def test_a_second_person_reads_who_is_speaking(hub: LiveHub, open_as: Open) -> None:
    first, second = open_as("secretary", "/shout"), open_as("approver", f"/shout?region={BRIDGE}")
    for page in (first, second):
        page.check("#f-mode-2")
    first.locator("#talk-button").hover()
    first.mouse.down()
    first.wait_for_selector("text=/喇叭在响/", timeout=30_000)
    hold(second, 1.0)
    second.wait_for_selector("text=桥村村支书正在对这里喊话")
    first.mouse.up()
    over(hub)


def test_somebody_who_stops_it_stops_the_button(hub: LiveHub, open_as: Open) -> None:
    page = open_as("secretary", "/shout")
    page.check("#f-mode-2")
    page.locator("#talk-button").hover()
    page.mouse.down()
    page.wait_for_selector("text=/喇叭在响/", timeout=30_000)
    broadcast_id = shouts(hub)[-1].broadcast_id
    hub.person("approver").post(f"/broadcasts/{broadcast_id}/stop")
    page.wait_for_selector("text=北镇副镇长把这次喊话停了", timeout=30_000)
    assert page.locator(".talk.on").count() == 0
    page.mouse.up()
    assert over(hub).ended == Ended.STOPPED


def test_a_file_goes_the_same_way(hub: LiveHub, open_as: Open, tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    voice.write_bytes(a_wav(a_tone(2)))
    page = open_as("secretary", "/shout")
    page.set_input_files("#f-recording", str(voice))
    page.wait_for_url(re.compile("/shout/takes/"), timeout=20_000)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"nonsense")
    page.goto(f"{hub.address}/shout")


def test_without_javascript_a_form_takes_the_file(hub: LiveHub, open_as: Open, tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    voice.write_bytes(a_wav(a_tone(2)))
    page = open_as("secretary", "/shout", java_script_enabled=False)
    assert not page.is_visible("#talk-button")
    page.set_input_files("#f-recording", str(voice))
    page.click("text=传上去，听一遍")
    page.wait_for_url(re.compile("/shout/takes/"))
    assert page.is_visible("audio")
    page.click("#send-it")
    page.wait_for_url(re.compile("/broadcasts/"))
    until(lambda: not hub.sounding, what="silence")


def test_without_https_the_page_says_so_and_takes_a_file(browser: Browser, hub: LiveHub, open_as: Open) -> None:
    page = open_as("secretary", "/shout")
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.reload()
    assert not page.is_visible("#talk-button")
    assert "不是 https 开头" in page.inner_text("main")
    assert page.is_visible("text=选录音文件")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_page_fits(open_as: Open, size: tuple[int, int], scheme: str) -> None:
    page = open_as("duty", "/shout", size, color_scheme=scheme, reduced_motion="reduce")
    assert no_sideways_scroll(page)
    assert page.locator("#places").get_attribute("open") is not None
    page.check(f"input[name=region][value='{BRIDGE}']")
    page.wait_for_selector("text=对 桥村 喊话")
    assert page.evaluate("getComputedStyle(document.querySelector('#talk-button')).animationName") == "none"
