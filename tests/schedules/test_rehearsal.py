"""A shadow run says what the real run then does; noise counts every source."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import BRIDGE, FERRY, HILL, NORTH, the_actor
from conftest import NOON, SetClock
from deliverylab import Air
from sheetlab import RELAY, Desk, an_approved, on
from sqlalchemy import update

from broadcasts.announcements.models import When
from broadcasts.announcements.timing import Wanted
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Kind
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.models import Speaker
from schedules import noise, timetable
from schedules.models import OccurrenceState, SlotKind
from schedules.noise import Limits, Sounding
from schedules.rehearsal import Rehearsal, Trouble, rehearse
from schedules.sheets.drafting import SlotDraft

ZONE = ZoneInfo("Asia/Shanghai")
WEEK = datetime(2026, 11, 23, 23, 0, tzinfo=ZONE)


@pytest.fixture
def desk(app: object, runtime: Runtime) -> Desk:
    return Desk(runtime)


def rehearsed(desk: Desk, since: datetime, days: int = 7, login: str = "") -> Rehearsal:
    with desk.runtime.sessions.read() as session:
        actor = the_actor(session, login) if login else SYSTEM
        return rehearse(session, actor, desk.stage, since=since, until=since + timedelta(days=days))


def test_the_real_week_is_the_rehearsed_one(desk: Desk, runtime: Runtime, clock: SetClock) -> None:
    desk.run(RELAY, desk.recording(pattern=on(2, 4)), SlotDraft("午休", SlotKind.SILENCE, "11:30", minutes=30))
    desk.run(desk.recording(at="18:01"), region=BRIDGE)
    an_approved(runtime, desk.rules, audience=Audience((HILL,)), when=When.DAILY, daily_at="11:40",
                last_day=date(2026, 11, 27))  # fmt: skip
    run = rehearsed(desk, WEEK)
    expected = {
        (one.line.due_at, one.line.title)
        for one in run.showings
        if one.line.kind is not SlotKind.SILENCE and not any(f.trouble is Trouble.YIELDS for f in one.findings)
    }
    every = {(one.line.due_at, one.line.title) for one in run.showings if one.line.kind is not SlotKind.SILENCE}
    silent = every - expected
    for moment in sorted({due for due, _ in every}):
        desk.plan(moment)
        desk.fire(moment)
    assert {(b.starts_at, b.title) for b in desk.broadcasts()} == expected
    assert len(silent) == 2 + 4, "the village's on Tuesday and Thursday evening, the announcement at every noon"
    assert {state for _, state, _ in desk.found()} >= {OccurrenceState.FIRED, OccurrenceState.SKIPPED}


def test_loudspeakers_that_are_away_are_counted(desk: Desk, runtime: Runtime) -> None:
    desk.run(desk.recording(), region=BRIDGE)
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).values(online=True))
    assert [one.findings for one in rehearsed(desk, NOON, 1).showings] == [()]
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).values(online=False))
    (one,) = rehearsed(desk, NOON, 1).showings
    assert [(f.trouble, f.amount, f.limit) for f in one.findings] == [(Trouble.OFFLINE, 2, 2)]
    assert not one.troubled, "people cannot move it away by moving the programme"


def test_what_is_too_long_for_its_slot_or_gone_is_said(desk: Desk, runtime: Runtime) -> None:
    desk.run(desk.recording(minutes=1), region=BRIDGE)
    (one,) = rehearsed(desk, NOON, 1).showings
    assert (Trouble.TOO_LONG, 3, 1) in [(f.trouble, f.amount, f.limit) for f in one.findings]


def test_a_stranger_sees_nothing_of_it(desk: Desk) -> None:
    desk.run(RELAY)
    run = rehearsed(desk, NOON, 2, "stranger")
    assert (run.showings, list(run.names)) == ((), [path_of(FERRY)])
    assert len(rehearsed(desk, NOON, 2, "secretary").showings) == 2


# ---- noise


def test_every_source_counts_as_loud_and_as_long_as_it_was(desk: Desk, runtime: Runtime, clock: SetClock) -> None:
    air = Air(runtime, clock)
    air.release(NORTH, ms=600_000)
    air.release(BRIDGE, ms=60_000, kind=Kind.EMERGENCY)
    air.release(BRIDGE, ms=300_000, kind=Kind.SHOUT)
    desk.run(desk.recording(volume=40), region=BRIDGE)
    run = rehearsed(desk, NOON, 1)
    today = NOON.date()
    assert run.noise.day(path_of(BRIDGE), today) == pytest.approx(10 + 1 + 5 + 3 / 2)
    assert run.noise.day(path_of(HILL), today) == pytest.approx(10)
    assert run.noise.day(path_of(FERRY), today) == 0


def test_a_day_and_a_week_add_up() -> None:
    soundings = [Sounding((path_of(NORTH),), NOON + timedelta(days=n), 40 * 60_000) for n in range(9)]
    found = noise.tally(soundings, [path_of(BRIDGE), path_of(FERRY)], ZONE)
    assert found.week(path_of(BRIDGE), NOON.date()) == 280
    assert found.over(Limits(39, 1000)) == [(path_of(BRIDGE), NOON.date() + timedelta(days=n)) for n in range(9)]
    assert found.weeks_over(Limits(100, 279)) == [(path_of(BRIDGE), NOON.date())]


def test_what_is_too_much_for_a_day_or_for_a_week_is_said_at_the_last_item_of_it(desk: Desk) -> None:
    desk.run(RELAY, region=BRIDGE)  # every day
    for limits, trouble, times in (
        (Limits(RELAY.minutes - 1, 10_000), Trouble.NOISE, 7),
        (Limits(1_000, RELAY.minutes * 6), Trouble.NOISE_WEEK, 1),
        (Limits(1_000, RELAY.minutes * 7), Trouble.NOISE_WEEK, 0),
    ):
        with desk.runtime.sessions.read() as session:
            stage, since = replace(desk.stage, limits=limits), WEEK + timedelta(days=6)
            run = rehearse(session, SYSTEM, stage, since=since, until=since + timedelta(days=7))
        said = [(one, f) for one in run.showings for f in one.findings if f.trouble is trouble]
        assert len(said) == times
        assert all(f.place == path_of(BRIDGE) and one.troubled for one, f in said)
        if trouble is Trouble.NOISE_WEEK and said:
            [(one, found)] = said
            assert (found.amount, found.limit) == (RELAY.minutes * 7, limits.a_week)
            assert one.line.due_at == max(each.line.due_at for each in run.showings)


def test_with_one_thing_more_the_village_that_hears_most_is_named(desk: Desk, runtime: Runtime) -> None:
    desk.run(replace(RELAY, at="17:00"), region=BRIDGE)
    with runtime.sessions.read() as session:
        wanted = Wanted((path_of(NORTH),), NOON, 31 * 60_000, None)
        found = timetable.noise_with(session, wanted, zone=ZONE, limits=Limits(60, 300))
        assert found is not None
        assert (found.village, found.day_minutes, found.is_over) == ("桥村", 61, True)
        calm = timetable.noise_with(session, replace(wanted, ms=60_000), zone=ZONE, limits=Limits(60, 300))
        assert calm is not None
        assert not calm.is_over
