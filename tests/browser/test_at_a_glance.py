"""What a person in a hurry sees and keeps: text, reach and button on one screen, the focus, how old the figures are."""

import re
from collections.abc import Iterator

import pytest
from pagelab import DESKTOP, PHONE, Looker, Served, View
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HALF = View(683, 384, "light")
"""A computer's screen at 200 %."""
BUSY = (
    "/",
    "/compose",
    "/timetable",
    "/broadcasts",
    "/campaigns",
    "/speakers",
    "/residents",
    "/sms/inbox",
    "/settings",
)


@pytest.fixture(scope="module")
def windows(served: Served, browser: Browser) -> Iterator[dict[tuple[str, View], Looker]]:
    pairs = [("duty", DESKTOP), ("duty", PHONE), ("clerk", HALF)]
    found = {(login, view): Looker(browser, served, login, view) for login, view in pairs}
    yield found
    for window in found.values():
        window.close()


Windows = dict[tuple[str, View], Looker]


@pytest.mark.parametrize("view", [DESKTOP, PHONE])
@pytest.mark.parametrize("path", ["/emergency", "/drill"])
def test_text_reach_and_button_share_a_screen_and_a_wrong_number_leaves_the_button_off(
    windows: Windows, view: View, path: str
) -> None:
    window = windows["duty", view]
    page = window.page
    page.goto(f"{window.address}{path}?hazard=flash_flood&colour=red")
    button = page.locator("#check .confirm button")
    for what in (page.locator("#check .script").first, page.locator("#check .reach b").first, button):
        expect(what).to_be_in_viewport(ratio=0.9)
    field = page.locator("input[name=speakers]")
    expect(field).to_be_focused()
    wanted = int(re.sub(r"\D", "", page.locator("#check .confirm label b").inner_text()))
    field.fill(str(wanted + 1))
    expect(button).to_be_disabled()
    field.fill(str(wanted))
    expect(button).to_be_enabled()


def anew(route: Route) -> None:
    """Let a part of the page come back whole, changed or not."""
    headers = {name: value for name, value in route.request.headers.items() if name != "if-none-match"}
    route.continue_(headers=headers)


def test_the_focus_stays_while_the_page_asks_again_and_old_figures_turn_red(windows: Windows) -> None:
    window = windows["duty", DESKTOP]
    page: Page = window.page
    page.clock.install()
    page.goto(f"{window.address}/")
    page.route("**/overview/**", anew)
    inside = page.locator("[hx-get] a[id], [hx-get] button[id]").first
    inside.focus()
    held = page.evaluate("document.activeElement.id")
    with page.expect_response(lambda answer: "/overview/" in answer.url and answer.status in (200, 286)):
        page.clock.fast_forward(21_000)
    page.wait_for_timeout(300)
    assert page.evaluate("document.activeElement.id") == held
    note = page.locator("[data-freshness]")
    expect(note).not_to_have_class(re.compile("stale"))
    page.unroute("**/overview/**")
    page.route("**/overview/**", lambda route: route.abort())
    page.clock.fast_forward(45_000)
    expect(note).to_have_class(re.compile("stale"))
    assert "没更新" in note.inner_text()


def test_at_twice_the_size_nothing_runs_off_the_screen(windows: Windows) -> None:
    window = windows["clerk", HALF]
    assert {path: found for path in BUSY if (found := window.faults(path))} == {}
