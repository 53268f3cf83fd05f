"""The pump: who is written to, once, when, and what trouble with the provider leads to."""

from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from smslab import BRIDGE, NOON, Lab, accept, always, blocked, crowd, lab_run, mobile, somebody
from sqlalchemy import select

from broadcasts.sms.gateway import Accepted, Found, Refusal, Refused, Submission, SubmitResult, Unknown
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.sending.outbox import SmsProgress
from broadcasts.sms.states import Lane, MessageState, Priority, RunState
from hub.residents.models import BlockedNumber, BlockReason

S = MessageState


def planned(lab: Lab, priority: Priority = Priority.ROUTINE, now: datetime = NOON) -> SmsRun:
    with lab.sessions.begin() as session:
        return lab_run(session, priority=priority, now=now)


def now_at(lab: Lab, run: SmsRun) -> SmsProgress:
    with lab.sessions.read() as session:
        found = outbox.progress(session, run.broadcast_id)
    assert found is not None
    return found


def counts(lab: Lab, run: SmsRun) -> dict[S, int]:
    return {state: count for state, count in now_at(lab, run).counts.items() if count}


def test_everybody_is_written_to_once(lab: Lab) -> None:
    crowd(lab.sessions, 137)
    run = planned(lab)
    lab.work()

    assert Counter(lab.gateway.numbers) == Counter(mobile(i) for i in range(137))
    assert counts(lab, run) == {S.SENT: 137}
    lab.clock.pass_(seconds=3)
    lab.work()
    assert now_at(lab, run).state is RunState.DONE


def test_the_text_goes_out_with_the_signature(lab: Lab) -> None:
    crowd(lab.sessions, 1)
    planned(lab)
    lab.work()
    assert lab.gateway.calls[0].text == "【青石镇】明天上午停水"


def test_before_the_network_is_touched_the_database_says_so_and_no_transaction_is_open(lab: Lab) -> None:
    crowd(lab.sessions, 3)
    seen: list[set[S]] = []

    def look(submission: Submission) -> SubmitResult:
        # A writer of its own: it would wait for the lock if the pump still held one.
        with lab.sessions.begin() as session:
            seen.append(set(session.scalars(select(SmsMessage.state))))
        return accept(submission)

    lab.gateway.answer = look
    planned(lab)
    lab.work()
    assert seen == [{S.SUBMITTING}]


def test_an_unknown_answer_is_never_repeated_for_a_routine_message(lab: Lab) -> None:
    crowd(lab.sessions, 10)
    lab.gateway.answer = always(Unknown("timeout"))
    run = planned(lab)
    lab.work_on(120, stride=5)
    lab.clock.pass_(hours=7)
    lab.work()

    assert len(lab.gateway.calls) == 1
    assert counts(lab, run) == {S.UNKNOWN: 10}
    assert now_at(lab, run).state is RunState.DONE


def test_an_outage_does_not_make_the_whole_valley_unknown(lab: Lab) -> None:
    crowd(lab.sessions, 400)
    lab.gateway.answer = always(Unknown("timeout"))
    run = planned(lab)
    lab.work_on(300, stride=4)

    first_round = lab.settings.calls_at_once
    assert len(lab.gateway.calls) <= first_round + 12
    assert counts(lab, run)[S.CREATED] >= 400 - (first_round + 12) * 10
    lab.gateway.answer = accept
    lab.work_on(120, stride=10)
    assert S.CREATED not in counts(lab, run)


def test_an_emergency_of_unknown_fate_is_sent_again(lab: Lab) -> None:
    crowd(lab.sessions, 5)
    answers: list[SubmitResult] = [Unknown("timeout")]
    lab.gateway.answer = lambda submission: answers.pop() if answers else accept(submission)
    run = planned(lab, Priority.EMERGENCY)
    lab.work(Lane.EMERGENCY)
    assert counts(lab, run) == {S.UNKNOWN: 5}

    lab.work_on(40, Lane.EMERGENCY)
    assert counts(lab, run) == {S.SENT: 5}
    assert Counter(lab.gateway.numbers) == Counter(dict.fromkeys(map(mobile, range(5)), 2))
    with lab.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.may_have_gone))) == {True}


