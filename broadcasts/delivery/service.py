"""Release a broadcast, stop it, and note when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import first_seen, may_see
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from broadcasts.sms import outbox
from broadcasts.sms.states import Priority as SmsPriority
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound, WrongState
from hub.speakers.protocol import Priority

PRIORITY = {Kind.ROUTINE: Priority.ROUTINE, Kind.EMERGENCY: Priority.EMERGENCY}
GRACE = timedelta(seconds=45)
"""How long after the last possible sound the hub waits for reports before it calls a loudspeaker silent."""


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that shapes what people hear and read, as it was approved."""

    source: str
    kind: Kind
    title: str
    text: str
    sms_text: str
    audience: Audience
    home_path: str
    sound: Sound | None
    repeats: int
    volume: int | None
    starts_at: datetime
    expires_at: datetime
    approved_by_name: str = ""
    announcement_id: UUID | None = None


def release(session: Session, actor: Actor, order: Order, *, rules: Rules, now: datetime) -> Broadcast:
    """Make the broadcast and its deliveries, in this transaction; the pumps send them right after.

    `order.source` is unique: the same occasion released twice raises WrongState and changes nothing. Nothing routine is
    released into quiet hours, whoever asks.
    """
    if session.scalar(select(Broadcast.id).where(Broadcast.source == order.source)):
        raise WrongState("broadcast_released_already")
    ms = order.sound.ms if order.sound else 0
    sounds = order.audience.speakers and order.sound is not None
    if order.kind is Kind.ROUTINE and sounds and rules.quiet.touches(order.starts_at, ms / 1000):
        raise WrongState("quiet_hours")
    broadcast = _row(order, actor, now)
    session.add(broadcast)
    session.flush()
    paths = order.audience.paths
    if sounds and order.sound is not None:
        broadcast.speakers_meant = orders.place(
            session,
            broadcast_id=broadcast.id,
            paths=paths,
            sound=order.sound,
            priority=PRIORITY[order.kind],
            volume=order.volume,
            starts_at=order.starts_at,
            expires_at=order.expires_at,
            now=now,
        )
    if order.audience.sms:
        outbox.plan_run(
            session,
            broadcast_id=broadcast.id,
            text=order.sms_text,
            signature=rules.sms.signature,
            audience=order.audience,
            priority=SmsPriority.EMERGENCY if order.kind is Kind.EMERGENCY else SmsPriority.ROUTINE,
            expires_at=max(order.expires_at, now + timedelta(hours=24 if order.kind is Kind.ROUTINE else 6)),
            settings=rules.sms,
            now=now,
        )
    log.record(
        session,
        actor,
        "broadcast.release",
        f"broadcast:{broadcast.id}",
        order.home_path,
        now,
        title=order.title,
        source=order.source,
        speakers=broadcast.speakers_meant,
        audio=broadcast.audio_sha256,
    )
    return broadcast


def _row(order: Order, actor: Actor, now: datetime) -> Broadcast:
    return Broadcast(
        source=order.source,
        announcement_id=order.announcement_id,
        kind=order.kind,
        title=order.title,
        text=order.text,
        sms_text=order.sms_text,
        audience=order.audience.as_json(),
        home_path=order.home_path,
        audio_sha256=order.sound.sha256 if order.sound else "",
        audio_ms=order.sound.ms if order.sound else 0,
        audio_bytes=order.sound.bytes if order.sound else 0,
        repeats=order.repeats,
        volume=order.volume,
        released_at=now,
        starts_at=order.starts_at,
        expires_at=order.expires_at,
        released_by=actor.id,
        released_by_name=actor.name,
        approved_by_name=order.approved_by_name,
    )


def stop(session: Session, actor: Actor, broadcast_id: UUID, *, now: datetime) -> Broadcast:
    """Silence it everywhere and hold back every text message not yet handed over. Stopping twice is stopping once.

    When the sound is over and text messages still wait, for the morning say, those are held back.
    """
    broadcast = _seen(session, actor, broadcast_id, lock=True)
    actor.require(Permission.STOP, broadcast.home_path)
    if broadcast.state is BroadcastState.STOPPED:
        return broadcast
    if broadcast.state is BroadcastState.DONE and _texts_over(session, broadcast.id):
        raise WrongState("broadcast_over")
    broadcast.state = BroadcastState.STOPPED
    broadcast.stopped_at = now
    broadcast.stopped_by_name = actor.name
    if broadcast.done_at is None:
        orders.call_off(session, broadcast.id, now=now)
    outbox.call_off(session, broadcast.id, now)
    log.record(
        session, actor, "broadcast.stop", f"broadcast:{broadcast.id}", broadcast.home_path, now, title=broadcast.title
    )
    return broadcast


def settle(session: Session, *, now: datetime) -> int:
    """Close broadcasts that are over, return how many. Loudspeakers that never answered are recorded as silent."""
    going = session.scalars(
        select(Broadcast).where(Broadcast.state != BroadcastState.DONE, Broadcast.done_at.is_(None)).with_for_update()
    ).all()
    closed = 0
    for broadcast in going:
        length = timedelta(milliseconds=broadcast.audio_ms)
        last = (broadcast.stopped_at or broadcast.expires_at + length) + GRACE
        if not orders.is_over(session, broadcast.id):
            if now < last:
                continue
            orders.close(session, broadcast.id, now=now)
        elif not _texts_over(session, broadcast.id) and now < last:
            continue
        if broadcast.state is BroadcastState.GOING:
            broadcast.state = BroadcastState.DONE
        broadcast.done_at = now
        closed += 1
    return closed


def _texts_over(session: Session, broadcast_id: UUID) -> bool:
    progress = outbox.progress(session, broadcast_id)
    return progress is None or progress.over


def get(session: Session, actor: Actor, broadcast_id: UUID) -> Broadcast:
    """Return a broadcast the actor may see, whole or in part; to a stranger it does not exist."""
    return _seen(session, actor, broadcast_id)


def _seen(session: Session, actor: Actor, broadcast_id: UUID, *, lock: bool = False) -> Broadcast:
    broadcast = session.get(Broadcast, broadcast_id, with_for_update=lock or None)
    if broadcast is None or not may_see(actor, broadcast.home_path, Audience.from_json(broadcast.audience)):
        raise NotFound("broadcast_unknown")
    return broadcast


def page(
    session: Session,
    actor: Actor,
    *,
    states: Sequence[BroadcastState] = (),
    before: datetime | None = None,
    limit: int = 20,
) -> list[Broadcast]:
    """Return broadcasts the actor may see, newest first, one page before a moment."""
    query = select(Broadcast)
    if states:
        query = query.where(Broadcast.state.in_(states))
    if before is not None:
        query = query.where(Broadcast.released_at < before)
    return first_seen(session, actor, query.order_by(Broadcast.released_at.desc(), Broadcast.id.desc()), limit)
