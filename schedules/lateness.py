"""How late things really began, by what loudspeakers reported."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker.models import SpeakerDelivery


@dataclass(frozen=True, slots=True)
class Lateness:
    """The middle and the worst of all loudspeakers that began, in milliseconds after the time it should have been."""

    middle_ms: int
    worst_ms: int
    speakers: int


def measured(session: Session, broadcast_ids: Sequence[UUID]) -> Mapping[UUID, Lateness]:
    """Return it for each broadcast that began anywhere."""
    if not broadcast_ids:
        return {}
    rows = session.execute(
        select(Broadcast.id, Broadcast.starts_at, SpeakerDelivery.started_at)
        .join(SpeakerDelivery, SpeakerDelivery.broadcast_id == Broadcast.id)
        .where(Broadcast.id.in_(broadcast_ids), SpeakerDelivery.started_at.is_not(None))
    )
    late: dict[UUID, list[float]] = defaultdict(list)
    for broadcast_id, meant, began in rows:
        if began is not None:
            late[broadcast_id].append((began - meant).total_seconds() * 1000)
    return {key: Lateness(round(median(all_)), round(max(all_)), len(all_)) for key, all_ in late.items()}
