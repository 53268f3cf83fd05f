"""What the approvals desk has to say on the overview."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.announcements import review, service
from broadcasts.announcements.lifecycle import State
from broadcasts.announcements.models import Announcement
from broadcasts.approvals.rooms import Rooms
from broadcasts.delivery.desk import Waiting
from broadcasts.delivery.visibility import below
from hub.core.actor import Actor, Permission
from hub.regions import service as regions


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is reviewed on a page of its own room."""

    label: str
    title: str
    home: str
    by_name: str
    since: datetime | None
    href: str


def elsewhere(session: Session, actor: Actor, rooms: Rooms) -> list[Line]:
    """Return what waits for this person in other rooms, what waits longest first."""
    return [
        Line(
            label=str(one.room.label),
            title=one.open.title,
            home=regions.full_name(session, one.open.home_path, without_county=True),
            by_name=one.open.by_name,
            since=one.open.since,
            href=one.room.address(one.open.id),
        )
        for one in rooms.open_to(session, actor)
    ]


def waiting(session: Session, actor: Actor, rooms: Rooms) -> Waiting:
    """Return what waits for this person's approval in all rooms; for who approves nothing, what waits for others'."""
    if not actor.may_somewhere(Permission.APPROVE):
        submitted = (Announcement.state == State.SUBMITTED) & below(actor, Announcement.home_path)
        count, oldest = session.execute(
            select(func.count(), func.min(Announcement.submitted_at)).where(submitted)
        ).one()
        return Waiting(count=count, mine=False, oldest_at=oldest)
    found = [a for a in service.waiting(session, actor) if not review.blocked(session, actor, a)]
    others = rooms.open_to(session, actor)
    handed_in = [a.submitted_at for a in found] + [one.open.since for one in others]
    first = found[0] if found else None
    title = first.title if first else others[0].open.title if others else ""
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
