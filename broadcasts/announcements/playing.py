"""Recordings and words of the library in announcements: chosen, checked again at every step, counted."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from broadcasts.announcements.drafting import Chosen, Draft
from broadcasts.announcements.models import Announcement, When
from broadcasts.materials import listing
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material, MaterialKind
from hub.core.actor import Actor
from hub.core.errors import BadInput, WrongState


@dataclass(frozen=True, slots=True)
class Offered:
    """What the library has to offer on the compose page."""

    texts: list[Material]
    recordings: list[Material]


def offered(session: Session, actor: Actor, today: date) -> Offered:
    """Return what may be broadcast now."""
    texts, recordings = (
        listing.offered(session, actor, kind, today=today) for kind in (MaterialKind.TEXT, MaterialKind.RECORDING)
    )
    return Offered(texts, recordings)


def chosen(session: Session, actor: Actor, draft: Draft, material_id: UUID, *, day: date) -> Draft:
    """Return the draft with this recording; words keep only where they come from. BadInput when it may not be used."""
    material = materials.usable(session, actor, material_id, day=day)
    if not material.is_recording:
        return replace(draft, origin=material.id, recording=None)
    recording = Chosen(material.id, material.audio_sha256, material.audio_ms, tuple(material.peaks))
    return replace(draft, origin=None, recording=recording)


def named(session: Session, actor: Actor, draft: Draft, material_id: UUID | None, *, day: date) -> Draft:
    """Return the draft with what a program names of the library, if it does."""
    return draft if material_id is None else chosen(session, actor, draft, material_id, day=day)


def in_time(session: Session, draft: Draft, zone: ZoneInfo) -> list[BadInput]:
    """Return what the chosen time has against the recording: it may not be used for ever."""
    material = session.get(Material, draft.recording.material_id) if draft.recording else None
    if material is None or material.valid_until is None:
        return []
    last = {When.ONCE: draft.at and draft.at.astimezone(zone).date(), When.DAILY: draft.last_day}
    day = last.get(draft.when)
    field = "last_day" if draft.when is When.DAILY else "at"
    if day is None or not material.is_over(day):
        return []
    return [BadInput("material_ends_before", field=field, day=str(material.valid_until))]


def why_silent(session: Session, announcement: Announcement, moment: datetime, zone: ZoneInfo) -> str:
    """Return the code of what keeps its recording from being played at that moment, '' when nothing does."""
    if not announcement.recording_sha256:
        return ""
    material = session.get(Material, announcement.material_id) if announcement.material_id else None
    return materials.why_not(session, material, moment.astimezone(zone).date(), announcement.recording_sha256)


def require_playable(session: Session, announcement: Announcement, moment: datetime, zone: ZoneInfo) -> None:
    """Raise WrongState when its recording has expired, was taken out or replaced."""
    code = why_silent(session, announcement, moment, zone)
    if code:
        raise WrongState(code)


def keep(announcement: Announcement, draft: Draft) -> None:
    """Note what an announcement plays, or where its words come from."""
    recording = draft.recording
    announcement.material_id = recording.material_id if recording else draft.origin
    announcement.recording_sha256 = recording.sha256 if recording else ""
    announcement.recording_ms = recording.ms if recording else 0


def kept(announcement: Announcement) -> tuple[UUID | None, Chosen | None]:
    """Return where the words of an announcement come from, and its recording."""
    a = announcement
    if a.recording_sha256 and a.material_id is not None:
        return None, Chosen(a.material_id, a.recording_sha256, a.recording_ms)
    return a.material_id, None


def went_out(session: Session, announcement: Announcement, now: datetime) -> None:
    """Count it."""
    if announcement.material_id is not None:
        materials.note_used(session, announcement.material_id, now)
