"""Announcements that stand ready to be called for: approved as a part of something larger, by the same two people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements import filling, review
from broadcasts.announcements.drafting import Draft, content_hash
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.models import Review
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import NotAllowed


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote what is now approved, and when it was handed in."""

    id: UUID
    name: str
    submitted_at: datetime


def stand_ready(
    session: Session,
    approver: Actor,
    author: Author,
    draft: Draft,
    spoken: Spoken | None,
    *,
    verdicts: Sequence[Review],
    home_path: str,
    now: datetime,
) -> Announcement:
    """Make an approved announcement of words the approver, as the last one, has just agreed to. Never by their author.

    Its audience and words were checked when they were handed in, together with whatever calls for it.
    """
    approver.require(Permission.APPROVE, home_path)
    if approver.id == author.id:
        raise NotAllowed("own_announcement")
    announcement = Announcement(
        id=uuid7(),
        state=State.APPROVED,
        written_by=author.id,
        written_by_name=author.name,
        written_at=author.submitted_at,
        submitted_by=author.id,
        submitted_by_name=author.name,
        submitted_at=author.submitted_at,
        approved_by=approver.id,
        approved_by_name=approver.name,
        approved_at=now,
        changed_at=now,
    )
    filling.fill(announcement, draft.settled, home_path)
    filling.take_sound(announcement, spoken)
    announcement.content_hash = content_hash(announcement)
    session.add(announcement)
    session.flush()
    review.pass_together(session, announcement, verdicts, now=now)
    log.record(
        session,
        approver,
        "announcement.approve",
        f"announcement:{announcement.id}",
        home_path,
        now,
        title=announcement.title,
        content=announcement.content_hash,
    )
    return announcement
