"""Send the coming hours ahead: every occurrence that is near enough is laid on the sheet, each once."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.announcements import ahead
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.playing import why_silent
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.service import PRIORITY
from broadcasts.loudspeaker import sheet
from broadcasts.loudspeaker.sheet import Ahead
from hub.core.db import Sessions
from schedules import agreed, almanac, yielding
from schedules.firing import order_of
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.playing import usual
from schedules.sources import Piece, Sources

log = logging.getLogger(__name__)
SOON = timedelta(minutes=2)
"""What is so near goes out at its time like anything else."""
ASK_AGAIN = timedelta(minutes=10)
"""What could not be sent ahead, because queues are full or quiet hours lie there, is looked at again after that."""
AT_ONCE = 100
FILES = (SlotKind.ANNOUNCEMENT, SlotKind.RECORDING, SlotKind.CAMPAIGN)


@dataclass(frozen=True)
class Laying:
    """What laying needs: units of work, the county's rules, and how far ahead; `hours` 0 sends nothing ahead."""

    sessions: Sessions
    rules: Rules
    hours: int
    sources: Sources = field(default_factory=usual)
    _later: dict[UUID, datetime] = field(default_factory=dict)

    def lay_near(self, *, now: datetime) -> int:
        """Lay what is near, each in a unit of work of its own; return how many were laid."""
        for occurrence_id in [key for key, at in self._later.items() if at <= now]:
            del self._later[occurrence_id]
        return sum(self._lay(occurrence_id, now) for occurrence_id in self._near(now)) if self.hours else 0

    def call_back(self, *, now: datetime) -> int:
        """Call back what lies on the sheet and may not sound any more; return how many that was.

        A recording was taken out of the library, or an announcement withdrawn: whoever's line is down at its time would
        play it all the same. It may be laid again, under another name, when it may sound after all.
        """
        with self.sessions.read() as session:
            rows = session.execute(
                select(Occurrence, Slot, Announcement)
                .join(Slot, Slot.id == Occurrence.slot_id)
                .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
                .where(
                    Occurrence.state == OccurrenceState.PLANNED,
                    Occurrence.broadcast_id.is_not(None),
                    Occurrence.due_at > now,
                    or_(Slot.announcement_id.is_(None), Announcement.recording_sha256 != ""),
                )
            )
            gone = [o.id for o, slot, announcement in rows if self._is_gone(session, o, slot, announcement)]
        for occurrence_id in gone:
            with self.sessions.begin() as session:
                occurrence = session.get(Occurrence, occurrence_id, with_for_update=True)
                if occurrence is None or occurrence.state is not OccurrenceState.PLANNED:
                    continue
                if occurrence.broadcast_id is not None:
                    sheet.withdraw(session, occurrence.broadcast_id, now=now)
                    occurrence.broadcast_id = None
        return len(gone)

    def _is_gone(self, session: Session, occurrence: Occurrence, slot: Slot, announcement: Announcement | None) -> bool:
        if announcement is not None:
            return bool(why_silent(session, announcement, occurrence.due_at, self.rules.zone))
        return not isinstance(self.sources.piece(session, slot, occurrence.due_at), Piece)

    def _near(self, now: datetime) -> list[UUID]:
        query = (
            select(Occurrence.id)
            .join(Slot, Slot.id == Occurrence.slot_id)
            .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
            .where(
                Occurrence.state == OccurrenceState.PLANNED,
                Occurrence.broadcast_id.is_(None),
                Occurrence.due_at > now + SOON,
                Occurrence.due_at <= now + timedelta(hours=self.hours),
                Slot.kind.in_(FILES),
                or_(
                    Slot.announcement_id.is_(None),
                    (Announcement.audio_sha256 != "") & (Announcement.relay_url == ""),
                ),
            )
            .order_by(Occurrence.due_at)
            .limit(AT_ONCE + len(self._later))
        )
        with self.sessions.read() as session:
            return [found for found in session.scalars(query) if found not in self._later][:AT_ONCE]

    def _lay(self, occurrence_id: UUID, now: datetime) -> bool:
        try:
            with self.sessions.begin() as session:
                laid = self._lay_one(session, occurrence_id, now)
        except Exception:
            log.exception("occurrence %s could not be sent ahead; it goes out at its time", occurrence_id)
            laid = False
        if not laid:
            self._later[occurrence_id] = now + ASK_AGAIN
        return laid

    def _lay_one(self, session: Session, occurrence_id: UUID, now: datetime) -> bool:
        slot = session.scalar(
            select(Slot).join(Occurrence, Occurrence.slot_id == Slot.id).where(Occurrence.id == occurrence_id)
        )
        if slot is None:
            return False
        # What it comes from is locked first, as withdrawing does: what is withdrawn meanwhile is not laid.
        announcement = running = None
        if slot.announcement_id is not None:
            announcement = session.get(Announcement, slot.announcement_id, with_for_update=True)
        else:
            running = session.get(Sheet, slot.sheet_id, with_for_update={"read": True})
        occurrence = session.get(Occurrence, occurrence_id, with_for_update=True)
        if occurrence is None or occurrence.broadcast_id is not None or occurrence.state is not OccurrenceState.PLANNED:
            return False
        if announcement is not None:
            paths = Audience.from_json(announcement.audience).paths
            item = yielding.Item(announcement.home_path, paths, occurrence.due_at, announcement.airtime_ms)
            if yielding.why(session, item):
                return False
            laid = ahead.lay(session, announcement, starts_at=occurrence.due_at, rules=self.rules, now=now)
        else:
            laid = self._lay_slot(session, slot, running, occurrence, now)
        occurrence.broadcast_id = laid
        return laid is not None

    def _lay_slot(
        self, session: Session, slot: Slot, running: Sheet | None, occurrence: Occurrence, now: datetime
    ) -> UUID | None:
        if running is None or running.state is not SheetState.RUNNING:
            return None
        piece = self.sources.piece(session, slot, occurrence.due_at)
        if not isinstance(piece, Piece) or piece.sound is None or piece.stream_url:
            return None
        due = occurrence.due_at
        day = due.astimezone(ZoneInfo(slot.zone)).date()
        if day in almanac.load(session).of(slot.home_path).quiet and not slot.days.get("on_quiet_days"):
            return None
        if self.rules.quiet.touches(due, piece.ms / 1000):
            return None
        if agreed.Agreements(session, [running]).why_not(running, slot, piece):
            return None
        if yielding.why(session, yielding.Item(slot.home_path, (slot.home_path,), due, piece.ms)):
            return None
        order = order_of(slot, piece, due, self.rules)
        return sheet.lay(
            session,
            Ahead(
                meant=order.meant,
                sha256=piece.sound.sha256,
                bytes=piece.sound.bytes,
                ms=piece.sound.ms,
                priority=PRIORITY[order.kind],
                volume=order.volume,
                starts_at=due,
                expires_at=order.expires_at,
            ),
            now=now,
        )
