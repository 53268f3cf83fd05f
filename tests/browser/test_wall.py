"""A screen in a hall, in browsers new and old: let in by its code, whole on one screen, and it goes on by itself."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from pagelab import TOKEN, Served, old_chromium, signed_in, there_is
from playwright.sync_api import Browser, Page, ViewportSize

from hub.demo.county import COUNTY

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HALL = ViewportSize(width=1920, height=1080)


@dataclass
class Screen:
    """A page on a wall, and what its browser complains about."""

    page: Page
    said: list[str] = field(default_factory=list)


def let_in(served: Served, code: str) -> None:
    person = signed_in(served, "county")
    address = f"{served.address}/settings/walls"
    token = TOKEN.search(person.get(address, timeout=20).text)
    assert token
    form = {"code": code, "name": "大厅", "region": COUNTY[0], "csrf_token": token[1]}
    assert person.post(address, data=form, timeout=20).ok


def hang_up(browser: Browser, served: Served) -> Screen:
    screen = Screen(browser.new_page(viewport=HALL, locale="zh-CN"))
    screen.page.on("console", lambda m: screen.said.append(m.text) if m.type in ("error", "warning") else None)
    screen.page.on("pageerror", lambda error: screen.said.append(str(error)))
    screen.page.goto(f"{served.address}/wall")
    code = screen.page.text_content(".big-number b") or ""
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code)
    let_in(served, code)
    return screen


@pytest.fixture(scope="module")
def screens(served: Served, browser: Browser) -> Iterator[dict[str, Screen]]:
    """Let in at once, for each asks by itself every ten seconds."""
    with ExitStack() as open_:
        found = {"today": hang_up(browser, served)}
        if there_is("109"):
            found["old"] = hang_up(open_.enter_context(old_chromium("109", browser)), served)
        yield found


def look_at(screen: Screen) -> None:
    page = screen.page
    page.wait_for_selector("#wall", timeout=15_000)
    assert "喇叭在线" in (page.text_content("#wall") or "")
    assert page.locator("#wall .map path").count() == 24
    seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert seen[0] <= HALL["width"]
    assert seen[1] <= HALL["height"], "nobody scrolls a screen on a wall"
    page.goto("about:blank")  # a page that loads itself anew may never finish closing
    page.close()
    assert screen.said == []


def test_the_wall_in_todays_browser(screens: dict[str, Screen]) -> None:
    look_at(screens["today"])


def test_the_wall_in_an_old_browser(screens: dict[str, Screen]) -> None:
    if "old" not in screens:
        pytest.skip("no old Chromium (scripts/old-browser brings it by npm)")
    look_at(screens["old"])
