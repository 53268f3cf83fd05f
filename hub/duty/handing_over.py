"""The hand-over note (交接班): written by who leaves, confirmed by who arrives, never changed, only added to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.duty.models import DutyPerson, DutyShift, Handover, HandoverEntry
from hub.regions import service as regions
from hub.regions.tree import Level

LONGEST = 2000
LONGEST_ADDITION = 500
USUAL = timedelta(hours=12)
"""How long a shift is taken to last when nothing says when it began."""
WATCHED = frozenset({Level.COUNTY, Level.TOWNSHIP})
"""Where watch is kept."""


@dataclass(frozen=True, slots=True)
class Note:
    """A hand-over note with everything that came to it afterwards."""

    handover: Handover
    entries: Sequence[HandoverEntry]
    sound: bool
    """What stands there is what was written."""

    @property
    def confirmed(self) -> HandoverEntry | None:
        """The arriving officer's confirmation."""
        return next((one for one in self.entries if one.confirms), None)

    @property
    def additions(self) -> Sequence[HandoverEntry]:
        """What was added."""
        return [one for one in self.entries if not one.confirms]


def write(
    session: Session,
    actor: Actor,
    *,
    region: str,
    happened: str,
    open_matters: str,
    began_at: datetime | None = None,
    now: datetime,
) -> Handover:
    """Write what happened and what is open, as the leaving officer. It stands as it is from this moment on."""
    place = regions.get_region(session, actor, region, Permission.EMERGENCY)
    if place.level not in WATCHED:
        raise BadInput("handover_no_watch", field="region")
    texts = _words(happened, "happened", needed=True), _words(open_matters, "open_matters", needed=False)
    began = began_at or began_of(session, actor, now=now)
    if began > now:
        raise BadInput("handover_ahead", field="began")
    note = Handover(
        region_code=place.code,
        region_path=place.path,
        began_at=began,
        written_at=now,
        written_by=actor.id,
        written_by_name=actor.name[:60],
        happened=texts[0],
        open_matters=texts[1],
        digest=digest_of(place.code, actor.name[:60], began, now, *texts),
    )
    session.add(note)
    session.flush()
    log.record(session, actor, "duty.hand_over", f"handover:{note.id}", place.path, now, content=note.digest)
    return note


def confirm(session: Session, actor: Actor, handover_id: UUID, *, text: str = "", now: datetime) -> HandoverEntry:
    """Confirm as the arriving officer that one has read it. Never one's own; once."""
    note = _get(session, actor, handover_id)
    actor.require(Permission.EMERGENCY, note.region_path)
    if actor.id is None or actor.id == note.written_by:
        raise NotAllowed("handover_own")
    words = _words(text, "text", needed=False, most=LONGEST_ADDITION)
    entry = _entry(session, actor, note, words, confirms=True, now=now)
    log.record(session, actor, "duty.take_over", f"handover:{note.id}", note.region_path, now)
    return entry


def add(session: Session, actor: Actor, handover_id: UUID, text: str, *, now: datetime) -> HandoverEntry:
    """Add a correction or what was forgotten; what stands above it stays."""
    note = _get(session, actor, handover_id)
    actor.require(Permission.EMERGENCY, note.region_path)
    entry = _entry(
        session, actor, note, _words(text, "text", needed=True, most=LONGEST_ADDITION), confirms=False, now=now
    )
    log.record(session, actor, "duty.add_to_note", f"handover:{note.id}", note.region_path, now)
    return entry


def notes(
    session: Session, actor: Actor, *, before: tuple[datetime, UUID] | None = None, limit: int = 20
) -> list[Note]:
    """Return the notes of the places the actor sees, the newest first."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return []
    query = select(Handover).where(or_(*(Handover.region_path.like(like_below(path)) for path in paths)))
    if before is not None:
        at, last = before
        query = query.where((Handover.written_at < at) | ((Handover.written_at == at) & (Handover.id < last)))
    found = session.scalars(query.order_by(Handover.written_at.desc(), Handover.id.desc()).limit(limit)).all()
    return _with_entries(session, found)


def note_of(session: Session, actor: Actor, handover_id: UUID) -> Note:
    """Return one note the actor may see; to a stranger it does not exist."""
    (found,) = _with_entries(session, [_get(session, actor, handover_id)])
    return found


def waiting(session: Session, actor: Actor) -> list[Note]:
    """Return the notes that wait for this person's confirmation."""
    found = notes(session, actor, limit=10)
    return [
        one
        for one in found
        if one.confirmed is None
        and one.handover.written_by != actor.id
        and actor.may(Permission.EMERGENCY, one.handover.region_path)
    ]


def began_of(session: Session, actor: Actor, *, now: datetime) -> datetime:
    """Return when the actor's shift began: by the roster, else when they last took over, else half a day ago."""
    shift = session.scalar(
        select(DutyShift.starts_at)
        .join(DutyPerson, DutyPerson.id == DutyShift.person_id)
        .where(DutyPerson.account_id == actor.id, DutyPerson.removed_at.is_(None))
        .where(DutyShift.starts_at <= now, DutyShift.ends_at > now)
        .order_by(DutyShift.starts_at)
        .limit(1)
    )
    if shift is not None:
        return shift
    taken = session.scalar(
        select(HandoverEntry.at)
        .where(HandoverEntry.confirms, HandoverEntry.by == actor.id, HandoverEntry.at > now - 2 * USUAL)
        .order_by(HandoverEntry.at.desc())
        .limit(1)
    )
    return taken or now - USUAL


def digest_of(code: str, name: str, began: datetime, written: datetime, happened: str, open_matters: str) -> str:
    """Return the SHA-256 of what was written."""
    parts = (code, name, str(round(began.timestamp())), str(round(written.timestamp())), happened, open_matters)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _with_entries(session: Session, found: Sequence[Handover]) -> list[Note]:
    query = select(HandoverEntry).where(HandoverEntry.handover_id.in_([note.id for note in found]))
    entries = session.scalars(query.order_by(HandoverEntry.at, HandoverEntry.id)).all()
    return [
        Note(
            note,
            [one for one in entries if one.handover_id == note.id],
            note.digest
            == digest_of(
                note.region_code,
                note.written_by_name,
                note.began_at,
                note.written_at,
                note.happened,
                note.open_matters,
            ),
        )
        for note in found
    ]


def _get(session: Session, actor: Actor, handover_id: UUID) -> Handover:
    note = session.get(Handover, handover_id)
    if note is None or not actor.may(Permission.SEE, note.region_path):
        raise NotFound("handover_unknown")
    return note


def _entry(
    session: Session, actor: Actor, note: Handover, text: str, *, confirms: bool, now: datetime
) -> HandoverEntry:  # fmt: skip
    entry = HandoverEntry(
        handover_id=note.id, at=now, by=actor.id, by_name=actor.name[:60], confirms=confirms, text=text
    )
    try:
        with session.begin_nested():
            session.add(entry)
    except IntegrityError:  # two arrived at once, or one pressed twice
        raise WrongState("handover_confirmed_already") from None
    return entry


def _words(text: str, field: str, *, needed: bool, most: int = LONGEST) -> str:
    words = text.strip()
    if needed and not words:
        raise BadInput("handover_text_missing", field=field)
    if len(words) > most:
        raise BadInput("text_too_long", field=field, most=most, over=len(words) - most)
    return words
