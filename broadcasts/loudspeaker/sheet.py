"""The sheet: plays sent ahead of their time, which loudspeakers sound by themselves even with the line down.

Laid hours ahead under the id of the broadcast that will be made; when the time comes, that broadcast takes over the
same commands. A loudspeaker plays a command once, however often and by whatever way it hears it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker import listing, stopping, targets
from broadcasts.loudspeaker.models import PlayReceipt, SheetPlay, SheetState, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.loudspeaker.targets import Meant, Target
from hub.regions.tree import contains
from hub.speakers import registry
from hub.speakers.models import Speaker
from hub.speakers.protocol import PASSING

MOST_WAITING = 48
"""A loudspeaker keeps 64 plays; the rest of its room is for what is released now."""
KEPT = timedelta(days=2)
OPEN = (SheetState.LAID, SheetState.SENT)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is to be sent ahead: a recording, to whom, at which volume, and from when to when it may begin."""

    meant: Meant
    sha256: str
    bytes: int
    ms: int
    priority: int
    volume: int | None
    starts_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What a broadcast takes over.

    `own` are those who get a command of their own, the last target: they never had the one sent ahead, or have
    confirmed a stop that killed it.
    """

    targets: list[Target]
    sent_at: datetime | None
    own: frozenset[str]


def lay(session: Session, ahead: Ahead, *, now: datetime) -> UUID | None:
    """Freeze a play that will be sent ahead; return the id of its future broadcast.

    None when nobody is meant, or when somebody's queue is full: then it goes out at its time like anything else.
    """
    if not _has_room(session, ahead.meant.paths, now):
        return None
    commands = targets.freeze(session, ahead.meant)
    if not commands or not targets.count(session, ahead.meant):
        return None
    play = SheetPlay(
        broadcast_id=uuid7(),
        targets=commands,
        audio_sha256=ahead.sha256,
        audio_bytes=ahead.bytes,
        audio_ms=ahead.ms,
        priority=ahead.priority,
        volume=ahead.volume,
        starts_at=ahead.starts_at,
        expires_at=ahead.expires_at,
        laid_at=now,
    )
    session.add(play)
    session.flush()
    return play.broadcast_id


def _has_room(session: Session, paths: Sequence[str], now: datetime) -> bool:
    rows = session.scalars(select(SheetPlay.targets).where(SheetPlay.state.in_(OPEN), SheetPlay.expires_at > now)).all()
    waiting = [targets.paths_of(found) for found in rows]
    return all(
        sum(any(contains(theirs, path) or contains(path, theirs) for theirs in other) for other in waiting)
        < MOST_WAITING
        for path in paths
    )


def was_sent(session: Session, broadcast_id: UUID) -> bool:
    """Return whether loudspeakers may have it and play it by themselves."""
    play = session.get(SheetPlay, broadcast_id)
    return play is not None and play.state is SheetState.SENT


def sha_of(session: Session, broadcast_id: UUID) -> str:
    """Return the recording that lies ahead under that id, '' when none does."""
    play = session.get(SheetPlay, broadcast_id)
    return play.audio_sha256 if play is not None and play.state in OPEN else ""


def withdraw(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """It is not to sound after all: a stop that names it goes out, and again until everybody has heard it."""
    play = session.get(SheetPlay, broadcast_id, with_for_update=True)
    if play is None or play.state not in OPEN:
        return
    # A crash may lie between sending and noting that it was sent, so the stop goes out in any case.
    play.state = SheetState.WITHDRAWN
    play.stop_seq = registry.next_value(session, registry.COMMANDS)


def take_over(session: Session, broadcast_id: UUID, meant: Meant, *, now: datetime) -> Taken | None:
    """Hand the commands sent ahead over to their broadcast; None when there are none."""
    play = session.get(SheetPlay, broadcast_id, with_for_update=True)
    if play is None or play.state not in OPEN:
        return None
    sent_at = play.sent_at if play.state is SheetState.SENT else None
    play.state = SheetState.TAKEN
    if sent_at is None:
        return Taken(list(play.targets), None, frozenset())
    seqs = [int(target["seq"]) for target in play.targets]
    silenced = stopping.silenced_before(session, meant, seqs, before=play.starts_at, now=now)
    own = silenced | (_ids(session, meant) - _told(session, play.targets))
    if not own:
        return Taken(list(play.targets), sent_at, frozenset())
    paths = sorted(set(session.scalars(select(Speaker.region_path).where(Speaker.id.in_(own)))))
    extra = targets.numbered(session, [{"devices": sorted(own), "paths": paths}])
    return Taken([*play.targets, *extra], sent_at, frozenset(own))


def deliver(session: Session, broadcast_id: UUID, taken: Taken, *, state: PlayState, now: datetime) -> int:
    """Write the deliveries of what was taken over, and what loudspeakers have said about it meanwhile."""
    ahead, extra = (taken.targets[:-1], taken.targets[-1:]) if taken.own else (taken.targets, [])
    total = sum(targets.deliver(session, broadcast_id, target, state=state, now=now) for target in ahead)
    if taken.own:
        gone = session.execute(
            delete(SpeakerDelivery)
            .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.speaker_id.in_(taken.own))
            .returning(SpeakerDelivery.speaker_id)
        ).all()
        total += sum(targets.deliver(session, broadcast_id, t, state=state, now=now) for t in extra) - len(gone)
    listing.catch_up(session, [UUID(target["id"]) for target in taken.targets], now=now)
    return total


def _ids(session: Session, meant: Meant) -> set[str]:
    return set(session.scalars(select(Speaker.id).where(meant.where)))


def _told(session: Session, commands: Sequence[Target]) -> set[str]:
    found: set[str] = set()
    for target in commands:
        for where in targets.who(target):
            found |= set(session.scalars(select(Speaker.id).where(where)))
    return found


# ---- what has to be sent


def to_send(session: Session, now: datetime) -> list[SheetPlay]:
    """Return what was laid and has not been sent, the soonest first."""
    query = select(SheetPlay).where(SheetPlay.state == SheetState.LAID, SheetPlay.expires_at > now)
    return list(session.scalars(query.order_by(SheetPlay.starts_at)))


def note_sent(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Note that it has gone out."""
    session.execute(
        update(SheetPlay)
        .where(SheetPlay.broadcast_id == broadcast_id, SheetPlay.state == SheetState.LAID)
        .values(state=SheetState.SENT, sent_at=now)
    )


