"""Every page a person can reach by links, in a real browser: barriers, complaints, width, weight, motion, words.

The quick sweep opens a page of each kind once, every second one on a telephone in the dark, and looks for barriers on
what people have open all day. CUNXIANG_LONG=1 looks at everything everywhere, and at a county where every address there
is has something behind it. Last, what a person in a hurry sees and keeps: text, reach and button on one screen, the
focus while a page asks again, how old the figures are.
"""

import gzip
import re
from collections.abc import Iterable, Iterator
from itertools import cycle

import pytest
import requests
from pagelab import (
    DESKTOP,
    EVERYTHING,
    LIVED_ON,
    LOGINS,
    LONG,
    OTHERS,
    PHONE,
    Looker,
    Served,
    Stop,
    View,
    Walk,
    signed_in,
    tell,
)
from playwright.sync_api import Browser, Page, Route, expect
from strangerlab import addresses

from hub.web.menu import Menu

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST_GZ = 80_000
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
NOT_COVERED = """part => {
  const place = part.getBoundingClientRect(), found = document.elementFromPoint(place.left + 8, place.bottom - 4);
  return part === found || part.contains(found);
}"""
"""Whether the foot of a part can be seen: a bar at the foot of a telephone lies over what is behind it."""
THOROUGH = "CUNXIANG_LONG=1 looks at everything everywhere"
NOT_BY_LINKS = {
    "accounts.sign_in",  # one is sent there
    "accounts.welcome",  # the first account of an empty hub
    "joining.scanned",  # what a label on a loudspeaker leads to
    "own.renew",  # one is sent there when the password was given by somebody else
}
"""Pages without arguments that no link leads to, and why each of them has none."""


@pytest.fixture(scope="module")
def stops(served: Served) -> list[Stop]:
    return list(Walk(served))


def is_a_page(person: requests.Session, hub: Served, address: str) -> bool:
    answer = person.get(hub.address + address, timeout=30, allow_redirects=False)
    assert answer.status_code < 500, address
    return answer.status_code == 200 and "<html" in answer.text[:200]


def faults_in_turns(browser: Browser, served: Served, stops: Iterable[Stop], axe: str = "") -> dict[str, list[str]]:
    """Look at every second page on a telephone in the dark, and for barriers in what people have open all day."""
    faults = {}
    window = Looker(browser, served, LOGINS[0], DESKTOP)
    # One person after the other, one view after the other: a window that turns lays its page out anew.
    turns = sorted(
        zip(stops, cycle((DESKTOP, PHONE)), strict=False), key=lambda t: (LOGINS.index(t[0].login), t[1].width)
    )
    for stop, view in turns:
        window.turn(stop.login, view)
        if found := window.faults(stop.path, axe if stop.endpoint in LIVED_ON else ""):
            faults[f"{stop.login} {stop.path} {view}"] = found
    window.close()
    return faults


@pytest.mark.skipif(LONG, reason="the long form looks at every page in every view")
def test_no_page_has_a_fault(served: Served, stops: list[Stop], browser: Browser, axe: str) -> None:
    faults = faults_in_turns(browser, served, stops, axe)
    assert faults == {}, tell(faults)


@pytest.mark.skipif(not LONG, reason=THOROUGH)
@pytest.mark.parametrize("view", [DESKTOP, PHONE, *OTHERS])
def test_no_page_has_a_fault_in_any_view(
    served: Served, stops: list[Stop], browser: Browser, axe: str, view: View
) -> None:
    faults = {}
    window = Looker(browser, served, LOGINS[0], view)
    for stop in stops:
        window.turn(stop.login, view)
        if found := window.faults(stop.path, axe):
            faults[f"{stop.login} {stop.path}"] = found
    window.close()
    assert faults == {}, tell(faults)


