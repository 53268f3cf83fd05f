"""Everything that waits for reviewers, of all rooms, as one list."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from broadcasts.approvals import rounds
from broadcasts.approvals.models import Version
from broadcasts.approvals.rounds import Standing, Subject
from hub.core.actor import Actor
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.regions.tree import codes_in


@dataclass(frozen=True, slots=True)
class Desk:
    """One room: what waits there where somebody may approve, and where one of it is looked at.

    `room` is how its verbs are addressed (`/api/v1/<room>/<id>/…`), `endpoint` its page and `argument` what that takes.
    """

    room: str
    endpoint: str
    argument: str
    waiting: Callable[[Session, Actor], Sequence[Subject]]


@dataclass
class Queue:
    """The desks of a running hub; every room adds its own."""

    desks: list[Desk] = field(default_factory=list)

    def add(self, desk: Desk) -> None:
        """Ask this one too."""
        self.desks.append(desk)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits: what it is, who handed it in, how far it has come for whoever asks."""

    desk: Desk
    subject: Subject
    place: str
    region: str
    handed_in_by: str
    handed_in_at: datetime
    standing: Standing


def waiting(session: Session, actor: Actor, queue: Queue, *, beside: str = "") -> list[Waiting]:
    """Return what waits where the actor may approve, the longest first; without one room, if it is named."""
    found = [(desk, one) for desk in queue.desks if desk.room != beside for one in desk.waiting(session, actor)]
    cases = rounds.cases(session, [one for _, one in found])
    handed = _handed_in(session, [one.id for _, one in found])
    names = regions.names(session, {codes_in(one.home_path)[-1] for _, one in found})
    lines = [
        Waiting(
            desk=desk,
            subject=one,
            place=names.get(codes_in(one.home_path)[-1], ""),
            region=codes_in(one.home_path)[-1],
            handed_in_by=handed[one.id][0],
            handed_in_at=handed[one.id][1],
            standing=rounds.standing_of(actor, cases[one.id]),
        )
        for desk, one in found
        if one.id in cases
    ]
    return sorted(lines, key=lambda line: line.handed_in_at)


def for_me(session: Session, actor: Actor, queue: Queue, *, beside: str = "") -> list[Waiting]:
    """Return what waits for this very person's verdict."""
    return [line for line in waiting(session, actor, queue, beside=beside) if not line.standing.refusal]


def count(session: Session, actor: Actor, queue: Queue) -> int:
    """Return how much waits for this person in all rooms."""
    mine = [one for desk in queue.desks for one in desk.waiting(session, actor)]
    return rounds.count_open(session, actor, mine)


def badge(session: Session, actor: Actor) -> int:
    """Return the same for the menu of a page."""
    return count(session, actor, runtime().get(Queue))


def _handed_in(session: Session, ids: Sequence[UUID]) -> dict[UUID, tuple[str, datetime]]:
    query = select(Version).where(Version.subject_id.in_(ids)).options(defer(Version.content))
    return {one.subject_id: (one.by_name, one.at) for one in session.scalars(query.order_by(Version.round))}
