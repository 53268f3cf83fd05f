"""Fill and change the table of special days."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, extract, select
from sqlalchemy.orm import Session

from broadcasts.delivery.visibility import touches
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound
from hub.regions import service as regions
from hub.regions.tree import codes_in, path_of
from schedules import almanac, booking
from schedules.calendar import days_between
from schedules.models import CalendarDay, DayKind, Slot
from schedules.special_days import official

NAME_LENGTH = 30
LONGEST_DAYS = 60


@dataclass(frozen=True, slots=True)
class NewDays:
    """A stretch of special days, as it is written. `region` is the code of where it holds."""

    first: date
    last: date
    kind: DayKind
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class Row:
    """One special day in the list."""

    day: CalendarDay
    place: str
    may_drop: bool


@dataclass(frozen=True)
class Year:
    """The special days of a year. Without `complete` the weekends worked instead are not known yet."""

    year: int
    rows: list[Row]
    complete: bool
    may_refresh: bool


def fill(session: Session, *, now: datetime) -> int:
    """Read this year and the next in, unless they are there; return how many days were new."""
    return sum(_fill_year(session, year) for year in (now.year, now.year + 1) if not _official(session, year))


def refresh(session: Session, actor: Actor, year: int, *, now: datetime) -> int:
    """Read a year in anew: the official days are replaced, what was added by hand stays."""
    if not _for_everybody(actor):
        raise NotAllowed("not_allowed", permission=Permission.EDIT_REGIONS.value)
    session.execute(delete(CalendarDay).where(CalendarDay.official, extract("year", CalendarDay.day) == year))
    found = _fill_year(session, year)
    _plan_anew(session, now)
    log.record(session, actor, "days.refresh", f"days:{year}", _home(actor), now, added=found)
    return found


def add(session: Session, actor: Actor, new: NewDays, *, now: datetime) -> int:
    """Add a stretch of days; days that are there already stay as they are. Return how many were new."""
    if not new.name.strip() or len(new.name) > NAME_LENGTH:
        raise BadInput("day_name_missing", field="name", most=NAME_LENGTH)
    if new.last < new.first:
        raise BadInput("slot_days_backwards", field="last")
    if (new.last - new.first).days >= LONGEST_DAYS:
        raise BadInput("days_too_many", field="last", most=LONGEST_DAYS)
    regions.require_known(session, (new.region,))
    path = path_of(new.region)
    if not may_change(actor, path):
        raise NotAllowed("not_allowed", permission=Permission.APPROVE.value)
    there = {(row.day, row.kind) for row in session.scalars(select(CalendarDay).where(CalendarDay.region_path == path))}
    fresh = [day for day in days_between(new.first, new.last) if (day, new.kind) not in there]
    session.add_all(CalendarDay(day=day, kind=new.kind, region_path=path, name=new.name.strip()) for day in fresh)
    session.flush()
    _plan_anew(session, now)
    stretch = f"{new.first}~{new.last}"
    log.record(
        session, actor, "days.add", f"days:{new.first}", path, now, name=new.name, stretch=stretch, kind=new.kind.value
    )
    return len(fresh)


def drop(session: Session, actor: Actor, day_id: UUID, *, now: datetime) -> None:
    """Take a day out."""
    row = session.get(CalendarDay, day_id)
    if row is None or not _concerns(actor, row):
        raise NotFound("day_unknown")
    if not may_change(actor, row.region_path):
        raise NotAllowed("not_allowed", permission=Permission.APPROVE.value)
    session.delete(row)
    session.flush()
    _plan_anew(session, now)
    home = row.region_path or _home(actor)
    log.record(session, actor, "days.drop", f"days:{row.day}", home, now, name=row.name, kind=row.kind.value)


def of_year(session: Session, actor: Actor, year: int) -> Year:
    """Return the special days of a year that concern the actor."""
    found = session.scalars(
        select(CalendarDay)
        .where(extract("year", CalendarDay.day) == year)
        .order_by(CalendarDay.day, CalendarDay.region_path)
    ).all()
    codes = {codes_in(row.region_path)[-1] for row in found if row.region_path}
    names = regions.names(session, codes)
    rows = [
        Row(
            row,
            names.get(codes_in(row.region_path)[-1], "") if row.region_path else "",
            may_change(actor, row.region_path),
        )
        for row in found
        if _concerns(actor, row)
    ]
    complete = any(row.official and row.kind is DayKind.WORKDAY for row in found)
    return Year(year, rows, complete, _for_everybody(actor))


def _official(session: Session, year: int) -> bool:
    query = select(CalendarDay.id).where(CalendarDay.official, extract("year", CalendarDay.day) == year)
    return session.scalar(query.limit(1)) is not None


def _fill_year(session: Session, year: int) -> int:
    there = {
        (row.day, row.kind)
        for row in session.scalars(
            select(CalendarDay).where(CalendarDay.region_path == "", extract("year", CalendarDay.day) == year)
        )
    }
    fresh = [one for one in official.of_year(year) if (one.day, one.kind) not in there]
    session.add_all(CalendarDay(day=o.day, kind=o.kind, name=o.name, official=True) for o in fresh)
    session.flush()
    return len(fresh)


def _plan_anew(session: Session, now: datetime) -> None:
    """Plan what depends on the calendar once more: what must not sound is called back, what may is added."""
    slots = session.scalars(
        select(Slot).where(Slot.sheet_id.is_not(None), Slot.planned_until > now).with_for_update()
    ).all()
    days = almanac.load(session)
    for slot in slots:
        booking.replan(session, slot, days, now)


def may_change(actor: Actor, path: str) -> bool:
    """Whether the actor settles what days are special there; the empty path is everywhere."""
    if not path:
        return _for_everybody(actor)
    return actor.may(Permission.APPROVE, path) or actor.may(Permission.EDIT_REGIONS, path)


def _for_everybody(actor: Actor) -> bool:
    return any(len(codes_in(path)) <= 1 for path in actor.paths(Permission.EDIT_REGIONS))


def _home(actor: Actor) -> str:
    return actor.paths(Permission.EDIT_REGIONS)[0]


def _concerns(actor: Actor, row: CalendarDay) -> bool:
    return not row.region_path or touches((row.region_path,), actor.paths(Permission.SEE))
