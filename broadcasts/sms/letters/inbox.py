"""What residents wrote, as those who answer for their places see it; and what was done about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.sms.letters.choices import choices_in
from broadcasts.sms.models import InboundStep, SmsInbound, SmsMessage, SmsRun
from broadcasts.sms.purposes import StepKind
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound
from hub.residents.phones import PhoneSafe

NOTE_LENGTH = 200
THREAD = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One message between the hub and a number, for the thread of a letter."""

    at: datetime
    text: str
    theirs: bool
    state: str = ""


@dataclass(frozen=True, slots=True)
class CryElsewhere:
    """A cry for help that did not come by text message, to stand on top of the letters."""

    text: str
    place: str
    at: datetime
    taken_by: str
    href: str


@dataclass(frozen=True)
class CriesElsewhere:
    """Whom to ask for those: a room above this one."""

    now: Callable[[Session, Actor], Sequence[CryElsewhere]]


@dataclass(frozen=True, slots=True)
class Opened:
    """One letter with everything around it."""

    message: SmsInbound
    steps: Sequence[InboundStep]
    thread: Sequence[Line]
    is_phone: bool
    """False: it came from a short code or the like, nobody can be called there."""


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


def said(session: Session, messages: Sequence[SmsInbound]) -> dict[UUID, str]:
    """Return what each message says, to be read by somebody: a bare number together with the answer it stands for."""
    asked = {m.broadcast_id for m in messages if m.choice and m.broadcast_id}
    texts = dict(session.execute(select(SmsRun.broadcast_id, SmsRun.text).where(SmsRun.broadcast_id.in_(asked))).all())
    return {m.id: _with_label(m, texts.get(m.broadcast_id, "") if m.broadcast_id else "") for m in messages}


def _with_label(message: SmsInbound, asked: str) -> str:
    label = choices_in(asked).get(message.choice, "") if message.choice else ""
    return f"{message.text}（{label}）" if label and label not in message.text else message.text


def waiting(session: Session, actor: Actor) -> int:
    """Return how many messages the actor may see that nobody has dealt with."""
    visible = _visible(actor)
    if visible is None:
        return 0
    return session.scalar(select(func.count()).where(visible, SmsInbound.handled_at.is_(None))) or 0


def get(session: Session, actor: Actor, inbound_id: UUID) -> SmsInbound:
    """Return a message the actor may see; to a stranger it does not exist."""
    visible = _visible(actor)
    wanted = select(SmsInbound).where(SmsInbound.id == inbound_id)
    found = session.scalar(wanted.where(visible)) if visible is not None else None
    if found is None:
        raise NotFound("sms_inbound_unknown")
    return found


def opened(session: Session, actor: Actor, inbound_id: UUID) -> Opened:
    """Return a message with what was done about it, and what went to and fro with that number before."""
    found = get(session, actor, inbound_id)
    steps = session.scalars(
        select(InboundStep).where(InboundStep.inbound_id == found.id).order_by(InboundStep.at, InboundStep.id)
    ).all()
    return Opened(found, steps, _thread(session, actor, found), found.masked[-4:] != "****")


def handled(session: Session, actor: Actor, inbound_id: UUID, *, now: datetime, note: str = "") -> SmsInbound:
    """Note that somebody has dealt with a message."""
    found = get(session, actor, inbound_id)
    if found.handled_at is None:
        found.handled_at = now
        found.acknowledged_at = found.acknowledged_at or now
        found.acknowledged_by_name = found.acknowledged_by_name or actor.name
        note_step(session, actor, found, StepKind.CLOSED, note, now=now)
        log.record(session, actor, "sms.handled", f"sms_inbound:{found.id}", found.region_path, now)
    return found


def take(session: Session, actor: Actor, inbound_id: UUID, *, now: datetime) -> SmsInbound:
    """Note that the actor takes care of a message, so that others need not."""
    found = get(session, actor, inbound_id)
    if found.acknowledged_at is None and found.handled_at is None:
        acknowledge(session, actor, found, StepKind.SEEN, "", now=now)
        log.record(session, actor, "sms.taken", f"sms_inbound:{found.id}", found.region_path, now)
    return found


def reopen(session: Session, actor: Actor, inbound_id: UUID, *, now: datetime) -> SmsInbound:
    """Put a message back among those to be dealt with: it was closed by mistake, or it is not over."""
    found = get(session, actor, inbound_id)
    if found.handled_at is not None:
        found.handled_at = None
        note_step(session, actor, found, StepKind.REOPENED, "", now=now)
        log.record(session, actor, "sms.reopened", f"sms_inbound:{found.id}", found.region_path, now)
    return found


def number_of(session: Session, actor: Actor, inbound_id: UUID, *, safe: PhoneSafe, now: datetime) -> str:
    """Return the whole number, to be called; the log says who looked. Unavailable when it cannot be read any more."""
    found = get(session, actor, inbound_id)
    number = safe.open(found.sealed)
    acknowledge(session, actor, found, StepKind.CALLED, "", now=now)
    log.record(session, actor, "phone.reveal", f"sms_inbound:{found.id}", found.region_path, now)
    return number.removeprefix("+86")


def acknowledge(session: Session, actor: Actor, found: SmsInbound, kind: StepKind, note: str, *, now: datetime) -> None:
    """Note a step by which somebody takes care of a message."""
    if found.acknowledged_at is None:
        found.acknowledged_at, found.acknowledged_by_name = now, actor.name
    note_step(session, actor, found, kind, note, now=now)


def note_step(session: Session, actor: Actor, found: SmsInbound, kind: StepKind, note: str, *, now: datetime) -> None:
    """Write down what was done."""
    if len(note.strip()) > NOTE_LENGTH:
        raise BadInput("sms_note_too_long", field="note", limit=NOTE_LENGTH)
    step = InboundStep(inbound_id=found.id, at=now, by=actor.id, by_name=actor.name[:40], kind=kind, note=note.strip())
    session.add(step)
    session.flush()


def _thread(session: Session, actor: Actor, found: SmsInbound) -> list[Line]:
    visible = _visible(actor)
    theirs = select(SmsInbound).where(SmsInbound.phone_index == found.phone_index)
    lines = (
        [
            Line(m.received_at, m.text, theirs=True)
            for m in session.scalars(theirs.where(visible).order_by(SmsInbound.received_at.desc()).limit(THREAD))
        ]
        if visible is not None
        else []
    )
    ours = session.execute(
        select(SmsMessage.sent_at, SmsMessage.changed_at, SmsRun.text, SmsMessage.state)
        .join(SmsRun, SmsRun.broadcast_id == SmsMessage.broadcast_id)
        .where(SmsMessage.phone_index == found.phone_index)
        .order_by(SmsMessage.id.desc())
        .limit(THREAD)
    )
    lines += [Line(sent or changed, text, theirs=False, state=state.value) for sent, changed, text, state in ours]
    return sorted(lines, key=lambda line: line.at)[-THREAD:]


def _visible(actor: Actor) -> ColumnElement[bool] | None:
    paths = actor.paths(Permission.ANSWER)
    if not paths:
        return None
    below = or_(*(SmsInbound.region_path.like(like_below(path)) for path in paths))
    if any(path.count("/") <= 1 for path in paths):
        below = or_(below, SmsInbound.region_path == "")
    return below
