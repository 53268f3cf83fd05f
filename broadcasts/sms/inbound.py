"""Messages from residents: honour 退订, let nothing else be swallowed, and put cries for help on top."""

import hashlib
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
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
    urgent_only: bool = False,
    before: UUID | None = None,
    limit: int = 50,
) -> list[SmsInbound]:
    """Return residents' messages the actor may see, newest first; a number nobody has is shown county-wide only."""
    paths = actor.paths(Permission.SEE_RESIDENTS)
    if not paths:
        return []
    below = or_(*(SmsInbound.region_path.like(like_below(path)) for path in paths))
    if any(path.count("/") <= 1 for path in paths):
        below = or_(below, SmsInbound.region_path == "")
    statement = select(SmsInbound).where(below).order_by(SmsInbound.id.desc()).limit(limit)
    if open_only:
        statement = statement.where(SmsInbound.handled_at.is_(None))
    if urgent_only:
        statement = statement.where(SmsInbound.urgent)
    if before is not None:
        statement = statement.where(SmsInbound.id < before)
    return list(session.scalars(statement))


def handled(session: Session, actor: Actor, inbound_id: UUID, *, now: datetime) -> SmsInbound:
    """Note that somebody has dealt with a message."""
    found = session.get(SmsInbound, inbound_id)
    if found is None or not actor.may(Permission.SEE_RESIDENTS, found.region_path):
        raise NotFound("sms_inbound_unknown")
    if found.handled_at is None:
        found.handled_at = now
        log.record(session, actor, "sms.handled", f"sms_inbound:{found.id}", found.region_path, now)
    return found


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
