"""Messages from residents: honour 退订, count numbered answers, let nothing be swallowed, put cries for help on top."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.sms.letters.choices import choices_in, named, wants_help
from broadcasts.sms.letters.commands import NOTHING, Command, Said, is_urgent, read
from broadcasts.sms.models import SmsInbound, SmsMessage, SmsRun
from broadcasts.sms.purposes import Purpose
from broadcasts.sms.reports import Inbound
from broadcasts.sms.states import MessageState
from hub.core.errors import HubError
from hub.residents import blocking, topics
from hub.residents.models import BlockReason, Phone, Resident
from hub.residents.phones import PhoneSafe, normalise

ANSWERS_COUNT_FOR = timedelta(days=7)
"""How long after a message its numbered answers are taken as such."""
Listener = Callable[[Session, SmsInbound, datetime], bool]
"""Looks at a message the hub has no command for; true: it was meant for this room, and nobody has to read it."""
_LISTENERS: dict[str, Listener] = {}
Counter = Callable[[Session, SmsInbound, datetime], None]
"""Is told of every numbered answer, whatever it belongs to."""
_COUNTERS: dict[str, Counter] = {}
_OBEYED = (Command.OPT_OUT, Command.OPT_IN, Command.ASK)
_LOOKED_BACK = 20
_NEVER_LEFT = (MessageState.SUPPRESSED, MessageState.CANCELLED, MessageState.EXPIRED, MessageState.FAILED)


def receive(
    session: Session, safe: PhoneSafe, gateway_name: str, messages: Sequence[Inbound], *, now: datetime
) -> list[SmsInbound]:
    """Keep what residents wrote, each message once, and follow a 退订 or 订阅. Return what was new."""
    new = []
    for message in messages:
        kept = _keep(session, safe, gateway_name, message)
        if kept is None:
            continue
        _obey(session, kept, now)
        _offer(session, kept, now)
        _count(session, kept, now)
        new.append(kept)
    session.flush()
    return new


def listen(room: str, listener: Listener) -> None:
    """Let a room that stands above this one see what residents write; it has one listener at a time."""
    _LISTENERS[room] = listener


def count_answers(room: str, counter: Counter) -> None:
    """Let a room that stands above this one hear of numbered answers; it has one counter at a time."""
    _COUNTERS[room] = counter


def _count(session: Session, kept: SmsInbound, now: datetime) -> None:
    if kept.choice:
        for counter in _COUNTERS.values():
            counter(session, kept, now)


def _offer(session: Session, kept: SmsInbound, now: datetime) -> None:
    if kept.command or kept.urgent or kept.handled_at is not None:
        return
    if any(listener(session, kept, now) for listener in _LISTENERS.values()):
        kept.handled_at = now


def _obey(session: Session, kept: SmsInbound, now: datetime) -> None:
    """Do what a command asks for. What somebody has to read stays open."""
    if kept.command not in _OBEYED:
        return
    kept.handled_at = now
    if kept.command == Command.ASK:
        return
    if not _newest(session, kept):
        kept.answered_at = now
    elif kept.command == Command.OPT_IN:
        topics.welcome_back(session, kept.phone_index, kept.topic, at=kept.received_at)
    elif kept.topic:
        topics.leave(session, kept.phone_index, kept.topic, at=kept.received_at)
    else:
        blocking.block(session, kept.phone_index, BlockReason.OPTED_OUT, now=now)


def _newest(session: Session, kept: SmsInbound) -> bool:
    """Return whether no later word on the same matter has been followed already: providers deliver in any order."""
    later = (
        select(SmsInbound.id)
        .where(SmsInbound.phone_index == kept.phone_index, SmsInbound.id != kept.id)
        .where(SmsInbound.command.in_([Command.OPT_OUT, Command.OPT_IN]), SmsInbound.topic.in_({kept.topic, ""}))
        .where(SmsInbound.received_at > kept.received_at)
    )
    return session.scalar(later.limit(1)) is None


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
    command, run_id, needs_reading = _understand(session, index, message)
    urgent = is_urgent(message.text) or (command.command is Command.CHOICE and needs_reading == "help")
    kept = SmsInbound(
        key=key,
        phone_index=index,
        sealed=safe.seal(number),
        masked=masked,
        region_path=owner.region_path if owner else "",
        resident_id=owner.id if owner else None,
        text=message.text[:2000],
        command=command.command.value if command.command else "",
        topic=command.topic,
        choice=command.choice,
        broadcast_id=run_id,
        urgent=urgent,
        received_at=message.received_at,
        acknowledged_by_name="",
        handled_at=message.received_at if command.command is Command.CHOICE and not (needs_reading or urgent) else None,
    )
    session.add(kept)
    session.flush()
    return kept


def _understand(session: Session, index: bytes, message: Inbound) -> tuple[Said, UUID | None, str]:
    """Return the command, whose answer it is, and why somebody has to read it all the same (`help`, `more` or '')."""
    said = read(message.text)
    if said.command not in (None, Command.CHOICE):
        return said, None, ""
    for run_id, text in _asked(session, index, message.received_at):
        choices = choices_in(text)
        number = said.choice if said.choice in choices else named(message.text, choices)
        if not number:
            continue
        label = choices[number]
        words = "".join(c for c in message.text if c.isalpha())
        more = "more" if words and words not in label and label not in words else ""
        help_ = "help" if wants_help(label) else ""
        return Said(Command.CHOICE, choice=number), run_id, help_ or more
    return NOTHING, None, ""


def _asked(session: Session, index: bytes, at: datetime) -> list[tuple[UUID, str]]:
    """Return the messages this number got lately, the latest first."""
    rows = session.execute(
        select(SmsRun.broadcast_id, SmsRun.text)
        .join(SmsMessage, SmsMessage.broadcast_id == SmsRun.broadcast_id)
        .where(SmsMessage.phone_index == index, SmsMessage.state.not_in(_NEVER_LEFT))
        .where(SmsRun.purpose.in_((Purpose.BROADCAST, Purpose.HEARING)))
        .where(SmsRun.created_at <= at, SmsRun.created_at > at - ANSWERS_COUNT_FOR)
        .order_by(SmsMessage.id.desc())
        .limit(_LOOKED_BACK)
    )
    return [(run_id, text) for run_id, text in rows]


def _read_number(text: str) -> tuple[str, str]:
    """Return number and mask; a sender that is no telephone number (a short code) is kept as it is."""
    try:
        number = normalise(text)
    except HubError:
        plain = "".join(c for c in text if c.isascii() and c.isprintable())[:20]
        return plain, plain[:3] + "****"
    return number.e164, number.masked
