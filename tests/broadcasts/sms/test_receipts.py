"""Providers' reports: any order, any number of times, also too early."""

import random
from datetime import timedelta

import pytest
from smslab import NOON, Lab, always, crowd, lab_run
from sqlalchemy import select, update

from broadcasts.sms.gateway import Accepted, Submission, SubmitResult, Unknown
from broadcasts.sms.models import SmsMessage, SmsReceipt, SmsRun
from broadcasts.sms.reports import Receipt, message_ref
from broadcasts.sms.sending import outbox, receipts
from broadcasts.sms.states import Lane, MessageState, Priority

S = MessageState


def sent(lab: Lab, count: int, priority: Priority = Priority.ROUTINE) -> SmsRun:
    crowd(lab.sessions, count)
    with lab.sessions.begin() as session:
        run = lab_run(session, priority=priority)
    lab.work(Lane.EMERGENCY if priority is Priority.EMERGENCY else Lane.ORDINARY)
    return run


def states(lab: Lab) -> list[S]:
    with lab.sessions.read() as session:
        return list(session.scalars(select(SmsMessage.state).order_by(SmsMessage.id)))


def report(lab: Lab, *reports: Receipt) -> receipts.Recorded:
    with lab.sessions.begin() as session:
        return receipts.record(session, "lab", reports, lab.clock.now)


def refs(lab: Lab) -> list[tuple[str, str]]:
    with lab.sessions.read() as session:
        rows = session.execute(
            select(SmsMessage.broadcast_id, SmsMessage.id, SmsMessage.provider_ref).order_by(SmsMessage.id)
        )
        return [(message_ref(b, m), p) for b, m, p in rows]


@pytest.mark.parametrize("seed", range(5))
def test_any_order_with_repetitions_leads_to_the_same_end(lab: Lab, seed: int) -> None:
    sent(lab, 30)
    reports = []
    for i, (ours, theirs) in enumerate(refs(lab)):
        reports.append(Receipt(theirs, S.SENT))
        reports.append(
            Receipt(theirs, S.DELIVERED if i % 3 else S.UNDELIVERED, message_ref=ours, code="" if i % 3 else "30005")
        )
    reports *= 2
    random.Random(seed).shuffle(reports)
    for start in range(0, len(reports), 7):
        report(lab, *reports[start : start + 7])
    assert states(lab) == [S.DELIVERED if i % 3 else S.UNDELIVERED for i in range(30)]
    with lab.sessions.read() as session:
        assert len(session.scalars(select(SmsReceipt.key)).all()) == 60
        assert set(session.scalars(select(SmsMessage.code).where(SmsMessage.state == S.UNDELIVERED))) == {"30005"}


def test_the_same_report_again_is_nothing_new(lab: Lab) -> None:
    sent(lab, 1)
    ((_, theirs),) = refs(lab)
    assert report(lab, Receipt(theirs, S.DELIVERED)) == receipts.Recorded(1, 1, 1)
    assert report(lab, Receipt(theirs, S.DELIVERED)) == receipts.Recorded(0, 0, 0)


def test_a_report_resolves_an_unknown_message_by_our_own_id(lab: Lab) -> None:
    lab.gateway.answer = always(Unknown("timeout"))
    sent(lab, 1)
    ((ours, _),) = refs(lab)
    report(lab, Receipt("SM1", S.SENT, message_ref=ours))
    assert states(lab) == [S.SENT]
    report(lab, Receipt("SM1", S.DELIVERED, message_ref=ours))
    assert states(lab) == [S.DELIVERED]


def test_a_report_spares_somebody_the_repetition_of_an_emergency(lab: Lab) -> None:
    lab.gateway.answer = always(Unknown("timeout"))
    sent(lab, 2, Priority.EMERGENCY)
    (first, _), _ = refs(lab)
    report(lab, Receipt("SM1", S.DELIVERED, message_ref=first))
    lab.work_on(40, Lane.EMERGENCY)
    assert len(lab.gateway.calls[-1].people) == 1


def test_a_report_that_overtakes_the_answer_counts(lab: Lab) -> None:
    def report_first(submission: Submission) -> SubmitResult:
        person = submission.people[0]
        report(lab, Receipt("SM9", S.DELIVERED, message_ref=person.ref))
        return Accepted({person.ref: "SM9"})

    lab.gateway.answer = report_first
    sent(lab, 1)
    assert states(lab) == [S.DELIVERED]
    assert refs(lab)[0][1] == "SM9"


def test_a_report_without_our_id_waits_for_its_message(lab: Lab) -> None:
    early = report(lab, Receipt("later", S.DELIVERED))
    assert (early.new, early.matched) == (1, 0)
    lab.gateway.answer = lambda submission: Accepted({submission.people[0].ref: "later"})
    sent(lab, 1)
    lab.clock.pass_(seconds=3)
    lab.work()
    assert states(lab) == [S.DELIVERED]


def test_an_orphan_is_kept_but_not_looked_at_for_ever(lab: Lab) -> None:
    report(lab, Receipt("nobody", S.DELIVERED))
    with lab.sessions.begin() as session:
        late = receipts.retry_orphans(session, now=NOON + timedelta(minutes=11))
        assert late == receipts.Recorded(0, 0, 0)
        assert session.scalars(select(SmsReceipt.matched)).all() == [False]


def test_reports_change_nothing_for_those_nothing_was_sent_to(lab: Lab) -> None:
    run = sent(lab, 1)
    with lab.sessions.begin() as session:
        session.execute(update(SmsMessage).values(state="suppressed", submission_id=None, attempts=0))
    ((ours, theirs),) = refs(lab)
    report(lab, Receipt(theirs, S.DELIVERED, message_ref=ours))
    assert states(lab) == [S.SUPPRESSED]
    with lab.sessions.read() as session:
        progress = outbox.progress(session, run.broadcast_id)
    assert progress is not None
    assert progress.reached == 0


@pytest.mark.parametrize(
    "ref", ["", ".", "x.1", "0" * 32 + ".", "0" * 32 + ".-1", "0" * 32 + ".1", "٣" * 32 + ".٣", "a" * 5000]
)
def test_an_id_that_is_not_ours_is_an_orphan(lab: Lab, ref: str) -> None:
    sent(lab, 1)
    assert report(lab, Receipt("SM1", S.DELIVERED, message_ref=ref)).matched == 0
