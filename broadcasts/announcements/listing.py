"""What one person has written, what became of it, and what waits for approval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from broadcasts.announcements import review, service
from broadcasts.announcements.fitting import Verdict, first_time
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.outlook import Outlook, look
from broadcasts.announcements.playing import why_silent
from broadcasts.announcements.sounding import is_there, sounding_of
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals import reviewing
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.models import Review
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import may_see
from broadcasts.studio import Studio
from hub.core.actor import Actor, Permission
from hub.core.errors import NotAllowed, NotFound
from hub.regions import service as regions
from hub.web.paging import as_address

TABS: Mapping[str, tuple[State, ...]] = {
    "all": (State.DRAFT, State.SUBMITTED, State.RETURNED, State.APPROVED),
    "draft": (State.DRAFT,),
    "submitted": (State.SUBMITTED,),
    "returned": (State.RETURNED,),
    "approved": (State.APPROVED,),
    "withdrawn": (State.WITHDRAWN,),
}
PAGE = 20
MOST_CARDS = 50
MOST_BROADCASTS = 20


@dataclass(frozen=True, slots=True)
class Written:
    """One page of what somebody wrote; `next` is where the following page begins."""

    announcements: list[Announcement]
    next: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One announcement with everything that is known of it."""

    announcement: Announcement
    outlook: Outlook
    home: str
    own: bool
    broadcasts: list[Broadcast]
    next_at: datetime | None
    may_hear: bool
    may_withdraw: bool
    may_reopen: bool
    reviews: Sequence[Review]


@dataclass(frozen=True, slots=True)
class Card:
    """One announcement that waits. `blocked` is the code of what keeps it from being approved now."""

    announcement: Announcement
    outlook: Outlook
    home: str
    waited: timedelta
    own: bool
    blocked: str
    refusal: str
    """The code of what keeps this very person from the next verdict."""
    passed: Sequence[Review]
    """Who has passed it in this round."""


@dataclass(frozen=True)
class Looking:
    """What looking at an announcement needs besides the database."""

    studio: Studio
    rules: Rules
    timetable: Timetable
    now: datetime


def written(session: Session, actor: Actor, tab: str, after: tuple[datetime, UUID] | None) -> Written:
    """Return what the actor wrote, last changed first."""
    query = select(Announcement).where(Announcement.written_by == actor.id, Announcement.state.in_(TABS[tab]))
    if after is not None:
        query = query.where(tuple_(Announcement.changed_at, Announcement.id) < after)
    rows = list(session.scalars(query.order_by(Announcement.changed_at.desc(), Announcement.id.desc()).limit(PAGE + 1)))
    shown = rows[:PAGE]
    return Written(shown, as_address(shown[-1].changed_at, shown[-1].id) if len(rows) > PAGE else "")


def detail(session: Session, actor: Actor, announcement_id: UUID, looking: Looking) -> Detail:
    """Return one announcement that the actor wrote, answers for, or hears; another's draft does not exist."""
    found = session.get(Announcement, announcement_id)
    if found is None or not may_see(actor, found.home_path, Audience.from_json(found.audience)):
        raise NotFound("announcement_unknown")
    own = found.written_by == actor.id
    if found.state is State.DRAFT and not own:
        raise NotFound("announcement_unknown")
    next_at = _next(session, found, looking)
    over = found.state is State.WITHDRAWN or (found.state is State.APPROVED and next_at is None)
    return Detail(
        announcement=found,
        outlook=_outlook(session, found, looking),
        home=regions.full_name(session, found.home_path, without_county=True),
        own=own,
        broadcasts=_broadcasts(session, found.id),
        next_at=next_at,
        may_hear=may_hear(actor),
        may_withdraw=not over and (own or actor.may(Permission.STOP, found.home_path)),
        may_reopen=own and not over and found.state is State.APPROVED and found.when is not When.NOW,
        reviews=reviewing.of_round(session, found.id, found.round),
    )


def editable(session: Session, actor: Actor, announcement_id: UUID) -> Announcement:
    """Return the actor's own announcement; a draft of another does not exist, anything else is not theirs to change."""
    found = service.get(session, actor, announcement_id)
    if found.written_by == actor.id:
        return found
    if found.state is State.DRAFT:
        raise NotFound("announcement_unknown")
    raise NotAllowed("announcement_of_another")


def copyable(session: Session, actor: Actor, announcement_id: UUID) -> Announcement:
    """Return an announcement the actor may make a new one from."""
    found = service.get(session, actor, announcement_id)
    if found.state is State.DRAFT and found.written_by != actor.id:
        raise NotFound("announcement_unknown")
    return found


def cards(session: Session, actor: Actor, looking: Looking) -> list[Card]:
    """Return what waits where the actor may approve, the most pressing first."""
    return [_card(session, actor, found, looking) for found in service.waiting(session, actor)[:MOST_CARDS]]


def may_hear(actor: Actor) -> bool:
    """Return whether somebody may listen to recordings: whoever writes or approves."""
    return actor.may_somewhere(Permission.COMPOSE) or actor.may_somewhere(Permission.APPROVE)


def _card(session: Session, actor: Actor, found: Announcement, looking: Looking) -> Card:
    outlook = _outlook(session, found, looking)
    return Card(
        announcement=found,
        outlook=outlook,
        home=regions.full_name(session, found.home_path, without_county=True),
        waited=looking.now - (found.submitted_at or looking.now),
        own=actor.id in (found.written_by, found.submitted_by),
        refusal=review.blocked(session, actor, found),
        passed=reviewing.of_round(session, found.id, found.round),
        blocked=why_silent(session, found, looking.now, looking.rules.zone) or _blocked(found, outlook, looking),
    )


def _blocked(found: Announcement, outlook: Outlook, looking: Looking) -> str:
    if not is_there(looking.studio, found):
        return "sound_lost"
    match outlook.fit.verdict:
        case Verdict.PAST | Verdict.OVER | Verdict.MISSING:
            return "time_past_approval"
        case Verdict.QUIET:
            return "quiet_hours" if found.when is When.NOW else "quiet_hours_then"
        case _:
            return ""


def _outlook(session: Session, found: Announcement, looking: Looking) -> Outlook:
    draft = service.as_draft(found)
    sound = sounding_of(looking.studio, found, draft)
    return look(session, draft, sound, rules=looking.rules, timetable=looking.timetable, now=looking.now)


def _next(session: Session, found: Announcement, looking: Looking) -> datetime | None:
    if found.state is not State.APPROVED or found.when is When.NOW:
        return None
    planned = looking.timetable.next_of(session, found.id, looking.now)
    # The timetable plans a day and a half ahead; what comes later is known by its rule alone.
    later = first_time(service.as_draft(found), looking.rules.zone, looking.now)
    return planned or (later if later and later > looking.now else None)


def _broadcasts(session: Session, announcement_id: UUID) -> list[Broadcast]:
    query = select(Broadcast).where(Broadcast.announcement_id == announcement_id)
    return list(session.scalars(query.order_by(Broadcast.released_at.desc()).limit(MOST_BROADCASTS)))
