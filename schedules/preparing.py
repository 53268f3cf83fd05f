"""Sounds made ahead: what a sheet's slot will read is rendered hours before, so that a fault has time to be seen."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import Rendering, RenderOrder
from hub.core.db import Sessions
from schedules.models import Occurrence, OccurrenceState, Slot, SlotKind
from schedules.sources import Piece, Sources

log = logging.getLogger(__name__)
AHEAD = timedelta(hours=26)
AT_ONCE = 20
ASK_AGAIN = timedelta(minutes=5)
"""A rendering that failed is tried again after that."""


@dataclass(frozen=True)
class Preparing:
    """What preparing needs: units of work, the sources, and who makes sounds."""

    sessions: Sessions
    sources: Sources
    render: Callable[[RenderOrder], Rendering]
    _later: dict[UUID, datetime] = field(default_factory=dict)

    def prepare_near(self, *, now: datetime) -> int:
        """Render what the coming day needs and does not have; no session is open meanwhile. Return how many."""
        for key in [key for key, at in self._later.items() if at <= now]:
            del self._later[key]
        made = 0
        for occurrence_id, script in self._wanted(now):
            try:
                self.render(script)
                made += 1
            except SpeechFailed:
                log.exception("the sound of an occurrence could not be made; it is tried again")
                self._later[occurrence_id] = now + ASK_AGAIN
        return made

    def _wanted(self, now: datetime) -> list[tuple[UUID, RenderOrder]]:
        query = (
            select(Occurrence, Slot)
            .join(Slot, Slot.id == Occurrence.slot_id)
            .where(
                Occurrence.state == OccurrenceState.PLANNED,
                Occurrence.broadcast_id.is_(None),
                Occurrence.due_at <= now + AHEAD,
                Slot.sheet_id.is_not(None),
                Slot.kind.not_in([SlotKind.RELAY, SlotKind.SILENCE]),
            )
            .order_by(Occurrence.due_at)
        )
        found: list[tuple[UUID, RenderOrder]] = []
        with self.sessions.read() as session:
            for occurrence, slot in session.execute(query):
                if occurrence.id in self._later or len(found) == AT_ONCE:
                    continue
                piece = self.sources.piece(session, slot, occurrence.due_at)
                if isinstance(piece, Piece) and piece.script is not None and not piece.can_sound:
                    found.append((occurrence.id, piece.script))
        return found
