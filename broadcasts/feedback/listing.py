"""Complaints as the pages show them: lists by what somebody looks for, one with all around it, rows for Excel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast
from broadcasts.feedback import service
from broadcasts.feedback.kinds import ComplaintKind, ComplaintState
from broadcasts.feedback.linking import Said, lately
from broadcasts.feedback.models import Complaint, ComplaintStep
from hub.accounts import colleagues
from hub.accounts.colleagues import Colleague
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions import service as regions
from hub.regions.tree import village_of
from hub.speakers.care.models import Repair
from hub.speakers.models import Speaker, SpeakerState

MOST_EXPORTED = 5000
OFFERED = timedelta(days=2)
"""So far back broadcasts are offered to be named as the one that is meant."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for. `show`: open, mine, late, done or all."""

    show: str = "open"
    kind: ComplaintKind | None = None
    region: str = ""
    broadcast_id: UUID | None = None
    speaker_id: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One complaint with the names that belong to it."""

    complaint: Complaint
    place: str
    broadcast: str
    speaker: str


@dataclass(frozen=True, slots=True)
class Opened:
    """One complaint with everything around it."""

    line: Line
    steps: Sequence[ComplaintStep]
    people: Sequence[Colleague]
    speakers: Sequence[tuple[str, str]]
    said: Sequence[Said]
    repair: Repair | None
    """An open repair order of its loudspeaker."""
    may_sound: bool
    """The reader may change how its loudspeaker sounds."""
    may_report: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How many are open, and how many of those should have been dealt with."""

    open: int
    late: int
    new: int


def lines(
    session: Session, actor: Actor, wanted: Wanted, *, now: datetime, before: UUID | None = None, limit: int = 50
) -> list[Line]:
    """Return what somebody looks for, the newest first."""
    condition = service.visible(actor)
    if condition is None:
        return []
    query = select(Complaint).where(condition, *_matching(session, actor, wanted, now))
    if before is not None:
        query = query.where(Complaint.id < before)
    return described(session, session.scalars(query.order_by(Complaint.id.desc()).limit(limit)).all())


def _matching(session: Session, actor: Actor, wanted: Wanted, now: datetime) -> list[ColumnElement[bool]]:
    is_open = Complaint.state != ComplaintState.DONE
    found: list[ColumnElement[bool]] = {
        "open": [is_open],
        "mine": [is_open, Complaint.assigned_to == actor.id],
        "late": [is_open, Complaint.due_at < now],
        "done": [~is_open],
    }.get(wanted.show, [])
    if wanted.kind is not None:
        found.append(Complaint.kind == wanted.kind)
    if wanted.region:
        path = regions.get_region(session, actor, wanted.region, Permission.ANSWER).path
        found.append(Complaint.region_path.like(like_below(path)))
    if wanted.broadcast_id is not None:
        found.append(Complaint.broadcast_id == wanted.broadcast_id)
    if wanted.speaker_id:
        found.append(Complaint.speaker_id == wanted.speaker_id)
    return found


def counts(session: Session, actor: Actor, *, now: datetime) -> Counts:
    """Return what the actor has to deal with."""
    condition = service.visible(actor)
    if condition is None:
        return Counts(0, 0, 0)
    row = session.execute(
        select(
            func.count(),
            func.count().filter(Complaint.due_at < now),
            func.count().filter(Complaint.state == ComplaintState.NEW),
        ).where(condition, Complaint.state != ComplaintState.DONE)
    ).one()
    return Counts(*row)


def crying(session: Session, actor: Actor) -> list[Line]:
    """Return open complaints with words of danger."""
    condition = service.visible(actor)
    if condition is None:
        return []
    query = select(Complaint).where(condition, Complaint.urgent, Complaint.state != ComplaintState.DONE)
    return described(session, session.scalars(query.order_by(Complaint.id.desc()).limit(20)).all())


def described(session: Session, found: Sequence[Complaint]) -> list[Line]:
    """Return complaints with the names that belong to them."""
    titles = _titles(session, {c.broadcast_id for c in found if c.broadcast_id})
    horns = _horns(session, {c.speaker_id for c in found if c.speaker_id})
    places = {
        path: regions.full_name(session, path, without_county=True) if path else ""
        for path in {c.region_path for c in found}
    }
    return [
        Line(
            c,
            places[c.region_path],
            titles.get(c.broadcast_id, "") if c.broadcast_id else "",
            horns.get(c.speaker_id, c.speaker_id),
        )
        for c in found
    ]


def opened(session: Session, actor: Actor, complaint_id: UUID, *, now: datetime) -> Opened:
    """Return one complaint with what was done, and what can be done."""
    found = service.get(session, actor, complaint_id)
    (line,) = described(session, [found])
    horn = session.get(Speaker, found.speaker_id) if found.speaker_id else None
    there = horn.region_path if horn else found.region_path
    said = lately(session, found.region_path, at=found.received_at, within=OFFERED)
    repair = select(Repair).where(Repair.speaker_id == found.speaker_id, Repair.done_at.is_(None))
    may_sound = bool(horn) and actor.may(Permission.EDIT_SPEAKERS, there)
    return Opened(
        line=line,
        steps=service.steps_of(session, found.id),
        people=colleagues.who_may(session, Permission.ANSWER, found.region_path),
        speakers=_speakers_there(session, actor, found.region_path),
        said=said,
        repair=session.scalar(repair) if horn else None,
        may_sound=may_sound,
        may_report=bool(horn) and (may_sound or actor.may(Permission.COMPOSE, there)),
    )


def of_speaker(session: Session, actor: Actor, speaker: Speaker, *, limit: int) -> list[Complaint]:
    """Return complaints about one loudspeaker, or about its village as a whole, the newest first."""
    condition = service.visible(actor)
    if condition is None:
        return []
    whole = (Complaint.speaker_id == "") & Complaint.region_path.like(like_below(village_of(speaker.region_path)))
    query = select(Complaint).where(condition, (Complaint.speaker_id == speaker.id) | whole)
    return list(session.scalars(query.order_by(Complaint.id.desc()).limit(limit)))


def of_broadcast(session: Session, actor: Actor, broadcast_id: UUID) -> Mapping[ComplaintKind, int]:
    """Return how many complaints there are about a broadcast, by kind, where the actor may deal with them."""
    condition = service.visible(actor)
    if condition is None:
        return {}
    query = select(Complaint.kind, func.count().label("many")).where(condition, Complaint.broadcast_id == broadcast_id)
    return {row.kind: row.many for row in session.execute(query.group_by(Complaint.kind))}


def _titles(session: Session, ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    rows = session.execute(select(Broadcast.id, Broadcast.title).where(Broadcast.id.in_(ids)))
    return {row.id: row.title for row in rows}


def _horns(session: Session, ids: set[str]) -> dict[str, str]:
    if not ids:
        return {}
    rows = session.execute(select(Speaker.id, Speaker.name).where(Speaker.id.in_(ids)))
    return {row.id: row.name for row in rows}


def _speakers_there(session: Session, actor: Actor, path: str) -> list[tuple[str, str]]:
    if not path or not actor.may(Permission.SEE, path):
        return []
    query = select(Speaker.id, Speaker.name).where(
        Speaker.state == SpeakerState.ACTIVE,
        Speaker.drill.is_(False),
        Speaker.region_path.like(like_below(village_of(path))),
    )
    return [(row.id, row.name) for row in session.execute(query.order_by(Speaker.name, Speaker.id).limit(200))]
