"""Release a broadcast, stop it, and note when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import first_seen, may_see
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import NO_SOUND, Manner, Sound
from broadcasts.loudspeaker.targets import Meant
from broadcasts.sms.purposes import About
from broadcasts.sms.sending import outbox
from broadcasts.sms.states import Priority as SmsPriority
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound, WrongState
from hub.speakers.protocol import Priority
from hub.webhooks.events import note_each
from hub.webhooks.models import EventKind

PRIORITY = {
    Kind.RELAY: Priority.RELAY,
    Kind.ROUTINE: Priority.ROUTINE,
    Kind.SHOUT: Priority.SHOUT,
    Kind.EMERGENCY: Priority.EMERGENCY,
    Kind.DRILL: Priority.EMERGENCY,
}
HUSHED = frozenset({Kind.RELAY, Kind.ROUTINE})
"""What never sounds in quiet hours."""
BY_LENGTH, SPOKEN_LENGTH = 60, 800
TEXTS_LAST = {True: timedelta(hours=6), False: timedelta(hours=24)}
"""How long text messages are still sent, emergency or not, when nobody said."""
GRACE = timedelta(seconds=45)
"""How long after the last possible sound the hub waits for reports before it calls a loudspeaker silent."""


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that shapes what people hear and read, as it was approved.

    A relay has `stream_url`, with `sound` as its fallback or None; a shout has `shout`; both have `length_ms`.
    `repeats` is how often the words are in the recording, for people; `repeat` how often devices play it. `spoken` is
    what a device with a voice of its own may say if it cannot fetch the recording, `pack` which recording of its own
    it plays then.
    """

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
    severity: str = ""
    by_name: str = ""
    pack: str = ""
    spoken: str = ""
    stream_url: str = ""
    shout: bool = False
    length_ms: int = 0
    repeat: int = 1
    gap_ms: int = 0
    mode: str = "live"
    topic: str = ""
    """What its text messages are about, for who wants nothing about that."""
    texts_until: datetime | None = None
    """After this no text message of it is sent any more; None: as long as is usual."""
    agreed_id: UUID | None = None
    """What people passed so that it may sound, where that is not the announcement."""
    broadcast_id: UUID | None = None
    """The id it is to have, where it was sent ahead under one."""

    @property
    def sounds(self) -> bool:
        """Whether loudspeakers have anything to do."""
        return self.audience.speakers and (self.sound is not None or bool(self.stream_url) or self.shout)

    @property
    def total_ms(self) -> int:
        """How long it sounds at most, all passes and gaps included."""
        once = self.length_ms if self.stream_url or self.shout else self.sound.ms if self.sound else 0
        return once * self.repeat + self.gap_ms * (self.repeat - 1)

    @property
    def meant(self) -> Meant:
        """Which loudspeakers."""
        return Meant(self.audience.paths, self.audience.only, self.audience.without, drill=self.kind is Kind.DRILL)

    @property
    def manner(self) -> Manner:
        """What devices are told beyond the recording."""
        return Manner(
            severity=self.severity,
            by_name=self.by_name[:BY_LENGTH],
            pack=self.pack,
            text=self.spoken[:SPOKEN_LENGTH],
            stream_url=self.stream_url,
            shout=self.shout,
            length_ms=self.length_ms,
            repeat=self.repeat,
            gap_ms=self.gap_ms,
            mode=self.mode,
        )


def release(session: Session, actor: Actor, order: Order, *, rules: Rules, now: datetime) -> Broadcast:
    """Make the broadcast and its deliveries, in this transaction; the pumps send them right after.

    `order.source` is unique: the same occasion released twice raises WrongState and changes nothing. Nothing routine is
    released into quiet hours, whoever asks.
    """
    _require_releasable(session, [order], rules)
    broadcast = _row(order, actor, now)
    if order.sounds:
        broadcast.speakers_meant = _place(session, broadcast.id, order, now)
    _write(session, [broadcast])
    _note_released(session, actor, [(order, broadcast)], rules=rules, now=now)
    return broadcast