def standing(session: Session, now: datetime) -> list[SheetPlay]:
    """Return what has gone out and lies ahead, the soonest first."""
    query = select(SheetPlay).where(SheetPlay.state == SheetState.SENT, SheetPlay.starts_at > now)
    return list(session.scalars(query.order_by(SheetPlay.starts_at)))


def withdrawn(session: Session, now: datetime) -> list[SheetPlay]:
    """Return what must not sound although somebody may still have it."""
    query = select(SheetPlay).where(SheetPlay.state == SheetState.WITHDRAWN, SheetPlay.expires_at > now)
    return list(session.scalars(query.order_by(SheetPlay.starts_at)))


def note_stopped(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Note that its stop has gone out."""
    session.execute(
        update(SheetPlay)
        .where(SheetPlay.broadcast_id == broadcast_id, SheetPlay.stop_sent_at.is_(None))
        .values(stop_sent_at=now)
    )


def silent(
    session: Session, target: Target, command_id: UUID, *, among: Sequence[str] | None, limit: int
) -> list[tuple[str, str]]:
    """Return who of a target has said no word about a command, each with its path.

    Of `among` all are returned; without it at most `limit` of the connected.
    """
    heard = select(PlayReceipt.speaker_id).where(
        PlayReceipt.command_id == command_id, PlayReceipt.reason.not_in(PASSING)
    )
    found: list[tuple[str, str]] = []
    for where in targets.who(target):
        query = select(Speaker.id, Speaker.region_path).where(where, Speaker.id.not_in(heard)).order_by(Speaker.id)
        if among is None:
            query = query.where(Speaker.online.is_(True)).limit(limit)
        else:
            query = query.where(Speaker.id.in_(among))
        found += [(row.id, row.region_path) for row in session.execute(query)]
    return found


def forget(session: Session, *, now: datetime) -> int:
    """Forget what is long over; return how many."""
    gone = session.execute(
        delete(SheetPlay).where(SheetPlay.expires_at < now - KEPT).returning(SheetPlay.broadcast_id)
    ).all()
    return len(gone)


def holds(session: Session, sha256: str) -> bool:
    """Return whether a recording was sent ahead, so that loudspeakers may fetch it before it is released."""
    query = select(SheetPlay.broadcast_id).where(SheetPlay.audio_sha256 == sha256, SheetPlay.state.in_(OPEN))
    return session.scalar(query.limit(1)) is not None
