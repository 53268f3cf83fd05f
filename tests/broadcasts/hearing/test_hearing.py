"""Heard, not clear, nothing heard: by a tap, by text message, over time, and by nobody from elsewhere."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH
from conftest import BOTH_DATABASES, SetClock
from deliverylab import B1, B2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select, text

from broadcasts.hearing import tallies
from broadcasts.hearing.models import HearingAnswer, HearingVerdict, HearingWay
from broadcasts.hearing.tallies import Spell
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsInbound, SmsMessage, SmsRun
from broadcasts.sms.purposes import Purpose
from broadcasts.sms.reports import Inbound
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.states import Lane, MessageState
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers.clarity import Clarity

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def air(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Air:
    return Air(runtime, clock)


@pytest.fixture
def said(air: Air) -> UUID:
    found = air.release(NORTH)
    air.play(found, [B1, B2])
    return found


def answers(runtime: Runtime) -> list[HearingAnswer]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(HearingAnswer).order_by(HearingAnswer.id)))


@BOTH_DATABASES
def test_one_tap_says_it_and_a_second_changes_it(said: UUID, runtime: Runtime, sign_in: SignIn) -> None:
    secretary = sign_in("secretary")
    assert "听清了" in secretary.get("/hearing").text
    secretary.post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "heard"})
    secretary.post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "unclear"})
    (found,) = answers(runtime)
    assert (found.verdict, found.region_path, found.way) == (HearingVerdict.UNCLEAR, path_of(BRIDGE), HearingWay.PAGE)
    secretary.post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "silent", "speaker": B2, "back": "one"})
    assert [a.speaker_id for a in answers(runtime)] == ["", B2]
    assert "没响 1" in secretary.get(f"/speakers/{B2}").text
    assert "听不清 1" in sign_in("clerk").get(f"/broadcasts/{said}").text


def test_what_cannot_have_been_heard_is_refused(
    said: UUID, air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    clerk = sign_in("clerk")
    later = air.release(NORTH, starts_in=timedelta(hours=1))
    clerk.post(f"/hearing/{later}", data={"region": BRIDGE, "verdict": "heard"})
    only_hill = air.release(HILL)
    clerk.post(f"/hearing/{only_hill}", data={"region": BRIDGE, "verdict": "heard"})
    clerk.post(f"/hearing/{said}", data={"region": HILL, "verdict": "heard", "speaker": B1})
    assert clerk.post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "loud"}).status_code == 422
    clock.now += timedelta(days=3)
    sign_in("clerk").post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "heard"})
    assert answers(runtime) == []


@BOTH_DATABASES
def test_grid_workers_are_asked_once_and_their_number_counts_where_they_live(
    said: UUID, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    with runtime.sessions.begin() as session:
        for name, region, number, tag in (("张一", BRIDGE, "13800001111", "网格员"), ("李二", HILL, "13800002222", "")):
            given = ResidentInput(name, region, (number,), tags=(tag,) if tag else ())
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
    clerk = sign_in("clerk")
    for _ in range(2):
        clerk.post(f"/hearing/{said}/ask", data={"region": NORTH})
    with runtime.sessions.begin() as session:
        expand_next(session, Lane.ORDINARY, now=clock())
        run = session.scalars(select(SmsRun).where(SmsRun.purpose == Purpose.HEARING)).one()
        assert "请回1听清了，2听不清，3没响" in run.text
        messages = session.scalars(select(SmsMessage).where(SmsMessage.broadcast_id == run.broadcast_id)).all()
        assert [m.masked for m in messages] == ["138****1111"]
        messages[0].state = MessageState.DELIVERED
    with runtime.sessions.begin() as session:
        reply = Inbound("+8613800001111", "2", "r1", clock())
        inbound.receive(session, runtime.get(PhoneSafe), "local", [reply], now=clock())
        assert session.scalars(select(SmsInbound.handled_at)).one() is not None
    (found,) = answers(runtime)
    assert (found.verdict, found.region_path, found.way) == (HearingVerdict.UNCLEAR, path_of(BRIDGE), HearingWay.SMS)
    assert "13800001111" not in found.who + found.by_name
    assert "张一" in clerk.get(f"/hearing/{said}").text


@BOTH_DATABASES
def test_places_and_the_report_show_it_over_time(
    said: UUID, air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    clerk, secretary = sign_in("clerk"), sign_in("secretary")
    secretary.post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "heard"})
    clerk.post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "silent"})
    clerk.post(f"/hearing/{said}", data={"region": HILL, "verdict": "heard"})
    with runtime.sessions.read() as session:
        found = tallies.by_place(session, path_of(NORTH), Spell(clock() - timedelta(days=1), clock() + timedelta(1)))
        rows = session.execute(text("SELECT verdict, count(*) FROM hearing_answer GROUP BY verdict")).all()
    counted = {str(row[0]): int(row[1]) for row in rows}
    assert found == {path_of(BRIDGE): Clarity(heard=1, silent=1), path_of(HILL): Clarity(heard=1)}
    assert counted == {"heard": 2, "silent": 1}
    page = clerk.get("/speakers/map?show=heard").text
    assert "50%" in page
    assert "67%" in clerk.get("/coverage").text
    assert "听清 1，听不清 0，没响 1" in clerk.get(f"/hearing/places?region={BRIDGE}").text


def test_a_stranger_neither_sees_nor_answers(said: UUID, runtime: Runtime, sign_in: SignIn) -> None:
    sign_in("secretary").post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "heard"})
    stranger = sign_in("stranger")
    assert stranger.get(f"/hearing/{said}").status_code == 404
    assert stranger.get(f"/hearing/places?region={BRIDGE}").status_code == 404
    for region in (BRIDGE, FERRY):
        form = {"region": region, "verdict": "silent"}
        assert stranger.post(f"/hearing/{said}", data=form).status_code == 404
        assert stranger.post(f"/hearing/{said}/ask", data=form).status_code == 404
    assert len(answers(runtime)) == 1
    assert sign_in("viewer").post(f"/hearing/{said}", data={"region": BRIDGE, "verdict": "silent"}).status_code == 403
