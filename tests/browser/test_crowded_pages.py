"""The pages that hold most, full: long names, more than two hundred items a week, clashes, hits of quiet hours."""

import re

import pytest
from crowdlab import plan_pages
from pagelab import DESKTOP, LONG, OTHERS, PHONE, Looker, Served, View, signed_in, tell
from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ITEMS = 200
PAGES = ("/timetable", "/timetable?week=2026-11-23", "/timetable/rehearsal", "/plans", "/sheets", "/emergency")


def test_the_week_is_really_crowded(crowded: Served) -> None:
    text = signed_in(crowded, "all").get(f"{crowded.address}/timetable", timeout=60).text
    assert text.count('class="slot') > ITEMS
    problems = re.search(r"(\d+) 处有问题", text)
    assert problems
    assert int(problems[1]) > ITEMS / 4
    assert "安静时段" in text


@pytest.mark.parametrize("view", [DESKTOP, PHONE, *OTHERS] if LONG else [PHONE])
def test_a_crowded_page_has_no_fault(crowded: Served, browser: Browser, axe: str, view: View) -> None:
    with crowded.runtime.sessions.read() as session:
        pages = [*PAGES, *plan_pages(session)]
    window, faults = Looker(browser, crowded, "all", view), {}
    for page in pages if LONG else pages[1:2]:
        if found := window.faults(page, axe if LONG else ""):
            faults[page] = found
    window.close()
    assert faults == {}, tell(faults)