def release_each(
    session: Session, actor: Actor, orders_: Sequence[Order], *, rules: Rules, now: datetime
) -> list[Broadcast]:
    """Do what `release` does for many at once: all of them, or none and an error.

    None of them an emergency. Each question to the database is asked once for all where that is possible.
    """
    _require_releasable(session, orders_, rules)
    made = [(order, _row(order, actor, now)) for order in orders_]
    for order, broadcast in made:
        if order.sounds and order.broadcast_id is not None:
            broadcast.speakers_meant = _place(session, broadcast.id, order, now)
    fresh = [(order, broadcast) for order, broadcast in made if order.sounds and order.broadcast_id is None]
    for (_, broadcast), number in zip(fresh, _place_each(session, fresh, now), strict=True):
        broadcast.speakers_meant = number
    _write(session, [broadcast for _, broadcast in made])
    _note_released(session, actor, made, rules=rules, now=now)
    return [broadcast for _, broadcast in made]


def _place(session: Session, broadcast_id: UUID, order: Order, now: datetime) -> int:
    return orders.place(
        session,
        broadcast_id=broadcast_id,
        paths=order.meant,
        sound=order.sound or NO_SOUND,
        priority=PRIORITY[order.kind],
        volume=order.volume,
        starts_at=order.starts_at,
        expires_at=order.expires_at,
        now=now,
        manner=order.manner,
    )


def _place_each(session: Session, fresh: Sequence[tuple[Order, Broadcast]], now: datetime) -> list[int]:
    plays = [
        orders.Play(
            broadcast.id, order.meant, order.sound or NO_SOUND, PRIORITY[order.kind], order.volume, order.starts_at,
            order.expires_at, order.manner,
        )
        for order, broadcast in fresh
    ]  # fmt: skip
    return orders.place_each(session, plays, now=now)


def _require_releasable(session: Session, orders_: Sequence[Order], rules: Rules) -> None:
    for order in orders_:
        if order.kind is Kind.DRILL and order.audience.sms:
            raise WrongState("drill_must_stay_inside")
        if order.mode != ("drill" if order.kind is Kind.DRILL else "live"):
            raise WrongState("drill_must_stay_inside")
    # Of an emergency the table itself is asked, by writing: one trip less.
    sources = [order.source for order in orders_ if order.kind is not Kind.EMERGENCY]
    if sources and session.scalar(select(Broadcast.id).where(Broadcast.source.in_(sources)).limit(1)):
        raise WrongState("broadcast_released_already")
    for order in orders_:
        if order.kind in HUSHED and order.sounds and rules.quiet.touches(order.starts_at, order.total_ms / 1000):
            raise WrongState("quiet_hours")


def _write(session: Session, broadcasts: Sequence[Broadcast]) -> None:
    session.add_all(broadcasts)
    try:
        session.flush()
    except IntegrityError as error:
        if Broadcast.source.key not in str(error.orig):
            raise
        raise WrongState("broadcast_released_already") from error


def _note_released(
    session: Session, actor: Actor, made: Sequence[tuple[Order, Broadcast]], *, rules: Rules, now: datetime
) -> None:
    for order, broadcast in made:
        if order.audience.sms:
            outbox.plan_run(
                session,
                broadcast_id=broadcast.id,
                text=order.sms_text,
                signature=rules.sms.signature,
                audience=order.audience,
                priority=SmsPriority.EMERGENCY if order.kind is Kind.EMERGENCY else SmsPriority.ROUTINE,
                expires_at=order.texts_until or max(order.expires_at, now + TEXTS_LAST[order.kind is Kind.EMERGENCY]),
                settings=rules.sms,
                now=now,
                about=About(order.topic),
            )
    deeds = [
        log.Deed(
            "broadcast.release",
            f"broadcast:{broadcast.id}",
            order.home_path,
            {
                "title": order.title,
                "source": order.source,
                "speakers": broadcast.speakers_meant,
                "audio": broadcast.audio_sha256,
            },
        )
        for order, broadcast in made
    ]
    log.record_each(session, actor, deeds, now)
    _tell(session, EventKind.RELEASED, [broadcast for _, broadcast in made], now)


