"""An announcement with every version that was handed in and what was said to it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.approvals import history
from broadcasts.approvals.history import Round
from broadcasts.approvals.lifecycle import State
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound


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
    return History(found, history.rounds(session, [announcement_id]))
