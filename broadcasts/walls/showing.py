"""What a wall display shows: loudspeakers on the map, what is on air, what comes next, the last emergencies.

No names of people, no numbers, no letters: whoever walks past reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.delivery import overview, records
from broadcasts.delivery.desk import Programme, Stage, Upcoming
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.overview import VillageMark
from broadcasts.delivery.visibility import first_seen
from hub.core.actor import Actor
from hub.regions import service as regions

AHEAD: Final = timedelta(hours=24)
BACK: Final = timedelta(days=30)
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Wall:
    """All of it."""

    place: str
    villages: Sequence[VillageMark]
    on_air: Sequence[records.Entry]
    coming: Sequence[tuple[Programme, records.Places]]
    emergencies: Sequence[tuple[Broadcast, records.Places]]

    @property
    def total(self) -> int:
        """How many loudspeakers there are."""
        return sum(village.total for village in self.villages)

    @property
    def online(self) -> int:
        """How many are connected."""
        return sum(village.online for village in self.villages)

    @property
    def failing(self) -> list[VillageMark]:
        """The villages with silent loudspeakers, the worst first."""
        return sorted((v for v in self.villages if v.offline), key=lambda v: -v.offline)[: SHOWN * 2]


def wall(session: Session, actor: Actor, path: str, upcoming: Upcoming | None, *, now: datetime) -> Wall:
    """Return what a screen of that place shows."""
    planned = upcoming.between(session, actor, now, now + AHEAD) if upcoming else []
    coming = [one for one in planned if one.stage is Stage.PLANNED][:SHOWN]
    query = select(Broadcast).where(Broadcast.kind == Kind.EMERGENCY, Broadcast.released_at > now - BACK)
    last = first_seen(session, actor, query.order_by(Broadcast.released_at.desc()), SHOWN)
    return Wall(
        place=regions.full_name(session, path),
        villages=overview.villages(session, actor),
        on_air=records.on_air(session, actor, now=now),
        coming=list(zip(coming, records.places_of(session, [one.places for one in coming]), strict=True)),
        emergencies=list(zip(last, records.places_of(session, [b.audience["regions"] for b in last]), strict=True)),
    )
