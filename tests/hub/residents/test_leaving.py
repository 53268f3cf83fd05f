"""Personal data that leaves the hub, or is to be gone from it."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta

from builders import BRIDGE
from composelab import residents_in
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from sqlalchemy import select, update

from broadcasts.audience.selection import Audience
from broadcasts.sms.forgetting import GONE, Forgetting
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsInbound, SmsMessage
from broadcasts.sms.reports import Inbound
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Lane, Priority
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime
from hub.residents.models import BlockedNumber, Resident
from hub.residents.phones import PhoneSafe

SignIn = Callable[[str], FlaskClient]
NUMBER = "13800001122"


def somebody_wrote(runtime: Runtime) -> Resident:
    residents_in(runtime, BRIDGE, NUMBER)
    with runtime.sessions.begin() as session:
        outbox.plan_run(
            session,
            broadcast_id=session.scalars(select(Resident.id)).one(),
            text="明天停水",
            signature="村响",
            audience=Audience((BRIDGE,), sms=True),
            priority=Priority.ROUTINE,
            expires_at=NOON + timedelta(hours=6),
            settings=SmsSettings(),
            now=NOON,
        )
        expand_next(session, Lane.ORDINARY, now=NOON)
        for ref, text in (("m1", "我家电话别留了"), ("m2", "退订")):
            words = Inbound(NUMBER, text, ref, NOON)
            inbound.receive(session, runtime.get(PhoneSafe), "local", [words], now=NOON)
        return session.scalars(select(Resident)).one()


def test_a_list_leaves_only_with_a_reason_that_is_written_down(sign_in: SignIn, runtime: Runtime) -> None:
    residents_in(runtime, BRIDGE, NUMBER)
    clerk = sign_in("clerk")
    refused = clerk.post("/residents/export", data={"reason": "要"})
    assert (refused.status_code, "写清楚导出去做什么" in refused.text) == (422, True)
    shown = clerk.post("/residents/export", data={"reason": "防汛花名册核对"})
    (row,) = csv.DictReader(io.StringIO(shown.data.decode("utf-8-sig")))
    assert (row["姓名"], row["电话"], row["村"]) == ("李秀英", "138****1122", "桥村")
    whole = clerk.post("/residents/export", data={"reason": "防汛花名册核对", "whole_numbers": "1"})
    assert NUMBER in whole.data.decode("utf-8-sig")
    with runtime.sessions.read() as session:
        deeds = session.scalars(select(AuditEntry).where(AuditEntry.deed == "residents.export")).all()
    assert [(deed.details["reason"], deed.details["whole_numbers"]) for deed in deeds] == [
        ("防汛花名册核对", False),
        ("防汛花名册核对", True),
    ]


def test_who_may_not_edit_gets_no_whole_numbers_and_a_stranger_nobody(sign_in: SignIn, runtime: Runtime) -> None:
    residents_in(runtime, BRIDGE, NUMBER)
    wish = {"reason": "防汛花名册核对", "whole_numbers": "1"}
    assert sign_in("approver").post("/residents/export", data=wish).status_code == 403
    stranger = sign_in("stranger").post("/residents/export", data=wish)
    assert "李秀英" not in stranger.data.decode("utf-8-sig")
    assert sign_in("duty").post("/residents/export", data=wish).status_code == 403


def test_somebody_erased_is_gone_from_every_record_and_stays_opted_out(sign_in: SignIn, runtime: Runtime) -> None:
    resident = somebody_wrote(runtime)
    where = f"/residents/{resident.id}/remove"
    assert sign_in("stranger").post(where, data={"everywhere": "1"}).status_code == 404
    assert sign_in("clerk").post(where, data={"everywhere": "1"}).status_code == 302
    with runtime.sessions.read() as session:
        assert session.scalars(select(Resident)).all() == []
        message = session.scalars(select(SmsMessage)).one()
        assert (message.sealed, message.masked) == (b"", GONE)
        assert {(one.text, one.sealed, one.masked) for one in session.scalars(select(SmsInbound))} == {("", b"", GONE)}
        assert len(session.scalars(select(BlockedNumber)).all()) == 1


def test_letters_closed_long_ago_are_emptied(runtime: Runtime, clock: SetClock, app: object) -> None:
    somebody_wrote(runtime)
    with runtime.sessions.begin() as session:
        session.execute(update(SmsInbound).where(SmsInbound.command == "").values(handled_at=None))
    clock.now = NOON + timedelta(days=91)
    Forgetting(runtime.sessions, SmsSettings(), clock=clock).step()
    with runtime.sessions.read() as session:
        kept = {one.command: one.text for one in session.scalars(select(SmsInbound))}
    assert kept == {"": "我家电话别留了", "opt_out": ""}, "what nobody has dealt with stays"
