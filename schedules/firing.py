"""What is due goes out, each occurrence exactly once, or it is recorded why it did not."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.lifecycle import State
from broadcasts.announcements.models import Announcement
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import sheet
from hub.core.actor import SYSTEM
from hub.core.db import Sessions
from hub.core.errors import HubError
from hub.regions.tree import codes_in
from schedules import agreed, almanac, yielding
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.playing import usual
from schedules.sources import Nothing, Piece, Sources

log = logging.getLogger(__name__)
AT_ONCE = 200


@dataclass(frozen=True)
class Firing:
    """What firing needs: units of work, the county's rules, and how long before its start an item is sent out."""

    sessions: Sessions
    rules: Rules
    ahead: timedelta
    sources: Sources = field(default_factory=usual)

    def fire_due(self, *, now: datetime) -> int:
        """Release everything that is due, each in a unit of work of its own; return how many went out."""
        fired = 0
        seen: set[UUID] = set()
        while due := [key for key in self._due(now) if key not in seen]:
            seen.update(due)
            fired += sum(self._fire(occurrence_id, now) for occurrence_id in due)
        return fired

    def moments(self, *, now: datetime, until: datetime) -> list[datetime]:
        """Return the moments up to `until` at which something is to be sent out."""
        query = (
            select(Occurrence.due_at)
            .where(
                Occurrence.state == OccurrenceState.PLANNED,
                Occurrence.due_at > now + self.ahead,
                Occurrence.due_at <= until + self.ahead,
            )
            .distinct()
            .limit(AT_ONCE)
        )
        with self.sessions.read() as session:
            return [due - self.ahead for due in session.scalars(query)]

    def _due(self, now: datetime) -> Sequence[UUID]:
        query = (
            select(Occurrence.id)
            .where(Occurrence.state == OccurrenceState.PLANNED, Occurrence.due_at <= now + self.ahead)
            .order_by(Occurrence.due_at)
            .limit(AT_ONCE)
        )
        with self.sessions.read() as session:
            return session.scalars(query).all()

    def _fire(self, occurrence_id: UUID, now: datetime) -> bool:
        try:
            with self.sessions.begin() as session:
                return self._fire_one(session, occurrence_id, now)
        except HubError as error:
            # The release was rolled back whole; what stays is the reason, for people to read.
            log.warning("occurrence %s did not go out: %s", occurrence_id, error.code)
            with self.sessions.begin() as session:
                _end(session, occurrence_id, OccurrenceState.SKIPPED, error.code, now)
        except Exception:
            # It stays planned and is tried again until its tolerance is over; the others must not wait for it.
            log.exception("occurrence %s could not be released", occurrence_id)
        return False

    def _fire_one(self, session: Session, occurrence_id: UUID, now: datetime) -> bool:
        slot = session.scalar(
            select(Slot).join(Occurrence, Occurrence.slot_id == Slot.id).where(Occurrence.id == occurrence_id)
        )
        if slot is None:
            return False
        # What it belongs to is locked first, as withdrawing and replacing do. Who finds it locked comes back later.
        owner = self._owner(session, slot)
        if owner is None:
            return False  # and without a lock on the occurrence, which would hold back the hub that has its owner
        occurrence = session.scalar(
            select(Occurrence)
            .where(
                Occurrence.id == occurrence_id,
                Occurrence.slot_id == slot.id,
                Occurrence.state == OccurrenceState.PLANNED,
            )
            .with_for_update(skip_locked=True)
        )
        if occurrence is None:
            return False  # another hub has it
        late = now > occurrence.due_at + timedelta(seconds=slot.late_tolerance_s)
        alone = occurrence.broadcast_id is not None and sheet.was_sent(session, occurrence.broadcast_id)
        if not alone and late:
            _end(session, occurrence_id, OccurrenceState.MISSED, "hub_was_down", now)
            return False
        if not alone and self._newer_is_due(session, occurrence, now):
            _end(session, occurrence_id, OccurrenceState.SUPERSEDED, "newer_was_due", now)
            return False
        how = _How(late, alone)
        if isinstance(owner, Announcement):
            return self._announce(session, owner, occurrence, how, now)
        return self._play(session, owner, slot, occurrence, how, now)

    @staticmethod
    def _owner(session: Session, slot: Slot) -> Announcement | Sheet | None:
        if slot.announcement_id is not None:
            return session.get(Announcement, slot.announcement_id, with_for_update={"skip_locked": True})
        return session.get(Sheet, slot.sheet_id, with_for_update={"read": True, "skip_locked": True})

    def _newer_is_due(self, session: Session, occurrence: Occurrence, now: datetime) -> bool:
        query = select(Occurrence.id).where(
            Occurrence.slot_id == occurrence.slot_id,
            Occurrence.due_at > occurrence.due_at,
            Occurrence.due_at <= now,
        )
        return session.scalar(query.limit(1)) is not None

    def _announce(
        self, session: Session, announcement: Announcement, occurrence: Occurrence, how: "_How", now: datetime
    ) -> bool:
        if announcement.state is not State.APPROVED:
            _end(session, occurrence.id, OccurrenceState.SKIPPED, "announcement_withdrawn", now)
            return False
        audience = Audience.from_json(announcement.audience)
        code = "" if how.late else yielding.why(session, occurrence, audience.paths, announcement.airtime_ms)
        if code and audience.speakers:
            _end(session, occurrence.id, OccurrenceState.SKIPPED, code, now)
            return False
        # What was sent ahead began by itself at its time; released late, it only records what loudspeakers did.
        broadcast = announcements.release(
            session,
            SYSTEM,
            announcement,
            source=f"{occurrence.due_at:%Y%m%dT%H%M}",
            starts_at=how.start(occurrence, now),
            rules=self.rules,
            now=now,
            broadcast_id=occurrence.broadcast_id,
            texts=not how.late,
        )
        _fired(occurrence, how, broadcast, now)
        return True

    def _play(
        self, session: Session, running: Sheet, slot: Slot, occurrence: Occurrence, how: "_How", now: datetime
    ) -> bool:
        code, piece = self._piece(session, slot, occurrence, running)
        if not how.late and isinstance(piece, Piece) and not code:
            code = yielding.why(session, occurrence, (slot.home_path,), piece.ms)
        if slot.kind is SlotKind.SILENCE and not code:
            occurrence.state, occurrence.fired_at = OccurrenceState.FIRED, now
            return False
        if code or not isinstance(piece, Piece):
            _end(session, occurrence.id, OccurrenceState.SKIPPED, code, now)
            return False
        self._call_back_another(session, occurrence, piece, now)
        order = order_of(slot, piece, how.start(occurrence, now), self.rules)
        order = replace(
            order,
            source=source_of(occurrence),
            approved_by_name=running.approved_by_name,
            agreed_id=running.id,
            broadcast_id=occurrence.broadcast_id,
        )
        broadcast = delivery.release(session, SYSTEM, order, rules=self.rules, now=now)
        source = self.sources.of(slot.kind)
        if source is not None:
            source.went_out(session, slot, piece, broadcast.id, now=now)
        _fired(occurrence, how, broadcast, now)
        return True

    @staticmethod
    def _call_back_another(session: Session, occurrence: Occurrence, piece: Piece, now: datetime) -> None:
        sent = sheet.sha_of(session, occurrence.broadcast_id) if occurrence.broadcast_id else ""
        if sent and (piece.sound is None or piece.sound.sha256 != sent) and occurrence.broadcast_id:
            sheet.withdraw(session, occurrence.broadcast_id, now=now)
            occurrence.broadcast_id = None

    def _piece(
        self, session: Session, slot: Slot, occurrence: Occurrence, running: Sheet
    ) -> tuple[str, Piece | Nothing]:
        if running.state is not SheetState.RUNNING:
            return "sheet_withdrawn", Nothing("sheet_withdrawn")
        piece = self.sources.piece(session, slot, occurrence.due_at)
        occurrence.title, occurrence.audio_ms = piece.title[:60], getattr(piece, "ms", 0)
        if isinstance(piece, Nothing):
            return piece.code, piece
        if not piece.can_sound:
            return "sound_not_ready", piece
        day = occurrence.due_at.astimezone(ZoneInfo(slot.zone)).date()
        quiet = day in almanac.load(session).of(slot.home_path).quiet
        if quiet and not slot.days.get("on_quiet_days"):
            return "quiet_day", piece
        return agreed.why_not(session, running, slot, piece), piece


