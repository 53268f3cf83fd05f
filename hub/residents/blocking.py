"""Honour those who want no messages, and leave wrong numbers alone."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.residents import service
from hub.residents.models import BlockedNumber, BlockReason, Phone, Resident


def opt_out(session: Session, actor: Actor, phone_id: UUID, reason: BlockReason, *, now: datetime) -> None:
    """Send nothing more to this number: opted out (emergencies still go) or wrong number (nothing goes)."""
    phone = _editable_phone(session, actor, phone_id)
    block(session, phone.index, reason, now=now)
    path = phone.resident.region_path
    log.record(session, actor, "phone.block", f"phone:{phone_id}", path, now, reason=reason.value)


def unblock(session: Session, actor: Actor, phone_id: UUID, *, now: datetime) -> None:
    """Write to this number again."""
    phone = _editable_phone(session, actor, phone_id)
    blocked = session.get(BlockedNumber, phone.index)
    if blocked is None:
        return
    session.delete(blocked)
    path = phone.resident.region_path
    log.record(session, actor, "phone.unblock", f"phone:{phone_id}", path, now, reason=blocked.reason.value)


def block(session: Session, index: bytes, reason: BlockReason, *, now: datetime) -> None:
    """Note that a number must not be written to. A wrong number stays wrong whatever else is said about it.

    For the hub itself (a resident answered 退订, a provider refused): it asks for no permission.
    """
    blocked = session.get(BlockedNumber, index)
    if blocked is None:
        session.add(BlockedNumber(index=index, reason=reason, since=now))
    elif blocked.reason is not BlockReason.WRONG_NUMBER and blocked.reason is not reason:
        blocked.reason, blocked.since = reason, now
    session.flush()


def get_with_blocks(session: Session, actor: Actor, resident_id: UUID) -> tuple[Resident, dict[bytes, BlockReason]]:
    """Return a resident the actor may see with numbers and tags, and which of the numbers get no or few messages."""
    resident = service.get_resident(session, actor, resident_id)
    session.refresh(resident, ["phones", "tags"])
    return resident, blocks(session, [resident])


def blocks(session: Session, residents: Iterable[Resident]) -> dict[bytes, BlockReason]:
    """Return the phone indexes of these residents that get no or few messages. The caller has checked who may see."""
    return among(session, (phone.index for resident in residents for phone in resident.phones))


def among(session: Session, indexes: Iterable[bytes]) -> dict[bytes, BlockReason]:
    """Return which of these phone indexes get no or few messages, and why."""
    wanted = set(indexes)
    if not wanted:
        return {}
    statement = select(BlockedNumber.index, BlockedNumber.reason).where(BlockedNumber.index.in_(wanted))
    return dict(session.execute(statement).all())


def _editable_phone(session: Session, actor: Actor, phone_id: UUID) -> Phone:
    phone = session.get(Phone, phone_id)
    if phone is None:
        raise NotFound("resident_unknown")
    resident = service.get_resident(session, actor, phone.resident_id)
    actor.require(Permission.EDIT_RESIDENTS, resident.region_path)
    return phone
