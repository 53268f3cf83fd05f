"""Open an incident or join the one that goes on, note where it was heard of, close it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts.incidents.models import Incident, IncidentNote, IncidentSource, IncidentState, SourceKind
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Colour, Mode
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, WrongState
from hub.regions.tree import codes_in, common, outermost, path_of

SAME_EVENT_FOR: Final = timedelta(hours=12)
"""So long after something last happened in it, a new report of the same hazard still belongs to an open incident."""
LONGEST_NOTE: Final = 500
_GRAVEST: Final = tuple(Colour)


@dataclass(frozen=True, slots=True)
class Heard:
    """One report of an event: who says so, under which number."""

    kind: SourceKind = SourceKind.OWN
    issuer: str = ""
    reference: str = ""
    title: str = ""
    document_id: UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """What an incident is about. `regions` are codes."""

    hazard: str
    colour: Colour
    title: str
    regions: tuple[str, ...]
    mode: Mode = Mode.LIVE

    @property
    def paths(self) -> tuple[str, ...]:
        """The outermost paths that are meant."""
        return Audience(self.regions).paths


def open_or_join(session: Session, event: Event, heard: Heard, *, by_name: str, now: datetime) -> Incident:
    """Return the incident of this event: the one that goes on there, made graver and wider, or a new one.

    Checks no permission: whoever reports an event has been asked for theirs.
    """
    found = going_on(session, event, now=now)
    if found is None:
        found = Incident(
            mode=event.mode,
            hazard=event.hazard,
            colour=event.colour,
            title=event.title,
            home_path=common(list(event.paths)),
            regions=list(Audience(event.regions).checked().regions),
            opened_at=now,
            opened_by_name=by_name[:60],
            touched_at=now,
        )
        session.add(found)
        session.flush()
    else:
        _widen(found, event, now)
    note_source(session, found, heard, event.colour, now=now)
    return found


def going_on(session: Session, event: Event, *, now: datetime) -> Incident | None:
    """Return the open incident of the same hazard and mode whose area meets this one's, the latest first."""
    rows = session.scalars(
        select(Incident)
        .where(
            Incident.state == IncidentState.OPEN,
            Incident.mode == event.mode,
            Incident.hazard == event.hazard,
            Incident.touched_at > now - SAME_EVENT_FOR,
        )
        .order_by(Incident.opened_at.desc())
    )
    paths = event.paths
    return next((row for row in rows if _meets([path_of(code) for code in row.regions], paths)), None)


def touch(session: Session, incident_id: UUID | None, event: Event, *, now: datetime) -> None:
    """Note that something happened in it: graver, wider, later."""
    found = session.get(Incident, incident_id) if incident_id else None
    if found is not None:
        _widen(found, event, now)


def note_source(
    session: Session, incident: Incident, heard: Heard, colour: Colour | None, *, now: datetime
) -> IncidentSource:
    """Note where the event was heard of; the same reference of the same issuer is noted once."""
    known = session.scalar(
        select(IncidentSource).where(
            IncidentSource.incident_id == incident.id,
            IncidentSource.kind == heard.kind,
            IncidentSource.issuer == heard.issuer,
            IncidentSource.reference == heard.reference,
        )
    )
    if known is not None:
        return known
    source = IncidentSource(
        incident_id=incident.id,
        kind=heard.kind,
        issuer=heard.issuer,
        reference=heard.reference,
        title=heard.title,
        colour=colour,
        document_id=heard.document_id,
        details=heard.details,
        received_at=now,
    )
    session.add(source)
    session.flush()
    return source


def get(session: Session, actor: Actor, incident_id: UUID) -> Incident:
    """Return an incident the actor may see; to a stranger it does not exist."""
    found = session.get(Incident, incident_id)
    if found is None or not may(actor, Permission.SEE, found):
        raise NotFound("incident_unknown")
    return found


def may(actor: Actor, permission: Permission, incident: Incident) -> bool:
    """Return whether the actor holds a permission somewhere in it: an incident of two townships is seen by both."""
    return any(actor.may(permission, path_of(code)) for code in incident.regions)


def page(
    session: Session,
    actor: Actor,
    *,
    mode: Mode,
    open_only: bool = False,
    limit: int = 50,
    before: datetime | None = None,
) -> list[Incident]:
    """Return incidents the actor may see, the latest first."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return []
    above = {ancestor for path in paths for ancestor in _ancestors(path)}
    query = (
        select(Incident)
        .where(
            Incident.mode == mode,
            or_(*(Incident.home_path.like(like_below(path)) for path in paths), Incident.home_path.in_(above)),
        )
        .order_by(Incident.opened_at.desc())
    )
    if open_only:
        query = query.where(Incident.state == IncidentState.OPEN)
    if before is not None:
        query = query.where(Incident.opened_at < before)
    found: list[Incident] = []
    for incident in session.scalars(query.execution_options(yield_per=100)):
        if may(actor, Permission.SEE, incident):
            found.append(incident)
        if len(found) == limit:
            break
    return found


def close(session: Session, actor: Actor, incident_id: UUID, *, now: datetime) -> Incident:
    """Note that it is over. Twice is once."""
    found = get(session, actor, incident_id)
    _require(actor, Permission.EMERGENCY if found.mode is Mode.LIVE else Permission.DRILL, found)
    if found.state is IncidentState.CLOSED:
        return found
    found.state, found.closed_at, found.closed_by_name = IncidentState.CLOSED, now, actor.name
    log.record(session, actor, "incident.close", f"incident:{found.id}", found.home_path, now, title=found.title)
    return found


def add_note(session: Session, actor: Actor, incident_id: UUID, text: str, *, now: datetime) -> IncidentNote:
    """Write something down in its time line."""
    found = get(session, actor, incident_id)
    _require(actor, Permission.STOP, found)
    words = text.strip()
    if not words:
        raise BadInput("note_missing", field="text")
    if len(words) > LONGEST_NOTE:
        raise BadInput("note_too_long", field="text", most=LONGEST_NOTE, over=len(words) - LONGEST_NOTE)
    if found.state is IncidentState.CLOSED:
        raise WrongState("incident_closed")
    note = IncidentNote(incident_id=found.id, at=now, by_name=actor.name, text=words)
    session.add(note)
    session.flush()
    log.record(session, actor, "incident.note", f"incident:{found.id}", found.home_path, now)
    return note


def _require(actor: Actor, permission: Permission, incident: Incident) -> None:
    if not may(actor, permission, incident):
        actor.require(permission, incident.home_path)


def _widen(incident: Incident, event: Event, now: datetime) -> None:
    graver = min(incident.colour, event.colour, key=_GRAVEST.index)
    if graver is not incident.colour:
        incident.colour, incident.title = graver, event.title
    paths = outermost([*(path_of(code) for code in incident.regions), *event.paths])
    incident.regions = [codes_in(path)[-1] for path in paths]
    incident.home_path = common(paths)
    incident.touched_at = now


def _meets(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    return any(a.startswith(b) or b.startswith(a) for a in ours for b in theirs)


def _ancestors(path: str) -> list[str]:
    codes = codes_in(path)
    return ["", *("/".join(codes[:n]) + "/" for n in range(1, len(codes)))]
