"""Every announcement of one's own part of the tree, page by page."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.approvals.lifecycle import State
from broadcasts.delivery.visibility import below
from hub.core.actor import Actor


def page(
    session: Session, actor: Actor, *, states: Sequence[State] = (), after: tuple[datetime, UUID] | None, limit: int
) -> list[Announcement]:
    """Return announcements the actor may see, last changed first; drafts only one's own.

    `after` is when the last one seen was changed, and its id.
    """
    query = select(Announcement).where(
        below(actor, Announcement.home_path),
        or_(Announcement.state != State.DRAFT, Announcement.written_by == actor.id),
    )
    if states:
        query = query.where(Announcement.state.in_(states))
    if after is not None:
        query = query.where(tuple_(Announcement.changed_at, Announcement.id) < after)
    return list(session.scalars(query.order_by(Announcement.changed_at.desc(), Announcement.id.desc()).limit(limit)))
