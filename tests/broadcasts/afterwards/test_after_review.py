"""Emergencies are looked at afterwards: by whom, until when, and what is late."""

from collections.abc import Callable
from datetime import timedelta

import builders
import pytest
from builders import NORTH, the_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from sqlalchemy import select
from uuid6 import uuid7

from broadcasts.afterwards import service
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.approvals.models import AfterReview
from broadcasts.kinds import Colour, Mode
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

DAY = timedelta(hours=24)


@pytest.fixture
def gone_out(runtime: Runtime) -> Alert:
    """A live emergency of the north, pressed by the officer on duty an hour ago; and a drill beside it."""
    at = NOON - timedelta(hours=1)
    with runtime.sessions.begin() as session:
        rows = [
            Alert(
                form_key=f"k{mode}",
                hazard="flood",
                colour=Colour.RED,
                title=f"山洪避险 {mode}",
                text="马上往高处走。",
                sms_text="",
                audience={"regions": [NORTH]},
                home_path=path_of(NORTH),
                speakers_confirmed=4,
                state=AlertState.FIRED,
                armed_at=at,
                fires_at=at,
                fired_at=at,
                expires_at=NOON,
                armed_by=the_actor(session, login).id,
                armed_by_name=login,
                broadcast_id=uuid7(),
                mode=mode,
            )
            for mode, login in ((Mode.LIVE, "duty"), (Mode.DRILL, "duty"))
        ]
        session.add_all(rows)
    return rows[0]


def test_an_emergency_waits_for_somebody_else_and_is_late_after_a_day(runtime: Runtime, gone_out: Alert) -> None:
    with runtime.sessions.read() as session:
        approver = the_actor(session, "approver")
        (one,) = service.due(session, approver, within=DAY, now=NOON)
        assert (one.late, one.due_at) == (False, NOON + timedelta(hours=23))
        (late,) = service.due(session, approver, within=DAY, now=NOON + timedelta(hours=23))
        assert late.late
        assert service.count_due(session, approver, NOON) == 1
        assert service.due(session, the_actor(session, "strange_approver"), within=DAY, now=NOON) == []


def test_it_is_reviewed_once_by_somebody_else_and_what_was_wrong_is_said(runtime: Runtime, gone_out: Alert) -> None:
    with runtime.sessions.begin() as session:
        approver = the_actor(session, "approver")
        with pytest.raises(BadInput, match="after_review_note"):
            service.review(session, approver, gone_out.id, proper=False, note=" ", now=NOON)
        service.review(session, approver, gone_out.id, proper=False, note="范围太大", now=NOON)
        with pytest.raises(WrongState, match="reviewed_meanwhile"):
            service.review(session, approver, gone_out.id, proper=True, note="", now=NOON)
        assert service.count_due(session, approver, NOON) == 0
        assert session.scalars(select(AfterReview.note)).all() == ["范围太大"]


@pytest.mark.parametrize(
    ("who", "error"), [("duty", NotAllowed), ("viewer", NotAllowed), ("strange_approver", NotFound)]
)
def test_neither_who_pressed_nor_who_has_no_say_reviews_it(
    runtime: Runtime, gone_out: Alert, who: str, error: type[HubError]
) -> None:
    with runtime.sessions.begin() as session, pytest.raises(error):
        service.review(session, the_actor(session, who), gone_out.id, proper=True, note="", now=NOON)


def test_an_approver_who_pressed_it_leaves_the_review_to_another(runtime: Runtime, gone_out: Alert) -> None:
    with runtime.sessions.begin() as session:
        approver = the_actor(session, "approver")
        assert approver.id is not None
        session.get_one(Alert, gone_out.id).armed_by = approver.id
        session.flush()
        with pytest.raises(NotAllowed, match="own_emergency"):
            service.review(session, approver, gone_out.id, proper=True, note="", now=NOON)


def test_the_page_says_what_is_late_and_takes_the_verdict(
    sign_in: Callable[[str], FlaskClient], gone_out: Alert, clock: SetClock
) -> None:
    clock.now = NOON + timedelta(days=2)
    client = sign_in("approver")
    page = client.get("/approvals/after").text
    assert "有 1 次应急过了时间还没人补审" in page
    assert "山洪避险 drill" not in page
    assert client.post(f"/approvals/after/{gone_out.id}", data={"proper": "0"}).status_code == 422
    client.post(f"/approvals/after/{gone_out.id}", data={"proper": "1"})
    assert "没问题" in client.get("/approvals/after").text
    assert sign_in("clerk").get("/approvals/after").status_code == 403
    assert builders.PEOPLE["approver"][0] in client.get("/approvals/after").text


def test_the_overview_says_what_is_due_and_until_when_and_what_is_late_to_supervisors_too(
    sign_in: Callable[[str], FlaskClient], gone_out: Alert, clock: SetClock
) -> None:
    page = sign_in("approver").get("/").text
    assert "1 次应急等你补审" in page
    assert "以前审完，还剩 23 小时" in page
    for login in ("county", "duty", "strange_approver", "clerk"):
        assert "次应急" not in sign_in(login).get("/").text, login
    clock.now = NOON + timedelta(hours=23, minutes=1)
    page = sign_in("approver").get("/").text
    assert "1 次应急过了补审期限" in page
    assert "去补审" in page
    assert "1 次应急过了补审期限" in sign_in("county").get("/").text
    for login in ("strange_approver", "clerk"):
        assert "次应急" not in sign_in(login).get("/").text, login
