"""Every version of an announcement that was handed in, how it differs from the one before, and what was said to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.lifecycle import State
from broadcasts.announcements.models import Announcement
from broadcasts.approvals import reviewing, versions
from broadcasts.approvals.models import Review, Version
from broadcasts.approvals.versions import Change
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Round:
    """One time it was handed in."""

    version: Version
    changes: tuple[Change, ...]
    reviews: Sequence[Review]


@dataclass(frozen=True, slots=True)
class History:
    """An announcement and its rounds, the newest first."""

    announcement: Announcement
    rounds: tuple[Round, ...]


def of(session: Session, actor: Actor, announcement_id: UUID) -> History:
    """Return the history of an announcement the actor may see; another's draft does not exist."""
    found = session.get(Announcement, announcement_id)
    if found is None or not actor.may(Permission.SEE, found.home_path):
        raise NotFound("announcement_unknown")
    if found.state is State.DRAFT and found.written_by != actor.id and not found.round:
        raise NotFound("announcement_unknown")
    kept, said = versions.of(session, announcement_id), reviewing.of_all(session, announcement_id)
    rounds = []
    for number, version in enumerate(kept):
        changed = versions.changes(kept[number - 1].content, version.content) if number else ()
        rounds.append(Round(version, changed, [one for one in said if one.round == version.round]))
    return History(found, tuple(reversed(rounds)))