def test_an_emergency_is_asked_after_before_it_is_repeated(lab: Lab) -> None:
    crowd(lab.sessions, 5)
    lab.gateway.caps = type(lab.gateway.caps)(max_per_call=10, receipts=True, inbound=True, query=True)
    answers: list[SubmitResult] = [Unknown("timeout")]
    lab.gateway.answer = lambda submission: answers.pop() if answers else accept(submission)
    lab.gateway.knows = lambda submission: Found({person.ref: "known" for person in submission.people[:3]})
    run = planned(lab, Priority.EMERGENCY)
    lab.work_on(40, Lane.EMERGENCY)

    assert len(lab.gateway.asked) == 1
    assert counts(lab, run) == {S.SENT: 5}
    again = [person.number for person in lab.gateway.calls[1].people]
    assert len(again) == 2


def test_an_emergency_is_repeated_although_the_provider_cannot_say(lab: Lab) -> None:
    crowd(lab.sessions, 2)
    lab.gateway.caps = type(lab.gateway.caps)(max_per_call=10, receipts=True, inbound=True, query=True)
    answers: list[SubmitResult] = [Unknown("timeout")]
    lab.gateway.answer = lambda submission: answers.pop() if answers else accept(submission)
    run = planned(lab, Priority.EMERGENCY)
    lab.work_on(150, Lane.EMERGENCY)
    assert len(lab.gateway.asked) == 3
    assert counts(lab, run) == {S.SENT: 2}


def test_an_emergency_is_tried_until_it_expires_with_growing_pauses(lab: Lab) -> None:
    crowd(lab.sessions, 2)
    lab.gateway.answer = always(Unknown("timeout"))
    run = planned(lab, Priority.EMERGENCY)
    lab.work_on(3600, Lane.EMERGENCY, stride=60)
    assert 5 <= len(lab.gateway.calls) <= 8
    assert now_at(lab, run).state is RunState.GOING, "an emergency was abandoned"
    lab.work_on(6 * 3600, Lane.EMERGENCY, stride=300)
    assert 12 <= len(lab.gateway.calls) <= 20
    assert counts(lab, run) == {S.UNKNOWN: 2}
    assert now_at(lab, run).state is RunState.DONE
    last = len(lab.gateway.calls)
    lab.work_on(3600, Lane.EMERGENCY, stride=300)
    assert len(lab.gateway.calls) == last, "it was sent after its end"


def test_throttling_slows_everything_down_and_nobody_is_lost(lab: Lab) -> None:
    crowd(lab.sessions, 60)
    refusals = [Refused(Refusal.THROTTLED, "429") for _ in range(5)]
    lab.gateway.answer = lambda submission: refusals.pop() if refusals else accept(submission)
    run = planned(lab)
    lab.work()
    slowed = len(lab.gateway.calls)
    lab.work()
    assert len(lab.gateway.calls) == slowed, "it went on although it should rest"

    lab.work_on(60)
    assert counts(lab, run) == {S.SENT: 60}
    with lab.sessions.read() as session:
        assert set(session.scalars(select(SmsMessage.attempts))) == {1}, "being throttled counted as a try"


def test_a_provider_that_asks_for_a_pause_gets_it(lab: Lab) -> None:
    crowd(lab.sessions, 10)
    refusals = [Refused(Refusal.THROTTLED, "429", retry_after_s=30)]
    lab.gateway.answer = lambda submission: refusals.pop() if refusals else accept(submission)
    planned(lab)
    lab.work_on(28)
    assert len(lab.gateway.calls) == 1
    lab.work_on(4)
    assert len(lab.gateway.calls) == 2


def test_a_wrong_configuration_stops_the_run_and_marks_nobody_failed(lab: Lab) -> None:
    crowd(lab.sessions, 300)
    lab.gateway.answer = always(Refused(Refusal.CONFIGURATION, "20003"))
    run = planned(lab)
    lab.work_on(30)

    assert len(lab.gateway.calls) <= lab.settings.calls_at_once
    assert counts(lab, run) == {S.CREATED: 300}
    stopped = now_at(lab, run)
    assert (stopped.paused_reason, stopped.paused_code) == ("gateway_configuration", "20003")


