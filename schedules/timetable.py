"""Approved announcements at their times: plan occurrences ahead, fire each exactly once, record what was missed."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements import service as announcements
from broadcasts.announcements.lifecycle import State
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Busy, Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import may_see, near, touches
from broadcasts.loudspeaker import sheet
from hub.core.actor import SYSTEM, Actor
from hub.core.db import Sessions
from hub.core.errors import HubError
from schedules.calendar import Rule, occurrences
from schedules.models import Occurrence, OccurrenceState, Rhythm, Slot

log = logging.getLogger(__name__)
HORIZON = timedelta(hours=36)
PLANNED_AT_LEAST = timedelta(hours=30)
"""So far ahead everything stands in the table: what is sent ahead is taken from there."""
LATE_TOLERANCE = timedelta(minutes=15)


def book(session: Session, announcement: Announcement, now: datetime, *, zone: ZoneInfo) -> Slot:
    """Give an approved announcement its slot and plan its first occurrences."""
    slot = Slot(
        announcement_id=announcement.id,
        home_path=announcement.home_path,
        rhythm=Rhythm.ONCE if announcement.when is When.ONCE else Rhythm.DAILY,
        once_at=announcement.at,
        daily_at=announcement.daily_at,
        first_day=announcement.first_day,
        last_day=announcement.last_day,
        zone=zone.key,
        late_tolerance_s=int(LATE_TOLERANCE.total_seconds()),
        planned_until=now,
        created_at=now,
    )
    session.add(slot)
    session.flush()
    _plan(session, slot, now)
    return slot


def unbook(session: Session, announcement_id: UUID, now: datetime) -> bool:
    """Take an announcement out of the timetable; what was planned goes. Return whether anything was."""
    slot = session.scalar(select(Slot).where(Slot.announcement_id == announcement_id).with_for_update())
    if slot is None:
        return False
    slot.enabled = False
    sent_ahead = session.scalars(
        select(Occurrence.broadcast_id).where(
            Occurrence.slot_id == slot.id,
            Occurrence.state == OccurrenceState.PLANNED,
            Occurrence.broadcast_id.is_not(None),
        )
    ).all()
    for broadcast_id in sent_ahead:
        if broadcast_id is not None:
            sheet.withdraw(session, broadcast_id, now=now)
    gone = session.execute(
        delete(Occurrence)
        .where(Occurrence.slot_id == slot.id, Occurrence.state == OccurrenceState.PLANNED)
        .returning(Occurrence.id)
    ).all()
    return bool(gone)


def plan_ahead(session: Session, *, now: datetime) -> int:
    """Write the occurrences of the next day and a half; return how many slots were looked at.

    Goes on from where each slot was planned to, so nothing is left out however long the hub was down.
    """
    slots = session.scalars(
        select(Slot)
        .where(Slot.enabled, Slot.planned_until < now + PLANNED_AT_LEAST)
        .with_for_update(skip_locked=True)
        .limit(500)
    ).all()
    for slot in slots:
        _plan(session, slot, now)
    return len(slots)


def _plan(session: Session, slot: Slot, now: datetime) -> None:
    rule = _rule(slot)
    # A clock that was years behind must not bring decades of programmes back.
    since = max(slot.planned_until, now - timedelta(days=7))
    until = now + HORIZON
    rows = [
        {"id": uuid7(), "slot_id": slot.id, "due_at": due, "state": OccurrenceState.PLANNED, "note": ""}
        for due in occurrences(rule, since, until)
    ]
    if rows:
        insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
        session.execute(insert(Occurrence).on_conflict_do_nothing(), rows)
    slot.planned_until = until
    once_planned = slot.once_at is not None and slot.once_at <= until
    daily_over = slot.last_day is not None and until.astimezone(rule.zone).date() > slot.last_day
    if once_planned or daily_over:
        slot.enabled = False


def _rule(slot: Slot) -> Rule:
    return Rule(
        zone=ZoneInfo(slot.zone),
        once_at=slot.once_at,
        daily_at=time.fromisoformat(slot.daily_at) if slot.daily_at else None,
        first_day=slot.first_day,
        last_day=slot.last_day,
    )


@dataclass(frozen=True)
class Firing:
    """What firing needs: units of work, the county's rules, and how long before its start an item is sent out."""

    sessions: Sessions
    rules: Rules
    ahead: timedelta

    def fire_due(self, *, now: datetime) -> int:
        """Release everything that is due, each in a unit of work of its own; return how many went out."""
        with self.sessions.read() as session:
            due = session.scalars(
                select(Occurrence.id)
                .where(Occurrence.state == OccurrenceState.PLANNED, Occurrence.due_at <= now + self.ahead)
                .order_by(Occurrence.due_at)
                .limit(200)
            ).all()
        return sum(self._fire(occurrence_id, now) for occurrence_id in due)

    def _fire(self, occurrence_id: UUID, now: datetime) -> bool:
        try:
            with self.sessions.begin() as session:
                return _fire_one(session, occurrence_id, self.rules, now)
        except HubError as error:
            # The release was rolled back whole; what stays is the reason, for people to read.
            log.warning("occurrence %s did not go out: %s", occurrence_id, error.code)
            with self.sessions.begin() as session:
                _end(session, occurrence_id, OccurrenceState.SKIPPED, error.code, now, was=OccurrenceState.PLANNED)
        except Exception:
            # It stays planned and is tried again until its tolerance is over; the others must not wait for it.
            log.exception("occurrence %s could not be released", occurrence_id)
        return False


