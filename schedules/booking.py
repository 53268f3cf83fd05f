"""Slots in the timetable: booked, taken out again, and their occurrences planned ahead."""

from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements.models import Announcement, When
from broadcasts.loudspeaker import sheet
from schedules import almanac
from schedules.almanac import Almanac
from schedules.calendar import EVERY_DAY, Pattern, Rhythm, Rule, occurrences
from schedules.models import Occurrence, OccurrenceState, Slot

HORIZON = timedelta(hours=36)
PLANNED_AT_LEAST = timedelta(hours=30)
"""So far ahead everything stands in the table: what is sent ahead is taken from there."""
LATE_TOLERANCE = timedelta(minutes=15)
LONGEST_GAP = timedelta(days=7)
"""A hub that was off for longer does not record every single time it missed before."""
AT_ONCE = 500


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
    plan_slot(session, slot, almanac.load(session), now)
    return slot


def unbook(session: Session, announcement_id: UUID, now: datetime) -> bool:
    """Take an announcement out of the timetable; what was planned goes. Return whether anything was."""
    slot = session.scalar(select(Slot).where(Slot.announcement_id == announcement_id).with_for_update())
    if slot is None:
        return False
    slot.enabled = False
    return bool(clear(session, slot.id, now))


def clear(session: Session, slot_id: UUID, now: datetime) -> int:
    """Take out what a slot has planned; what was sent ahead is called back. Return how many it was."""
    gone = session.execute(
        delete(Occurrence)
        .where(Occurrence.slot_id == slot_id, Occurrence.state == OccurrenceState.PLANNED)
        .returning(Occurrence.broadcast_id)
    ).all()
    for (broadcast_id,) in gone:
        if broadcast_id is not None:
            sheet.withdraw(session, broadcast_id, now=now)
    return len(gone)


def plan_ahead(session: Session, *, now: datetime) -> int:
    """Write the occurrences of the next day and a half; return how many slots were looked at.

    Goes on from where each slot was planned to, so nothing is left out however long the hub was down.
    """
    slots = session.scalars(
        select(Slot)
        .where(Slot.enabled, Slot.planned_until < now + PLANNED_AT_LEAST)
        .with_for_update(skip_locked=True)
        .limit(AT_ONCE)
    ).all()
    if slots:
        days = almanac.load(session)
        for slot in slots:
            plan_slot(session, slot, days, now)
    return len(slots)


def plan_slot(session: Session, slot: Slot, days: Almanac, now: datetime) -> None:
    """Write the occurrences of one slot as far as the horizon."""
    rule = rule_of(slot)
    # A clock that was years behind must not bring decades of programmes back.
    since = max(slot.planned_until, now - LONGEST_GAP)
    until = now + HORIZON
    if until <= slot.planned_until:
        return  # the clock went back: what is planned stays planned
    rows = [
        {"id": uuid7(), "slot_id": slot.id, "due_at": due, "state": OccurrenceState.PLANNED, "note": ""}
        for due in occurrences(rule, since, until, days.of(slot.home_path))
    ]
    if rows:
        insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
        session.execute(insert(Occurrence).on_conflict_do_nothing(), rows)
    slot.planned_until = until
    once_planned = slot.once_at is not None and slot.once_at <= until
    over = slot.last_day is not None and until.astimezone(rule.zone).date() > slot.last_day
    if once_planned or over:
        slot.enabled = False


def replan(session: Session, slot: Slot, days: Almanac, now: datetime) -> None:
    """Bring what is planned in line with a changed calendar, as far as it had been planned.

    What stays the same is not touched: loudspeakers may have it already.
    """
    wanted = set(occurrences(rule_of(slot), now, slot.planned_until, days.of(slot.home_path)))
    there = session.scalars(
        select(Occurrence).where(Occurrence.slot_id == slot.id, Occurrence.due_at > now).with_for_update()
    ).all()
    for occurrence in there:
        if occurrence.state is OccurrenceState.PLANNED and occurrence.due_at not in wanted:
            if occurrence.broadcast_id is not None:
                sheet.withdraw(session, occurrence.broadcast_id, now=now)
            session.delete(occurrence)
    known = {occurrence.due_at for occurrence in there}
    session.add_all(Occurrence(slot_id=slot.id, due_at=due) for due in wanted - known)


def rule_of(slot: Slot) -> Rule:
    """Return when a slot comes round."""
    plain = slot.rhythm in (Rhythm.ONCE, Rhythm.DAILY) and not slot.days and slot.sheet_id is None
    return Rule(
        zone=ZoneInfo(slot.zone),
        once_at=slot.once_at,
        daily_at=time.fromisoformat(slot.daily_at) if slot.daily_at else None,
        first_day=slot.first_day,
        last_day=slot.last_day,
        pattern=EVERY_DAY if plain else Pattern.from_json(slot.rhythm, slot.days),
    )


def upcoming(session: Session, slot: Slot, now: datetime, ahead: timedelta = timedelta(days=366)) -> list[datetime]:
    """Return when a slot comes round in the time ahead, whether it is planned or not."""
    return occurrences(rule_of(slot), now, now + ahead, almanac.load(session).of(slot.home_path))