@pytest.mark.skipif(not LONG, reason=THOROUGH)
def test_no_address_has_a_fault_with_something_behind_it(full: Served, browser: Browser, axe: str) -> None:
    windows = [Looker(browser, full, "all", view) for view in (DESKTOP, PHONE)]
    person = signed_in(full, "all")
    faults, opened = {}, 0
    for rule, address in addresses(full.app, full.runtime):
        if "GET" not in (rule.methods or ()) or not is_a_page(person, full, address):
            continue
        for window in windows:
            opened += 1
            if found := window.faults(address, axe):
                faults[f"{rule.rule} {address}"] = found
    for window in windows:
        window.close()
    assert faults == {}, tell(faults)
    assert opened > 200


def test_no_page_has_a_fault_in_an_old_browser(served: Served, stops: list[Stop], old_browser: Browser) -> None:
    faults = faults_in_turns(old_browser, served, (s for s in stops if LONG or s.endpoint in LIVED_ON))
    assert faults == {}, tell(faults)


@pytest.mark.skipif(not LONG, reason=THOROUGH)
def test_no_page_has_a_fault_in_the_oldest_browsers(served: Served, stops: list[Stop], older_browser: Browser) -> None:
    faults = faults_in_turns(older_browser, served, stops)
    assert faults == {}, tell(faults)


def test_every_page_is_light_enough_for_a_bad_line(served: Served, stops: list[Stop]) -> None:
    heavy = {}
    static: dict[str, int] = {}
    person = signed_in(served, LOGINS[0])
    for stop in stops:
        total = len(gzip.compress(stop.text.encode(), 5))
        for link in set(re.findall(r'(?:src|href)="(/static/[^"#]+)', stop.text)):
            if link not in static:
                static[link] = len(gzip.compress(person.get(served.address + link, timeout=30).content, 5))
            total += static[link]
        if total > MOST_GZ:
            heavy[stop.path] = total
    assert heavy == {}


def test_the_walk_reaches_all_of_the_menu(served: Served, stops: list[Stop]) -> None:
    reached = {stop.endpoint for stop in stops}
    assert {entry.endpoint for entry in served.runtime.get(Menu).entries} - reached == set()


def pages_without_arguments(served: Served) -> Iterator[tuple[str, str]]:
    """Every address of the hub that needs nothing more to be opened."""
    for rule in served.app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments and not rule.rule.startswith("/api/"):
            yield str(rule.endpoint), rule.rule


def test_every_page_can_be_reached_by_links(served: Served, stops: list[Stop]) -> None:
    reached = {stop.endpoint for stop in stops} | NOT_BY_LINKS
    people = [signed_in(served, login) for login in LOGINS]
    lost = []
    for endpoint, path in pages_without_arguments(served):
        if endpoint in reached:
            continue
        if any(is_a_page(person, served, path) for person in people):
            lost.append(f"{endpoint} {path}")
    assert lost == [], lost


def test_a_planted_fault_is_found(browser: Browser, served: Served, axe: str) -> None:
    window = Looker(browser, served, "viewer", PHONE)
    window.page.set_content(
        '<html lang="zh-CN"><title>x</title><main><h1>x</h1><input>'
        '<p style="color:#bbb;width:900px">浅浅的字看不清楚</p></main>'
        "<style>@keyframes go { from { opacity: 0 } } h1 { animation: go 9s }</style></html>"
    )
    found = [fault.split(":")[0] for fault in window.faults_here(axe, EVERYTHING)]
    assert {"label", "color-contrast", "scrolls sideways", "moves"} <= set(found)
    window.faults("/")
    window.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    assert any("Content Security Policy" in fault for fault in window.faults_here(""))
    window.close()


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
    page.goto(f"{window.served.address}{path}?hazard=flash_flood&colour=red")
    button = page.locator("#check .confirm button")
    for what in (page.locator("#check .script").first, page.locator("#check .reach b").first, button):
        expect(what).to_be_in_viewport(ratio=0.9)
        assert what.evaluate(NOT_COVERED), f"something lies over {what}"
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
    page.goto(f"{window.served.address}/")
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
