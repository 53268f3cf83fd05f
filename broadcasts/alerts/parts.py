"""The broadcasts of one alert: its first, and further ones to loudspeakers that turn out to be meant later."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast, BroadcastState

_PREFIX: Final = "alert:"


def source_of(alert_id: UUID, part: int = 0) -> str:
    """Return what a broadcast names as its origin; part 0 is the first."""
    return f"{_PREFIX}{alert_id}:{part}" if part else f"{_PREFIX}{alert_id}"


def of(session: Session, alert_id: UUID) -> Sequence[Broadcast]:
    """Return every broadcast of an alert, the first first."""
    return session.scalars(_of(alert_id)).all()


def going(session: Session, alert_id: UUID) -> Sequence[Broadcast]:
    """Return those of an alert that are on air; pages that ask again and again look among those alone."""
    return session.scalars(_of(alert_id).where(Broadcast.state == BroadcastState.GOING)).all()


def _of(alert_id: UUID) -> Select[Broadcast]:
    query = select(Broadcast).where(Broadcast.source.startswith(source_of(alert_id)))
    return query.order_by(Broadcast.released_at, Broadcast.id)


def on_air(session: Session) -> set[UUID]:
    """Return the alerts of which any broadcast is on air, wherever they are."""
    query = select(Broadcast.source).where(
        Broadcast.state == BroadcastState.GOING, Broadcast.source.startswith(_PREFIX)
    )
    return {UUID(source.removeprefix(_PREFIX).partition(":")[0]) for source in session.scalars(query)}
