"""What is due together: locked in one go, and everything that has to be known about it asked once for all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.service import Order
from broadcasts.loudspeaker import sheet
from schedules import almanac, noise
from schedules.agreed import Agreements
from schedules.models import Occurrence, OccurrenceState, Sheet, Slot, SlotKind
from schedules.yielding import Above, Item

Owner = Announcement | Sheet


@dataclass(frozen=True, slots=True)
class Due:
    """One occurrence that is due, and whose it is. All of it is locked.

    `late`: beyond its tolerance. `alone`: loudspeakers have it and play it by themselves. `newer`: the next time of the
    same slot is due as well.
    """

    occurrence: Occurrence
    slot: Slot
    owner: Owner
    late: bool
    alone: bool
    newer: bool

    def start(self, now: datetime) -> datetime:
        """Return when it begins."""
        return self.occurrence.due_at if self.alone else max(self.occurrence.due_at, now)


class Sight:
    """What has to be known to decide about them."""

    def __init__(self, session: Session, dues: Sequence[Due], rules: Rules, outlook: noise.Outlook) -> None:
        owners = {due.owner.id: due.owner for due in dues}
        self._campaigns = any(due.slot.kind is SlotKind.CAMPAIGN for due in dues)
        self.days = almanac.load(session)
        self.agreements = Agreements(session, [owner for owner in owners.values() if isinstance(owner, Sheet)])
        self.above = Above(session, [_item(due) for due in dues])
        limits = noise.Limits(rules.daily_minutes, rules.weekly_minutes)
        latest = max(due.occurrence.due_at for due in dues)
        self._ears = noise.Ears(session, limits, rules.zone, latest, outlook)

    def too_much(self, due: Due, order: Order) -> bool:
        """Return whether a campaign would say more than its villages should hear: it steps back for all the others."""
        if not order.sounds or due.late:
            return False
        sounding = noise.Sounding(order.audience.paths, order.starts_at, order.total_ms, order.volume)
        if due.slot.kind is SlotKind.CAMPAIGN and self._ears.are_full(sounding):
            return True
        if self._campaigns:
            self._ears.hear(sounding)
        return False


def _item(due: Due) -> Item:
    slot, owner = due.slot, due.owner
    paths = Audience.from_json(owner.audience).paths if isinstance(owner, Announcement) else (slot.home_path,)
    return Item(slot.home_path, paths, due.occurrence.due_at, 0)


def take(session: Session, occurrence_ids: Sequence[UUID], now: datetime) -> list[Due]:
    """Lock what nobody else has and is still planned; the soonest first, of the same moment upper levels first.

    What they belong to is locked before, as withdrawing and replacing do. Whatever is found locked is left alone, and
    so are the occurrences of an owner that is: a hub without the owner must not hold back the one that has it.
    """
    query = select(Occurrence.id, Slot).join(Slot, Slot.id == Occurrence.slot_id)
    slots = {key: slot for key, slot in session.execute(query.where(Occurrence.id.in_(occurrence_ids)))}  # noqa: C416
    owners = _owners(session, list(slots.values()))
    mine = [key for key, slot in slots.items() if _owner_id(slot) in owners]
    if not mine:
        return []
    locked = session.scalars(
        select(Occurrence)
        .where(Occurrence.id.in_(mine), Occurrence.state == OccurrenceState.PLANNED)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    newest = _newest(session, locked, now)
    found = [_due(session, one, slots[one.id], owners, newest, now) for one in locked]
    return sorted(found, key=lambda due: (due.occurrence.due_at, len(due.slot.home_path), due.occurrence.id))


def _due(
    session: Session,
    occurrence: Occurrence,
    slot: Slot,
    owners: dict[UUID, Owner],
    newest: dict[UUID, datetime],
    now: datetime,
) -> Due:
    return Due(
        occurrence,
        slot,
        owners[_owner_id(slot)],
        late=(now - occurrence.due_at).total_seconds() > slot.late_tolerance_s,
        alone=occurrence.broadcast_id is not None and sheet.was_sent(session, occurrence.broadcast_id),
        newer=newest.get(slot.id, occurrence.due_at) > occurrence.due_at,
    )


def _owner_id(slot: Slot) -> UUID:
    found = slot.announcement_id or slot.sheet_id
    return found if found is not None else slot.id  # of nobody: there is no such owner


def _owners(session: Session, slots: Sequence[Slot]) -> dict[UUID, Owner]:
    announcements = {slot.announcement_id for slot in slots if slot.announcement_id is not None}
    sheets = {slot.sheet_id for slot in slots if slot.sheet_id is not None}
    found: dict[UUID, Owner] = {}
    if announcements:
        query = select(Announcement).where(Announcement.id.in_(announcements)).with_for_update(skip_locked=True)
        found |= {one.id: one for one in session.scalars(query)}
    if sheets:
        shared = select(Sheet).where(Sheet.id.in_(sheets)).with_for_update(read=True, skip_locked=True)
        found |= {one.id: one for one in session.scalars(shared)}
    return found


def _newest(session: Session, locked: Sequence[Occurrence], now: datetime) -> dict[UUID, datetime]:
    """Return the newest time of each slot that is due already."""
    if not locked:
        return {}
    slot_ids, first = {one.slot_id for one in locked}, min(one.due_at for one in locked)
    query = select(Occurrence.slot_id, Occurrence.due_at).where(
        Occurrence.slot_id.in_(slot_ids), Occurrence.due_at > first, Occurrence.due_at <= now
    )
    return {slot_id: due for slot_id, due in session.execute(query.order_by(Occurrence.due_at))}  # noqa: C416
