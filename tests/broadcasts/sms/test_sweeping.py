"""What time and dead workers do to the outbox."""

from smslab import Lab, always, crowd, lab_run
from sqlalchemy import select, update

from broadcasts.sms.gateway import Refusal, Refused
from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.outbox import SmsProgress
from broadcasts.sms.states import MessageState, RunState

S = MessageState


def planned(lab: Lab) -> SmsRun:
    with lab.sessions.begin() as session:
        return lab_run(session)


def now_at(lab: Lab, run: SmsRun) -> SmsProgress:
    with lab.sessions.read() as session:
        found = outbox.progress(session, run.broadcast_id)
    assert found is not None
    return found


def counts(lab: Lab, run: SmsRun) -> dict[S, int]:
    return {state: count for state, count in now_at(lab, run).counts.items() if count}


def test_what_was_not_sent_in_time_expires(lab: Lab) -> None:
    crowd(lab.sessions, 4)
    lab.gateway.answer = always(Refused(Refusal.THROTTLED))
    run = planned(lab)
    lab.work()
    lab.clock.pass_(hours=6, seconds=1)
    lab.work()
    assert counts(lab, run) == {S.EXPIRED: 4}
    assert now_at(lab, run).state is RunState.DONE


def test_calls_that_were_taken_but_never_made_go_back(lab: Lab) -> None:
    crowd(lab.sessions, 7)
    run = planned(lab)
    lab.work()
    with lab.sessions.begin() as session:
        session.execute(update(SmsMessage).values(state="leased"))
        session.execute(update(SmsSubmission).values(state="leased", lease_until=lab.clock.now))
    lab.clock.pass_(seconds=16)
    lab.gateway.calls.clear()
    lab.work()
    assert len(lab.gateway.numbers) == 7
    assert counts(lab, run) == {S.SENT: 7}


def test_calls_a_dead_worker_was_in_the_middle_of_are_unknown(lab: Lab) -> None:
    crowd(lab.sessions, 7)
    run = planned(lab)
    lab.work()
    with lab.sessions.begin() as session:
        session.execute(update(SmsMessage).values(state="submitting"))
        session.execute(update(SmsSubmission).values(state="submitting"))
    lab.gateway.calls.clear()
    lab.clock.pass_(seconds=lab.settings.lease_s - 1)
    lab.work()
    assert counts(lab, run) == {S.SUBMITTING: 7}, "the worker may still be alive"
    lab.clock.pass_(seconds=4)
    lab.work()
    assert counts(lab, run) == {S.UNKNOWN: 7}
    assert not lab.gateway.calls


def test_a_missing_receipt_is_shown_after_three_days(lab: Lab) -> None:
    crowd(lab.sessions, 2)
    run = planned(lab)
    lab.work()
    lab.clock.pass_(hours=71)
    lab.work()
    assert counts(lab, run) == {S.SENT: 2}
    lab.clock.pass_(hours=2)
    lab.work()
    assert counts(lab, run) == {S.NO_RECEIPT: 2}


def test_numbers_are_forgotten_after_ninety_days(lab: Lab) -> None:
    crowd(lab.sessions, 2)
    planned(lab)
    lab.work()
    lab.clock.pass_(seconds=3)
    lab.work()
    lab.clock.pass_(days=91)
    lab.work()
    with lab.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.sealed))) == {b""}
        assert all("****" in masked for masked in session.scalars(select(SmsMessage.masked)))
