"""A county right after its first sign-in: no villages, loudspeakers, residents or broadcasts; and no blank page."""

from collections.abc import Iterator

import pytest
from formlab import blanks_in
from pagelab import (
    DESKTOP,
    LIVED_ON,
    LONG,
    OTHERS,
    PHONE,
    Looker,
    Served,
    Stop,
    View,
    Walk,
    endpoint_of,
    signed_in,
    tell,
)
from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LEAST_PAGES = 60


def pages(hub: Served) -> Iterator[Stop]:
    """Every page by links, and every address besides that needs nothing to be opened."""
    walk = Walk(hub, thorough=False, logins=("all",))
    yield from walk
    person, urls = signed_in(hub, "all"), hub.app.url_map.bind("127.0.0.1")
    for rule in hub.app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.rule.startswith("/api/"):
            continue
        endpoint = endpoint_of(urls, rule.rule)
        if endpoint is None or endpoint in walk.seen:
            continue
        answer = person.get(hub.address + rule.rule, timeout=30, allow_redirects=False)
        assert answer.status_code < 500, rule.rule
        if answer.status_code == 200 and "<html" in answer.text[:200]:
            yield Stop("all", rule.rule, endpoint, answer.text)


@pytest.fixture(scope="module")
def stops(empty: Served) -> list[Stop]:
    return list(pages(empty))


def test_a_list_of_nothing_says_so_in_a_line_and_offers_what_to_do(stops: list[Stop]) -> None:
    faults = {stop.path: found for stop in stops if (found := blanks_in(stop.text))}
    assert faults == {}, tell(faults)
    assert len(stops) > LEAST_PAGES


@pytest.mark.parametrize("view", [DESKTOP, PHONE, *OTHERS] if LONG else [PHONE])
def test_no_page_of_it_has_a_fault(empty: Served, stops: list[Stop], browser: Browser, axe: str, view: View) -> None:
    faults = {}
    window = Looker(browser, empty, "all", view)
    for stop in stops:
        if (LONG or stop.endpoint in LIVED_ON) and (found := window.faults(stop.path, axe)):
            faults[stop.path] = found
    window.close()
    assert faults == {}, tell(faults)
