"""The main flows with less than usual: no script at all, and no mouse. A real loudspeaker sounds what is sent."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import builders
import pytest
from builders import BRIDGE
from livehub import LiveHub, live_hub, until
from pagelab import chromium, enter, leave
from playwright.sync_api import Browser, Locator, Page
from playwright.sync_api import TimeoutError as TooLong
from sqlalchemy import select

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.announcements.models import Announcement

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WORDS = "各位村民，拿不准的电话，先打96110问一问。"
FARTHEST = 160
"""So many presses of Tab at most lead to anything on a page."""
FOCUSED = """at => {
  const style = getComputedStyle(at), box = at.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" || style.boxShadow !== "none";
  return {ring, name: at.tagName + "#" + at.id + "." + at.className, seen: box.width > 0 && box.height > 0};
}"""
GUARD = """() => addEventListener("DOMContentLoaded", () => {
  const end = document.createElement("span");
  end.tabIndex = 0;
  end.addEventListener("focus", () => { document.body.tabIndex = -1; document.body.focus(); });
  document.body.append(end);
})"""
"""Behind the last of a page Tab would go on to the browser's own buttons, and presses there are never answered."""
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[LiveHub]:
    with live_hub(tmp_path_factory.mktemp("by-hand"), prepare=builders.signed_plans) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def is_trouble(kind: str, text: str) -> bool:
    """Whether the browser complains. It notes down a refusal as well, which the page tells in words."""
    return kind in ("error", "warning") and "status of 409" not in text


