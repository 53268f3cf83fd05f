"""The timetable as people read it: day by day, with what became of each item."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from broadcasts.delivery import progress, records
from broadcasts.delivery.desk import Programme, Stage, Upcoming
from broadcasts.delivery.outcomes import Numbers
from broadcasts.delivery.records import Places
from hub.core.actor import Actor, Permission
from schedules import lateness, timetable
from schedules.calendar import Rhythm
from schedules.lateness import Lateness
from schedules.models import OccurrenceState, SlotKind
from schedules.rehearsal import Finding, Rehearsal, Showing
from schedules.timetable import Line

STAGE: Mapping[OccurrenceState, Stage] = {
    OccurrenceState.PLANNED: Stage.PLANNED,
    OccurrenceState.FIRED: Stage.OUT,
    OccurrenceState.MISSED: Stage.MISSED,
    OccurrenceState.SKIPPED: Stage.SKIPPED,
    OccurrenceState.SUPERSEDED: Stage.SKIPPED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line with everything beside it. `numbers` is None unless it went out."""

    line: Line
    stage: Stage
    places: Places
    numbers: Numbers | None
    may_open: bool
    """The announcement itself may be read, not only its time."""
    may_withdraw: bool
    findings: tuple[Finding, ...] = ()
    late: Lateness | None = None

    @property
    def daily(self) -> bool:
        """Whether it comes every day."""
        return self.line.rhythm is Rhythm.DAILY


@dataclass(frozen=True, slots=True)
class Day:
    """One local day."""

    day: date
    midnight: datetime
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Week:
    """The days of the page, and when something sounds today, in minutes of the day."""

    days: list[Day]
    busy: list[tuple[int, int]]


def week(
    session: Session,
    actor: Actor,
    run: Rehearsal,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    zone: ZoneInfo,
) -> Week:
    """Return every local day from `since` to `until` that has something, and today in any case."""
    items = _items(session, actor, [one for one in run.showings if since <= one.line.due_at < until])
    today = now.astimezone(zone).date()
    by_day: dict[date, list[Item]] = {today: []}
    for item in items:
        by_day.setdefault(item.line.due_at.astimezone(zone).date(), []).append(item)
    days = [Day(day, datetime.combine(day, time(), tzinfo=zone), by_day[day]) for day in sorted(by_day)]
    sounding = [i.line for i in by_day[today] if i.stage in (Stage.PLANNED, Stage.OUT)]
    return Week(days, [_minutes(line, zone) for line in sounding])


def _items(session: Session, actor: Actor, showings: Sequence[Showing]) -> list[Item]:
    lines = [one.line for one in showings if one.line.kind is not SlotKind.SILENCE]
    findings = {(one.line.slot_id, one.line.due_at): one.findings for one in showings}
    sent = [line.broadcast_id for line in lines if line.broadcast_id]
    numbers = progress.numbers_of(session, actor, sent)
    late = lateness.measured(session, sent)
    places = records.places_of(session, [line.audience.regions for line in lines])
    return [
        replace(
            _item(actor, line, place, numbers),
            findings=findings[line.slot_id, line.due_at] if line.state is OccurrenceState.PLANNED else (),
            late=late.get(line.broadcast_id) if line.broadcast_id else None,
        )
        for line, place in zip(lines, places, strict=True)
    ]


def _item(actor: Actor, line: Line, place: Places, numbers: Mapping[UUID, Numbers]) -> Item:
    planned = line.state is OccurrenceState.PLANNED
    mine = line.written_by == actor.id or actor.may(Permission.STOP, line.home_path)
    may_open = actor.may(Permission.SEE, line.home_path)
    return Item(
        line=line,
        stage=STAGE[line.state],
        places=place,
        numbers=numbers.get(line.broadcast_id) if line.broadcast_id else None,
        may_open=may_open,
        may_withdraw=planned and mine and may_open and line.announcement_id is not None,
    )


def _minutes(line: Line, zone: ZoneInfo) -> tuple[int, int]:
    local = line.due_at.astimezone(zone)
    start = local.hour * 60 + local.minute
    return start, min(24 * 60, start + max(1, math.ceil(line.audio_ms / 60_000)))


def upcoming() -> Upcoming:
    """Return the timetable as the overview knows it."""

    def between(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Programme]:
        return [
            Programme(
                due_at=line.due_at,
                title=line.title,
                places=line.audience.regions,
                audio_ms=line.audio_ms,
                daily=line.rhythm is Rhythm.DAILY,
                stage=STAGE[line.state],
                note=line.note,
                broadcast_id=line.broadcast_id,
            )
            for line in timetable.lines(session, actor, since=since, until=until)
            if line.kind is not SlotKind.SILENCE
        ]

    return Upcoming(between)
