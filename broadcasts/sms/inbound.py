"""Messages from residents: honour 退订, let nothing else be swallowed, and put cries for help on top."""

import hashlib
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsInbound
from broadcasts.sms.reports import Inbound
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import HubError, NotFound
from hub.residents import service
from hub.residents.models import BlockReason, Phone, Resident
from hub.residents.phones import PhoneSafe, normalise

_OPT_OUT_WORDS = (
    "退订",
    "取消",
    "取消订阅",
    "拒收",
    "拒绝",
    "不要",
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
)
OPT_OUT = frozenset({*_OPT_OUT_WORDS, "REVOKE", "OPTOUT", "T", "TD", "N", "R", "TT", "QX"})
OPT_IN = frozenset(["订阅", "恢复", "START", "UNSTOP"])
URGENT = (
    "救命",
    "救人",
    "救我",
    "求救",
    "被困",
    "报警",
    "滑坡",
    "塌",
    "泥石流",
    "着火",
    "起火",
    "山火",
    "淹",
    "落水",
    "受伤",
)


def receive(
    session: Session, safe: PhoneSafe, gateway_name: str, messages: Sequence[Inbound], *, now: datetime
) -> list[SmsInbound]:
    """Keep what residents wrote, each message once, and follow a 退订 or 订阅. Return what was new."""
    new = []
    for message in messages:
        kept = _keep(session, safe, gateway_name, message)
        if kept is None:
            continue
        if kept.command == "opt_out":
            service.block(session, kept.phone_index, BlockReason.OPTED_OUT, now=now)
            kept.handled_at = now
        elif kept.command == "opt_in":
            service.welcome_back(session, kept.phone_index)
            kept.handled_at = now
        new.append(kept)
    session.flush()
    return new


def inbox(
    session: Session,
    actor: Actor,
    *,
    open_only: bool = True,
    urgent: bool | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[SmsInbound]:
    """Return residents' messages the actor may see, newest first; a number nobody has is shown county-wide only."""
    visible = _visible(actor)
    if visible is None:
        return []
    statement = select(SmsInbound).where(visible).order_by(SmsInbound.id.desc()).limit(limit)
    if open_only:
        statement = statement.where(SmsInbound.handled_at.is_(None))
    if urgent is not None:
        statement = statement.where(SmsInbound.urgent.is_(urgent))
    if before is not None:
        statement = statement.where(SmsInbound.id < before)
    return list(session.scalars(statement))


def waiting(session: Session, actor: Actor) -> int:
    """Return how many messages the actor may see that nobody has dealt with."""
    visible = _visible(actor)
    if visible is None:
        return 0
    return session.scalar(select(func.count()).where(visible, SmsInbound.handled_at.is_(None))) or 0


def handled(session: Session, actor: Actor, inbound_id: UUID, *, now: datetime) -> SmsInbound:
    """Note that somebody has dealt with a message."""
    visible = _visible(actor)
    wanted = select(SmsInbound).where(SmsInbound.id == inbound_id)
    found = session.scalar(wanted.where(visible)) if visible is not None else None
    if found is None:
        raise NotFound("sms_inbound_unknown")
    if found.handled_at is None:
        found.handled_at = now
        log.record(session, actor, "sms.handled", f"sms_inbound:{found.id}", found.region_path, now)
    return found


def _visible(actor: Actor) -> ColumnElement[bool] | None:
    paths = actor.paths(Permission.SEE_RESIDENTS)
    if not paths:
        return None
    below = or_(*(SmsInbound.region_path.like(like_below(path)) for path in paths))
    if any(path.count("/") <= 1 for path in paths):
        below = or_(below, SmsInbound.region_path == "")
    return below


def command_of(text: str) -> str:
    """Return `opt_out`, `opt_in` or nothing. Only a message that says nothing else is a command."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())
    if plain in OPT_OUT:
        return "opt_out"
    return "opt_in" if plain in OPT_IN else ""


def _keep(session: Session, safe: PhoneSafe, gateway_name: str, message: Inbound) -> SmsInbound | None:
    said = (gateway_name, message.provider_ref, message.number, message.text, message.received_at.isoformat())
    key = hashlib.sha256("\x1f".join(said[:2] if message.provider_ref else said).encode()).digest()
    if session.scalar(select(SmsInbound.id).where(SmsInbound.key == key)) is not None:
        return None
    number, masked = _read_number(message.number)
    index = safe.index(number)
    owner = session.execute(
        select(Resident.id, Resident.region_path)
        .join(Phone, Phone.resident_id == Resident.id)
        .where(Phone.index == index)
        .order_by(Resident.region_path)
        .limit(1)
    ).first()
    kept = SmsInbound(
        key=key,
        phone_index=index,
        sealed=safe.seal(number),
        masked=masked,
        region_path=owner.region_path if owner else "",
        resident_id=owner.id if owner else None,
        text=message.text[:2000],
        command=command_of(message.text),
        urgent=any(word in message.text for word in URGENT),
        received_at=message.received_at,
    )
    session.add(kept)
    session.flush()
    return kept


def _read_number(text: str) -> tuple[str, str]:
    """Return number and mask; a sender that is no telephone number (a short code) is kept as it is."""
    try:
        number = normalise(text)
    except HubError:
        plain = "".join(c for c in text if c.isascii() and c.isprintable())[:20]
        return plain, plain[:3] + "****"
    return number.e164, number.masked
