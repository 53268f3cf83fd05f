"""The list of an emergency's loudspeakers: written right after its commands have gone out, not before.

Its order is committed with the commands alone, which say who is meant. A hub that is killed between the two writes the
list when it is back. What loudspeakers have said before they were on the list is stored, and taken from there.
"""

import logging
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session

from broadcasts.loudspeaker import receipts, targets
from broadcasts.loudspeaker.models import OrderState, PlayOrder, PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.receipts import ONE_AT_A_TIME, Report
from broadcasts.loudspeaker.states import PlayState
from hub.core.db import Sessions
from hub.speakers.models import Speaker
from hub.speakers.protocol import PASSING, Reached

log = logging.getLogger(__name__)
AT_ONCE = 1000
_KNOWN = frozenset(state.value for state in PlayState)


def waiting(session: Session) -> list[UUID]:
    """Return the orders whose list has not been written, the most urgent first."""
    query = select(PlayOrder.broadcast_id).where(PlayOrder.listed.is_(False))
    return list(session.scalars(query.order_by(PlayOrder.priority.desc(), PlayOrder.created_at)))


def write_all(sessions: Sessions, *, now: datetime, later: Container[UUID] = ()) -> None:
    """Write every list that is still owed, except those that come later, each in a unit of work of its own.

    One that cannot be written keeps back neither the others nor what is to be sent next: it is tried again.
    """
    with sessions.read() as session:
        due = [broadcast_id for broadcast_id in waiting(session) if broadcast_id not in later]
    for broadcast_id in due:
        try:
            with sessions.begin() as session:
                write(session, broadcast_id, now=now)
        except Exception:
            log.exception("list_not_written", extra={"broadcast": str(broadcast_id)})


def write(session: Session, broadcast_id: UUID, *, now: datetime) -> bool:
    """Write the list of one order, as far as its loudspeakers have come; whether it had to be written.

    On PostgreSQL no receipt is taken in meanwhile: one that was stored before is read here, one that comes later finds
    its delivery.
    """
    order = session.get(PlayOrder, broadcast_id, with_for_update=True, populate_existing=True)
    if order is None or order.listed:
        return False
    if session.connection().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    state = PlayState.SENT if order.state is OrderState.SENT else PlayState.QUEUED
    for target in order.targets:
        targets.deliver(session, broadcast_id, target, state=state, now=now)
    if order.state is OrderState.CALLED_OFF:
        call_off(session, broadcast_id, now=now)
    catch_up(session, [UUID(target["id"]) for target in order.targets], now=now)
    order.listed = True
    return True


def owed(session: Session, broadcast_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of some broadcasts whose list has not been written yet."""
    query = select(PlayOrder.broadcast_id).where(PlayOrder.listed.is_(False), PlayOrder.broadcast_id.in_(broadcast_ids))
    return list(session.scalars(query))


def foreseen(
    session: Session, broadcast_id: UUID, where: ColumnElement[bool] | None = None
) -> list[tuple[str, bool, int]]:
    """Return who will be on a list that is not written yet: path, whether they are connected, and how many.

    `where` is a condition on Speaker.
    """
    order = session.get(PlayOrder, broadcast_id)
    if order is None or order.listed:
        return []
    found: Counter[tuple[str, bool]] = Counter()
    for target in order.targets:
        for meant in targets.who(target):
            columns = (Speaker.region_path, Speaker.online)
            query = select(*columns, func.count()).where(meant).group_by(*columns)
            rows = session.execute(query if where is None else query.where(where))
            found.update({(path, online): number for path, online, number in rows})
    return [(path, online, number) for (path, online), number in sorted(found.items())]


def call_off(session: Session, broadcast_id: UUID, *, now: datetime) -> None:
    """Nobody was told: note it of everybody on the list."""
    session.execute(
        update(SpeakerDelivery)
        .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state == PlayState.QUEUED)
        .values(state=PlayState.STOPPED, reason="called_off", ended_at=now, changed_at=now)
    )


def catch_up(session: Session, command_ids: Sequence[UUID], *, now: datetime) -> None:
    """Move deliveries to where their loudspeakers had come before they were written."""
    for reports in _said(session, command_ids):
        receipts.move(session, reports, now=now)


def _said(session: Session, command_ids: Sequence[UUID]) -> Iterator[list[Report]]:
    r = PlayReceipt
    rows = session.execute(
        select(r.speaker_id, r.command_id, r.state, r.device_at, r.number, r.reason, r.played_ms, r.volume, r.used)
        .where(r.command_id.in_(command_ids))
        .order_by(r.number)
    ).all()
    reports = [
        Report(speaker_id, command_id, _state_of(state, reason), at, number, reason, played_ms, volume, used)
        for speaker_id, command_id, state, at, number, reason, played_ms, volume, used in rows
    ]
    for start in range(0, len(reports), AT_ONCE):
        yield reports[start : start + AT_ONCE]


def _state_of(state: str, reason: str) -> PlayState | Reached:
    passing = state == Reached.REFUSED and reason in PASSING
    return PlayState(state) if state in _KNOWN and not passing else Reached(state)
