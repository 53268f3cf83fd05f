"""The text messages of a broadcast: plan them, call them off, see how far they are, send the doubtful ones again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.purposes import ANYTHING, About
from broadcasts.sms.segments import cost_fen, parts_of, signed
from broadcasts.sms.sending.billing import billed, priced
from broadcasts.sms.sending.settling import requeue
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import WAITING, MessageState, Priority, RunState
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, WrongState
from hub.residents.models import Resident
from hub.residents.reach import Reach, reach_of

MAX_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class SmsProgress:
    """How far the messages of a broadcast are.

    `counts` holds every state, also those with 0; `suppressed` and `failed` say why, by Reason. `parts` and `fen` are
    what the provider bills at most: whatever it took, and what it may have taken.
    """

    state: RunState
    people: int
    counts: Mapping[MessageState, int]
    suppressed: Mapping[str, int]
    failed: Mapping[str, int]
    parts: int
    fen: int
    parts_each: int
    paused_reason: str = ""
    paused_code: str = ""
    expires_at: datetime | None = None

    @property
    def reached(self) -> int:
        """People who have it, by the provider's receipt."""
        return self.counts[MessageState.DELIVERED]

    @property
    def over(self) -> bool:
        """Whether the hub will do nothing more by itself."""
        return self.state in {RunState.DONE, RunState.CANCELLED}


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One person's message as it may be shown."""

    id: int
    name: str
    """Empty when the resident is no longer on the list."""
    masked: str
    region_path: str
    state: MessageState
    reason: str
    code: str
    parts: int
    attempts: int
    may_have_gone: bool
    sent_at: datetime | None
    changed_at: datetime


def check_text(text: str, signature: str) -> list[BadInput]:
    """Return what is wrong with the text of a message, before anybody approves it; nothing when it is fine."""
    problems = []
    if not text.strip():
        problems.append(BadInput("sms_text_missing", field="sms_text"))
    whole = len(signed(text, signature))
    if whole > MAX_CHARACTERS:
        over = whole - MAX_CHARACTERS
        problems.append(BadInput("sms_text_too_long", field="sms_text", limit=MAX_CHARACTERS, over=over))
    if "【" in text or "】" in text:
        problems.append(BadInput("sms_text_brackets", field="sms_text"))
    return problems


def plan_run(
    session: Session,
    *,
    broadcast_id: UUID,
    text: str,
    signature: str,
    audience: Audience,
    priority: Priority,
    expires_at: datetime,
    settings: SmsSettings,
    now: datetime,
    about: About = ANYTHING,
) -> SmsRun:
    """Note that a broadcast goes out by text message. Writes one row; the pump does the rest. Once per broadcast."""
    known = session.get(SmsRun, broadcast_id)
    if known is not None:
        return known
    if not text.strip():
        raise BadInput("sms_text_missing", field="sms_text")
    whole = signed(text.strip(), signature)
    run = SmsRun(
        broadcast_id=broadcast_id,
        priority=int(priority),
        text=whole,
        **priced(whole, settings),
        audience=audience.as_json(),
        topic=about.topic,
        purpose=about.purpose,
        created_at=now,
        served_at=now,
        expires_at=expires_at,
    )
    session.add(run)
    session.flush()
    return run


def call_off(session: Session, broadcast_id: UUID, now: datetime) -> int:
    """Send nothing more; return how many people are spared. What is under way cannot be called back."""
    stopped = session.scalar(
        update(SmsRun)
        .where(SmsRun.broadcast_id == broadcast_id, SmsRun.state.in_([RunState.EXPANDING, RunState.GOING]))
        .values(state=RunState.CANCELLED, done_at=now, paused_reason="", paused_code="")
        .returning(SmsRun.broadcast_id)
    )
    if stopped is None:
        return 0
    spared = session.scalars(
        update(SmsMessage)
        .where(SmsMessage.broadcast_id == broadcast_id, SmsMessage.state.in_(WAITING))
        .values(
            state=case((SmsMessage.may_have_gone, MessageState.UNKNOWN.value), else_=MessageState.CANCELLED.value),
            changed_at=now,
        )
        .returning(SmsMessage.id)
        .execution_options(synchronize_session=False)
    )
    return len(spared.all())


def progress(session: Session, broadcast_id: UUID, paths: Sequence[str] = ()) -> SmsProgress | None:
    """Return how far a broadcast's messages are, all or those to people below `paths`; None when it has none.

    The caller has checked who asks.
    """
    run = session.get(SmsRun, broadcast_id)
    if run is None:
        return None
    here = or_(*(SmsMessage.region_path.like(like_below(path)) for path in paths or ("",)))
    rows = session.execute(
        select(SmsMessage.state, SmsMessage.reason, func.count())
        .where(SmsMessage.broadcast_id == broadcast_id, here)
        .group_by(SmsMessage.state, SmsMessage.reason)
    )
    counts = dict.fromkeys(MessageState, 0)
    why: dict[MessageState, dict[str, int]] = {MessageState.SUPPRESSED: {}, MessageState.FAILED: {}}
    for state, reason, count in rows:
        counts[state] += count
        if state in why:
            why[state][reason] = count
    bill = billed(session, SmsRun.broadcast_id == broadcast_id, here)
    return SmsProgress(
        state=run.state,
        people=sum(counts.values()),
        counts=counts,
        suppressed=why[MessageState.SUPPRESSED],
        failed=why[MessageState.FAILED],
        parts=bill.parts,
        fen=bill.fen,
        parts_each=run.parts,
        paused_reason=run.paused_reason,
        paused_code=run.paused_code,
        expires_at=run.expires_at,
    )


