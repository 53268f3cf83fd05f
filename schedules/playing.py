"""The sources every hub has: announcements that were approved, recordings of the library, relays, silence."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.announcements import playing
from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.models import Announcement
from broadcasts.approvals.lifecycle import State
from broadcasts.loudspeaker.orders import Sound
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material, MaterialKind
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions.tree import codes_in
from schedules.models import Slot, SlotKind
from schedules.sources import Choice, Nothing, Piece, Source, Sources

MOST_OFFERED = 200


class Announcements:
    """A slot that holds an announcement: its approved recording, or its relay, heard in the region of the sheet."""

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Return it, unless it was withdrawn or changed since the sheet was approved."""
        found = session.get(Announcement, slot.subject_id) if slot.subject_id else None
        if found is None or found.state is not State.APPROVED:
            return Nothing("announcement_withdrawn", slot.title)
        if content_hash(found) != found.content_hash or slot.subject_hash not in ("", found.content_hash):
            return Nothing("announcement_changed_meanwhile", slot.title)
        code = playing.why_silent(session, found, due_at, ZoneInfo(slot.zone))
        return Nothing(code, slot.title) if code else _announced(found)

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> Sequence[Choice]:
        """Return the approved announcements of the region, of those above it, and of what lies below."""
        query = (
            select(Announcement)
            .where(
                Announcement.state == State.APPROVED,
                or_(
                    Announcement.home_path.in_(_above(region_path)),
                    Announcement.home_path.like(like_below(region_path)),
                ),
                or_(Announcement.audio_sha256 != "", Announcement.relay_url != ""),
            )
            .order_by(Announcement.approved_at.desc())
            .limit(MOST_OFFERED)
        )
        return [
            Choice(a.id, a.title, a.airtime_ms, content=a.content_hash)
            for a in session.scalars(query)
            if actor.may(Permission.SEE, a.home_path)
        ]

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        """Count the recording it plays, if it plays one of the library."""
        found = session.get(Announcement, slot.subject_id) if slot.subject_id else None
        if found is not None:
            playing.went_out(session, found, now)


def _announced(a: Announcement) -> Piece:
    return Piece(
        title=a.title,
        text=a.text,
        theme=a.theme,
        sound=Sound(a.audio_sha256, a.audio_ms, a.audio_bytes) if a.audio_sha256 else None,
        stream_url=a.relay_url,
        length_ms=a.airtime_ms if a.relay_url else 0,
        repeats=a.repeats,
        volume=a.volume,
        announcement_id=a.id,
    )


class Recordings:
    """A slot that holds a recording of the library."""

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Return it, unless it was taken out, replaced or has expired by that day."""
        found = session.get(Material, slot.subject_id) if slot.subject_id else None
        day = due_at.astimezone(ZoneInfo(slot.zone)).date()
        code = materials.why_not(session, found, day, slot.subject_hash)
        if code or found is None:
            return Nothing(code, slot.title)
        sound = Sound(found.audio_sha256, found.audio_ms, found.audio_bytes)
        return Piece(title=found.title, text=found.text, theme=found.theme, sound=sound, subject=found.id)

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> Sequence[Choice]:
        """Return the approved recordings of the region and of those above it."""
        query = (
            select(Material)
            .where(
                Material.kind == MaterialKind.RECORDING,
                Material.state == State.APPROVED,
                Material.home_path.in_(_above(region_path)),
            )
            .order_by(Material.approved_at.desc())
            .limit(MOST_OFFERED)
        )
        return [
            Choice(m.id, m.title, m.audio_ms, content=m.audio_sha256)
            for m in session.scalars(query)
            if not m.is_over(today)
        ]

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        """Count it."""
        if slot.subject_id is not None:
            materials.note_used(session, slot.subject_id, now)


class Relays:
    """A slot that relays a programme from elsewhere for as long as the slot lasts."""

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Return the relay."""
        return Piece(title=slot.title, stream_url=slot.relay_url, length_ms=slot.minutes * 60_000)

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> Sequence[Choice]:
        """Return nothing: its address is written into the slot."""
        return ()

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        """Do nothing."""


class Silences(Relays):
    """A slot in which nothing routine sounds below its region."""

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Return nothing: that is what it is for."""
        return Nothing("", slot.title)


def usual() -> Sources:
    """Return the sources every hub has."""
    sources: dict[SlotKind, Source] = {
        SlotKind.ANNOUNCEMENT: Announcements(),
        SlotKind.RECORDING: Recordings(),
        SlotKind.RELAY: Relays(),
        SlotKind.SILENCE: Silences(),
    }
    return Sources(sources)


def _above(path: str) -> list[str]:
    codes = codes_in(path)
    return ["".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes) + 1)]
