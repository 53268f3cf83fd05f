"""What of one room waits for one person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Subject
from hub.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Open:
    """One thing that waits for the actor to look at it."""

    id: UUID
    title: str
    home_path: str
    by_name: str
    since: datetime | None


def open_ones(session: Session, actor: Actor, waiting: Iterable[tuple[Subject, str, datetime | None]]) -> list[Open]:
    """Return which of a room's waiting things, each with who wrote it and since when it waits, are for the actor."""
    told = {subject.id: (subject, by_name, since) for subject, by_name, since in waiting}
    mine = rounds.open_to(session, actor, [subject for subject, _, _ in told.values()]) if told else set()
    return [
        Open(key, subject.title, subject.home_path, by_name, since)
        for key, (subject, by_name, since) in told.items()
        if key in mine
    ]
