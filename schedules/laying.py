"""Send the coming hours ahead: every occurrence that is near enough is laid on the sheet, each once."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements import ahead
from broadcasts.announcements.models import Announcement
from broadcasts.delivery.rules import Rules
from hub.core.db import Sessions
from schedules.models import Occurrence, OccurrenceState, Slot

log = logging.getLogger(__name__)
SOON = timedelta(minutes=2)
"""What is so near goes out at its time like anything else."""
ASK_AGAIN = timedelta(minutes=10)
"""What could not be sent ahead, because queues are full or quiet hours lie there, is looked at again after that."""
AT_ONCE = 100


@dataclass(frozen=True)
class Laying:
    """What laying needs: units of work, the county's rules, and how far ahead; `hours` 0 sends nothing ahead."""

    sessions: Sessions
    rules: Rules
    hours: int
    _later: dict[UUID, datetime] = field(default_factory=dict)

    def lay_near(self, *, now: datetime) -> int:
        """Lay what is near, each in a unit of work of its own; return how many were laid."""
        for occurrence_id in [key for key, at in self._later.items() if at <= now]:
            del self._later[occurrence_id]
        return sum(self._lay(occurrence_id, now) for occurrence_id in self._near(now)) if self.hours else 0

    def _near(self, now: datetime) -> list[UUID]:
        query = (
            select(Occurrence.id)
            .join(Slot, Slot.id == Occurrence.slot_id)
            .join(Announcement, Announcement.id == Slot.announcement_id)
            .where(
                Occurrence.state == OccurrenceState.PLANNED,
                Occurrence.broadcast_id.is_(None),
                Occurrence.due_at > now + SOON,
                Occurrence.due_at <= now + timedelta(hours=self.hours),
                Announcement.audio_sha256 != "",
                Announcement.relay_url == "",
            )
            .order_by(Occurrence.due_at)
            .limit(AT_ONCE + len(self._later))
        )
        with self.sessions.read() as session:
            return [found for found in session.scalars(query) if found not in self._later][:AT_ONCE]

    def _lay(self, occurrence_id: UUID, now: datetime) -> bool:
        try:
            with self.sessions.begin() as session:
                laid = _lay_one(session, occurrence_id, self.rules, now)
        except Exception:
            log.exception("occurrence %s could not be sent ahead; it goes out at its time", occurrence_id)
            laid = False
        if not laid:
            self._later[occurrence_id] = now + ASK_AGAIN
        return laid


def _lay_one(session: Session, occurrence_id: UUID, rules: Rules, now: datetime) -> bool:
    slot = session.scalar(
        select(Slot).join(Occurrence, Occurrence.slot_id == Slot.id).where(Occurrence.id == occurrence_id)
    )
    if slot is None:
        return False
    # The announcement is locked first, as withdrawing does: what is withdrawn meanwhile is not laid.
    announcement = session.get(Announcement, slot.announcement_id, with_for_update=True)
    occurrence = session.get(Occurrence, occurrence_id, with_for_update=True)
    if announcement is None or occurrence is None or occurrence.broadcast_id is not None:
        return False
    if occurrence.state is not OccurrenceState.PLANNED:
        return False
    laid = ahead.lay(session, announcement, starts_at=occurrence.due_at, rules=rules, now=now)
    occurrence.broadcast_id = laid
    return laid is not None
