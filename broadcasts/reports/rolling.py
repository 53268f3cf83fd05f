"""Add up broadcasts that are over for days, a few at a time, so that reports of any length are read quickly."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select

from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker import summing
from broadcasts.loudspeaker.models import SpeakerDelivery, VillageSum
from broadcasts.loudspeaker.summing import About
from hub.core.clock import Clock
from hub.core.db import Sessions

AT_ONCE: Final = 50
AT_MOST: Final = 2_000
"""So many in one round: the first night after an upgrade takes several."""


EVERY_S: Final = 3_600.0


@dataclass(frozen=True)
class Rolling:
    """Does so every hour."""

    sessions: Sessions
    zone: ZoneInfo
    clock: Clock

    def step(self) -> float:
        """Add up what is due; return how long to rest, hardly at all while there is more."""
        found = roll_up(self.sessions, self.zone, now=self.clock())
        return EVERY_S if found < AT_MOST else 1.0


def roll_up(sessions: Sessions, zone: ZoneInfo, *, now: datetime, at_most: int = AT_MOST) -> int:
    """Add up what is over and was not added up yet, each few in a unit of work of their own; return how many."""
    query = (
        select(Broadcast.id, Broadcast.released_at, Broadcast.kind, Announcement.theme)
        .outerjoin(Announcement, Announcement.id == Broadcast.announcement_id)
        .where(
            Broadcast.done_at < now - summing.AFTER,
            ~exists().where(VillageSum.broadcast_id == Broadcast.id),
            exists().where(SpeakerDelivery.broadcast_id == Broadcast.id),
        )
        .order_by(Broadcast.released_at)
        .limit(at_most)
    )
    with sessions.read() as session:
        rows = session.execute(query).all()
    found = [(key, About(at, kind.value, theme.value if theme else "")) for key, at, kind, theme in rows]
    for first in range(0, len(found), AT_ONCE):
        with sessions.begin() as session:
            summing.add_up(session, dict(found[first : first + AT_ONCE]), zone)
    return len(found)
