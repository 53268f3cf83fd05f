"""An announcement on its way through its reviewers; a round begins with what is handed in, and ends with a verdict."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.lifecycle import State, step
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals import reviewing, versions
from broadcasts.approvals import service as approvals
from broadcasts.approvals.models import Opinion
from broadcasts.approvals.reviewing import Case
from broadcasts.approvals.rules import ANYBODY, Matter
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.regions import service as regions

REASON_LENGTH = 200


def case_of(announcement: Announcement) -> Case:
    """Return what a reviewer's verdict is about."""
    authors = {announcement.written_by, announcement.submitted_by}
    return Case(
        announcement_id=announcement.id,
        round=announcement.round,
        home_path=announcement.home_path,
        authors=frozenset(one for one in authors if one is not None),
        steps=tuple(announcement.steps),
        passed=announcement.step,
        content_hash=announcement.content_hash,
    )


def begin(session: Session, actor: Actor, announcement: Announcement, *, now: datetime) -> None:
    """Begin a new round: who has to look is settled now, and what they look at is kept."""
    announcement.round += 1
    announcement.step = 0
    announcement.steps = list(approvals.steps_needed(session, announcement.home_path, _matter(announcement)))
    _keep(session, announcement, actor.id or announcement.written_by, actor.name, now)


def pass_together(session: Session, actor: Actor, announcement: Announcement, *, now: datetime) -> None:
    """Note one reviewer's verdict on what was looked at as a part of something larger, which has rules of its own."""
    announcement.round, announcement.steps = 1, [ANYBODY]
    _keep(session, announcement, announcement.written_by, announcement.written_by_name, now)
    reviewing.give(session, actor, case_of(announcement), Opinion.PASSED, now=now)
    announcement.step = 1


def require_reviewer(actor: Actor, announcement: Announcement) -> None:
    """Raise NotAllowed for whoever may not approve there, or wrote it."""
    actor.require(Permission.APPROVE, announcement.home_path)
    if actor.id in (announcement.submitted_by, announcement.written_by):
        raise NotAllowed("own_announcement")


def void(announcement: Announcement) -> None:
    """Make it a draft again: whatever was said about it holds no more."""
    announcement.state = step(announcement.state, State.DRAFT)
    announcement.submitted_by = announcement.submitted_at = None
    announcement.approved_by = announcement.approved_at = None
    announcement.submitted_by_name = announcement.approved_by_name = announcement.content_hash = ""
    announcement.step = 0


def take_step(session: Session, actor: Actor, announcement: Announcement, *, now: datetime) -> bool:
    """Note that the actor passes it; return whether that was the last step."""
    _require_waiting(announcement)
    if content_hash(announcement) != announcement.content_hash:
        raise WrongState("announcement_changed_meanwhile")
    given = reviewing.give(session, actor, case_of(announcement), Opinion.PASSED, now=now)
    announcement.step += 1
    last = announcement.step >= len(announcement.steps)
    if not last or given.for_name:
        details = {"title": announcement.title, "number": announcement.step, "in_place_of": given.for_name}
        _note(session, actor, "announcement.pass", announcement, now, **details)
    return last


def refuse(
    session: Session, actor: Actor, announcement: Announcement, verdict: Opinion, reason: str, *, now: datetime
) -> None:
    """Note that the actor returns or rejects it."""
    _require_waiting(announcement)
    reviewing.give(session, actor, case_of(announcement), verdict, now=now, reason=reason)


def reject(session: Session, actor: Actor, announcement_id: UUID, reason: str, *, now: datetime) -> Announcement:
    """End it for good, saying why: it cannot be mended, only written anew."""
    announcement = _waiting(session, actor, announcement_id)
    require_reviewer(actor, announcement)
    reason = checked_reason(reason)
    refuse(session, actor, announcement, Opinion.REJECTED, reason, now=now)
    announcement.state = step(announcement.state, State.WITHDRAWN)
    announcement.return_reason, announcement.changed_at = reason, now
    _note(session, actor, "announcement.reject", announcement, now, title=announcement.title, reason=reason)
    return announcement