def _fire_one(session: Session, occurrence_id: UUID, rules: Rules, now: datetime) -> bool:
    claimed = session.scalar(
        update(Occurrence)
        .where(Occurrence.id == occurrence_id, Occurrence.state == OccurrenceState.PLANNED)
        .values(state=OccurrenceState.FIRED, fired_at=now)
        .returning(Occurrence.id)
    )
    if claimed is None:
        return False
    occurrence = session.get_one(Occurrence, occurrence_id)
    slot = session.get_one(Slot, occurrence.slot_id)
    announcement = session.get(Announcement, slot.announcement_id, with_for_update=True)
    if announcement is None or announcement.state is not State.APPROVED:
        _end(session, occurrence_id, OccurrenceState.SKIPPED, "announcement_withdrawn", now)
        return False
    late = now > occurrence.due_at + timedelta(seconds=slot.late_tolerance_s)
    alone = occurrence.broadcast_id is not None and sheet.was_sent(session, occurrence.broadcast_id)
    if late and not alone:
        _end(session, occurrence_id, OccurrenceState.MISSED, "hub_was_down", now)
        return False
    # What was sent ahead began by itself at its time; released late, it only records what loudspeakers did.
    broadcast = announcements.release(
        session,
        SYSTEM,
        announcement,
        source=f"{occurrence.due_at:%Y%m%dT%H%M}",
        starts_at=occurrence.due_at if alone else max(occurrence.due_at, now),
        rules=rules,
        now=now,
        broadcast_id=occurrence.broadcast_id,
        texts=not late,
    )
    occurrence.broadcast_id = broadcast.id
    if late:
        occurrence.note = "played_from_sheet"
    return True


