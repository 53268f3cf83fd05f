"""What the approvals desk has to say on the overview."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.announcements import review, service
from broadcasts.announcements.models import Announcement
from broadcasts.approvals import queue
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.queue import Queue
from broadcasts.delivery.desk import Waiting
from broadcasts.delivery.visibility import below
from hub.core.actor import Actor, Permission


def waiting(session: Session, actor: Actor, doors: Queue) -> Waiting:
    """Return what waits for this person's approval in all rooms; for who approves nothing, what waits for others'."""
    if not actor.may_somewhere(Permission.APPROVE):
        submitted = (Announcement.state == State.SUBMITTED) & below(actor, Announcement.home_path)
        count, oldest = session.execute(
            select(func.count(), func.min(Announcement.submitted_at)).where(submitted)
        ).one()
        return Waiting(count=count, mine=False, oldest_at=oldest)
    found = [a for a in service.waiting(session, actor) if not review.blocked(session, actor, a)]
    asked = queue.for_me(session, actor, doors, beside="announcements")
    others = [(one.subject.title, one.handed_in_at) for one in asked]
    handed_in = [a.submitted_at for a in found] + [at for _, at in others]
    first = found[0] if found else None
    title = first.title if first else others[0][0] if others else ""
    return Waiting(
        count=len(found) + len(others),
        mine=True,
        oldest_at=min((at for at in handed_in if at), default=None),
        next_title=title,
        next_at=first.at if first else None,
    )


def author(session: Session, announcement_id: UUID) -> str:
    """Return who wrote an announcement."""
    return session.scalar(select(Announcement.written_by_name).where(Announcement.id == announcement_id)) or ""
