"""The history of a loudspeaker is written from what it says, once, and not by an attacker."""

from datetime import timedelta

import pytest
from carelab import Recorder, alarms_of, beat, change, events_of, fault, plugged, receipt, watch
from conftest import NOON, SetClock
from sqlalchemy import func, select

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.speakers.care import events, keeping
from hub.speakers.care.digest import digest
from hub.speakers.care.events import Happening
from hub.speakers.care.models import EventKind, SpeakerEvent
from hub.speakers.care.watching import Watch
from hub.speakers.protocol import Reached

ONE, TWO = "s1001-1", "s1001-2"


@pytest.fixture
def station(runtime: Runtime) -> Recorder:
    return plugged(runtime)


def test_coming_and_going_are_noted(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).changed([ONE], [TWO])
    watch(runtime).changed([], [ONE])
    assert events_of(runtime, ONE) == [("online", ""), ("offline", "")]
    assert events_of(runtime, TWO) == [("offline", "")]


def test_who_is_silent_because_the_hub_was_away_has_not_dropped_out(
    runtime: Runtime, station: Recorder, clock: SetClock
) -> None:
    def drops() -> int:
        with runtime.sessions.read() as session:
            return digest(session, SYSTEM, now=clock.now, zone=runtime.zone, at="08:00").sum_of("drops")

    station._begin_to_listen("")
    watch(runtime).changed([], [ONE])
    station.away = True
    clock.now += timedelta(hours=1)
    watch(runtime).changed([], [TWO])
    assert events_of(runtime, ONE) == events_of(runtime, TWO) == [("offline", "hub_was_away")]
    assert drops() == 0
    station.away = False
    watch(runtime).changed([], [ONE])
    assert drops() == 1


def test_who_is_unknown_is_left_out(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).changed(["nobody", ONE], [])
    watch(runtime).faults([fault("nobody", "mains_lost")])
    with runtime.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(SpeakerEvent)) == 1


def test_a_fault_that_is_told_twice_is_noted_once(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).faults([fault(ONE, "mains_lost"), fault(ONE, "mains_lost")])
    watch(runtime).faults([fault(ONE, "mains_lost")])
    watch(runtime).beats([beat(ONE, faults=("mains_lost",))])
    assert events_of(runtime, ONE) == [("fault", "mains_lost")]


def test_heartbeats_heal_what_was_lost(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).beats([beat(ONE, faults=("mains_lost", "battery_low"))])
    watch(runtime).beats([beat(ONE, faults=("mains_lost",))])
    watch(runtime).beats([beat(ONE)])
    assert sorted(events_of(runtime, ONE)[:2]) == [("fault", "battery_low"), ("fault", "mains_lost")]
    assert events_of(runtime, ONE)[2:] == [("recovery", "battery_low"), ("recovery", "mains_lost")]
    assert all(alarm.ended_at is not None for alarm in alarms_of(runtime, ONE, "mains_lost"))


def test_a_hub_that_starts_anew_knows_the_faults_that_last(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).faults([fault(ONE, "mains_lost")])
    plugged(runtime)
    watch(runtime).beats([beat(ONE, faults=("mains_lost",))])
    assert events_of(runtime, ONE) == [("fault", "mains_lost")]
    watch(runtime).beats([beat(ONE)])
    assert events_of(runtime, ONE)[-1] == ("recovery", "mains_lost")


def test_a_fault_with_a_code_nobody_knows_changes_nothing(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).faults([fault(ONE, "<script>")])
    watch(runtime).beats([beat(ONE, faults=("strange",))])
    assert events_of(runtime, ONE) == []


def test_a_clock_fault_is_judged_by_the_hubs_clock(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).faults([fault(ONE, "clock_wrong")])
    assert events_of(runtime, ONE) == [("fault", "clock_wrong")]
    assert alarms_of(runtime, ONE, "clock_wrong") == []


def test_restart_new_settings_and_bad_messages_show_in_heartbeats(runtime: Runtime, station: Recorder) -> None:
    watch(runtime).beats([beat(ONE, up_s=500, cfg=5, bad=1)])
    assert events_of(runtime, ONE) == [], "the first one says nothing new"
    watch(runtime).beats([beat(ONE, up_s=3, cfg=6, bad=4)])
    assert events_of(runtime, ONE) == [("restart", "started"), ("settings", "taken"), ("refused", "bad_messages")]
    watch(runtime).beats([beat(ONE, up_s=63, cfg=6, bad=4)])
    assert len(events_of(runtime, ONE)) == 3


def test_refused_messages_are_noted_but_not_one_by_one(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    forged = receipt(ONE, None, Reached.REFUSED, reason="bad_signature")
    for _ in range(200):
        watch(runtime).receipts([forged, receipt(ONE, None, Reached.REFUSED, reason="malformed")])
    assert sorted(events_of(runtime, ONE)) == [("refused", "bad_signature"), ("refused", "malformed")]
    clock.now += timedelta(minutes=11)
    watch(runtime).receipts([forged])
    assert len(events_of(runtime, ONE)) == 3


def test_receipts_of_broadcasts_cost_no_transaction(runtime: Runtime, station: Recorder, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def nothing(*args: object, **kwargs: object) -> None:
        raise AssertionError("a receipt that is not this room's opened a transaction")

    monkeypatch.setattr(runtime.sessions, "begin", nothing)
    monkeypatch.setattr(runtime.sessions, "read", nothing)
    ids = [f"01990f3e-8f00-7000-8000-{n:012x}" for n in range(1000)]
    watch(runtime).receipts([receipt(ONE, one, Reached.RECEIVED) for one in ids])


def test_what_is_too_old_is_forgotten(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        events.note(session, [Happening(ONE, EventKind.ONLINE)], now=NOON - timedelta(days=401))
        events.note(session, [Happening(ONE, EventKind.OFFLINE)], now=NOON - timedelta(days=399))
        assert keeping.tidy(session, now=NOON, days=400) == 1
    assert events_of(runtime, ONE) == [("offline", "")]


def test_the_watch_tidies_by_itself(runtime: Runtime, clock: SetClock, station: Recorder) -> None:
    with runtime.sessions.begin() as session:
        events.note(session, [Happening(ONE, EventKind.ONLINE)], now=NOON - timedelta(days=401))
    assert isinstance(watch(runtime), Watch)
    watch(runtime).step()
    assert events_of(runtime, ONE) == []


def test_a_beat_of_a_retired_device_breaks_nothing(runtime: Runtime, station: Recorder) -> None:
    change(runtime, ONE, state="retired")
    watch(runtime).beats([beat(ONE, faults=("mains_lost",)), beat("nobody", faults=("mains_lost",))])
    assert events_of(runtime, ONE) == [("fault", "mains_lost")]
