"""Drafts are made ahead of awareness days, once, in the name of who wanted them; dates are checked and moved."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from builders import HILL, NORTH, the_actor
from campaignlab import Office
from composelab import said
from conftest import SetClock
from deliverylab import Air
from flask.testing import FlaskClient
from sqlalchemy import select

from broadcasts.delivery.rules import Rules
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules.campaigns import service as campaigns
from schedules.campaigns.models import Campaign, CampaignState
from schedules.models import CalendarDay, DayKind
from schedules.occasions import service
from schedules.occasions.models import OccasionDesk

SignIn = Callable[[str], FlaskClient]
TODAY = date(2026, 11, 23)
REF = "constitution:2026"


def prepare(runtime: Runtime, clock: SetClock) -> int:
    return service.prepare(runtime.sessions, now=clock.now, quiet=runtime.get(Rules).quiet)


def keep(runtime: Runtime, clock: SetClock, login: str = "clerk", *, on: bool = True) -> None:
    with runtime.sessions.begin() as session:
        service.keep_drafts(session, the_actor(session, login), on=on, now=clock.now)


def drafts(runtime: Runtime) -> dict[str, Campaign]:
    with runtime.sessions.read() as session:
        return {str(c.occasion): c for c in session.scalars(select(Campaign)) if c.texts}


def test_drafts_are_made_ahead_of_each_day_and_never_twice(app: object, runtime: Runtime, clock: SetClock) -> None:
    assert prepare(runtime, clock) == 0, "nobody wants any"
    keep(runtime, clock)
    assert prepare(runtime, clock) > 0
    made = drafts(runtime)
    assert REF in made
    assert "traffic:2026" not in made, "seven days ahead is enough"
    one = made[REF]
    assert (one.state, one.written_by_name) == (CampaignState.DRAFT, "北镇广播员")
    assert (one.first_day, one.last_day, one.departments) == (date(2026, 12, 1), date(2026, 12, 7), ["司法所"])
    assert [bool(t.text and t.sms_text) for t in one.texts] == [True] * 3
    assert prepare(runtime, clock) == 0
    clock.now = datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert prepare(runtime, clock) == 2
    assert {"traffic:2026", "aids:2026"} <= drafts(runtime).keys()


def test_a_draft_can_be_handed_in_as_it_is(office: Office, runtime: Runtime, air: Air, clock: SetClock) -> None:
    keep(runtime, clock)
    prepare(runtime, clock)
    made = drafts(runtime)[REF]
    office.hand_in(made.id)
    assert office.approve(made.id).state is CampaignState.RUNNING


def test_a_prepared_draft_is_for_those_who_write_for_the_whole_place(
    office: Office, runtime: Runtime, air: Air, clock: SetClock
) -> None:
    keep(runtime, clock)
    prepare(runtime, clock)
    made = drafts(runtime)[REF]
    with runtime.sessions.read() as session:
        for login in ("secretary", "stranger", "approver"):
            with pytest.raises(NotFound):
                campaigns.get(session, the_actor(session, login), made.id)


def test_what_was_thrown_away_does_not_come_back(office: Office, runtime: Runtime, air: Air, clock: SetClock) -> None:
    keep(runtime, clock)
    prepare(runtime, clock)
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        campaigns.stop(session, clerk, drafts(runtime)[REF].id, desk=office.desk, now=clock.now)
    assert prepare(runtime, clock) == 0


def test_days_are_moved_below_the_place_that_moved_them_and_the_nearest_decides(
    app: object, runtime: Runtime, clock: SetClock
) -> None:
    with runtime.sessions.begin() as session:
        clerk, secretary = the_actor(session, "clerk"), the_actor(session, "secretary")
        moved = {"first_day": date(2026, 12, 3), "last_day": date(2026, 12, 9), "off": False, "now": clock.now}
        service.settle(session, clerk, REF, **moved)  # type: ignore[arg-type]
        assert line(session, secretary).first_day == date(2026, 12, 3)
        service.settle(session, secretary, REF, **(moved | {"off": True}))  # type: ignore[arg-type]
        assert line(session, secretary).off
        assert not line(session, clerk).off
        assert line(session, the_actor(session, "stranger")).first_day == date(2026, 12, 1)
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        for wrong in (
            {"first_day": date(2026, 12, 9), "last_day": date(2026, 12, 3)},
            {"first_day": date(2028, 1, 1), "last_day": date(2028, 1, 2)},
            {"first_day": None, "last_day": None},
        ):
            with pytest.raises(BadInput):
                service.settle(session, clerk, REF, **wrong, off=False, now=clock.now)
        with pytest.raises(NotFound):
            service.settle(session, clerk, "nothing:2026", first_day=TODAY, last_day=TODAY, off=False, now=clock.now)
        viewer = the_actor(session, "viewer")
        with pytest.raises(NotAllowed):
            service.settle(session, viewer, REF, first_day=TODAY, last_day=TODAY, off=False, now=clock.now)


def line(session: object, actor: object) -> service.Line:
    found = service.calendar(session, actor, today=TODAY)  # type: ignore[arg-type]
    return next(one for one in found.lines if one.span.ref == REF)


def test_a_day_left_out_gets_no_draft(app: object, runtime: Runtime, clock: SetClock) -> None:
    keep(runtime, clock)
    with runtime.sessions.begin() as session:
        days = {"first_day": date(2026, 12, 1), "last_day": date(2026, 12, 7)}
        service.settle(session, the_actor(session, "clerk"), REF, **days, off=True, now=clock.now)
    prepare(runtime, clock)
    assert REF not in drafts(runtime)


def test_exam_days_become_quiet_days_of_the_timetable(app: object, runtime: Runtime, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        assert service.hush(session, clerk, "gaokao:2027", today=TODAY, now=clock.now) == 3
        assert service.hush(session, clerk, "gaokao:2027", today=TODAY, now=clock.now) == 0
        with pytest.raises(NotFound):
            service.hush(session, clerk, "drugs:2027", today=TODAY, now=clock.now)
    with runtime.sessions.read() as session:
        rows = session.scalars(select(CalendarDay).where(CalendarDay.kind == DayKind.QUIET)).all()
        assert {(row.day, row.region_path) for row in rows} == {
            (date(2027, 6, day), path_of(NORTH)) for day in (7, 8, 9)
        }


def test_the_page_turns_drafts_on_moves_days_and_makes_one_now(runtime: Runtime, sign_in: SignIn) -> None:
    clerk = sign_in("clerk")
    page = said(clerk.get("/occasions").text)
    assert "宪法宣传周" in page
    assert "日子待核对" in page
    assert clerk.post("/occasions/desk", data={"on": "1"}).status_code == 302
    assert "北镇广播员 的名义" in said(clerk.get("/occasions").text)
    data = {"first_day": "2027-01-20", "last_day": "2027-03-01"}
    assert clerk.post("/occasions/chunyun:2027", data=data).status_code == 302
    assert "北镇广播员 核对过" in said(clerk.get("/occasions").text)
    where = clerk.post("/occasions/drugs:2027/draft").location
    assert "国际禁毒日" in clerk.get(where).text
    assert clerk.post("/occasions/gaokao:2027/quiet").status_code == 302
    assert "安静日，不播" in said(clerk.get("/occasions").text)
    viewer = sign_in("viewer")
    assert viewer.get("/occasions").status_code == 200
    for verb in ("desk", "drugs:2027", "drugs:2027/draft", "gaokao:2027/quiet"):
        assert viewer.post(f"/occasions/{verb}").status_code == 403
    assert HILL not in page


def test_who_left_has_no_more_drafts_made(app: object, runtime: Runtime, clock: SetClock) -> None:
    keep(runtime, clock)
    with runtime.sessions.begin() as session:
        desk = session.scalars(select(OccasionDesk)).one()
        desk.account_id = the_actor(session, "viewer").id or desk.account_id
    assert prepare(runtime, clock) == 0
    keep(runtime, clock, on=False)
    with runtime.sessions.read() as session:
        assert session.scalars(select(OccasionDesk)).all() == []
