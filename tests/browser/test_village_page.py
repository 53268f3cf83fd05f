"""刚才广播了什么 on an old telephone: no script, large type, dark and light, no barriers; and what is sent arrives."""

from collections.abc import Iterator

import pytest
from pagelab import ASK_AXE, Served, enter
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from broadcasts.feedback.models import Complaint
from broadcasts.village_pages.models import VillagePage
from hub.regions.tree import codes_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KINDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def address(served: Served) -> str:
    with served.runtime.sessions.read() as session:
        token = session.scalars(select(VillagePage.token).where(VillagePage.open)).first()
    return f"{served.address}/v/{token}"


@pytest.fixture(params=["light", "dark"])
def telephone(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme = "dark" if request.param == "dark" else "light"
    context = browser.new_context(
        viewport={"width": 390, "height": 844},
        locale="zh-CN",
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=False,
    )
    yield context.new_page()
    context.close()


def test_it_opens_without_scripts_and_a_complaint_arrives(served: Served, address: str, telephone: Page) -> None:
    said: list[str] = []
    telephone.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    requests: list[str] = []
    telephone.on("request", lambda r: requests.append(r.url))
    telephone.goto(address)
    assert "大风降温提醒" in telephone.inner_text("main")
    assert all(url.startswith(served.address) for url in requests)
    assert telephone.context.cookies() == []
    before = count(served)
    telephone.check("input[value=silent]")
    telephone.fill("#text", "村东头没响")
    telephone.click("button[type=submit]")
    assert "收到了" in telephone.inner_text("main")
    assert count(served) == before + 1
    assert said == []


def test_it_has_no_barriers_and_fits(address: str, browser: Browser, axe: str) -> None:
    for width, height, scheme in ((390, 844, "dark"), (1366, 768, "light")):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.goto(address)
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        page.evaluate(axe)
        assert page.evaluate(ASK_AXE, KINDS) == []
        context.close()


def test_the_sheet_for_the_notice_board_is_there_to_be_seen_and_printed(served: Served, browser: Browser) -> None:
    with served.runtime.sessions.read() as session:
        path = session.scalars(select(VillagePage.region_path).where(VillagePage.open)).first()
    assert path
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    page = context.new_page()
    enter(page, served.address, "county", served.password)
    page.goto(f"{served.address}/village-pages/{codes_in(path)[-1]}/paper")
    for media in ("screen", "print"):
        page.emulate_media(media="print" if media == "print" else "screen")
        assert page.locator("h1").is_visible()
        assert page.locator(".paper svg").is_visible()
    assert not page.locator("nav").first.is_visible(), "only the sheet is printed"
    context.close()


def count(served: Served) -> int:
    with served.runtime.sessions.read() as session:
        return len(session.scalars(select(Complaint.id)).all())