def messages(
    session: Session,
    actor: Actor,
    broadcast_id: UUID,
    *,
    region_path: str = "",
    state: MessageState | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[MessageLine]:
    """Return the messages of a broadcast to people the actor may see, in the order they were planned."""
    paths = actor.paths(Permission.SEE_RESIDENTS)
    if not paths:
        return []
    statement = (
        select(SmsMessage, Resident.name)
        .outerjoin(Resident, Resident.id == SmsMessage.resident_id)
        .where(SmsMessage.broadcast_id == broadcast_id, SmsMessage.id > after)
        .where(or_(*(SmsMessage.region_path.like(like_below(path)) for path in paths)))
        .where(SmsMessage.region_path.like(like_below(region_path)))
        .order_by(SmsMessage.id)
        .limit(limit)
    )
    if state is not None:
        statement = statement.where(SmsMessage.state == state)
    return [_line(message, name or "") for message, name in session.execute(statement)]


def resume(session: Session, actor: Actor, broadcast_id: UUID, *, now: datetime) -> SmsRun:
    """Let a run go on that stood still, after what was wrong has been put right."""
    run = _own_run(session, actor, broadcast_id, Permission.STOP)
    if not run.paused_reason:
        raise WrongState("sms_not_paused")
    reason, run.paused_reason, run.paused_code = run.paused_reason, "", ""
    log.record(session, actor, "sms.resume", f"broadcast:{broadcast_id}", _home(run), now, reason=reason)
    return run


def resend_unknown(session: Session, actor: Actor, broadcast_id: UUID, *, expires_at: datetime, now: datetime) -> int:
    """Send once more to everybody whose message is of unknown fate; some may get it twice. Return to how many."""
    run = _own_run(session, actor, broadcast_id, Permission.COMPOSE)
    if run.state is RunState.CANCELLED:
        raise WrongState("sms_called_off")
    waiting = session.scalar(
        select(func.count()).where(
            SmsMessage.broadcast_id == broadcast_id, SmsMessage.state == MessageState.UNKNOWN, SmsMessage.sealed != b""
        )
    )
    if not waiting:
        raise WrongState("sms_nothing_unknown")
    run.expires_at = max(run.expires_at, expires_at)
    session.flush()
    session.execute(update(SmsSubmission).where(SmsSubmission.broadcast_id == broadcast_id).values(look_at=None))
    doubtful = (SmsMessage.broadcast_id == broadcast_id) & (SmsMessage.state == MessageState.UNKNOWN)
    values = {"may_have_gone": True, "next_try_at": now, "changed_at": now}
    requeue(session, doubtful & (SmsMessage.sealed != b""), values, broadcast_id)
    log.record(session, actor, "sms.resend", f"broadcast:{broadcast_id}", _home(run), now, people=waiting)
    return waiting


def reach(session: Session, audience: Audience, *, topic: str = "") -> Reach:
    """Count whom an audience reaches by text message. The caller has checked the audience."""
    return reach_of(session, audience.wanted, topic=topic)


def estimate(text: str, people: int, settings: SmsSettings) -> tuple[int, int]:
    """Return parts for each person, and the price of all of them in fen."""
    each = parts_of(signed(text.strip(), settings.signature), settings.usual_counting)
    return each, cost_fen(each * people, settings.usual_price)


def _own_run(session: Session, actor: Actor, broadcast_id: UUID, permission: Permission) -> SmsRun:
    run = session.get(SmsRun, broadcast_id, with_for_update=True)
    paths = Audience.from_json(run.audience).paths if run else ()
    if run is None or not any(actor.may(Permission.SEE, path) for path in paths):
        raise NotFound("sms_run_unknown")
    for path in paths:
        actor.require(permission, path)
    return run


def _home(run: SmsRun) -> str:
    paths = Audience.from_json(run.audience).paths
    return paths[0] if paths else ""


def _line(message: SmsMessage, name: str) -> MessageLine:
    return MessageLine(
        id=message.id,
        name=name,
        masked=message.masked,
        region_path=message.region_path,
        state=message.state,
        reason=message.reason,
        code=message.code,
        parts=message.parts,
        attempts=message.attempts,
        may_have_gone=message.may_have_gone,
        sent_at=message.sent_at,
        changed_at=message.changed_at,
    )
