"""Look at the simulated phones: which there are, what is on them, and answer from one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.sms.gateways.local import reply
from broadcasts.sms.gateways.local_models import LocalSms
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound
from hub.residents.models import Phone, Resident
from hub.residents.phones import PhoneSafe

REPLY_LENGTH = 300


@dataclass(frozen=True, slots=True)
class LocalPhone:
    """A simulated phone. `key` names it in addresses; it is not the number."""

    key: str
    name: str
    masked: str
    region_path: str
    bubbles: tuple[LocalSms, ...]
    """The latest messages, oldest first."""


def phones(
    session: Session, actor: Actor, *, region_path: str = "", before: int | None = None, limit: int = 24, each: int = 6
) -> list[LocalPhone]:
    """Return the phones of residents the actor may see, the one with the latest message first.

    `before` is the id of the oldest last bubble of the page before. A stranger gets none.
    """
    visible = _visible(actor, region_path)
    if visible is None:
        return []
    latest = func.max(LocalSms.id)
    seen = select(Phone.index).join(Resident, Resident.id == Phone.resident_id).where(visible)
    statement = (
        select(LocalSms.phone_index, latest)
        .where(LocalSms.phone_index.in_(seen))
        .group_by(LocalSms.phone_index)
        .order_by(latest.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.having(latest < before)
    indexes = [index for index, _ in session.execute(statement)]
    return [_phone(session, index, visible, each) for index in indexes]


def phone(session: Session, actor: Actor, key: str, *, each: int = 60) -> LocalPhone:
    """Return one phone with its messages; NotFound for a stranger."""
    index, visible = _find(session, actor, key)
    return _phone(session, index, visible, each)


def answer(session: Session, actor: Actor, key: str, text: str, *, safe: PhoneSafe, now: datetime) -> None:
    """Write to the hub from a simulated phone, as its owner would."""
    index, _ = _find(session, actor, key)
    if not text.strip():
        raise BadInput("sms_reply_missing", field="text")
    if len(text) > REPLY_LENGTH:
        raise BadInput("sms_reply_too_long", field="text", limit=REPLY_LENGTH)
    sealed = session.scalar(select(LocalSms.sealed).where(LocalSms.phone_index == index).limit(1))
    if sealed is None:
        raise NotFound("sms_phone_unknown")
    reply(session, safe, safe.open(sealed), text.strip(), now=now)


def _visible(actor: Actor, region_path: str) -> ColumnElement[bool] | None:
    paths = actor.paths(Permission.SEE_RESIDENTS)
    if not paths:
        return None
    mine = or_(*(Resident.region_path.like(like_below(path)) for path in paths))
    return mine & Resident.region_path.like(like_below(region_path))


def _find(session: Session, actor: Actor, key: str) -> tuple[bytes, ColumnElement[bool]]:
    visible = _visible(actor, "")
    try:
        index = bytes.fromhex(key)
    except ValueError:
        index = b""
    if visible is not None:
        owned = select(Phone.id).join(Resident, Resident.id == Phone.resident_id).where(visible, Phone.index == index)
        if session.scalar(owned.limit(1)) is not None:
            return index, visible
    raise NotFound("sms_phone_unknown")


def _phone(session: Session, index: bytes, visible: ColumnElement[bool], each: int) -> LocalPhone:
    owner = session.execute(
        select(Resident.name, Resident.region_path, Phone.masked)
        .join(Phone, Phone.resident_id == Resident.id)
        .where(Phone.index == index, visible)
        .order_by(Resident.region_path, Resident.id)
        .limit(1)
    ).one()
    newest = select(LocalSms).where(LocalSms.phone_index == index).order_by(LocalSms.id.desc()).limit(each)
    bubbles = tuple(reversed(session.scalars(newest).all()))
    return LocalPhone(index.hex(), owner.name, owner.masked, owner.region_path, bubbles)
