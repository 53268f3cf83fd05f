"""Sheets in lists: those that run or are being written, the versions of one, what waits for approval."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Subject
from broadcasts.delivery.visibility import near
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions import service as regions
from schedules.agreed import subject_of
from schedules.models import Sheet, SheetState, Slot
from schedules.sheets.service import LIVE, is_seen


@dataclass(frozen=True, slots=True)
class Row:
    """One sheet in the list, and where it is heard."""

    sheet: Sheet
    place: str
    slots: int


def every(session: Session, actor: Actor) -> list[Row]:
    """Return the sheets that run or are being written and concern the actor, the upper levels first."""
    rows = session.execute(
        select(Sheet, func.count(Slot.id))
        .outerjoin(Slot, Slot.sheet_id == Sheet.id)
        .where(Sheet.state.in_(LIVE), near(actor, Sheet.region_path))
        .group_by(Sheet.id)
        .order_by(Sheet.region_path, Sheet.line_id, Sheet.version)
    ).all()
    seen = [(sheet, number) for sheet, number in rows if is_seen(actor, sheet)]
    return [Row(s, regions.full_name(session, s.region_path, without_county=True), number) for s, number in seen]


def versions(session: Session, sheet: Sheet) -> list[Sheet]:
    """Return all versions of a sheet, the newest first."""
    query = select(Sheet).where(Sheet.line_id == sheet.line_id).order_by(Sheet.version.desc())
    return list(session.scalars(query))


def waiting(session: Session, actor: Actor) -> list[Subject]:
    """Return what waits for approval where the actor may approve."""
    paths = actor.paths(Permission.APPROVE)
    if not paths:
        return []
    query = select(Sheet).where(
        Sheet.state == SheetState.SUBMITTED,
        or_(*(Sheet.region_path.like(like_below(path)) for path in paths)),
    )
    return [subject_of(one) for one in session.scalars(query)]


def count_waiting(session: Session, actor: Actor) -> int:
    """Return how many wait for this person's approval; one's own do not count."""
    return rounds.count_open(session, actor, waiting(session, actor))


def week_after(today: date) -> tuple[date, date]:
    """Return Monday and Sunday of the week after a day: what a rehearsal shows unless told otherwise."""
    monday = today + timedelta(days=7 - today.weekday())
    return monday, monday + timedelta(days=6)