def reopen(
    session: Session, actor: Actor, announcement_id: UUID, *, timetable: Timetable, now: datetime
) -> Announcement:
    """Take one's own approved announcement back to change it: it leaves the timetable and needs approval anew."""
    announcement = _waiting(session, actor, announcement_id)
    if announcement.written_by != actor.id:
        raise NotAllowed("announcement_of_another")
    if announcement.state is State.APPROVED and announcement.when is When.NOW:
        raise WrongState("announcement_went_out")
    if announcement.state is not State.APPROVED:
        raise WrongState(f"announcement_{announcement.state.value}")
    timetable.unbook(session, announcement.id, now)
    void(announcement)
    announcement.version += 1
    announcement.changed_at = now
    _note(session, actor, "announcement.reopen", announcement, now, title=announcement.title)
    return announcement


def blocked(session: Session, actor: Actor, announcement: Announcement) -> str:
    """Return the code of what keeps the actor from the next verdict, empty when nothing does."""
    return reviewing.blocked(session, actor, case_of(announcement))


def require_untouched(session: Session, announcement: Announcement) -> None:
    """Raise WrongState unless what goes out is what every reviewer passed."""
    if content_hash(announcement) != announcement.content_hash:
        raise WrongState("announcement_changed_meanwhile")
    reviewing.require_passed(session, case_of(announcement))


def checked_reason(reason: str) -> str:
    """Return a reason as it is kept."""
    reason = reason.strip()
    if not reason:
        raise BadInput("reason_missing", field="reason")
    return reason[:REASON_LENGTH]


def _require_waiting(announcement: Announcement) -> None:
    if announcement.state is not State.SUBMITTED:
        raise WrongState(f"announcement_{announcement.state.value}")


def _waiting(session: Session, actor: Actor, announcement_id: UUID) -> Announcement:
    found = session.get(Announcement, announcement_id, with_for_update=True)
    if found is None or not actor.may(Permission.SEE, found.home_path):
        raise NotFound("announcement_unknown")
    return found


def _matter(announcement: Announcement) -> Matter:
    if announcement.relay_url:
        return Matter.RELAY
    if announcement.recording_sha256:
        return Matter.RECORDING
    return Matter.WORDS if announcement.audio_sha256 else Matter.TEXTS


def _keep(session: Session, announcement: Announcement, by_id: UUID, by_name: str, now: datetime) -> None:
    a = announcement
    versions.keep(session, a.id, a.round, _content(session, a), a.content_hash, by_id=by_id, by_name=by_name, now=now)


def _content(session: Session, announcement: Announcement) -> dict[str, Any]:
    """Return everything that shapes what people hear and read, for people to compare."""
    a = announcement
    codes = [str(code) for code in a.audience.get("regions", [])]
    names = regions.names(session, set(codes))
    return {
        "title": a.title,
        "text": a.text,
        "sms_text": a.sms_text,
        "theme": a.theme.value,
        "regions": [names.get(code, code) for code in codes],
        "audience": {key: value for key, value in a.audience.items() if key != "regions"},
        "voice": a.voice,
        "speed": a.speed,
        "repeats": a.repeats,
        "volume": a.volume,
        "when": a.when.value,
        "at": a.at.isoformat() if a.at else None,
        "daily_at": a.daily_at,
        "first_day": str(a.first_day or ""),
        "last_day": str(a.last_day or ""),
        "relay": f"{a.relay_url} {a.relay_minutes}".strip() if a.relay_url else "",
        "recording": a.recording_sha256[:12],
    }


def _note(session: Session, actor: Actor, deed: str, announcement: Announcement, now: datetime, **said: object) -> None:
    log.record(session, actor, deed, f"announcement:{announcement.id}", announcement.home_path, now, **said)
