"""A screen in a hall, in browsers new and old: let in by its code, whole on one screen, and it goes on by itself."""

import re

import pytest
from pagelab import TOKEN, Served, signed_in
from playwright.sync_api import Browser

from hub.demo.county import COUNTY

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HALL = {"width": 1920, "height": 1080}


def let_in(served: Served, code: str) -> None:
    person = signed_in(served, "county")
    address = f"{served.address}/settings/walls"
    token = TOKEN.search(person.get(address, timeout=20).text)
    assert token
    form = {"code": code, "name": "大厅", "region": COUNTY[0], "csrf_token": token[1]}
    assert person.post(address, data=form, timeout=20).ok


def show_on(browser: Browser, served: Served) -> None:
    said: list[str] = []
    page = browser.new_page(viewport=HALL, locale="zh-CN")  # type: ignore[arg-type]
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{served.address}/wall")
    code = page.text_content(".big-number b") or ""
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}", code)
    let_in(served, code)
    page.wait_for_selector("#wall", timeout=15_000)  # it asks by itself every ten seconds
    assert "喇叭在线" in (page.text_content("#wall") or "")
    assert page.locator("#wall .map path").count() == 24
    seen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert seen[0] <= HALL["width"]
    assert seen[1] <= HALL["height"], "nobody scrolls a screen on a wall"
    page.close()
    assert said == []


def test_the_wall_in_todays_browser(served: Served, browser: Browser) -> None:
    show_on(browser, served)


def test_the_wall_in_an_old_browser(served: Served, old_browser: Browser) -> None:
    show_on(old_browser, served)
