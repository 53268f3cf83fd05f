"""Put a broadcast on loudspeakers, call it off, and say how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, or_, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState
from hub.core.db import like_below
from hub.speakers import registry
from hub.speakers.models import Speaker, SpeakerState


@dataclass(frozen=True, slots=True)
class Sound:
    """A rendered recording: hash of its bytes, length and size."""

    sha256: str
    ms: int
    bytes: int


def meant(session: Session, paths: Sequence[str]) -> int:
    """Return how many loudspeakers in service hang below these paths."""
    if not paths:
        return 0
    return session.scalar(select(func.count()).select_from(Speaker).where(_below(paths))) or 0


def place(
    session: Session,
    *,
    broadcast_id: UUID,
    paths: Sequence[str],
    sound: Sound,
    priority: int,
    volume: int | None,
    starts_at: datetime,
    expires_at: datetime,
    now: datetime,
) -> int:
    """Freeze who is meant and queue the commands; return how many loudspeakers that is.

    One command a path goes to the region's topic. `upto` is the highest enrolment number there is now, so a
    loudspeaker added a minute later is not meant.
    """
    upto = session.scalar(select(func.max(Speaker.number))) or 0
    seq = registry.next_value(session, registry.COMMANDS, len(paths))
    targets = []
    total = 0
    for offset, path in enumerate(paths):
        command_id = uuid7()
        code = path.rstrip("/").rpartition("/")[2]
        targets.append({"id": str(command_id), "seq": seq + offset, "region": code, "upto": upto})
        rows = session.execute(select(Speaker.id, Speaker.region_path).where(_below([path]), Speaker.number <= upto))
        deliveries = [
            {
                "broadcast_id": broadcast_id,
                "speaker_id": speaker_id,
                "region_path": region_path,
                "command_id": command_id,
                "state": PlayState.QUEUED,
                "reason": "",
                "changed_at": now,
            }
            for speaker_id, region_path in rows
        ]
        if deliveries:
            session.execute(insert(SpeakerDelivery), deliveries)
        total += len(deliveries)
    order = PlayOrder(
        broadcast_id=broadcast_id,
        priority=priority,
        targets=targets,
        audio_sha256=sound.sha256,
        audio_bytes=sound.bytes,
        audio_ms=sound.ms,
        volume=volume,
        starts_at=starts_at,
        expires_at=expires_at,
        created_at=now,
    )
    session.add(order)
    session.flush()
    return total


def call_off(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Stop it: what has not been sent is never sent, what has been sent gets a stop command of its own."""
    order = session.get(PlayOrder, broadcast_id, with_for_update=True)
    if order is None or order.stop_seq is not None:
        return
    order.stop_seq = registry.next_value(session, registry.COMMANDS)
    if order.state is OrderState.QUEUED:
        order.state = OrderState.CALLED_OFF
        # A crash may lie between sending and noting that it was sent, so the stop goes out in any case.
        session.execute(
            update(SpeakerDelivery)
            .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state == PlayState.QUEUED)
            .values(state=PlayState.STOPPED, reason="called_off", ended_at=now, changed_at=now)
        )
    order.next_resend_at = now


def close(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Its time is over: whoever has not reported an end gets one that says so."""
    open_states = [s for s in PlayState if s not in FINAL]
    rows = session.execute(
        select(SpeakerDelivery.speaker_id, SpeakerDelivery.state, Speaker.online)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state.in_(open_states))
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
    open_states = [s for s in PlayState if s not in FINAL]
    query = select(SpeakerDelivery.speaker_id).where(
        SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state.in_(open_states)
    )
    return session.scalar(query.limit(1)) is None


def _below(paths: Sequence[str]) -> ColumnElement[bool]:
    return (Speaker.state == SpeakerState.ACTIVE) & or_(*(Speaker.region_path.like(like_below(p)) for p in paths))
