"""A programme sheet is agreed to by two, then runs: each slot once, frozen, replaced whole by its next version."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import BRIDGE, NORTH, the_actor
from conftest import NOON
from sheetlab import RELAY, SONG, TODAY, Desk, an_approved, on
from sqlalchemy import select, update

from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Kind
from broadcasts.loudspeaker.models import SheetPlay, SheetState
from broadcasts.materials.models import Material
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime
from hub.regions.models import Region
from schedules import timetable
from schedules.laying import Laying
from schedules.models import DayKind, Occurrence, OccurrenceState, Sheet, Slot, SlotKind
from schedules.sheets import listing, service
from schedules.sheets.drafting import Head, SlotDraft
from schedules.special_days import service as special_days
from schedules.special_days.service import NewDays
from schedules.yielding import Item, why

ZONE = ZoneInfo("Asia/Shanghai")
EVENING = SlotDraft("", SlotKind.RECORDING, "18:00")
QUIET_NOON = SlotDraft("午休", SlotKind.SILENCE, "11:30", minutes=30)


def local(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


def codes(problems: Problems) -> list[str]:
    return [problem.code for problem in problems.problems]


def test_what_runs_was_agreed_to_by_somebody_else(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.draft(RELAY)
    desk.submit(sheet_id)
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        seen = service.get(session, clerk, sheet_id).content_hash
        with pytest.raises(NotAllowed):
            service.approve(session, the_actor(session, "clerk"), sheet_id, seen_hash=seen, now=NOON)
        assert listing.count_waiting(session, the_actor(session, "approver")) == 1
        assert listing.count_waiting(session, the_actor(session, "strange_approver")) == 0
    assert desk.found() == [], "nothing is planned before it is agreed to"
    desk.approve(sheet_id)
    assert [due for due, _, _ in desk.found()] == [local(6, 30, 24)]


def test_who_wrote_it_does_not_approve_it_even_when_somebody_else_handed_it_in(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.draft(RELAY)
    desk.submit(sheet_id)
    with runtime.sessions.begin() as session:
        approver = the_actor(session, "approver")
        session.execute(update(Sheet).values(written_by=approver.id))
    with pytest.raises(NotAllowed, match="own_sheet"):
        desk.approve(sheet_id)


def test_an_approval_is_of_what_was_seen(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.draft(RELAY)
    desk.submit(sheet_id)
    with runtime.sessions.begin() as session:
        session.execute(update(Slot).values(daily_at="07:00"))
    with pytest.raises(WrongState, match="sheet_changed_meanwhile"):
        desk.approve(sheet_id)


def test_a_running_sheet_is_frozen(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.run(RELAY)
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        with pytest.raises(WrongState, match="sheet_frozen"):
            service.put_slot(session, clerk, sheet_id, None, RELAY, sources=desk.sources, rules=desk.rules, now=NOON)
        with pytest.raises(WrongState, match="sheet_frozen"):
            service.rename(session, clerk, sheet_id, Head("别的", NORTH), today=TODAY, now=NOON)


def test_its_slots_sound_in_its_region_with_what_they_hold(desk: Desk) -> None:
    desk.run(RELAY, desk.recording(volume=50), region=BRIDGE)
    desk.plan(local(5, day=24))
    assert desk.fire(local(18)) == 1
    assert desk.fire(local(6, 30, 24)) == 1
    song, news = desk.broadcasts()
    assert (song.kind, song.audio_sha256, song.volume, song.speakers_meant) == (Kind.ROUTINE, SONG, 50, 2)
    assert (news.kind, news.audio_ms, news.title) == (Kind.RELAY, 30 * 60_000, "中央台新闻")
    assert {b.approved_by_name for b in (song, news)} == {"北镇副镇长"}


def test_each_time_it_counts_as_used_once(desk: Desk, runtime: Runtime) -> None:
    desk.run(desk.recording())
    for _ in range(3):
        desk.fire(local(18))
    with runtime.sessions.read() as session:
        assert session.scalars(select(Material.used)).one() == 1


def test_a_recording_that_was_replaced_is_not_played(desk: Desk, runtime: Runtime) -> None:
    desk.run(desk.recording())
    with runtime.sessions.begin() as session:
        session.execute(update(Material).values(audio_sha256="cd" * 32))
    assert desk.fire(local(18)) == 0
    assert desk.found()[0][1:] == (OccurrenceState.SKIPPED, "material_changed")


# ---- versions


def test_an_edit_makes_a_version_that_takes_over_once_it_is_approved(desk: Desk, runtime: Runtime) -> None:
    first = desk.run(RELAY, desk.recording())
    second = desk.renew(first, now=NOON)
    assert desk.renew(first, now=NOON) == second, "there is one draft at a time"
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        sheet = service.get(session, clerk, second)
        relay = next(slot for slot in service.slots_of(session, sheet) if slot.kind is SlotKind.RELAY)
        service.put_slot(
            session, clerk, second, relay.id, replace(RELAY, at="07:00"), sources=desk.sources, rules=desk.rules,
            now=NOON,
        )  # fmt: skip
    assert [due for due, state, _ in desk.found()] == [local(18), local(6, 30, 24), local(18, day=24)]
    desk.submit(second)
    desk.approve(second)
    assert [due for due, _, _ in desk.found()] == [local(18), local(7, 0, 24), local(18, day=24)]
    with runtime.sessions.read() as session:
        states = {s.version: s.state.value for s in listing.versions(session, sheet)}
    assert states == {1: "replaced", 2: "running"}


def test_what_did_not_change_stays_on_the_loudspeakers_when_a_version_takes_over(desk: Desk, runtime: Runtime) -> None:
    first = desk.run(desk.recording())
    assert Laying(runtime.sessions, desk.rules, 24, desk.sources).lay_near(now=NOON) == 1
    second = desk.renew(first, now=NOON)
    desk.submit(second)
    desk.approve(second)
    with runtime.sessions.read() as session:
        assert [play.state for play in session.scalars(select(SheetPlay))] == [SheetState.LAID]
        assert {o.slot_id for o in session.scalars(select(Occurrence))} == {
            slot.id for slot in service.slots_of(session, service.get(session, the_actor(session, "clerk"), second))
        }
    assert desk.fire(local(18)) == 1


@pytest.mark.parametrize("changed", [False, True])
def test_a_version_that_takes_over_in_the_very_seconds_of_a_start_does_not_start_it_again(
    desk: Desk, runtime: Runtime, changed: bool
) -> None:
    first = desk.run(desk.recording())
    second = desk.renew(first, now=NOON)
    if changed:
        with runtime.sessions.begin() as session:
            session.execute(update(Slot).where(Slot.sheet_id == second).values(volume=33))
    desk.submit(second)
    just_before = local(18) - timedelta(seconds=15)
    assert desk.fire(just_before, ahead=20) == 1
    desk.approve(second, now=local(18) - timedelta(seconds=10))
    assert desk.fire(local(18, 1), ahead=20) == 0
    assert len(desk.broadcasts()) == 1


def test_withdrawn_nothing_of_it_is_heard_any_more(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.run(RELAY, desk.recording())
    with runtime.sessions.begin() as session:
        service.withdraw(session, the_actor(session, "approver"), sheet_id, now=NOON)
    desk.plan(local(5, day=24))
    assert desk.fire(local(19, day=24)) == 0
    assert desk.found() == []


# ---- what is refused, and strangers


@pytest.mark.parametrize(
    ("slot", "code"),
    [
        (replace(RELAY, at="25:00"), "slot_time_missing"),
        (replace(RELAY, minutes=0), "slot_minutes_range"),
        (replace(RELAY, relay_url="ftp://x"), "relay_address_malformed"),
        (replace(RELAY, title=""), "title_missing"),
        (replace(RELAY, pattern=on()), "slot_weekdays_missing"),
        (replace(RELAY, volume=101), "volume_range"),
        (SlotDraft("", SlotKind.RECORDING, "18:00"), "slot_holds_nothing"),
    ],
)
def test_a_slot_that_makes_no_sense_is_refused(desk: Desk, slot: SlotDraft, code: str) -> None:
    with pytest.raises(Problems) as refused:
        desk.draft(slot)
    assert code in codes(refused.value)


def test_what_would_lie_in_quiet_hours_is_not_handed_in_and_a_free_time_is_offered(desk: Desk) -> None:
    sheet_id = desk.draft(replace(RELAY, at="12:40"))
    with pytest.raises(Problems) as refused:
        desk.submit(sheet_id)
    problem = refused.value.problems[0]
    assert (problem.code, problem.params["free"]) == ("slot_in_quiet_hours", "14:00")


def test_an_empty_sheet_is_not_handed_in(desk: Desk) -> None:
    with pytest.raises(BadInput, match="sheet_empty"):
        desk.submit(desk.draft())


def test_a_stranger_neither_sees_nor_changes_it(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.draft(RELAY)
    for change in (
        lambda session, who: service.get(session, who, sheet_id),
        lambda session, who: service.rename(session, who, sheet_id, Head("x", NORTH), today=TODAY, now=NOON),
        lambda session, who: service.drop_slot(session, who, sheet_id, sheet_id, now=NOON),
        lambda session, who: service.withdraw(session, who, sheet_id, now=NOON),
        lambda session, who: service.next_version(session, who, sheet_id, now=NOON),
    ):
        with runtime.sessions.begin() as session, pytest.raises(NotFound):
            change(session, the_actor(session, "stranger"))
    with runtime.sessions.read() as session:
        assert listing.every(session, the_actor(session, "stranger")) == []


def test_a_village_sees_what_runs_above_it_but_not_what_is_being_written(desk: Desk, runtime: Runtime) -> None:
    sheet_id = desk.draft(RELAY)
    with runtime.sessions.read() as session, pytest.raises(NotFound):
        service.get(session, the_actor(session, "secretary"), sheet_id)
    desk.submit(sheet_id)
    desk.approve(sheet_id)
    with runtime.sessions.begin() as session:
        secretary = the_actor(session, "secretary")
        assert service.get(session, secretary, sheet_id).title == "日常节目"
        with pytest.raises(HubError):
            service.withdraw(session, secretary, sheet_id, now=NOON)


# ---- who gives way


def test_a_village_gives_way_to_its_township(desk: Desk) -> None:
    desk.run(desk.recording(at="18:01"), region=BRIDGE)
    desk.run(desk.recording(at="18:00"), region=NORTH)
    assert desk.fire(local(18, 1)) == 1
    assert [(s, n) for _, s, n in desk.found()][:2] == [
        (OccurrenceState.FIRED, ""),
        (OccurrenceState.SKIPPED, "upper_level_first"),
    ]


def test_an_announcement_for_a_village_gives_way_too(desk: Desk, runtime: Runtime) -> None:
    an_approved(runtime, desk.rules, audience=Audience((BRIDGE,)), when=When.ONCE, at=local(18, 1))
    desk.run(desk.recording(at="18:00"), region=NORTH)
    assert desk.fire(local(18, 1)) == 1
    assert [b.title for b in desk.broadcasts()] == ["村歌"]


def test_in_a_silence_nothing_routine_sounds(desk: Desk, runtime: Runtime) -> None:
    an_approved(runtime, desk.rules, audience=Audience((BRIDGE,)), when=When.ONCE, at=local(11, 45))
    desk.run(QUIET_NOON)
    assert desk.fire(local(11, 30)) == 0
    assert desk.fire(local(11, 45)) == 0
    assert [(s, n) for _, s, n in desk.found()][:2] == [
        (OccurrenceState.FIRED, ""),
        (OccurrenceState.SKIPPED, "sheet_silence"),
    ]


def test_nobody_gives_way_to_what_does_not_reach_all_of_it(desk: Desk) -> None:
    desk.run(desk.recording(at="18:00"), region=BRIDGE)
    desk.run(desk.recording(at="18:01"), region=NORTH)
    assert desk.fire(local(18, 1)) == 1, "the village's begins at the time of the township's: it gives way"
    assert [b.home_path.count("/") for b in desk.broadcasts()] == [2]


# ---- special days


def quiet(desk: Desk, runtime: Runtime, day: int, login: str = "approver", region: str = NORTH) -> None:
    with runtime.sessions.begin() as session:
        wanted = NewDays(date(2026, 11, day), date(2026, 11, day), DayKind.QUIET, "考试", region)
        special_days.add(session, the_actor(session, login), wanted, now=NOON)


def test_on_a_quiet_day_only_what_says_so_sounds(desk: Desk, runtime: Runtime) -> None:
    loud = desk.recording(at="18:30")
    desk.run(desk.recording(), replace(loud, pattern=replace(loud.pattern, on_quiet_days=True)))
    quiet(desk, runtime, 23)
    assert [due for due, _, _ in desk.found()] == [local(18, 30), local(18, day=24), local(18, 30, 24)]
    assert desk.fire(local(18, 30)) == 1


def test_a_quiet_day_calls_back_what_loudspeakers_have_already(desk: Desk, runtime: Runtime) -> None:
    desk.run(desk.recording())
    assert Laying(runtime.sessions, desk.rules, 24, desk.sources).lay_near(now=NOON) == 1
    quiet(desk, runtime, 23)
    with runtime.sessions.read() as session:
        assert [play.state for play in session.scalars(select(SheetPlay))] == [SheetState.WITHDRAWN]
    with runtime.sessions.begin() as session:
        row = special_days.of_year(session, the_actor(session, "approver"), 2026).rows[0]
        special_days.drop(session, the_actor(session, "approver"), row.day.id, now=NOON)
    assert desk.fire(local(18)) == 1, "taken out again, it sounds after all"


def test_a_quiet_day_of_another_township_changes_nothing_here(desk: Desk, runtime: Runtime) -> None:
    desk.run(desk.recording())
    quiet(desk, runtime, 23, "strange_approver", "990101002000")
    with pytest.raises(NotAllowed):
        quiet(desk, runtime, 24, "strange_approver", NORTH)
    assert desk.fire(local(18)) == 1


def test_official_days_are_read_in_once_and_what_was_changed_by_hand_stays(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        assert special_days.fill(session, now=NOON) > 40
        assert special_days.fill(session, now=NOON) == 0
        county = the_actor(session, "county")
        year = special_days.of_year(session, county, 2026)
        worked = {row.day.day for row in year.rows if row.day.kind is DayKind.WORKDAY}
        assert worked == {date(2026, m, d) for m, d in ((1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10))}
        special_days.drop(session, county, year.rows[0].day.id, now=NOON)
        assert special_days.fill(session, now=NOON) == 0
        with pytest.raises(NotAllowed):
            special_days.refresh(session, the_actor(session, "approver"), 2026, now=NOON)
        special_days.refresh(session, county, 2026, now=NOON)
        assert len(special_days.of_year(session, county, 2026).rows) == len(year.rows)


def test_a_slot_as_long_as_what_it_holds_takes_up_that_much(desk: Desk, runtime: Runtime) -> None:
    """Three minutes of song, though the slot itself says nothing of its length: noise, free times and levels know."""
    desk.run(desk.recording(minutes=0))
    evening = local(18)
    with runtime.sessions.read() as session:
        clerk = the_actor(session, "clerk")
        bridge = session.get_one(Region, BRIDGE).path
        [line, *_] = timetable.lines(session, clerk, since=evening, until=evening + timedelta(days=2))
        assert line.audio_ms == 180_000
        [busy] = timetable.busy_on(session, (bridge,), evening.date(), zone=desk.rules.zone)
        assert busy.end_minute - busy.start_minute >= 3
        below = Item(bridge, (bridge,), evening + timedelta(minutes=2), 60_000)
        assert why(session, below) == "upper_level_first"
        assert why(session, replace(below, start=evening + timedelta(minutes=4))) == ""
