"""From a form to an announcement: kept, kept while typing, submitted, and approved as it was seen; each once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.announcements import service
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.listing import Looking
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.sounding import is_there
from broadcasts.approvals.lifecycle import State
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from hub.core.actor import Actor
from hub.core.errors import WrongState

OPEN = frozenset({State.DRAFT, State.RETURNED})


def keep(session: Session, actor: Actor, announcement_id: UUID, draft: Draft, *, now: datetime) -> Announcement:
    """Save under the id a form carries, starting the draft at its first time: one form is one announcement."""
    if session.get(Announcement, announcement_id) is None:
        try:
            with session.begin_nested():
                return service.create(session, actor, draft, now=now, announcement_id=announcement_id)
        except IntegrityError:
            session.expire_all()  # the same form came twice, and the other was quicker
    return service.save(session, actor, announcement_id, draft, now=now)


def keep_open(session: Session, actor: Actor, announcement_id: UUID, draft: Draft, *, now: datetime) -> Announcement:
    """Save while somebody types. WrongState for what waits for approval: only an explicit save takes that back."""
    found = session.get(Announcement, announcement_id)
    if found is not None and found.written_by == actor.id and found.state not in OPEN:
        raise WrongState(f"announcement_{found.state.value}")
    return keep(session, actor, announcement_id, draft, now=now)


def hand_in(
    session: Session,
    actor: Actor,
    announcement_id: UUID,
    draft: Draft,
    spoken: Spoken | None,
    *,
    rules: Rules,
    now: datetime,
) -> Announcement:
    """Keep and submit in one. The same form sent twice is submitted once."""
    kept = keep(session, actor, announcement_id, draft, now=now)
    if kept.state in (State.SUBMITTED, State.APPROVED):
        return kept
    return service.submit(session, actor, announcement_id, spoken, rules=rules, now=now)


def approve_as_seen(
    session: Session,
    actor: Actor,
    announcement_id: UUID,
    looking: Looking,
    seen_hash: str,
    seen_step: int | None = None,
) -> Broadcast | None:
    """Approve what the approver had before them, if loudspeakers can still fetch its recording."""
    if not is_there(looking.studio, service.get(session, actor, announcement_id)):
        raise WrongState("sound_lost")
    return service.approve(
        session,
        actor,
        announcement_id,
        rules=looking.rules,
        timetable=looking.timetable,
        now=looking.now,
        seen_hash=seen_hash,
        seen_step=seen_step,
    )


def waits_for_more(session: Session, announcement_id: UUID) -> bool:
    """Return whether somebody else still has to look before it goes out."""
    return session.get_one(Announcement, announcement_id).state is State.SUBMITTED