@pytest.fixture
def open_as(browser: Browser, hub: LiveHub) -> Iterator[Open]:
    """A window for each person, signed in; at the end none may have complained."""
    contexts, troubles = [], []

    def open_page(login: str, *, script: bool = True, width: int = 1366, height: int = 768) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale="zh-CN", java_script_enabled=script
        )
        contexts.append(context)
        if script:
            context.add_init_script(f"({GUARD})()")
        page = context.new_page()
        page.on("console", lambda m: troubles.append(m.text) if is_trouble(m.type, m.text) else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        enter(page, hub.address, login, builders.PASSWORD)
        return page

    yield open_page
    for context in contexts:
        leave(context)
    assert troubles == []


def alerts(hub: LiveHub) -> list[AlertState]:
    with hub.runtime.sessions.read() as session:
        return list(session.scalars(select(Alert.state).order_by(Alert.armed_at)))


def announcement(hub: LiveHub, title: str) -> Announcement:
    with hub.runtime.sessions.read() as session:
        return session.scalars(select(Announcement).where(Announcement.title == title)).one()


def sounds(hub: LiveHub) -> None:
    until(lambda: hub.sounding, what="sound")


def silence(hub: LiveHub) -> None:
    until(lambda: not hub.sounding, what="silence")


def test_without_any_script_words_are_written_approved_heard_and_stopped(hub: LiveHub, open_as: Open) -> None:
    clerk = open_as("clerk", script=False, width=390, height=844)
    clerk.goto(f"{hub.address}/compose")
    clerk.fill("input[name=title]", "不用脚本写的")
    clerk.fill("textarea[name=text]", WORDS)
    clerk.check(f"input[name=region][value='{BRIDGE}']")
    clerk.locator("label", has_text=re.compile("^马上$")).click()
    clerk.locator("button:visible", has_text="提交审批").first.click()
    clerk.wait_for_url(re.compile(r"/announcements/"))
    approver = open_as("approver", script=False)
    approver.goto(f"{hub.address}/approvals")
    approver.locator(".card", has_text="不用脚本写的").locator("button", has_text="通过").first.click()
    sounds(hub)
    approver.wait_for_url(re.compile(r"/broadcasts/"))
    approver.locator("button:visible", has_text="停止播出").first.click()
    silence(hub)


def fire(page: Page, hub: LiveHub) -> None:
    """Choose the flood and type the number, as a person without scripts does."""
    page.goto(f"{hub.address}/emergency")
    page.click("text=山洪")
    number = page.locator("input[inputmode=numeric]")
    number.fill(number.get_attribute("data-expect") or "")
    page.locator("button:visible", has_text="立即播发").click()
    page.wait_for_url(re.compile(r"/emergency/[0-9a-f-]+"))


def test_without_any_script_an_emergency_counts_down_is_cancelled_fired_and_stopped(
    hub: LiveHub, open_as: Open
) -> None:
    duty = open_as("duty", script=False, width=390, height=844)
    duty.goto(f"{hub.address}/emergency")
    duty.click("text=山洪")
    duty.fill("input[inputmode=numeric]", "999")
    duty.locator("button:visible", has_text="立即播发").click()
    assert duty.title().startswith("出错：")
    assert alerts(hub) == [], "a wrong number fires nothing"

    fire(duty, hub)
    duty.click(".cover button")
    assert "已取消" in duty.inner_text("main")
    assert alerts(hub) == [AlertState.CANCELLED]

    fire(duty, hub)
    assert "取消，不播" in duty.inner_text(".cover")
    sounds(hub)
    duty.locator("button:visible", has_text="马上停止").first.click(timeout=15_000)  # the page has gone on by itself
    silence(hub)
    assert alerts(hub)[-1] is AlertState.STOPPED


class Keys:
    """Somebody without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unseen: set[str] = set()

    def tab_to(self, wanted: Locator) -> None:
        """Press Tab until the focus is there; note where it could not be seen on the way."""
        for _ in range(FARTHEST):
            with suppress(Exception):
                if wanted.evaluate("e => e === document.activeElement", timeout=500):
                    break
            self.page.keyboard.press("Tab")
            with suppress(TooLong):  # nothing has the focus, or the page is just being replaced
                found = self.page.locator(":focus").evaluate(FOCUSED, timeout=1000)
                if found["seen"] and not found["ring"]:
                    self.unseen.add(found["name"])
        else:
            raise AssertionError(f"Tab never comes to {wanted}")

    def press(self, wanted: Locator, key: str = "Enter") -> None:
        self.tab_to(wanted)
        self.page.keyboard.press(key)

    def write(self, wanted: Locator, text: str) -> None:
        self.tab_to(wanted)
        self.page.keyboard.type(text)


def test_without_a_mouse_words_are_written_approved_and_stopped(hub: LiveHub, open_as: Open) -> None:
    page = open_as("clerk")
    keys = Keys(page)
    keys.press(page.locator("a.side-compose"))
    page.wait_for_url(re.compile("/compose"))
    keys.write(page.locator("input[name=title]"), "不用鼠标写的")
    keys.write(page.locator("textarea[name=text]"), WORDS)
    keys.press(page.locator(f"input[name=region][value='{BRIDGE}']"), "Space")
    keys.tab_to(page.locator("input[name=when]:checked"))
    for _ in range(3):
        if page.locator("input[name=when][value=now]").is_checked():
            break
        page.keyboard.press("ArrowLeft")
    keys.press(page.locator("button:visible", has_text="提交审批").first)
    page.wait_for_url(re.compile(r"/announcements/"))
    second = Keys(open_as("approver"))
    second.press(second.page.locator("nav.side a", has_text="待审批"))
    second.page.wait_for_url(re.compile("/approvals"))
    card = second.page.locator(".card", has_text="不用鼠标写的")
    second.press(card.locator("button", has_text="通过").first)
    second.page.wait_for_url(re.compile(r"/broadcasts/"))
    sounds(hub)
    second.press(second.page.locator("#stop, button:has-text('停止播出')").first)
    silence(hub)
    assert keys.unseen | second.unseen == set(), "where the focus is can be seen"


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
def test_without_a_mouse_an_emergency_is_fired_and_stopped(hub: LiveHub, open_as: Open, size: tuple[int, int]) -> None:
    page = open_as("duty", width=size[0], height=size[1])
    keys = Keys(page)
    keys.press(page.locator("a.side-emergency:visible, a.tab-emergency:visible").first)
    page.wait_for_url(re.compile("/emergency"))
    keys.press(page.locator("button:has-text('山洪')").first)
    number = page.locator("input[inputmode=numeric]")
    number.wait_for()
    keys.write(number, number.get_attribute("data-expect") or "")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/emergency/[0-9a-f-]+"))
    assert page.evaluate("document.activeElement.textContent").strip() == "取消，不播"
    sounds(hub)
    page.wait_for_selector("#stop")
    keys.press(page.locator("#stop button, button#stop").first)
    silence(hub)
    assert alerts(hub)[-1] is AlertState.STOPPED
    assert keys.unseen == set(), "where the focus is can be seen"
