"""Whatever waits for a person stands on one page and counts in one place, whichever room it is from."""

from collections.abc import Callable

import pytest
from builders import BRIDGE, the_actor
from campaignlab import Office
from composelab import said
from conftest import NOON, SetClock
from deliverylab import Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from materiallab import TODAY, a_material_draft
from roundlab import Post
from sheetlab import RELAY, Desk

from broadcasts.materials import service as materials
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def full(app: OpenAPI, runtime: Runtime, air: Air, clock: SetClock) -> None:
    """One of each waits, all written by the north's clerk."""
    with runtime.sessions.begin() as session:
        given = ResidentInput(name="甲", region_code=BRIDGE, phones=("13800000001",), tags=("志愿者",))
        residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=NOON)
        clerk = the_actor(session, "clerk")
        text = materials.create(session, clerk, a_material_draft(title="灶台防火"), now=NOON)
        materials.submit(session, clerk, text.id, today=TODAY, now=NOON)
    desk, office = Desk(runtime), Office(runtime, air)
    desk.submit(desk.draft(RELAY))
    office.hand_in(office.write())
    Post(runtime, clock).write(each=1)


def test_all_of_it_is_on_the_page_and_in_both_counts(full: None, sign_in: SignIn) -> None:
    approver = sign_in("approver")
    page = approver.get("/approvals").text
    for line in ("日常节目", "冬季防诈骗", "十二月义务巡逻", "灶台防火"):
        assert line in said(page)
    assert "4 条" in said(page)
    for href in ("/sheets/", "/campaigns/", "/rounds/", "/materials/"):
        assert f'href="{href}' in page
    overview = said(approver.get("/").text)
    assert "待审批4" in overview.replace(" ", "")
    assert "等我审批4" in overview.replace(" ", "")


@pytest.mark.parametrize("login", ["strange_approver", "clerk"])
def test_a_stranger_and_the_author_find_nothing_there(full: None, sign_in: SignIn, login: str) -> None:
    person = sign_in(login)
    assert "日常节目" not in person.get("/approvals").text
    assert "待审批4" not in said(person.get("/").text).replace(" ", "")


def test_each_opens_where_it_is_passed(full: None, sign_in: SignIn) -> None:
    approver = sign_in("approver")
    page = approver.get("/approvals").text.partition("别的也在等你审")[2].partition("</section>")[0]
    hrefs = {part.partition('"')[0] for part in page.split('href="')[1:] if not part.startswith("/static/")}
    assert len(hrefs) == 4
    for href in hrefs:
        assert approver.get(href).status_code == 200
        assert f'action="{href}/approve"' in approver.get(href).text