def _end(
    session: Session,
    occurrence_id: UUID,
    state: OccurrenceState,
    note: str,
    now: datetime,
    *,
    was: OccurrenceState = OccurrenceState.FIRED,
) -> None:
    ended = session.execute(
        update(Occurrence)
        .where(Occurrence.id == occurrence_id, Occurrence.state == was)
        .values(state=state, note=note[:60], fired_at=now)
        .returning(Occurrence.broadcast_id)
    ).first()
    if ended is not None and ended.broadcast_id is not None:
        sheet.withdraw(session, ended.broadcast_id, now=now)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timetable as people see it. `id` with `due_at` is a key; it may change once it is planned."""

    id: UUID
    due_at: datetime
    announcement_id: UUID
    title: str
    home_path: str
    audience: Audience
    written_by: UUID
    audio_ms: int
    rhythm: Rhythm
    state: OccurrenceState
    note: str
    broadcast_id: UUID | None


def lines(
    session: Session,
    actor: Actor,
    *,
    since: datetime,
    until: datetime,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 1000,
) -> list[Line]:
    """Return what is planned, went out or was missed in that time and touches what the actor may see, in order.

    `after` is the key of the last line of the page before. Beyond what has been planned ahead, the same arithmetic that
    plans says what will be.
    """
    found = [*_planned(session, actor, since, until), *_beyond(session, actor, since, until)]
    seen = sorted(
        (line for line in found if may_see(actor, line.home_path, line.audience)), key=lambda x: (x.due_at, x.id)
    )
    return [line for line in seen if after is None or (line.due_at, line.id) > after][:limit]


def _planned(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Line]:
    rows = session.execute(
        select(Occurrence, Slot.rhythm, Announcement)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .join(Announcement, Announcement.id == Slot.announcement_id)
        .where(Occurrence.due_at >= since, Occurrence.due_at < until, near(actor, Slot.home_path))
    )
    return [_line(o.id, o.due_at, a, rhythm, o) for o, rhythm, a in rows]


def _beyond(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Line]:
    rows = session.execute(
        select(Slot, Announcement)
        .join(Announcement, Announcement.id == Slot.announcement_id)
        .where(Slot.enabled, Slot.planned_until < until, near(actor, Slot.home_path))
    )
    return [
        _line(slot.id, due, announcement, slot.rhythm)
        for slot, announcement in rows
        for due in occurrences(_rule(slot), slot.planned_until, until)
        if since <= due < until
    ]


def _line(
    id_: UUID,
    due_at: datetime,
    a: Announcement,
    rhythm: Rhythm,
    occurrence: Occurrence | None = None,
) -> Line:
    return Line(
        id=id_,
        due_at=due_at,
        announcement_id=a.id,
        title=a.title,
        home_path=a.home_path,
        audience=Audience.from_json(a.audience),
        written_by=a.written_by,
        audio_ms=a.airtime_ms,
        rhythm=rhythm,
        state=occurrence.state if occurrence else OccurrenceState.PLANNED,
        note=occurrence.note if occurrence else "",
        broadcast_id=occurrence.broadcast_id if occurrence and occurrence.state is OccurrenceState.FIRED else None,
    )


def next_of(session: Session, announcement_id: UUID, now: datetime) -> datetime | None:
    """Return when an announcement comes next."""
    return session.scalar(
        select(Occurrence.due_at)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .where(
            Slot.announcement_id == announcement_id,
            Occurrence.state == OccurrenceState.PLANNED,
            Occurrence.due_at >= now,
        )
        .order_by(Occurrence.due_at)
        .limit(1)
    )


def busy_on(session: Session, paths: tuple[str, ...], day: date, *, zone: ZoneInfo) -> list[Busy]:
    """Return what is planned on a local day, however far ahead, on loudspeakers that also hang below one of `paths`."""
    start = datetime.combine(day, time(), tzinfo=zone)
    found = []
    for line in lines(session, SYSTEM, since=start, until=start + timedelta(days=1)):
        gone = line.state not in (OccurrenceState.PLANNED, OccurrenceState.FIRED)
        if gone or not line.audience.speakers or not touches(line.audience.paths, paths):
            continue
        local = line.due_at.astimezone(zone)
        minute = local.hour * 60 + local.minute
        found.append(Busy(minute, minute + max(1, round(line.audio_ms / 60000 + 0.5)), line.title, line.home_path))
    return found


def doors(zone: ZoneInfo) -> Timetable:
    """Return the timetable as announcements know it."""

    def book_(session: Session, announcement: Announcement, now: datetime) -> None:
        book(session, announcement, now, zone=zone)

    def busy(session: Session, paths: tuple[str, ...], day: date) -> list[Busy]:
        return busy_on(session, paths, day, zone=zone)

    return Timetable(book=book_, unbook=unbook, next_of=next_of, busy_on=busy)
