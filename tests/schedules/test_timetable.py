"""Every occurrence fires once, on time or not at all."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import BRIDGE, FERRY, an_announcement, the_actor
from conftest import NOON
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement, When
from broadcasts.delivery.models import Broadcast
from broadcasts.feature import rules_of
from broadcasts.loudspeaker.orders import Sound
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules import booking, timetable
from schedules.calendar import Rule, occurrences
from schedules.firing import Firing
from schedules.models import Occurrence, OccurrenceState, Slot

ZONE = ZoneInfo("Asia/Shanghai")
NEW_YORK = ZoneInfo("America/New_York")
SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")


def local(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.fixture
def session(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def scheduled(runtime: Runtime, **given: object) -> Announcement:
    rules, doors = rules_of(runtime), timetable.doors(ZONE)
    with runtime.sessions.begin() as session:
        clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
        notice = an_announcement(session, clerk, now=NOON, **given)
        announcements.submit(session, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
        announcements.approve(session, approver, notice.id, rules=rules, timetable=doors, now=NOON)
    return notice


def firing(runtime: Runtime, ahead: int = 0) -> Firing:
    return Firing(runtime.sessions, rules_of(runtime), timedelta(seconds=ahead))


def once(runtime: Runtime, at: datetime) -> Announcement:
    return scheduled(runtime, when=When.ONCE, at=at)


def daily(runtime: Runtime, at: str = "18:00", last: date = date(2026, 11, 30)) -> Announcement:
    return scheduled(runtime, when=When.DAILY, daily_at=at, last_day=last)


def found(runtime: Runtime) -> list[tuple[datetime, OccurrenceState, str]]:
    with runtime.sessions.read() as session:
        return [(o.due_at, o.state, o.note) for o in session.scalars(select(Occurrence).order_by(Occurrence.due_at))]


def broadcasts(runtime: Runtime) -> list[Broadcast]:
    with runtime.sessions.read() as session:
        return list(session.scalars(select(Broadcast).order_by(Broadcast.starts_at)))


def test_once_fires_at_its_time_and_only_once(runtime: Runtime) -> None:
    once(runtime, local(18))
    fire = firing(runtime)
    assert fire.fire_due(now=local(17, 59)) == 0
    assert fire.fire_due(now=local(18)) == 1
    assert fire.fire_due(now=local(18)) == 0
    assert [b.starts_at for b in broadcasts(runtime)] == [local(18)]


def test_it_is_released_a_little_ahead_to_start_together_on_the_minute(runtime: Runtime) -> None:
    once(runtime, local(18))
    assert firing(runtime, ahead=20).fire_due(now=local(18) - timedelta(seconds=15)) == 1
    assert broadcasts(runtime)[0].starts_at == local(18)


def test_daily_is_planned_ahead_and_fires_every_day_until_its_last(runtime: Runtime) -> None:
    daily(runtime, last=date(2026, 11, 25))
    for day in range(23, 29):
        with runtime.sessions.begin() as session:
            booking.plan_ahead(session, now=local(8, day=day))
        firing(runtime).fire_due(now=local(18, day=day))
    assert [b.starts_at for b in broadcasts(runtime)] == [local(18, day=d) for d in (23, 24, 25)]


def test_a_hub_that_was_off_plays_within_the_tolerance_and_records_what_it_missed(runtime: Runtime) -> None:
    once(runtime, local(18))
    once(runtime, local(17, 40))
    assert firing(runtime).fire_due(now=local(18, 10)) == 1
    assert [(state, note) for _, state, note in found(runtime)] == [
        (OccurrenceState.MISSED, "hub_was_down"),
        (OccurrenceState.FIRED, ""),
    ]


def test_after_days_off_nothing_is_forgotten_and_nothing_is_played_late(runtime: Runtime) -> None:
    daily(runtime)
    with runtime.sessions.begin() as session:
        booking.plan_ahead(session, now=local(8, day=27))
    firing(runtime).fire_due(now=local(8, day=27))
    states = [state for _, state, _ in found(runtime)]
    assert states[:4] == [OccurrenceState.MISSED] * 4
    assert set(states[4:]) == {OccurrenceState.PLANNED}
    assert broadcasts(runtime) == []


def test_late_into_quiet_hours_it_is_skipped_and_says_why(runtime: Runtime) -> None:
    once(runtime, local(20, 55))
    assert firing(runtime).fire_due(now=local(21, 5)) == 0
    assert [(state, note) for _, state, note in found(runtime)] == [(OccurrenceState.SKIPPED, "quiet_hours")]
    assert broadcasts(runtime) == []


def test_what_was_withdrawn_does_not_fire(runtime: Runtime) -> None:
    notice = once(runtime, local(18))
    with runtime.sessions.begin() as session:
        doors = timetable.doors(ZONE)
        announcements.withdraw(session, the_actor(session, "approver"), notice.id, timetable=doors, now=NOON)
    assert firing(runtime).fire_due(now=local(18)) == 0


def test_many_hubs_at_the_same_second_release_it_once(runtime: Runtime) -> None:
    for minute in range(5):
        once(runtime, local(18, minute))
    barrier, fired = threading.Barrier(4), []

    def hub() -> None:
        barrier.wait()
        fired.append(firing(runtime).fire_due(now=local(18, 4)))

    threads = [threading.Thread(target=hub) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(fired) == 5
    assert len(broadcasts(runtime)) == 5


def test_planning_again_and_again_changes_nothing(runtime: Runtime) -> None:
    daily(runtime)
    before = found(runtime)
    with runtime.sessions.begin() as session:
        for slot in session.scalars(select(Slot)):
            slot.planned_until = NOON
            slot.enabled = True
        booking.plan_ahead(session, now=NOON)
    assert found(runtime) == before


def test_people_see_the_lines_of_their_own_part_only(runtime: Runtime) -> None:
    once(runtime, local(18))
    with runtime.sessions.read() as session:
        until = NOON + timedelta(days=1)
        assert len(timetable.lines(session, the_actor(session, "viewer"), since=NOON, until=until)) == 1
        assert timetable.lines(session, the_actor(session, "stranger"), since=NOON, until=until) == []
        day = local(0).date()
        assert len(timetable.busy_on(session, (path_of(BRIDGE),), day, zone=ZONE)) == 1
        assert timetable.busy_on(session, (path_of(FERRY),), day, zone=ZONE) == []


def test_a_local_time_that_a_clock_change_skips_comes_at_the_next_valid_minute() -> None:
    rule = Rule(NEW_YORK, daily_at=time(2, 30))
    due = list(occurrences(rule, datetime(2027, 3, 14, 5, tzinfo=UTC), datetime(2027, 3, 15, 5, tzinfo=UTC)))
    assert [d.astimezone(NEW_YORK).strftime("%d %H:%M") for d in due] == ["14 03:00"]


def test_a_local_time_that_comes_twice_counts_once() -> None:
    rule = Rule(NEW_YORK, daily_at=time(1, 30))
    due = list(occurrences(rule, datetime(2027, 11, 7, 4, tzinfo=UTC), datetime(2027, 11, 8, 5, tzinfo=UTC)))
    assert due == [datetime(2027, 11, 7, 5, 30, tzinfo=UTC)]


@given(st.integers(0, 96), st.integers(0, 96), st.integers(0, 1439))
def test_cutting_the_time_in_two_never_loses_or_doubles_an_occurrence(first: int, second: int, minute: int) -> None:
    rule = Rule(ZONE, daily_at=time(minute // 60, minute % 60))
    start = datetime(2026, 11, 23, tzinfo=UTC)
    middle, end = start + timedelta(hours=first), start + timedelta(hours=first + second)
    whole = list(occurrences(rule, start, end))
    assert whole == [*occurrences(rule, start, middle), *occurrences(rule, middle, end)]
    assert len(whole) == len(set(whole))