def _tell(session: Session, kind: EventKind, broadcasts: Sequence[Broadcast], now: datetime) -> None:
    told = [
        (
            broadcast.home_path,
            {
                "broadcast": str(broadcast.id),
                "kind_of_broadcast": broadcast.kind.value,
                "title": broadcast.title,
                "speakers_meant": broadcast.speakers_meant,
                "page": f"/broadcasts/{broadcast.id}",
            },
        )
        for broadcast in broadcasts
    ]
    note_each(session, kind, told, now)


def _row(order: Order, actor: Actor, now: datetime) -> Broadcast:
    return Broadcast(
        id=order.broadcast_id or uuid7(),
        source=order.source,
        announcement_id=order.announcement_id,
        agreed_id=order.agreed_id,
        kind=order.kind,
        title=order.title,
        text=order.text,
        sms_text=order.sms_text,
        audience=order.audience.as_json(),
        home_path=order.home_path,
        audio_sha256=order.sound.sha256 if order.sound else "",
        audio_ms=order.total_ms,
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
    _tell(session, EventKind.STOPPED, [broadcast], now)
    return broadcast


def supersede(session: Session, broadcast_id: UUID, *, by_name: str, now: datetime) -> None:
    """Silence it because something newer is said in the same places; its text messages go on."""
    broadcast = session.get_one(Broadcast, broadcast_id, with_for_update=True)
    if broadcast.state is not BroadcastState.GOING:
        return
    broadcast.state = BroadcastState.STOPPED
    broadcast.stopped_at, broadcast.stopped_by_name = now, by_name[:60]
    orders.call_off(session, broadcast.id, now=now)


def anything_open(session: Session) -> bool:
    """Return whether `settle` may have something to do: asking takes no lock."""
    query = select(Broadcast.id).where(Broadcast.state != BroadcastState.DONE, Broadcast.done_at.is_(None))
    return session.scalar(query.limit(1)) is not None


def settle(session: Session, *, now: datetime) -> int:
    """Close broadcasts that are over, return how many. Loudspeakers that never answered are recorded as silent."""
    going = session.scalars(
        select(Broadcast).where(Broadcast.state != BroadcastState.DONE, Broadcast.done_at.is_(None)).with_for_update()
    ).all()
    closed = 0
    for broadcast in going:
        length = timedelta(milliseconds=broadcast.audio_ms)
        # What was played while the hub was down is released late: its reports are still on their way then.
        last = (broadcast.stopped_at or max(broadcast.expires_at + length, broadcast.released_at)) + GRACE
        if not orders.is_over(session, broadcast.id):
            if now < last:
                continue
            orders.close(session, broadcast.id, now=now)
        elif not _texts_over(session, broadcast.id) and now < last:
            continue
        if broadcast.state is BroadcastState.GOING:
            broadcast.state = BroadcastState.DONE
            _tell(session, EventKind.DONE, [broadcast], now)
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


def end_shout(session: Session, broadcast_id: UUID, sound: Sound | None, *, now: datetime) -> None:
    """Note that a live voice has ended, and what was said; nobody who comes back now is told to listen any more."""
    broadcast = session.get_one(Broadcast, broadcast_id, with_for_update=True)
    broadcast.expires_at = min(broadcast.expires_at, now)
    if sound is not None:
        broadcast.audio_sha256, broadcast.audio_ms, broadcast.audio_bytes = sound.sha256, sound.ms, sound.bytes
    orders.end_now(session, broadcast_id, now=now)
