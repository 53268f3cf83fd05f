"""What is due goes out, each occurrence exactly once, or it is recorded why it did not."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.announcements import service as announcements
from broadcasts.announcements.models import Announcement
from broadcasts.approvals.lifecycle import State
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import sheet
from hub.core.actor import SYSTEM
from hub.core.db import Sessions
from hub.core.errors import HubError
from hub.regions.tree import codes_in
from schedules.due import Due, Sight, take
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.noise import Outlook
from schedules.playing import usual
from schedules.sources import Nothing, Piece, Sources
from schedules.yielding import Item, Taken

log = logging.getLogger(__name__)
AT_ONCE = 200
TOGETHER = 20
"""So many go out in one unit of work; more would keep everybody else who writes waiting for longer than it saves."""
PAUSE_S = 0.005
"""Between two such, for SQLite, where the next would take the lock before anybody else had a chance."""


@dataclass(frozen=True)
class Firing:
    """What firing needs: units of work, the county's rules, and how long before its start an item is sent out."""

    sessions: Sessions
    rules: Rules
    ahead: timedelta
    sources: Sources = field(default_factory=usual)
    outlook: Outlook = field(default_factory=Outlook)
    """What the rest of the week will bring. Who plans ahead renews it."""

    def fire_due(self, *, now: datetime) -> int:
        """Release everything that is due, some at a time in a unit of work of their own; return how many went out."""
        fired = 0
        seen: set[UUID] = set()
        while due := [key for key in self._due(now) if key not in seen]:
            seen.update(due)
            for first in range(0, len(due), TOGETHER):
                if first:
                    time.sleep(PAUSE_S)
                fired += len(self._fire(due[first : first + TOGETHER], now))
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

    def _fire(self, occurrence_ids: Sequence[UUID], now: datetime) -> list[UUID]:
        """Release some together, or one by one when that fails; return which went out."""
        if len(occurrence_ids) > 1:
            try:
                with self.sessions.begin() as session:
                    return self._fire_together(session, occurrence_ids, now)
            except Exception as error:  # noqa: BLE001 - whose fault it is shows when each is fired alone
                log.info("fired one by one: %s", type(error).__name__)
        return [key for key in occurrence_ids if self._fire_alone(key, now)]

    def _fire_alone(self, occurrence_id: UUID, now: datetime) -> bool:
        try:
            with self.sessions.begin() as session:
                return bool(self._fire_together(session, [occurrence_id], now))
        except HubError as error:
            # The release was rolled back whole; what stays is the reason, for people to read.
            log.warning("occurrence %s did not go out: %s", occurrence_id, error.code)
            with self.sessions.begin() as session:
                _end(session, occurrence_id, OccurrenceState.SKIPPED, error.code, now)
        except Exception:
            # It stays planned and is tried again until its tolerance is over; the others must not wait for it.
            log.exception("occurrence %s could not be released", occurrence_id)
        return False

    def _fire_together(self, session: Session, occurrence_ids: Sequence[UUID], now: datetime) -> list[UUID]:
        dues = take(session, occurrence_ids, now)
        if not dues:
            return []
        sight = Sight(session, dues, self.rules, self.outlook)
        with session.no_autoflush:
            decided = [(due, self._decide(session, due, sight, now)) for due in dues]
        going = [(due, one) for due, one in decided if one is not None]
        made = delivery.release_each(session, SYSTEM, [one.order for _, one in going], rules=self.rules, now=now)
        for (due, one), broadcast in zip(going, made, strict=True):
            source = self.sources.of(due.slot.kind)
            if one.piece is not None and source is not None:
                source.went_out(session, due.slot, one.piece, broadcast.id, now=now)
            _fired(due, broadcast, now)
        return [due.occurrence.id for due, _ in going]

    def _decide(self, session: Session, due: Due, sight: Sight, now: datetime) -> "Going | None":
        """Return what goes out; None where nothing does, and then the occurrence says why."""
        found = self._looked_at(session, due, sight, now)
        if isinstance(found, Going) and sight.too_much(due, found.order):
            found = Stays(OccurrenceState.SKIPPED, "noise_budget_spent")
        sight.above.settle(due.occurrence.id, found.sounding if isinstance(found, Going) else None)
        if isinstance(found, Going):
            return found
        due.occurrence.state, due.occurrence.note, due.occurrence.fired_at = found.state, found.note[:60], now
        if due.occurrence.broadcast_id is not None:
            sheet.withdraw(session, due.occurrence.broadcast_id, now=now)
        return None

    def _looked_at(self, session: Session, due: Due, sight: Sight, now: datetime) -> "Going | Stays":
        if not due.alone and due.late:
            return Stays(OccurrenceState.MISSED, "hub_was_down")
        if not due.alone and due.newer:
            return Stays(OccurrenceState.SUPERSEDED, "newer_was_due")
        if isinstance(due.owner, Announcement):
            return self._announce(session, due.owner, due, sight, now)
        return self._play(session, due.owner, due, sight, now)

    def _announce(
        self, session: Session, announcement: Announcement, due: Due, sight: Sight, now: datetime
    ) -> "Going | Stays":
        occurrence = due.occurrence
        if announcement.state is not State.APPROVED:
            return Stays(OccurrenceState.SKIPPED, "announcement_withdrawn")
        audience = Audience.from_json(announcement.audience)
        item = Item(announcement.home_path, audience.paths, occurrence.due_at, announcement.airtime_ms)
        code = "" if due.late or not audience.speakers else sight.above.why(item)
        if code:
            return Stays(OccurrenceState.SKIPPED, code)
        # What was sent ahead began by itself at its time; released late, it only records what loudspeakers did.
        order = announcements.order_for(
            session,
            announcement,
            source=f"{occurrence.due_at:%Y%m%dT%H%M}",
            starts_at=due.start(now),
            rules=self.rules,
            now=now,
            broadcast_id=occurrence.broadcast_id,
            texts=not due.late,
        )
        return Going(order, None)

    def _play(self, session: Session, running: Sheet, due: Due, sight: Sight, now: datetime) -> "Going | Stays":
        slot, occurrence = due.slot, due.occurrence
        code, piece = self._piece(session, due, running, sight)
        if not due.late and isinstance(piece, Piece) and not code:
            code = sight.above.why(Item(slot.home_path, (slot.home_path,), occurrence.due_at, piece.ms))
        if slot.kind is SlotKind.SILENCE and not code:
            return Stays(OccurrenceState.FIRED, "")
        if code or not isinstance(piece, Piece):
            return Stays(OccurrenceState.SKIPPED, code)
        self._call_back_another(session, occurrence, piece, now)
        order = replace(
            order_of(slot, piece, due.start(now), self.rules),
            source=source_of(occurrence),
            approved_by_name=running.approved_by_name,
            agreed_id=running.id,
            broadcast_id=occurrence.broadcast_id,
        )
        return Going(order, piece)

    @staticmethod
    def _call_back_another(session: Session, occurrence: Occurrence, piece: Piece, now: datetime) -> None:
        sent = sheet.sha_of(session, occurrence.broadcast_id) if occurrence.broadcast_id else ""
        if sent and (piece.sound is None or piece.sound.sha256 != sent) and occurrence.broadcast_id:
            sheet.withdraw(session, occurrence.broadcast_id, now=now)
            occurrence.broadcast_id = None

    def _piece(self, session: Session, due: Due, running: Sheet, sight: Sight) -> tuple[str, Piece | Nothing]:
        slot, occurrence = due.slot, due.occurrence
        if running.state is not SheetState.RUNNING:
            return "sheet_withdrawn", Nothing("sheet_withdrawn")
        piece = self.sources.piece(session, slot, occurrence.due_at)
        occurrence.title, occurrence.audio_ms = piece.title[:60], getattr(piece, "ms", 0)
        if isinstance(piece, Nothing):
            return piece.code, piece
        if not piece.can_sound:
            return "sound_not_ready", piece
        day = occurrence.due_at.astimezone(ZoneInfo(slot.zone)).date()
        if day in sight.days.of(slot.home_path).quiet and not slot.days.get("on_quiet_days"):
            return "quiet_day", piece
        return sight.agreements.why_not(running, slot, piece), piece


@dataclass(frozen=True, slots=True)
class Stays:
    """Nothing goes out for something that is due; `note` is the code of why, '' for a silence."""

    state: OccurrenceState
    note: str


@dataclass(frozen=True, slots=True)
class Going:
    """What goes out for something that is due; `piece` for a sheet's slot."""

    order: delivery.Order
    piece: Piece | None

    @property
    def sounding(self) -> Taken | None:
        """What it takes up of the loudspeakers' time."""
        order = self.order
        if not order.sounds:
            return None
        end = order.starts_at + timedelta(milliseconds=order.total_ms)
        return Taken(order.starts_at, end, order.home_path, order.audience.paths)


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


def _fired(due: Due, broadcast: Broadcast, now: datetime) -> None:
    occurrence = due.occurrence
    occurrence.state, occurrence.fired_at = OccurrenceState.FIRED, now
    occurrence.broadcast_id = broadcast.id
    if due.late:
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