def test_a_paused_run_goes_on_when_the_hub_starts_again(lab: Lab) -> None:
    crowd(lab.sessions, 20)
    lab.gateway.answer = always(Refused(Refusal.CONFIGURATION, "20003"))
    run = planned(lab)
    lab.work()
    lab.pumps.pop(Lane.ORDINARY).close()

    lab.gateway.answer = accept
    lab.work()
    assert counts(lab, run) == {S.SENT: 20}


def test_one_bad_number_fails_alone(lab: Lab) -> None:
    crowd(lab.sessions, 10)

    def answer(submission: Submission) -> SubmitResult:
        bad = submission.people[4].ref
        refs = {person.ref: "x" + person.ref for person in submission.people if person.ref != bad}
        return Accepted(refs, {bad: Refused(Refusal.INVALID_NUMBER, "21211")})

    lab.gateway.answer = answer
    run = planned(lab)
    lab.work()
    assert counts(lab, run) == {S.SENT: 9, S.FAILED: 1}
    assert now_at(lab, run).failed == {"invalid_number": 1}
    assert now_at(lab, run).paused_reason == ""


def test_a_run_whose_first_twenty_are_all_refused_stops(lab: Lab) -> None:
    crowd(lab.sessions, 500)
    lab.gateway.answer = always(Refused(Refusal.REJECTED, "99999"))
    run = planned(lab)
    lab.work_on(30)
    assert now_at(lab, run).paused_reason == "everybody_refused"
    assert counts(lab, run)[S.CREATED] >= 400


def test_whoever_opted_out_at_the_provider_is_noted_as_such(lab: Lab) -> None:
    crowd(lab.sessions, 1)
    lab.gateway.answer = always(Refused(Refusal.OPTED_OUT, "21610"))
    planned(lab)
    lab.work()
    with lab.sessions.read() as session:
        assert session.scalars(select(BlockedNumber.reason)).all() == [BlockReason.OPTED_OUT]


def test_a_passing_refusal_is_tried_again_and_given_up_after_five(lab: Lab) -> None:
    crowd(lab.sessions, 1)
    lab.gateway.answer = always(Refused(Refusal.TEMPORARY, "30003"))
    run = planned(lab)
    lab.work_on(3600, stride=60)
    assert len(lab.gateway.calls) == 5
    assert counts(lab, run) == {S.FAILED: 1}


def test_a_person_the_provider_forgot_to_answer_for_is_unknown(lab: Lab) -> None:
    crowd(lab.sessions, 3)
    lab.gateway.answer = lambda submission: Accepted({submission.people[0].ref: "one"})
    run = planned(lab)
    lab.work()
    assert counts(lab, run) == {S.SENT: 1, S.UNKNOWN: 2}


