"""Every version of something that was handed in, how it differs from the one before, and what was said to it."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.approvals import versions
from broadcasts.approvals.models import Review, Version
from broadcasts.approvals.versions import Change
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Round:
    """One time it was handed in."""

    version: Version
    changes: tuple[Change, ...]
    reviews: tuple[Review, ...]


def rounds(session: Session, subject_ids: Collection[UUID]) -> tuple[Round, ...]:
    """Return the rounds of a subject, or of several that follow each other, the newest first."""
    kept = versions.of(session, subject_ids)
    said = session.scalars(select(Review).where(Review.subject_id.in_(subject_ids)).order_by(Review.step)).all()
    found = []
    for number, version in enumerate(kept):
        changed = versions.changes(kept[number - 1].content, version.content) if number else ()
        mine = (one for one in said if (one.subject_id, one.round) == (version.subject_id, version.round))
        found.append(Round(version, changed, tuple(mine)))
    return tuple(reversed(found))


def of(session: Session, actor: Actor, subject_id: UUID) -> tuple[Round, ...]:
    """Return the rounds of something that was handed in in the actor's part; anything else does not exist."""
    found = rounds(session, [subject_id])
    if not found or not actor.may(Permission.SEE, found[0].version.home_path):
        raise NotFound("nothing_handed_in")
    return found
