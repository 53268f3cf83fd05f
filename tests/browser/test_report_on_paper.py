"""覆盖与考核 on paper: the month of a township of twenty villages is two sheets of A4; a year shows where it goes."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from builders import NORTH, a_speaker
from conftest import SetClock
from deliverylab import Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from playwright.sync_api import Browser, Page, PdfMargins, Route
from sqlalchemy import select, update

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.models import Region
from hub.residents.models import Resident
from hub.speakers.models import Speaker

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SignIn = Callable[[str], FlaskClient]
A4 = PdfMargins(top="10mm", bottom="10mm", left="10mm", right="10mm")
"""The margins Chromium prints with unless somebody says otherwise."""


def a_large_township(runtime: Runtime, clock: SetClock) -> None:
    """Make it one of twenty villages, each on the map, heard once, and with somebody who has no number."""
    with runtime.sessions.begin() as session:
        for n in range(3, 21):
            code = f"{NORTH[:9]}{n:03}"
            regions.add_region(session, SYSTEM, code=code, name=f"第{n}道湾村", now=clock())
            a_speaker(session, f"w{n}", region=code)
        villages = session.scalars(select(Region).where(Region.parent_code == NORTH)).all()
        for n, village in enumerate(villages):
            x, y = 200 * (n % 5), 170 * (n // 5)
            village.outline = f"{x},{y} {x + 200},{y} {x + 200},{y + 170} {x},{y + 170}"
            session.add(Resident(region_code=village.code, region_path=village.path, name="禾", created_at=clock()))
        session.execute(update(Speaker).where(Speaker.id == "w7").values(online=False))
        horns = session.scalars(select(Speaker.id).where(Speaker.region_path.like(f"%/{NORTH}/%"))).all()
    air = Air(runtime, clock)
    for back in (0, 40):
        clock.now -= timedelta(days=back)
        air.play(air.release(NORTH), horns[back // 4 :])
        clock.now += timedelta(days=back)


@pytest.fixture
def look(
    browser: Browser, app: OpenAPI, sign_in: SignIn, runtime: Runtime, clock: SetClock
) -> Iterator[Callable[..., Page]]:
    """Show a page of this test's hub as the county's administrator; no server is needed."""
    a_large_township(runtime, clock)
    client = sign_in("county")
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")

    def answer(route: Route) -> None:
        given = client.get(route.request.url)
        headers = {name: value for name, value in given.headers.items() if name.lower() != "set-cookie"}
        route.fulfill(status=given.status_code, headers=headers, body=given.data)
        given.close()

    context.route("**/*", answer)
    page = context.new_page()

    def open_(path: str, width: int = 1366) -> Page:
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"http://localhost{path}")
        return page

    yield open_
    context.close()


def sheets_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page[^s]", pdf))


def test_a_month_of_twenty_villages_is_two_sheets_and_a_year_has_its_lines(look: Callable[..., Page]) -> None:
    page = look(f"/coverage?span=month&day=2026-11-23&region={NORTH}")
    assert page.locator("table >> nth=0 >> tbody >> tr").count() == 20
    assert sheets_of(page.pdf(format="A4", margin=A4)) == 2
    assert page.locator("svg.line").count() == 0
    for width in (1366, 390):
        page = look(f"/coverage?span=year&day=2026-11-23&region={NORTH}", width)
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        lines = page.locator("svg.line")
        assert lines.count() == 4
        assert lines.nth(1).locator("circle").count() == 2, "October and November were measured"
        assert lines.nth(1).locator("line.run").count() == 1
        assert "10 月" in (lines.nth(1).get_attribute("aria-label") or "")
