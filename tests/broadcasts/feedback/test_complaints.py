"""Complaints: from text messages and the desk, linked, dealt with, and nobody else's business."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from uuid import UUID

import pytest
from builders import BRIDGE, HILL, NORTH
from conftest import BOTH_DATABASES, SetClock
from deliverylab import B1, B2, Air
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from openpyxl import load_workbook
from sqlalchemy import select, update

from broadcasts.feedback.kinds import ComplaintKind, ComplaintState, kind_in
from broadcasts.feedback.models import Complaint, ComplaintStep
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsInbound
from broadcasts.sms.reports import Inbound
from hub.accounts.models import Account
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents import service as residents
from hub.residents.erasing import Erasure
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers.care.models import Repair
from hub.webhooks.models import EventKind

SignIn = Callable[[str], FlaskClient]
NUMBER = "13800001111"


@pytest.fixture
def air(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Air:
    with runtime.sessions.begin() as session:
        given = ResidentInput("张一", BRIDGE, (NUMBER,))
        residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=clock())
    return Air(runtime, clock)


def writes(runtime: Runtime, clock: SetClock, text: str, number: str = NUMBER) -> None:
    """Let a resident send a text message."""
    with runtime.sessions.begin() as session:
        message = Inbound(f"+86{number}", text, f"m-{text[:6]}-{clock():%H%M%S}", clock())
        inbound.receive(session, runtime.get(PhoneSafe), "local", [message], now=clock())


def the_complaint(runtime: Runtime) -> Complaint:
    with runtime.sessions.read() as session:
        return session.scalars(select(Complaint)).one()


def written(browser: FlaskClient, **given: str) -> str:
    """Write a complaint down at the desk; return its address."""
    form = {"region": BRIDGE, "kind": "too_loud", "text": "晚上太吵"} | given
    answer = browser.post("/feedback", data=form)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


@pytest.mark.parametrize(
    ("text", "lately", "kind"),
    [
        ("太吵了", True, ComplaintKind.TOO_LOUD),
        ("太吵了", False, None),
        ("广播太吵了，孩子睡不着", False, ComplaintKind.TOO_LOUD),
        ("喇叭听不清说什么", False, ComplaintKind.UNCLEAR),
        ("我家这边没响", True, ComplaintKind.SILENT),
        ("半夜还播放", False, ComplaintKind.WRONG_TIME),
        ("广播里电话念错了", False, ComplaintKind.WRONG_CONTENT),
        ("医保太晚交了可以吗", False, None),
        ("收到，谢谢", True, None),
    ],
)
def test_what_a_message_complains_of(text: str, lately: bool, kind: ComplaintKind | None) -> None:
    assert kind_in(text, lately=lately) is kind


@BOTH_DATABASES
def test_a_reply_after_a_broadcast_is_linked_to_it_and_to_the_one_loudspeaker_that_sounded(
    air: Air, runtime: Runtime, clock: SetClock
) -> None:
    said = air.release(NORTH)
    air.play(said, [B1])
    air.report(said, PlayState.FAILED, [B2], reason="download")
    clock.now += timedelta(minutes=20)
    writes(runtime, clock, "太吵了")
    found = the_complaint(runtime)
    assert (found.kind, found.broadcast_id, found.speaker_id) == (ComplaintKind.TOO_LOUD, said, B1)
    assert found.region_path == path_of(BRIDGE)
    assert NUMBER not in repr(vars(found))
    with runtime.sessions.read() as session:
        assert session.scalars(select(SmsInbound.handled_at)).one() is not None, "it has moved, nobody sees it twice"


def test_long_after_a_broadcast_a_bare_word_stays_a_letter_and_danger_always_does(
    air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    air.play(air.release(NORTH), [B1, B2])
    writes(runtime, clock, "太吵了，后山滑坡了快来救人")
    clock.now += timedelta(hours=5)
    writes(runtime, clock, "太吵了")
    with runtime.sessions.read() as session:
        assert session.scalars(select(Complaint)).all() == []
    letters = sign_in("clerk").get("/sms/inbox").text
    assert letters.count("太吵了") == 2
    assert "可能要救人" in letters


def test_a_letter_somebody_has_read_becomes_a_complaint_once(
    air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    writes(runtime, clock, "村口那个东西一直叫")
    clerk = sign_in("clerk")
    with runtime.sessions.read() as session:
        letter = session.scalars(select(SmsInbound.id)).one()
    assert "转成村民反映" in clerk.get(f"/sms/inbox/{letter}").text
    answers = {
        clerk.post(f"/feedback/letters/{letter}", data={"kind": "too_loud"}).location for _ in range(2)
    }  # fmt: skip
    assert answers == {f"/feedback/{the_complaint(runtime).id}"}
    assert "转成了村民反映" in clerk.get(f"/sms/inbox/{letter}").text


@BOTH_DATABASES
def test_from_new_to_done_by_whoever_it_was_handed_to(
    air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn
) -> None:
    clerk, secretary = sign_in("clerk"), sign_in("secretary")
    address = written(clerk, phone=NUMBER)
    assert "138****1111" in clerk.get(address).text
    with runtime.sessions.read() as session:
        to = session.scalars(select(Account.id).where(Account.login == "secretary")).one()
    clerk.post(f"{address}/assign", data={"to": str(to), "due": "2026-11-24T18:00"})
    assert "晚上太吵" in secretary.get("/feedback?show=mine").text
    assert "晚上太吵" not in clerk.get("/feedback?show=mine").text
    assert secretary.post(f"{address}/done", data={"outcome": " "}).status_code == 422
    secretary.post(f"{address}/done", data={"outcome": "七点后调到 40"})
    found = the_complaint(runtime)
    assert (found.state, found.outcome) == (ComplaintState.DONE, "七点后调到 40")
    assert "七点后调到 40" in clerk.get("/feedback?show=done").text
    assert secretary.post(f"{address}/done", data={"outcome": "x"}).status_code == 409
    clerk.post(f"{address}/reopen")
    assert the_complaint(runtime).state is ComplaintState.WORKING
    with runtime.sessions.read() as session:
        deeds = [step.deed.value for step in session.scalars(select(ComplaintStep).order_by(ComplaintStep.id))]
        noted = set(session.scalars(select(AuditEntry.deed)))
        details = repr([entry.details for entry in session.scalars(select(AuditEntry))])
    assert deeds == ["assigned", "due", "done", "reopened"]
    assert {"complaint.write", "complaint.assign", "complaint.done", "complaint.reopen"} <= noted
    assert NUMBER not in details


def test_it_offers_what_helps_and_a_repair_is_opened_from_it(
    air: Air, runtime: Runtime, sign_in: SignIn
) -> None:  # fmt: skip
    clerk = sign_in("clerk")
    loud = written(clerk, speaker=B1)
    assert f"/speakers/{B1}#sound" in clerk.get(loud).text
    silent = written(clerk, kind="silent", text="没响", speaker=B2)
    assert "给这只喇叭报修" in clerk.get(silent).text
    answer = clerk.post(f"{silent}/repair")
    assert answer.location.startswith("/speakers/repairs/")
    with runtime.sessions.read() as session:
        assert session.scalars(select(Repair.speaker_id)).one() == B2
    assert clerk.post(f"{silent}/repair").status_code == 409
    assert "太吵" in clerk.get(f"/speakers/{B1}").text
    assert clerk.post(f"{loud}/link", data={"kind": "silent", "speaker": "s2001-1"}).status_code in (404, 422)


@BOTH_DATABASES
def test_it_is_counted_on_the_overview_the_broadcast_and_in_excel(
    air: Air, clock: SetClock, sign_in: SignIn
) -> None:  # fmt: skip
    said = air.release(NORTH)
    air.play(said, [B1, B2])
    clerk = sign_in("clerk")
    written(clerk)
    assert "1 件村民反映还没人接" in clerk.get("/").text
    assert "太吵 1" in clerk.get(f"/broadcasts/{said}").text
    written(clerk, kind="other", text="屋后滑坡，快来人")
    front = clerk.get("/").text
    assert front.index("屋后滑坡") < front.index("件村民反映还没人接")
    rows = list(load_workbook(BytesIO(clerk.get("/feedback.xlsx?show=all").data)).worksheets[0].values)
    assert len(rows) == 3
    assert "太吵" in rows[2]
    assert len(list(load_workbook(BytesIO(clerk.get("/feedback.xlsx?kind=other").data)).worksheets[0].values)) == 2
    clock.now += timedelta(days=4)
    assert "过期了" in sign_in("clerk").get("/feedback?show=late").text


@BOTH_DATABASES
def test_a_stranger_neither_sees_nor_changes_it(air: Air, runtime: Runtime, sign_in: SignIn) -> None:
    address = written(sign_in("clerk"))
    stranger = sign_in("stranger")
    assert "晚上太吵" not in stranger.get("/feedback?show=all").text
    assert "晚上太吵" not in stranger.get(f"/feedback?show=all&region={BRIDGE}").text
    assert stranger.get(address).status_code == 404
    for verb in ("take", "done", "link", "assign", "repair", "reopen", "call"):
        assert stranger.post(f"{address}/{verb}", data={"outcome": "x", "kind": "other"}).status_code == 404, verb
    assert stranger.post("/feedback", data={"region": HILL, "kind": "other", "text": "x"}).status_code == 404
    assert the_complaint(runtime).state is ComplaintState.NEW
    assert sign_in("viewer").get("/feedback").status_code == 403


@BOTH_DATABASES
def test_who_is_erased_is_forgotten_here_too(air: Air, runtime: Runtime, clock: SetClock) -> None:
    writes(runtime, clock, "广播太吵了")
    with runtime.sessions.begin() as session:
        whom = session.scalars(select(SmsInbound.resident_id)).one()
        assert isinstance(whom, UUID)
        runtime.get(Erasure).erase(session, SYSTEM, whom, now=clock())
    found = the_complaint(runtime)
    assert (found.sealed, found.masked, found.text, found.phone_index) == (b"", "—", "", None)


def test_other_programs_and_gauges_hear_of_it(air: Air, runtime: Runtime, clock: SetClock, sign_in: SignIn) -> None:
    county = sign_in("county")
    county.post("/settings/webhooks", data={"name": "平台", "url": "https://x.example/h", "kinds": "complaint.new"})
    written(sign_in("clerk"))
    with runtime.sessions.begin() as session:
        session.execute(update(Complaint).values(due_at=clock() - timedelta(hours=1)))
    assert EventKind.COMPLAINT.value in county.get("/settings/webhooks").text
    assert 'cunxiang_complaints_open{late="yes"} 1.0' in county.get("/metrics").text
