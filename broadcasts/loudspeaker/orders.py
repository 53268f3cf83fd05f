"""Put a broadcast on loudspeakers, call it off, and say how far it has come."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from broadcasts.loudspeaker import hurrying, listing, sheet, targets
from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import OPEN, PlayState
from broadcasts.loudspeaker.targets import Meant
from hub.speakers import registry
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority


@dataclass(frozen=True, slots=True)
class Sound:
    """A rendered recording: hash of its bytes, length and size."""

    sha256: str
    ms: int
    bytes: int


NO_SOUND = Sound("", 0, 0)


@dataclass(frozen=True, slots=True)
class Manner:
    """How it sounds, beyond the recording; the defaults are a plain recording, played once.

    `stream_url` makes it a relay, with the recording as its fallback; `shout` a voice that speaks now. Both last
    `length_ms` at most. `severity` and `by_name` let an emergency through quiet hours, `pack` and `text` stand in for a
    recording that cannot be fetched.
    """

    severity: str = ""
    by_name: str = ""
    pack: str = ""
    text: str = ""
    stream_url: str = ""
    shout: bool = False
    length_ms: int = 0
    repeat: int = 1
    gap_ms: int = 0
    mode: str = "live"


PLAIN = Manner()


def meant(
    session: Session,
    paths: Sequence[str],
    *,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
    drill: bool = False,
) -> int:
    """Return how many loudspeakers in service are meant: see `targets.Meant`."""
    return targets.count(session, Meant(tuple(paths), tuple(only), tuple(without), drill))


def place(
    session: Session,
    *,
    broadcast_id: UUID,
    paths: Sequence[str] | Meant,
    sound: Sound,
    priority: int,
    volume: int | None,
    starts_at: datetime,
    expires_at: datetime,
    now: datetime,
    manner: Manner = PLAIN,
) -> int:
    """Freeze who is meant and queue the commands; return how many loudspeakers that is.

    `paths` means everything below these; a Meant also names exceptions. What was sent ahead under this id is taken
    over, with its commands and what loudspeakers have said about them. The deliveries of an emergency are written
    after it has gone out: it waits for no ten thousand rows.
    """
    circle = paths if isinstance(paths, Meant) else Meant(tuple(paths))
    deferred = priority >= Priority.EMERGENCY  # none of these was ever sent ahead
    taken = None if deferred else sheet.take_over(session, broadcast_id, circle, now=now)
    commands, number = (taken.targets, 0) if taken else targets.freeze_counted(session, circle)
    sent_at = taken.sent_at if taken else None
    play = Play(broadcast_id, circle, sound, priority, volume, starts_at, expires_at, manner)
    order = _order(play, commands, now, sent_at)
    order.listed = not deferred
    session.add(order)
    if deferred:
        hurrying.hand_over(session, order)
        return number  # written with what the caller adds, in one go
    session.flush()
    state = PlayState.SENT if sent_at else PlayState.QUEUED
    if taken:
        return sheet.deliver(session, broadcast_id, taken, state=state, now=now)
    return sum(targets.deliver(session, broadcast_id, target, state=state, now=now) for target in commands)


@dataclass(frozen=True, slots=True)
class Play:
    """What `place` takes, of something that was not sent ahead."""

    broadcast_id: UUID
    meant: Meant
    sound: Sound
    priority: int
    volume: int | None
    starts_at: datetime
    expires_at: datetime
    manner: Manner = PLAIN


def _order(play: Play, commands: list[targets.Target], now: datetime, sent_at: datetime | None = None) -> PlayOrder:
    return PlayOrder(
        broadcast_id=play.broadcast_id,
        state=OrderState.SENT if sent_at else OrderState.QUEUED,
        priority=play.priority,
        targets=commands,
        audio_sha256=play.sound.sha256,
        audio_bytes=play.sound.bytes,
        audio_ms=play.sound.ms,
        volume=play.volume,
        starts_at=play.starts_at,
        expires_at=play.expires_at,
        created_at=now,
        sent_at=sent_at,
        next_resend_at=now if sent_at else None,
        listed=True,
        **asdict(play.manner),
    )


def place_each(session: Session, plays: Sequence[Play], *, now: datetime) -> list[int]:
    """Do what `place` does for many at once, none of them an emergency; return how many loudspeakers each is for."""
    frozen = targets.freeze_each(session, [play.meant for play in plays])
    session.add_all(_order(play, commands, now) for play, commands in zip(plays, frozen, strict=True))
    session.flush()
    return [
        sum(targets.deliver(session, play.broadcast_id, one, state=PlayState.QUEUED, now=now) for one in commands)
        for play, commands in zip(plays, frozen, strict=True)
    ]


def call_off(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Stop it: what has not been sent is never sent, what has been sent gets a stop command of its own."""
    order = session.get(PlayOrder, broadcast_id, with_for_update=True)
    if order is None or order.stop_seq is not None:
        return
    hurrying.look_first(session)
    order.stop_seq = registry.next_value(session, registry.COMMANDS)
    if order.state is OrderState.QUEUED:
        order.state = OrderState.CALLED_OFF
        # A crash may lie between sending and noting that it was sent, so the stop goes out in any case.
        listing.call_off(session, broadcast_id, now=now)
    order.next_resend_at = now


def end_now(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Tell nobody about it from now on; whoever is at it goes on to its end."""
    session.execute(
        update(PlayOrder)
        .where(PlayOrder.broadcast_id == broadcast_id, PlayOrder.expires_at > now)
        .values(expires_at=now)
    )


def targets_of(session: Session, broadcast_id: UUID) -> list[dict[str, Any]]:
    """Return the commands of a broadcast, as `PlayOrder.targets` has them."""
    order = session.get(PlayOrder, broadcast_id)
    return list(order.targets) if order is not None else []


def is_drill(session: Session, broadcast_id: UUID) -> bool:
    """Return whether only drill loudspeakers sound it."""
    return session.scalar(select(PlayOrder.mode).where(PlayOrder.broadcast_id == broadcast_id)) == "drill"


def close(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Its time is over: whoever has not reported an end gets one that says so."""
    listing.write(session, broadcast_id, now=now)
    rows = session.execute(
        select(SpeakerDelivery.speaker_id, SpeakerDelivery.state, Speaker.online)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state.in_(OPEN))
    ).all()
    reasons: dict[str, list[str]] = {}
    for speaker_id, state, online in rows:
        reasons.setdefault(_why_silent(state, online), []).append(speaker_id)
    for reason, speaker_ids in reasons.items():
        session.execute(
            update(SpeakerDelivery)
            .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.speaker_id.in_(speaker_ids))
            .values(state=PlayState.FAILED, reason=reason, ended_at=now, changed_at=now)
        )


def _why_silent(state: PlayState, online: bool) -> str:
    if state in (PlayState.STARTED, PlayState.INTERRUPTED):
        return "no_end"
    return "no_receipt" if online else "offline"


def tally(session: Session, broadcast_id: UUID) -> dict[PlayState, int]:
    """Return how many loudspeakers stand where."""
    rows = session.execute(
        select(SpeakerDelivery.state, func.count())
        .where(SpeakerDelivery.broadcast_id == broadcast_id)
        .group_by(SpeakerDelivery.state)
    )
    return {state: number for state, number in rows}  # noqa: C416 - a Row is no tuple to mypy


def is_over(session: Session, broadcast_id: UUID) -> bool:
    """Return whether every loudspeaker has reported an end."""
    if listing.owed(session, [broadcast_id]):
        return False
    query = select(SpeakerDelivery.speaker_id).where(
        SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state.in_(OPEN)
    )
    return session.scalar(query.limit(1)) is None
