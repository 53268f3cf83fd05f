"""The night's round asks everybody once a night, no faster than it may, and tells who passed and who did not."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH, SOUTH, an_actor
from carelab import Recorder, alarms_of, change, events_of, many, plugged, receipt, watch
from conftest import SetClock
from uuid6 import uuid7

from hub.accounts.roles import Role
from hub.core.errors import NotAllowed, NotFound
from hub.core.runtime import Runtime
from hub.speakers.care import patrol
from hub.speakers.care.models import SelfTestRun
from hub.speakers.care.patrol import A_SECOND, Patrol, Result
from hub.speakers.models import SpeakerState
from hub.speakers.protocol import Reached, SelfTest

THREE = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
"""03:00 in the villages, Monday."""
ONE, TWO = "s1001-1", "s1001-2"


@pytest.fixture
def station(runtime: Runtime) -> Recorder:
    return plugged(runtime)


@pytest.fixture
def night(clock: SetClock) -> SetClock:
    clock.now = THREE
    return clock


def asked(station: Recorder) -> list[str]:
    """Return who was sent a silent self-test."""
    found = []
    for command in station.commands():
        assert isinstance(command, SelfTest)
        assert command.sound is False
        found.append(command.to.device)  # type: ignore[union-attr]
    return found


def go_on(runtime: Runtime, clock: SetClock, seconds: int = 1, times: int = 1) -> None:
    for _ in range(times):
        runtime.get(Patrol).step()
        clock.now += timedelta(seconds=seconds)


def run_of(runtime: Runtime, speaker_id: str) -> SelfTestRun:
    with runtime.sessions.read() as session:
        return session.get_one(SelfTestRun, speaker_id)


def results(runtime: Runtime, role: Role = Role.CLERK, region: str = NORTH) -> dict[str, Result]:
    with runtime.sessions.read() as session:
        found = patrol.results(session, an_actor(role, region), path=None, now=runtime.now())
        return {each.speaker.id: each.result for each in found}


def answer(runtime: Runtime, speaker_id: str, state: Reached = Reached.FINISHED, **said: object) -> None:
    watch(runtime).receipts([receipt(speaker_id, run_of(runtime, speaker_id).command_id, state, **said)])


def test_what_the_database_ranks_is_what_one_alone_is_called(runtime: Runtime) -> None:
    now, ago = runtime.now(), timedelta(minutes=1)
    kinds: list[dict[str, object]] = [
        {"asked_at": now - ago},
        {"asked_at": now - patrol.TOO_LATE - ago},
        {"asked_at": now - ago, "sent_at": now - ago},
        {"asked_at": now - patrol.TOO_LATE - ago, "sent_at": now - ago},
        {"asked_at": now - patrol.TOO_LATE - ago, "sent_at": now - patrol.TOO_LATE},
        {"asked_at": now - ago, "sent_at": now - ago, "answered_at": now, "passed": True},
        {"asked_at": now - ago, "sent_at": now - ago, "answered_at": now, "passed": False},
        {"asked_at": now - ago, "sent_at": now - ago, "answered_at": now, "passed": None},
        {},
    ]
    with runtime.sessions.begin() as session:
        for one, given in zip(many(session, len(kinds), now=now), kinds, strict=True):
            if given:
                session.add(SelfTestRun(speaker_id=one, command_id=uuid7(), **given))
    with runtime.sessions.read() as session:
        actor = an_actor(Role.CLERK, NORTH)
        ranked = {each.speaker.id: each.result for each in patrol.results(session, actor, path=None, now=now)}
        alone = {one: patrol.result_of(session.get(SelfTestRun, one), now) for one in ranked}
        tallied = Counter[Result]()
        for tally in patrol.tallies(session, actor, path=None, now=now):
            tallied[tally.result] += tally.count
    assert ranked == alone
    assert tallied == Counter(alone.values())
    assert set(Result) == set(ranked.values()), "every kind is among them"


def test_before_three_nothing_is_asked(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    night.now = THREE - timedelta(minutes=1)
    go_on(runtime, night)
    assert station.sent == []


def test_at_three_everybody_in_service_is_asked_once(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    change(runtime, TWO, state=SpeakerState.RETIRED)
    go_on(runtime, night, times=5)
    assert sorted(asked(station)) == ["s1001-1", "s1002-1", "s1002-2", "s2001-1", "s2001-2"]


def test_a_hub_that_starts_again_asks_nobody_twice(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        many(session, 3 * A_SECOND, now=night.now)
    go_on(runtime, night)
    first = asked(station)
    again = plugged(runtime)
    go_on(runtime, night, seconds=600, times=17)
    assert len(first) == A_SECOND
    assert sorted(first + asked(again)) == sorted(set(first + asked(again))), "nobody twice"
    assert len(first + asked(again)) == 3 * A_SECOND + 6


def test_no_more_than_so_many_a_second(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        many(session, 50, now=night.now)
    before = 0
    for _ in range(4):
        go_on(runtime, night)
        now = len(station.sent)
        assert now - before <= A_SECOND
        before = now
    assert before == 56


def test_the_next_night_asks_again(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    go_on(runtime, night, times=2)
    night.now = THREE + timedelta(days=1)
    go_on(runtime, night, times=2)
    assert len(asked(station)) == 12


def test_a_hub_that_was_down_the_whole_night_leaves_it_out(
    runtime: Runtime, night: SetClock, station: Recorder
) -> None:
    night.now = THREE + timedelta(hours=3, minutes=1)
    go_on(runtime, night)
    assert station.sent == []


def test_without_a_broker_it_waits(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    station.away = True
    go_on(runtime, night, seconds=60, times=3)
    station.away = False
    go_on(runtime, night)
    assert len(asked(station)) == 6


def test_who_came_after_three_is_not_asked_in_the_middle_of_the_day(
    runtime: Runtime, night: SetClock, station: Recorder
) -> None:
    change(runtime, ONE, enrolled_at=THREE + timedelta(minutes=1))
    go_on(runtime, night, seconds=120, times=3)
    assert ONE not in asked(station)


def test_an_answer_is_noted_with_what_was_found(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    go_on(runtime, night)
    answer(runtime, ONE, Reached.RECEIVED)
    assert results(runtime)[ONE] is Result.WAITING
    answer(runtime, ONE, report={"storage": "ok", "amp": "ok"})
    answer(runtime, TWO, Reached.FAILED, reason="self_test", report={"storage": "ok", "amp": "does not open"})
    assert results(runtime) == {
        TWO: Result.FAILED,
        "s1002-1": Result.WAITING,
        "s1002-2": Result.WAITING,
        ONE: Result.PASSED,
    }
    assert list(results(runtime)) == [TWO, "s1002-1", "s1002-2", ONE], "those that need somebody come first"
    assert patrol.report_of(run_of(runtime, TWO)) == {"storage": "ok", "amp": "does not open", "reason": "self_test"}
    assert events_of(runtime, TWO) == [("test", "failed")]
    night.now += timedelta(minutes=6)
    assert results(runtime)["s1002-1"] is Result.SILENT


def test_a_failed_test_is_an_alarm_until_one_passes(runtime: Runtime, night: SetClock, station: Recorder) -> None:
    go_on(runtime, night)
    answer(runtime, ONE, Reached.FAILED, reason="self_test")
    assert [alarm.ended_at for alarm in alarms_of(runtime, ONE, "test_failed")] == [None]
    night.now = THREE + timedelta(days=1)
    go_on(runtime, night)
    answer(runtime, ONE)
    assert alarms_of(runtime, ONE, "test_failed")[0].ended_at is not None


def test_an_answer_counts_once_and_only_from_the_one_that_was_asked(
    runtime: Runtime, night: SetClock, station: Recorder
) -> None:
    go_on(runtime, night)
    command = run_of(runtime, ONE).command_id
    watch(runtime).receipts([receipt(TWO, command, Reached.FINISHED)])
    assert results(runtime)[ONE] is Result.WAITING
    answer(runtime, ONE)
    answer(runtime, ONE, Reached.FAILED)
    assert results(runtime)[ONE] is Result.PASSED
    assert events_of(runtime, ONE) == [("test", "passed")]


def test_an_answer_is_understood_by_a_hub_that_has_started_since(
    runtime: Runtime, night: SetClock, station: Recorder
) -> None:
    go_on(runtime, night)
    plugged(runtime)
    from_before = runtime.get(type(watch(runtime)))
    with runtime.sessions.read() as session:
        from_before._awaited.remember(session, runtime.now())
    answer(runtime, ONE)
    assert results(runtime)[ONE] is Result.PASSED


def test_a_village_can_be_asked_now(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        assert patrol.want(session, an_actor(), region=HILL, now=clock.now) == 2
    go_on(runtime, clock, times=3)
    assert sorted(asked(station)) == ["s1002-1", "s1002-2"]
    assert results(runtime)[ONE] is Result.NEVER


def test_what_could_not_be_sent_for_an_hour_is_not_sent_any_more(
    runtime: Runtime, clock: SetClock, station: Recorder
) -> None:
    with runtime.sessions.begin() as session:
        patrol.want(session, an_actor(), region=HILL, now=clock.now)
    station.away = True
    go_on(runtime, clock, seconds=3700)
    station.away = False
    go_on(runtime, clock)
    assert station.sent == []
    assert results(runtime)["s1002-1"] is Result.UNASKED


def test_strangers_and_onlookers_ask_nobody(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        with pytest.raises(NotFound):
            patrol.want(session, an_actor(region=SOUTH), region=BRIDGE, now=clock.now)
        with pytest.raises(NotFound):
            patrol.want(session, an_actor(region=SOUTH), speaker_ids=[ONE, "s2001-1"], now=clock.now)
        with pytest.raises(NotAllowed):
            patrol.want(session, an_actor(Role.VIEWER), region=BRIDGE, now=clock.now)
        with pytest.raises(NotFound):
            patrol.want(session, an_actor(), speaker_ids=["nobody"], now=clock.now)
    go_on(runtime, clock, times=2)
    assert station.sent == []
    assert results(runtime, region=FERRY) == {"s2001-1": Result.NEVER, "s2001-2": Result.NEVER}
