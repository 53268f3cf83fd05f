"""What loudspeakers report, written down once and turned into states that only move forward."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState, may_follow
from hub.speakers.protocol import Beat, Reached, Receipt

NO_NUMBER = -1


@dataclass(frozen=True, slots=True)
class Report:
    """One state of one command on one loudspeaker, from a receipt or repeated in a heartbeat (`number` -1)."""

    speaker_id: str
    command_id: UUID
    state: PlayState
    at: datetime
    number: int = NO_NUMBER
    reason: str = ""
    played_ms: int | None = None


def from_receipt(receipt: Receipt) -> Report | None:
    """Return what a receipt says; None when it names no command. `duplicate` counts as the state once reached."""
    if receipt.id is None:
        return None
    state = receipt.reached if receipt.st is Reached.DUPLICATE else receipt.st
    if state is None or state is Reached.DUPLICATE:
        return None
    return Report(
        speaker_id=receipt.dev,
        command_id=UUID(receipt.id),
        state=PlayState(state.value),
        at=_moment(receipt.ts),
        number=receipt.n,
        reason=(receipt.reason or "")[:60],
        played_ms=receipt.played_ms,
    )


def from_beat(beat: Beat) -> list[Report]:
    """Return the newest states a heartbeat repeats: they heal receipts that were lost on the way."""
    return [
        Report(beat.dev, UUID(command_id), PlayState(state.value), _moment(beat.ts))
        for command_id, state in beat.last
        if state is not Reached.DUPLICATE
    ]


def record(session: Session, reports: Sequence[Report], *, now: datetime) -> set[UUID]:
    """Store reports and move deliveries forward; return the broadcasts that changed. Any order, any repetition."""
    numbered = [r for r in reports if r.number != NO_NUMBER]
    if numbered:
        _store(session, numbered, now)
    wanted = {(r.speaker_id, r.command_id) for r in reports}
    deliveries = _deliveries(session, wanted)
    changed: set[UUID] = set()
    for report in reports:
        delivery = deliveries.get((report.speaker_id, report.command_id))
        if delivery is not None and _apply(delivery, report, now):
            changed.add(delivery.broadcast_id)
    session.flush()
    return changed


def _apply(delivery: SpeakerDelivery, report: Report, now: datetime) -> bool:
    # The moments are kept even when a later state overtook the report on the way.
    if report.state is PlayState.RECEIVED and delivery.received_at is None:
        delivery.received_at = report.at
    elif report.state is PlayState.FETCHED and delivery.fetched_at is None:
        delivery.fetched_at = report.at
    elif report.state is PlayState.STARTED and delivery.started_at is None:
        delivery.started_at = report.at
    if not may_follow(delivery.state, report.state):
        return False
    delivery.state = report.state
    delivery.reason = report.reason
    delivery.changed_at = now
    if report.state in FINAL:
        delivery.ended_at = report.at
        delivery.played_ms = report.played_ms
    return True


def _deliveries(session: Session, wanted: set[tuple[str, UUID]]) -> dict[tuple[str, UUID], SpeakerDelivery]:
    if not wanted:
        return {}
    query = (
        select(SpeakerDelivery)
        .where(
            SpeakerDelivery.speaker_id.in_({s for s, _ in wanted}),
            SpeakerDelivery.command_id.in_({c for _, c in wanted}),
        )
        .order_by(SpeakerDelivery.speaker_id)
        .with_for_update()
    )
    return {(d.speaker_id, d.command_id): d for d in session.scalars(query)}


def _store(session: Session, reports: Sequence[Report], now: datetime) -> None:
    rows: list[dict[str, Any]] = [
        {
            "speaker_id": r.speaker_id,
            "number": r.number,
            "command_id": r.command_id,
            "state": r.state.value,
            "device_at": r.at,
            "arrived_at": now,
            "reason": r.reason,
            "played_ms": r.played_ms,
        }
        for r in reports
    ]
    postgres = session.get_bind().dialect.name == "postgresql"
    insert = pg_insert if postgres else sqlite_insert
    session.execute(insert(PlayReceipt).on_conflict_do_nothing(), rows)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)
