"""Practice is ticked off by what really happened, and nothing of it reaches a live loudspeaker or a telephone."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from builders import BRIDGE, an_actor, the_actor
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.alerts import service as alerts
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act, Colour, Mode
from broadcasts.loudspeaker.models import PlayOrder
from broadcasts.loudspeaker.orders import Sound
from broadcasts.practice import service, tasks
from broadcasts.practice.letters import LETTERS
from broadcasts.practice.models import PracticeWork, WorkKind
from broadcasts.practice.service import Notice
from broadcasts.sms.models import SmsRun
from hub.audit import log
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker

SignIn = Callable[[str], FlaskClient]
NOTICE = Notice("体检", "明天上午九点在村委会体检，请带身份证。")
SOUND = Sound("a" * 64, 4_000, 9_000)


def done(session: Session, login: str) -> set[str]:
    return {one.task.key for one in tasks.of_person(session, the_actor(session, login)) if one.done_at}


def a_notice(session: Session) -> PracticeWork:
    return service.hand_in(session, the_actor(session, "clerk"), NOTICE, now=NOON)


def passed(session: Session, runtime: Runtime, who: str = "approver") -> Broadcast | None:
    work = a_notice(session)
    rules = runtime.get(Rules)
    return service.pass_on(session, the_actor(session, who), work.id, SOUND, rules=rules, now=NOON)


def test_a_passed_notice_sounds_on_drill_loudspeakers_alone_and_ticks_off_both(app: OpenAPI, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1001-1").drill = True
        assert done(session, "clerk") == set()
        broadcast = passed(session, runtime)
        assert broadcast is not None
        assert (broadcast.kind, broadcast.speakers_meant) == (Kind.DRILL, 1)
    with runtime.sessions.read() as session:
        order = session.scalars(select(PlayOrder)).one()
        assert "s1001-1" in str(order.targets)
        others = [s for s in session.scalars(select(Speaker.id)) if s != "s1001-1" and s in str(order.targets)]
        assert others == [], "of six loudspeakers the one that is marked for drills"
        assert order.mode == "drill"
        assert session.scalar(select(func.count()).select_from(SmsRun)) == 0
        assert done(session, "clerk") == {"notice"}
        assert done(session, "approver") == {"pass"}


def test_where_there_are_no_drill_loudspeakers_nothing_sounds_and_the_task_counts(
    app: OpenAPI, runtime: Runtime
) -> None:
    with runtime.sessions.begin() as session:
        assert passed(session, runtime) is None
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 0
        assert done(session, "approver") == {"pass"}


def test_nobody_passes_their_own_nor_a_strangers_nor_twice(app: OpenAPI, runtime: Runtime) -> None:
    rules = runtime.get(Rules)
    with runtime.sessions.begin() as session:
        work = a_notice(session)
        writer_too = an_actor(id=work.written_by)
        for actor, error in (
            (the_actor(session, "clerk"), NotAllowed),
            (writer_too, NotAllowed),
            (the_actor(session, "strange_approver"), NotFound),
            (the_actor(session, "duty"), NotAllowed),
        ):
            with pytest.raises(error):
                service.pass_on(session, actor, work.id, SOUND, rules=rules, now=NOON)
        assert service.waiting_for(session, the_actor(session, "strange_approver")) == []
        service.pass_on(session, the_actor(session, "approver"), work.id, SOUND, rules=rules, now=NOON)
        with pytest.raises(WrongState):
            service.pass_on(session, the_actor(session, "approver"), work.id, SOUND, rules=rules, now=NOON)


def test_an_empty_notice_is_refused_at_its_fields(app: OpenAPI, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session, pytest.raises(BadInput) as caught:
        service.hand_in(session, the_actor(session, "clerk"), Notice(" ", "长" * 501), now=NOON)
    assert {problem.field for problem in getattr(caught.value, "problems", ())} == {"title", "text"}


@pytest.mark.parametrize("number", range(len(LETTERS)))
def test_a_letter_is_answered_when_what_comes_first_is_right(app: OpenAPI, runtime: Runtime, number: int) -> None:
    with runtime.sessions.begin() as session:
        secretary = the_actor(session, "secretary")
        for letter in LETTERS[: number + 1]:
            work = service.take_letter(session, secretary, now=NOON)
            assert work.title == letter.key
            assert service.take_letter(session, secretary, now=NOON).id == work.id, "one at a time"
            for other in LETTERS:
                if other.first != letter.first:
                    with pytest.raises(BadInput):
                        service.answer_letter(session, secretary, work.id, other.first, "好", now=NOON)
            service.answer_letter(session, secretary, work.id, letter.first, "好的", now=NOON)
        assert done(session, "secretary") == {"letter"}
        assert session.scalar(select(func.count()).select_from(SmsRun)) == 0


def test_letters_are_ones_own(app: OpenAPI, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        work = service.take_letter(session, the_actor(session, "secretary"), now=NOON)
        for who in ("duty", "strange_duty"):
            with pytest.raises(HubError):
                service.answer_letter(session, the_actor(session, who), work.id, "call", "", now=NOON)


def a_drill(session: Session, who: str, *, mode: Mode = Mode.DRILL, act: Act = Act.ALERT) -> Alert:
    officer = the_actor(session, who)
    assert officer.id
    alert = Alert(
        form_key=uuid4().hex, hazard="flood", colour=Colour.RED, title="山洪", text="x", sms_text="",
        mode=mode, act=act,
        audience={"regions": [BRIDGE]}, home_path="990101000000/990101001000/990101001001/",
        state=AlertState.STOPPED, armed_at=NOON, fires_at=NOON, fired_at=NOON, expires_at=NOON,
        armed_by=officer.id, armed_by_name=officer.name, speakers_confirmed=1,
    )  # fmt: skip
    session.add(alert)
    session.flush()
    return alert


def test_drills_count_for_who_pressed_stopped_and_took_back_and_emergencies_never(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        real = a_drill(session, "duty", mode=Mode.LIVE)
        alerts.record(session, the_actor(session, "duty"), "alert.stop", real, NOON)
        a_drill(session, "duty", mode=Mode.LIVE, act=Act.CORRECTION)
        assert done(session, "duty") == set()
        drill = a_drill(session, "duty")
        assert done(session, "duty") == {"alarm"}
        alerts.record(session, the_actor(session, "approver"), "alert.stop", drill, NOON)
        assert (done(session, "duty"), done(session, "approver")) == ({"alarm"}, {"stop"})
        a_drill(session, "duty", act=Act.CORRECTION)
        assert done(session, "duty") == {"alarm", "retract"}
        log.record(session, the_actor(session, "duty"), "alert.stop", f"alert:{uuid4()}", drill.home_path, NOON)
        assert "stop" not in done(session, "duty")


def test_supervisors_see_their_own_people_and_only_tasks_that_are_theirs(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        a_notice(session)
        seen = {person.name: person for person in tasks.of_people(session, the_actor(session, "approver"))}
        assert "北镇广播员" in seen
        assert not {name for name in seen if name.startswith("南镇")}
        assert (seen["北镇广播员"].done, seen["北镇广播员"].meant) == (1, 2)
        assert "北镇督查员" not in seen, "who only looks has nothing to practise"
        assert tasks.of_people(session, the_actor(session, "clerk")) == []
        whole = {person.name for person in tasks.of_people(session, the_actor(session, "county"))}
        assert {"南镇广播员", "北镇广播员"} <= whole


def test_the_pages_lead_from_the_task_to_the_tick(sign_in: SignIn, runtime: Runtime) -> None:
    clerk, approver = sign_in("clerk"), sign_in("approver")
    assert "还没做" in clerk.get("/practice").text
    assert clerk.post("/practice/notice", data={"title": "", "text": ""}).status_code == 422
    answer = clerk.post("/practice/notice", data={"title": "体检", "text": NOTICE.text}, follow_redirects=True)
    assert "交上去了" in answer.text
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1001-1").drill = True
        work = session.scalars(select(PracticeWork)).one()
    assert NOTICE.text not in clerk.get("/practice").text, "one's own does not wait for oneself"
    assert NOTICE.text in approver.get("/practice").text
    assert NOTICE.text not in approver.get("/approvals").text, "practice stands in no list of real things"
    heard = approver.post(f"/practice/notice/{work.id}/pass", follow_redirects=True)
    assert "演练喇叭这就响" in heard.text
    with runtime.sessions.read() as session:
        assert session.scalars(select(Broadcast.kind)).all() == [Kind.DRILL]
    assert "体检" not in approver.get("/broadcasts").text
    assert "北镇广播员" in approver.get("/practice/people").text
    assert clerk.get("/practice/people").status_code == 403
    letter = clerk.get("/practice/letter").text
    assert "掉石头" in letter
    with runtime.sessions.read() as session:
        given = session.scalars(select(PracticeWork).where(PracticeWork.kind == WorkKind.LETTER)).one()
    wrong = clerk.post(f"/practice/letter/{given.id}", data={"act": "text", "answer": "好"})
    assert (wrong.status_code, "先打电话" in wrong.text) == (422, True)
    right = clerk.post(f"/practice/letter/{given.id}", data={"act": "call"}, follow_redirects=True)
    assert "什么也没发出去" in right.text


def test_a_stranger_sees_and_passes_nothing(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        work = a_notice(session)
    stranger = sign_in("strange_approver")
    assert NOTICE.text not in stranger.get("/practice").text
    assert stranger.post(f"/practice/notice/{work.id}/pass").status_code == 404
    assert "北镇" not in stranger.get("/practice/people").text.partition("<main")[2]