@dataclass(frozen=True, slots=True)
class _How:
    """`late`: beyond its tolerance. `alone`: loudspeakers have it and play it by themselves."""

    late: bool
    alone: bool

    def start(self, occurrence: Occurrence, now: datetime) -> datetime:
        return occurrence.due_at if self.alone else max(occurrence.due_at, now)


def source_of(occurrence: Occurrence) -> str:
    """Return the name of the occasion, which can be used once only."""
    return f"slot:{occurrence.slot_id}:{occurrence.due_at:%Y%m%dT%H%M}"


def order_of(slot: Slot, piece: Piece, starts_at: datetime, rules: Rules) -> delivery.Order:
    """Return the order for what a sheet's slot plays, on all loudspeakers of the sheet's region."""
    length = min(piece.length_ms, slot.minutes * 60_000) if slot.minutes else piece.length_ms
    return delivery.Order(
        source="",
        kind=Kind.RELAY if piece.stream_url else Kind.ROUTINE,
        title=piece.title[:60],
        text=piece.text,
        sms_text="",
        audience=Audience((codes_in(slot.home_path)[-1],)),
        home_path=slot.home_path,
        sound=piece.sound,
        repeats=piece.repeats,
        volume=slot.volume or piece.volume,
        starts_at=starts_at,
        expires_at=starts_at + rules.valid,
        announcement_id=piece.announcement_id,
        stream_url=piece.stream_url,
        length_ms=length if piece.stream_url else 0,
    )


def _fired(occurrence: Occurrence, how: _How, broadcast: Broadcast, now: datetime) -> None:
    occurrence.state, occurrence.fired_at = OccurrenceState.FIRED, now
    occurrence.broadcast_id = broadcast.id
    if how.late:
        occurrence.note = "played_from_sheet"


def _end(session: Session, occurrence_id: UUID, state: OccurrenceState, note: str, now: datetime) -> None:
    ended = session.execute(
        update(Occurrence)
        .where(Occurrence.id == occurrence_id, Occurrence.state == OccurrenceState.PLANNED)
        .values(state=state, note=note[:60], fired_at=now)
        .returning(Occurrence.broadcast_id)
    ).first()
    if ended is not None and ended.broadcast_id is not None:
        sheet.withdraw(session, ended.broadcast_id, now=now)
