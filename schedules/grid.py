"""A week as a table: half hours down, days across, everything that sounds in its place."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement, When
from broadcasts.approvals.lifecycle import State
from broadcasts.audience.selection import Audience
from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.visibility import near, touches
from hub.core.actor import Actor, Permission
from schedules import almanac, timetable
from schedules.booking import rule_of
from schedules.calendar import Rhythm, Rule, occurrences
from schedules.models import OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.rehearsal import Rehearsal, Showing
from schedules.timetable import Line

HALF_HOUR = 30
FIRST, LAST = 6 * 60, 22 * 60
"""Hours that are always shown; others only where something sounds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the table."""

    line: Line
    waiting: bool = False
    showing: Showing | None = None
    may_open: bool = False
    """What it comes from may be read, not only its time."""
    campaign_id: UUID | None = None
    """Of which campaign that waits it is a play."""
    number: int = 0
    """Which problem of the week it is, counted from 1; 0: none."""

    @property
    def past(self) -> bool:
        """Whether it is over: it went out, or did not."""
        return self.line.state is not OccurrenceState.PLANNED


@dataclass(frozen=True, slots=True)
class Cell:
    """Half an hour of one day."""

    day: date
    minute: int
    quiet: bool
    over: bool
    entries: tuple[Entry, ...]

    @property
    def clock(self) -> str:
        """When it begins."""
        return f"{self.minute // 60:02d}:{self.minute % 60:02d}"


@dataclass(frozen=True, slots=True)
class Row:
    """Half an hour over the week."""

    minute: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """A week."""

    days: tuple[date, ...]
    today: date
    rows: tuple[Row, ...]
    problems: int
    names: dict[date, list[str]]
    """What people call the days: holidays, exams."""


def build(
    session: Session,
    actor: Actor,
    week: Rehearsal,
    *,
    monday: date,
    below: str,
    quiet: QuietHours,
    now: datetime,
    campaigns: Sequence[tuple[UUID, Line]] = (),
) -> Grid:
    """Return the week from a Monday, of what was rehearsed and what waits for approval, `campaigns` too."""
    zone = quiet.zone
    since = datetime.combine(monday, time(), tzinfo=zone)
    until = since + timedelta(days=7)
    shown = [one for one in week.showings if since <= one.line.due_at < until]
    found = [Entry(one.line, showing=one, may_open=actor.may(Permission.SEE, one.line.home_path)) for one in shown]
    waits: list[tuple[UUID | None, Line]] = [
        *((None, line) for line in waiting(session, actor, since=max(since, now), until=until, zone=zone)),
        *campaigns,
    ]
    found += [
        Entry(line, waiting=True, may_open=True, campaign_id=campaign_id)
        for campaign_id, line in waits
        if since <= line.due_at < until and (not below or touches(line.audience.paths, (below,)))
    ]
    found.sort(key=lambda entry: entry.line.due_at)
    found, problems = _numbered(found)
    placed: dict[tuple[date, int], list[Entry]] = defaultdict(list)
    for entry in found:
        local = entry.line.due_at.astimezone(zone)
        placed[local.date(), (local.hour * 60 + local.minute) // HALF_HOUR * HALF_HOUR].append(entry)
    days = tuple(monday + timedelta(days=n) for n in range(7))
    minutes = sorted({*range(FIRST, LAST, HALF_HOUR), *(minute for _, minute in placed)})
    local_now = now.astimezone(zone)
    special = almanac.load(session)
    return Grid(
        days=days,
        today=local_now.date(),
        rows=tuple(Row(m, tuple(_cell(day, m, placed, quiet, local_now) for day in days)) for m in minutes),
        problems=problems,
        names={day: special.names(below, day) for day in days},
    )


def waiting(session: Session, actor: Actor, *, since: datetime, until: datetime, zone: ZoneInfo) -> list[Line]:
    """Return when what waits for approval would sound."""
    found = [*_announcements(session, actor, since, until, zone), *_slots(session, actor, since, until)]
    return [line for line in found if actor.may(Permission.SEE, line.home_path)]


def _numbered(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    numbered, problems = [], 0
    for entry in entries:
        troubled = entry.showing is not None and entry.showing.troubled
        problems += troubled
        numbered.append(replace(entry, number=problems) if troubled else entry)
    return numbered, problems


def _cell(
    day: date, minute: int, placed: dict[tuple[date, int], list[Entry]], quiet: QuietHours, now: datetime
) -> Cell:
    begins = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=quiet.zone)
    return Cell(
        day=day,
        minute=minute,
        quiet=quiet.holds_minute(minute),
        over=begins + timedelta(minutes=HALF_HOUR) <= now,
        entries=tuple(placed.get((day, minute), ())),
    )


def _announcements(session: Session, actor: Actor, since: datetime, until: datetime, zone: ZoneInfo) -> list[Line]:
    query = select(Announcement).where(
        Announcement.state == State.SUBMITTED,
        Announcement.when != When.NOW,
        near(actor, Announcement.home_path),
    )
    found = []
    for a in session.scalars(query):
        rule = Rule(
            zone=zone,
            once_at=a.at if a.when is When.ONCE else None,
            daily_at=time.fromisoformat(a.daily_at) if a.when is When.DAILY and a.daily_at else None,
            first_day=a.first_day,
            last_day=a.last_day,
        )
        found += [_line(a, due) for due in occurrences(rule, since, until)]
    return found


def _line(a: Announcement, due: datetime) -> Line:
    return Line(
        id=a.id,
        slot_id=a.id,
        due_at=due,
        kind=SlotKind.ANNOUNCEMENT,
        announcement_id=a.id,
        sheet_id=None,
        title=a.title,
        home_path=a.home_path,
        audience=Audience.from_json(a.audience),
        written_by=a.written_by,
        audio_ms=a.airtime_ms,
        volume=a.volume,
        rhythm=Rhythm.ONCE if a.when is When.ONCE else Rhythm.DAILY,
        state=OccurrenceState.PLANNED,
        note="",
        fired_at=None,
        broadcast_id=None,
    )


def _slots(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Line]:
    rows = session.scalars(
        select(Slot)
        .join(Sheet, Sheet.id == Slot.sheet_id)
        .where(Sheet.state == SheetState.SUBMITTED, near(actor, Sheet.region_path))
    ).all()
    days = almanac.load(session) if rows else almanac.Almanac()
    running = _running_twins(session, rows)
    return [
        timetable.line_of(slot, None, due)
        for slot in rows
        if slot.id not in running
        for due in occurrences(rule_of(slot), since, until, days.of(slot.home_path))
    ]


def _running_twins(session: Session, slots: Sequence[Slot]) -> set[object]:
    """Return those that stand at the same time with the same title on the version that runs: nothing new waits."""
    lines = select(Sheet.line_id).where(Sheet.id.in_({slot.sheet_id for slot in slots}))
    running = session.execute(
        select(Slot.daily_at, Slot.title, Slot.home_path)
        .join(Sheet, Sheet.id == Slot.sheet_id)
        .where(Sheet.state == SheetState.RUNNING, Sheet.line_id.in_(lines))
    )
    known = {tuple(row) for row in running}
    return {slot.id for slot in slots if (slot.daily_at, slot.title, slot.home_path) in known}
