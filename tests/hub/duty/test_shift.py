"""My shift and the hand-over note: gathered, written once, confirmed by somebody else, never changed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from builders import BRIDGE, NORTH, the_actor
from conftest import BOTH_DATABASES, SetClock
from deliverylab import B1, B2, H1, H2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.letters import inbound
from broadcasts.sms.reports import Inbound
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.duty import handing_over, service
from hub.duty.models import Handover, HandoverEntry
from hub.duty.service import PersonInput
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers.care.models import SpeakerAlarm

SignIn = Callable[[str], FlaskClient]
NOTE = {"region": NORTH, "happened": "山洪响过一次", "open_matters": "桥村喇叭离线"}


@pytest.fixture
def air(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Air:
    return Air(runtime, clock)


def wrong(air: Air, runtime: Runtime, clock: SetClock) -> None:
    """Let everything happen that may."""
    with runtime.sessions.begin() as session:
        given = ResidentInput("张一", BRIDGE, ("13800001111",))
        residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
        path = session.scalars(select(Handover.region_path)).first() or ""
        assert path == ""
        session.add(
            SpeakerAlarm(
                speaker_id=B1,
                region_path="990101000000/990101001000/990101001001/",
                code="offline",
                since=clock(),
                raised_at=clock(),
            )
        )
        messages = [Inbound("+8613800001111", words, words, clock()) for words in ("后山滑坡了", "广播太吵了")]
        inbound.receive(session, runtime.get(PhoneSafe), "local", messages, now=clock())
    said = air.release(NORTH, title="哪儿都没响")
    air.report(said, PlayState.FAILED, [B1, B2, H1, H2], reason="download")


@BOTH_DATABASES
def test_a_shift_shows_what_happened_since_it_began(
    air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    wrong(air, runtime, clock)
    clock.now += timedelta(minutes=5)
    page = sign_in("duty").get("/duty/shift").text
    assert [word for word in ("后山滑坡了", "太吵", "哪儿都没响：一只都没响", "村口") if word not in page] == []
    assert page.index("后山滑坡了") < page.index("哪儿都没响")
    clock.now += timedelta(hours=2)
    duty = sign_in("duty")
    shown = duty.get("/duty/shift?since=2026-11-23T11:00").text
    assert "哪儿都没响" not in shown
    assert "后山滑坡了" in shown, "what is open stays, however long ago it began"
    stranger = sign_in("strange_duty").get("/duty/shift").text
    assert [word for word in ("后山滑坡了", "广播太吵了", "哪儿都没响") if word in stranger] == []
    assert "我的班" in duty.get("/").text
    assert sign_in("clerk").get("/duty/shift").status_code == 403


@BOTH_DATABASES
def test_a_shift_begins_as_the_roster_says(air: Air, runtime: Runtime, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        duty = the_actor(session, "duty")
        assert handing_over.began_of(session, duty, now=clock()) == clock() - handing_over.USUAL
        given = PersonInput(NORTH, "王五", "值班员", "13800003333", "duty")
        person = service.add_person(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
        began = clock() - timedelta(hours=3)
        service.add_shift(
            session, SYSTEM, person.id, starts_at=began, ends_at=clock() + timedelta(hours=5), now=clock()
        )
        assert handing_over.began_of(session, duty, now=clock()) == began


@BOTH_DATABASES
def test_a_note_is_written_confirmed_by_another_and_only_added_to(
    air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    duty, arriving = sign_in("duty"), sign_in("approver")
    assert duty.post("/duty/handovers", data=NOTE | {"happened": " "}).status_code == 422
    address = duty.post("/duty/handovers", data=NOTE).location
    assert duty.post(f"{address}/confirm").status_code == 403
    assert "等你确认" in arriving.get("/duty/shift").text
    arriving.post(f"{address}/confirm", data={"text": "都看过了"})
    assert sign_in("county").post(f"{address}/confirm").status_code == 409
    duty.post(f"{address}/additions", data={"text": "响了两次，写错了"})
    page = arriving.get(address).text
    assert [word for word in ("山洪响过一次", "都看过了", "响了两次，写错了") if word not in page] == []
    assert "北镇副镇长接了" in duty.get("/duty/handovers").text
    with runtime.sessions.read() as session:
        note = session.scalars(select(Handover)).one()
        assert len(session.scalars(select(HandoverEntry)).all()) == 2
        assert note.happened == "山洪响过一次"
    for sentence in ("UPDATE duty_handover SET happened = 'x'", "DELETE FROM duty_handover_entry"):
        with pytest.raises(DBAPIError, match="never changed"), runtime.sessions.begin() as session:
            session.execute(text(sentence))


def test_a_note_that_somebody_changed_in_the_database_says_so(
    air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    address = sign_in("duty").post("/duty/handovers", data=NOTE).location
    with runtime.sessions.begin() as session:
        session.execute(text("DROP TRIGGER duty_handover_kept_update"))
        session.execute(text("UPDATE duty_handover SET happened = '平安无事'"))
    assert "对不上" in sign_in("duty").get(address).text


def test_a_stranger_reads_confirms_and_adds_nothing(air: Air, runtime: Runtime, sign_in: SignIn) -> None:
    address = sign_in("duty").post("/duty/handovers", data=NOTE).location
    stranger = sign_in("strange_duty")
    assert "山洪响过一次" not in stranger.get("/duty/handovers").text
    assert stranger.get(address).status_code == 404
    for verb in ("confirm", "additions"):
        assert stranger.post(f"{address}/{verb}", data={"text": "x"}).status_code == 404
    assert stranger.post("/duty/handovers", data=NOTE).status_code == 404
    with runtime.sessions.read() as session:
        assert session.scalars(select(HandoverEntry)).all() == []