def test_a_gateway_with_a_bug_leaves_people_unknown_and_its_words_out_of_the_log(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    crowd(lab.sessions, 1)

    def broken(submission: Submission) -> SubmitResult:
        raise RuntimeError(f"cannot send to {submission.people[0].number}")

    lab.gateway.answer = broken
    run = planned(lab)
    lab.work()
    assert counts(lab, run) == {S.UNKNOWN: 1}
    assert "RuntimeError" in caplog.text
    assert mobile(0)[3:] not in caplog.text


@pytest.mark.parametrize("hour", [21, 23, 3, 7])
def test_routine_messages_wait_for_the_morning(lab: Lab, hour: int) -> None:
    crowd(lab.sessions, 1)
    lab.clock.now = datetime(2026, 11, 23, hour, 30, tzinfo=lab.pump()._zone)
    with lab.sessions.begin() as session:
        lab_run(session, now=lab.clock.now, lasts=timedelta(hours=20))
    lab.work()
    assert not lab.gateway.calls
    lab.clock.now = lab.clock.now.replace(hour=8, minute=0) + timedelta(days=1 if hour > 12 else 0)
    lab.work()
    assert len(lab.gateway.calls) == 1


def test_emergencies_go_out_at_three_in_the_morning(lab: Lab) -> None:
    crowd(lab.sessions, 1)
    lab.clock.now = NOON - timedelta(hours=9)
    planned(lab, Priority.EMERGENCY, lab.clock.now)
    lab.work(Lane.EMERGENCY)
    assert len(lab.gateway.calls) == 1


def test_calling_off_spares_everybody_who_was_not_under_way(lab: Lab) -> None:
    crowd(lab.sessions, 100)
    run = planned(lab)

    def stop_midway(submission: Submission) -> SubmitResult:
        with lab.sessions.begin() as session:
            outbox.call_off(session, run.broadcast_id, NOON)
        return accept(submission)

    lab.gateway.answer = stop_midway
    lab.work()
    under_way = len(lab.gateway.numbers)
    assert under_way <= lab.settings.calls_at_once * 10
    assert counts(lab, run) == {S.SENT: under_way, S.CANCELLED: 100 - under_way}
    assert now_at(lab, run).state is RunState.CANCELLED


def test_a_run_called_off_before_it_was_expanded_writes_to_nobody(lab: Lab) -> None:
    crowd(lab.sessions, 10)
    run = planned(lab)
    with lab.sessions.begin() as session:
        outbox.call_off(session, run.broadcast_id, NOON)
    lab.work()
    assert not lab.gateway.calls
    assert counts(lab, run) == {}


def test_a_lane_leaves_the_other_lanes_work_alone(lab: Lab) -> None:
    crowd(lab.sessions, 3)
    planned(lab, Priority.EMERGENCY)
    planned(lab, Priority.ROUTINE)
    lab.work(Lane.ORDINARY)
    assert len(lab.gateway.calls) == 1
    lab.work(Lane.EMERGENCY)
    assert len(lab.gateway.calls) == 2


def test_two_runs_of_one_kind_take_turns(lab: Lab) -> None:
    crowd(lab.sessions, 300)
    first, second = planned(lab), planned(lab)
    served: list[str] = []

    def note(submission: Submission) -> SubmitResult:
        served.append(submission.people[0].ref[:32])
        lab.clock.pass_(milliseconds=1)
        return accept(submission)

    lab.gateway.answer = note
    lab.work()
    half = served[: len(served) // 2]
    assert {first.broadcast_id.hex, second.broadcast_id.hex} == set(half)


@pytest.mark.parametrize(
    ("priority", "lane"), [(Priority.ROUTINE, Lane.ORDINARY), (Priority.EMERGENCY, Lane.EMERGENCY)]
)
def test_who_comes_later_does_not_wait_for_the_end_of_who_is_going_out(
    lab: Lab, priority: Priority, lane: Lane
) -> None:
    crowd(lab.sessions, 400)
    with lab.sessions.begin() as session:
        somebody(session, mobile(9_000), name="后来的", region=BRIDGE)
    first = planned(lab, priority)
    later: list[UUID] = []
    served: list[str] = []

    def note(submission: Submission) -> SubmitResult:
        with lab.gateway.lock:
            served.append(submission.people[0].ref[:32])
            lab.clock.pass_(milliseconds=1)
            if not later:
                with lab.sessions.begin() as session:
                    later.append(lab_run(session, priority=priority, regions=(BRIDGE,)).broadcast_id)
        return accept(submission)

    lab.gateway.answer = note
    lab.work(lane)
    assert served.index(later[0].hex) < len(served) - 5, "it went out in the middle of the other"
    assert served.count(first.broadcast_id.hex) >= 40


def test_a_number_sealed_with_a_lost_key_fails_alone(lab: Lab) -> None:
    crowd(lab.sessions, 3)
    run = planned(lab)
    with lab.sessions.begin() as session:
        expand_next(session, Lane.ORDINARY, now=lab.clock.now)
        message = session.scalars(select(SmsMessage)).first()
        assert message is not None
        message.sealed = b"\0" * 40
    lab.work()
    assert counts(lab, run) == {S.SENT: 2, S.FAILED: 1}
    assert now_at(lab, run).failed == {"unreadable": 1}


def test_an_emergency_reaches_those_who_opted_out_but_never_a_wrong_number(lab: Lab) -> None:
    with lab.sessions.begin() as session:
        somebody(session, mobile(1), name="一")
        somebody(session, mobile(2), name="二")
        blocked(session, mobile(1), BlockReason.OPTED_OUT)
        blocked(session, mobile(2), BlockReason.WRONG_NUMBER)
    run = planned(lab, Priority.EMERGENCY)
    lab.work(Lane.EMERGENCY)
    assert lab.gateway.numbers == [mobile(1)]
    assert now_at(lab, run).suppressed == {"wrong_number": 1}
