"""Several providers: who is preferred, who takes over, and how the preferred one gets its share back."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from smslab import NOON, Lab, LabGateway, accept, always, crowd, lab_routes, lab_run, lab_safe, mobile
from sqlalchemy import select, update

from broadcasts.sms.gateway import (
    Accepted,
    Objection,
    Refusal,
    Refused,
    Submission,
    SubmitResult,
    Unknown,
)
from broadcasts.sms.models import SmsAttempt, SmsMessage, SmsRun
from broadcasts.sms.providers.routing import Routes, routes_of
from broadcasts.sms.reports import Receipt
from broadcasts.sms.sending import outbox, receipts, sweeping
from broadcasts.sms.states import Lane, MessageState, Priority

S = MessageState
ORDINARY, EMERGENCY = Lane.ORDINARY, Lane.EMERGENCY


@pytest.fixture
def two(lab: Lab) -> Lab:
    """The lab with a second provider of the next rank."""
    lab.others.append(LabGateway(name="second"))
    return lab


def second(lab: Lab) -> LabGateway:
    return lab.others[0]


def planned(lab: Lab, priority: Priority = Priority.ROUTINE) -> SmsRun:
    with lab.sessions.begin() as session:
        return lab_run(session, priority=priority, now=lab.clock.now)


def counts(lab: Lab, run: SmsRun) -> dict[S, int]:
    with lab.sessions.read() as session:
        found = outbox.progress(session, run.broadcast_id)
    assert found is not None
    return {state: count for state, count in found.counts.items() if count}


def drawn(routes: Routes, now: datetime, times: int = 2000) -> Counter[str]:
    return Counter(routes.choose(ORDINARY, "x", {}, now)[0].line.name for _ in range(times))


def weighted(*ranks: Sequence[tuple[str, int]]) -> Routes:
    gateways = {name: LabGateway(name=name) for rank in ranks for name, _ in rank}
    made = routes_of(gateways, ranks, 8)
    made.chance = random.Random(7)
    return made


# Who is chosen


def test_who_shares_a_rank_is_drawn_by_weight() -> None:
    seen = drawn(weighted([("a", 7), ("b", 3)], [("c", 1)]), NOON)
    assert set(seen) == {"a", "b"}
    assert 0.67 < seen["a"] / 2000 < 0.73


def test_the_next_rank_takes_over_at_once_and_the_first_is_tried_again_after_its_rest() -> None:
    routes = weighted([("a", 1)], [("b", 1)])
    routes.learn(ORDINARY, "a", [(10, Unknown("timeout"))], NOON)
    assert set(drawn(routes, NOON)) == {"b"}
    trial, *rest = routes.choose(ORDINARY, "x", {}, NOON + timedelta(seconds=1))
    assert (trial.line.name, trial.calls) == ("a", 1)
    assert [choice.line.name for choice in rest] == ["b"]


def test_one_lanes_trouble_is_not_the_others() -> None:
    routes = weighted([("a", 1)], [("b", 1)])
    routes.learn(ORDINARY, "a", [(10, Refused(Refusal.THROTTLED, "429"))], NOON)
    assert routes.choose(EMERGENCY, "x", {}, NOON)[0].line.name == "a"


def test_whoever_recovers_gets_its_share_back_within_a_quarter_of_an_hour() -> None:
    routes = weighted([("a", 1)], [("b", 1)])
    routes.learn(ORDINARY, "a", [(1, Unknown("timeout"))], NOON)
    routes.learn(ORDINARY, "a", [(1, Accepted({"r": "1"}))], NOON)
    shares = [drawn(routes, NOON + timedelta(minutes=minutes))["a"] / 2000 for minutes in (0, 5, 10, 15)]
    assert 0.06 < shares[0] < 0.15
    assert shares == sorted(shares)
    assert shares[3] == 1.0


def test_a_full_provider_does_not_pass_its_work_on() -> None:
    routes = weighted([("a", 1)], [("b", 1)])
    left = routes.choose(ORDINARY, "x", {"a": 8}, NOON)
    assert [(choice.line.name, choice.after) for choice in left] == [("b", ("a",))], "b is for whom a has refused"


def test_a_slow_one_loses_half_its_share_and_when_all_are_slow_nothing_changes() -> None:
    routes = weighted([("a", 1)], [("b", 1)])
    line = routes.lines[0]
    routes.note_slow({"a": True, "b": True}, NOON)
    assert routes.share_of(line, NOON) == 1.0
    routes.note_slow({"a": True}, NOON)
    routes.note_slow({"a": True}, NOON + timedelta(minutes=1))
    assert routes.share_of(line, NOON + timedelta(minutes=1)) == 0.5
    routes.note_slow({"a": True}, NOON + timedelta(minutes=6))
    assert routes.share_of(line, NOON + timedelta(minutes=6)) == 0.25
    routes.note_slow({}, NOON + timedelta(minutes=7))
    assert routes.share_of(line, NOON + timedelta(minutes=30)) == 1.0


def test_whom_receipts_say_to_be_slow(two: Lab) -> None:
    crowd(two.sessions, 60)
    planned(two)
    two.work()
    with two.sessions.begin() as session:
        ids = list(session.scalars(select(SmsMessage.id).order_by(SmsMessage.id)))
        for provider, these, minutes in (("lab", ids[:30], 7), ("second", ids[30:], 1)):
            late = {"provider": provider, "state": S.DELIVERED, "reported_at": NOON + timedelta(minutes=minutes)}
            session.execute(update(SmsMessage).where(SmsMessage.id.in_(these)).values(**late))
        found = sweeping.slow_providers(session, now=NOON + timedelta(minutes=8))
    assert found == {"lab": True, "second": False}


# What that means for people


def test_an_outage_of_the_first_costs_one_round_and_the_rest_goes_by_the_second(two: Lab) -> None:
    crowd(two.sessions, 400)
    two.gateway.answer = always(Refused(Refusal.THROTTLED, "unreachable"))
    run = planned(two)
    two.work()
    assert counts(two, run) == {S.SENT: 400}
    assert Counter(second(two).numbers) == Counter(mobile(i) for i in range(400))
    assert len(two.gateway.calls) <= two.settings.calls_at_once + 1


def test_unknown_routine_people_stay_unknown_and_are_not_sent_by_the_second(two: Lab) -> None:
    crowd(two.sessions, 300)
    two.gateway.answer = always(Unknown("timeout"))
    run = planned(two)
    two.work_on(10)
    seen = Counter([*two.gateway.numbers, *second(two).numbers])
    assert max(seen.values()) == 1
    assert len(seen) == 300
    assert counts(two, run)[S.UNKNOWN] == len(two.gateway.numbers)


def test_an_emergency_of_unknown_fate_goes_by_the_second(two: Lab) -> None:
    crowd(two.sessions, 20)
    two.gateway.answer = always(Unknown("timeout"))
    run = planned(two, Priority.EMERGENCY)
    two.work_on(60, EMERGENCY, stride=2)
    assert counts(two, run) == {S.SENT: 20}
    assert set(second(two).numbers) == {mobile(i) for i in range(20)}
    with two.sessions.read() as session:
        kept = session.execute(select(SmsAttempt.provider, SmsAttempt.state)).all()
    assert {("lab", S.UNKNOWN)} == {(provider, state) for provider, state in kept}


def test_a_wrong_password_takes_a_provider_out_and_the_run_goes_on(two: Lab) -> None:
    crowd(two.sessions, 100)
    two.gateway.answer = always(Refused(Refusal.CONFIGURATION, "20003"))
    run = planned(two)
    two.work()
    assert counts(two, run) == {S.SENT: 100}
    assert two.routes.lines[0].out == "20003"
    made = len(two.gateway.calls)
    planned(two)
    two.work()
    assert len(two.gateway.calls) == made, "it was used although it is out"
    two.routes.lift("lab")
    two.gateway.answer = accept
    planned(two)
    two.work()
    assert len(two.gateway.calls) > made


def test_with_both_out_the_run_stands_still_and_nobody_failed(two: Lab) -> None:
    crowd(two.sessions, 100)
    for gateway in (two.gateway, second(two)):
        gateway.answer = always(Refused(Refusal.CONFIGURATION, "20003"))
    run = planned(two)
    two.work_on(10)
    assert counts(two, run) == {S.CREATED: 100}
    with two.sessions.read() as session:
        found = outbox.progress(session, run.broadcast_id)
    assert found is not None
    assert found.paused_reason == "gateway_configuration"


def test_whom_the_first_refuses_for_good_the_second_may_take(two: Lab) -> None:
    crowd(two.sessions, 30)

    def answer(submission: Submission) -> SubmitResult:
        taken = accept(submission)
        assert isinstance(taken, Accepted)
        bad = submission.people[0].ref
        refs = {ref: known for ref, known in taken.refs.items() if ref != bad}
        return Accepted(refs, {bad: Refused(Refusal.CARRIER_BLOCKED, "30007")})

    two.gateway.answer = answer
    run = planned(two)
    two.work_on(5)
    assert counts(two, run) == {S.SENT: 30}
    assert len(second(two).numbers) == 3
    with two.sessions.read() as session:
        kept = session.execute(select(SmsAttempt.provider, SmsAttempt.state, SmsAttempt.code)).all()
    assert {tuple(row) for row in kept} == {("lab", S.FAILED, "30007")}


def test_whom_both_refuse_fails_and_is_tried_once_by_each(two: Lab) -> None:
    crowd(two.sessions, 5)
    for gateway in (two.gateway, second(two)):
        gateway.answer = always(Refused(Refusal.REJECTED, "no"))
    run = planned(two)
    two.work_on(5)
    assert counts(two, run) == {S.FAILED: 5}
    assert len(two.gateway.calls) == len(second(two).calls) == 1


def test_a_text_the_first_cannot_carry_goes_by_the_second(two: Lab) -> None:
    crowd(two.sessions, 20)
    two.gateway.objects = lambda _: [Objection("sms_content_no_template", blocking=True)]
    run = planned(two)
    two.work()
    assert counts(two, run) == {S.SENT: 20}
    assert not two.gateway.calls


def test_a_text_nobody_can_carry_stands_still_and_says_why(two: Lab) -> None:
    crowd(two.sessions, 20)
    for gateway in (two.gateway, second(two)):
        gateway.objects = lambda _: [Objection("sms_content_no_template", blocking=True)]
    run = planned(two)
    two.work_on(3)
    assert counts(two, run) == {S.CREATED: 20}
    with two.sessions.read() as session:
        found = outbox.progress(session, run.broadcast_id)
    assert found is not None
    assert found.paused_reason == "no_gateway_for_text"


# Reports after a change of provider


def test_that_somebody_has_it_by_the_earlier_try_counts_and_that_it_failed_does_not(two: Lab) -> None:
    crowd(two.sessions, 2)
    two.gateway.answer = always(Unknown("timeout"))
    run = planned(two, Priority.EMERGENCY)
    two.work_on(60, EMERGENCY, stride=2)
    with two.sessions.read() as session:
        calls = session.scalars(select(SmsAttempt.submission_id).distinct()).all()
        index = {number: receipts.number_index(lab_safe())(number) for number in (mobile(0), mobile(1))}
    (call,) = calls
    reports = [
        Receipt("9^0", S.DELIVERED, call=call, number=mobile(0)),
        Receipt("9^0", S.UNDELIVERED, code="MK:0001", call=call, number=mobile(1)),
    ]
    with two.sessions.begin() as session:
        done = receipts.record(session, "lab", reports, two.clock.now, index.get)
    assert (done.new, done.matched, done.changed) == (2, 2, 1)
    assert counts(two, run) == {S.DELIVERED: 1, S.SENT: 1}


@pytest.mark.parametrize("first", ["report", "answer"])
def test_one_id_for_a_whole_call_is_told_apart_by_the_number(lab: Lab, first: str) -> None:
    crowd(lab.sessions, 4)
    index_of = receipts.number_index(lab_safe())

    def report(call: Submission) -> None:
        items = [Receipt("9^0", S.DELIVERED, call=call.id, number=p.number) for p in call.people[:3]]
        items.append(Receipt("9^0", S.UNDELIVERED, code="off", number=call.people[3].number))
        with lab.sessions.begin() as session:
            receipts.record(session, "lab", items * 2, lab.clock.now, index_of)

    def answer(call: Submission) -> SubmitResult:
        if first == "report":
            report(call)
        return Accepted({person.ref: "9^0" for person in call.people})

    lab.gateway.answer = answer
    run = planned(lab)
    lab.work()
    if first == "answer":
        report(lab.gateway.calls[0])
    lab.clock.pass_(seconds=3)
    lab.work()
    assert counts(lab, run) == {S.DELIVERED: 3, S.UNDELIVERED: 1}


def test_routes_over_one_provider_never_take_it_out() -> None:
    routes = lab_routes(LabGateway())
    routes.learn(ORDINARY, "lab", [(1, Refused(Refusal.CONFIGURATION, "20003"))], NOON)
    assert routes.lines[0].out == ""
