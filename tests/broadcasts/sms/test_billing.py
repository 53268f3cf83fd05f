"""What the record says a message cost: through whom it really went, however often it was tried."""

import pytest
from smslab import NOON, PINE, WEST, Lab, LabGateway, accept, always, crowd, lab_actor, lab_run, lab_settings
from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.sms.gateway import Accepted, Addressee, Refusal, Refused, Submission, SubmitResult, Unknown
from broadcasts.sms.models import SmsRun
from broadcasts.sms.segments import Policy
from broadcasts.sms.sending import outbox, records
from broadcasts.sms.sending.billing import Share, priced
from broadcasts.sms.states import Priority

TWO = lab_settings(gateways=("lab", "other"), prices=("lab=3", "other=5.5"), countings=("other=gsm",))
ENGLISH = "Water is off tomorrow from eight until noon; please keep some in a clean bucket."


def planned(session: Session, text: str) -> SmsRun:
    return outbox.plan_run(
        session, broadcast_id=uuid7(), text=text, signature="", audience=Audience((PINE,), sms=True),
        priority=Priority.ROUTINE, expires_at=NOON.replace(hour=10), settings=TWO, now=NOON,
    )  # fmt: skip


def first_only(submission: Submission) -> SubmitResult:
    """Take the first of a call and refuse the others."""
    taken: tuple[Addressee, ...] = submission.people[:1]
    refused = {person.ref: Refused(Refusal.REJECTED, "no") for person in submission.people[1:]}
    return Accepted({person.ref: "p-1" for person in taken}, refused)


def test_each_message_costs_what_its_own_provider_asks_for_and_counts(lab: Lab) -> None:
    crowd(lab.sessions, 5)
    lab.others.append(LabGateway(name="other"))
    lab.gateway.answer = first_only
    with lab.sessions.begin() as session:
        run = planned(session, ENGLISH)
        assert (run.parts, run.price_hundredths, run.tariff) == (2, 300, {"other": [1, 550]})
    lab.work()
    with lab.sessions.read() as session:
        line = records.run(session, lab_actor(), run.broadcast_id)
        whole = outbox.progress(session, run.broadcast_id)
        elsewhere = outbox.progress(session, run.broadcast_id, [f"/{WEST}/"])
    assert line.bill.by == {"lab": Share(2, 6), "other": Share(4, 22)}
    assert (line.bill.parts, line.bill.fen) == (6, 28)
    assert whole is not None
    assert elsewhere is not None
    assert (whole.parts, whole.fen) == (6, 28)
    assert (elsewhere.parts, elsewhere.fen) == (0, 0)


def test_a_message_that_may_have_gone_twice_may_be_on_two_bills(lab: Lab) -> None:
    crowd(lab.sessions, 2)
    lab.gateway.answer = always(Unknown("cut"))
    with lab.sessions.begin() as session:
        run = lab_run(session)
    lab.work()
    lab.gateway.answer = accept
    with lab.sessions.begin() as session:
        assert outbox.resend_unknown(session, lab_actor(), run.broadcast_id, expires_at=NOON, now=NOON) == 2
    lab.work_on(5)
    with lab.sessions.read() as session:
        bill = records.run(session, lab_actor(), run.broadcast_id).bill
    assert (bill.parts, bill.fen, bill.by) == (4, 18, {})


def test_a_refused_try_is_on_no_bill(lab: Lab) -> None:
    crowd(lab.sessions, 2)
    lab.gateway.answer = always(Refused(Refusal.TEMPORARY, "busy"))
    with lab.sessions.begin() as session:
        run = lab_run(session)
    lab.work()
    lab.gateway.answer = accept
    lab.work_on(60)
    with lab.sessions.read() as session:
        bill = records.run(session, lab_actor(), run.broadcast_id).bill
        assert session.scalars(select(SmsRun.tariff)).all() == [{}]
    assert (bill.parts, bill.fen) == (2, 9)


def test_twilio_counts_in_its_own_way_unless_told_otherwise() -> None:
    settings = lab_settings(gateways=("mas", "twilio"))
    assert priced(ENGLISH, settings)["tariff"] == {"twilio": [1, 450]}
    assert settings.counting_of("mas") is Policy.DOMESTIC
    assert lab_settings(countings=()).counting_of("twilio") is Policy.DOMESTIC
    with pytest.raises(ValueError, match="domestic or gsm"):
        lab_settings(countings=("twilio=utf",))
