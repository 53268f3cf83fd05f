"""An announcement on its way through its reviewers; a round begins with what is handed in, and ends with a verdict."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.drafting import content_hash
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals import rounds
from broadcasts.approvals.lifecycle import State, step
from broadcasts.approvals.models import Opinion, Review, Version
from broadcasts.approvals.rounds import Subject
from broadcasts.approvals.rules import Matter
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.regions import service as regions


def subject_of(announcement: Announcement, content: dict[str, Any] | None = None) -> Subject:
    """Return what a reviewer's verdict is about."""
    authors = {announcement.written_by, announcement.submitted_by}
    return Subject(
        id=announcement.id,
        matter=_matter(announcement),
        title=announcement.title,
        home_path=announcement.home_path,
        authors=frozenset(one for one in authors if one is not None),
        content_hash=announcement.content_hash,
        content=content or {},
    )


def begin(session: Session, actor: Actor, announcement: Announcement, *, now: datetime) -> None:
    """Begin a new round: who has to look is settled now, and what they look at is kept."""
    subject = subject_of(announcement, _content(session, announcement))
    _stands(announcement, rounds.begin(session, actor, subject, now=now))


def pass_together(session: Session, announcement: Announcement, verdicts: Sequence[Review], *, now: datetime) -> None:
    """Let the verdicts on something larger, which has rules of its own, count for this part of it."""
    a = announcement
    subject = subject_of(a, _content(session, a))
    version = rounds.agree(session, subject, verdicts, by_id=a.written_by, by_name=a.written_by_name, now=now)
    _stands(announcement, version)
    announcement.step = len(version.steps)


def require_reviewer(actor: Actor, announcement: Announcement) -> None:
    """Raise NotAllowed for whoever may not approve there, or wrote it."""
    actor.require(Permission.APPROVE, announcement.home_path)
    if actor.id in (announcement.submitted_by, announcement.written_by):
        raise NotAllowed("own_announcement")


def void(announcement: Announcement) -> None:
    """Make it a draft again: whatever was said about it holds no more."""
    announcement.state = step(announcement.state, State.DRAFT, what="announcement")
    announcement.submitted_by = announcement.submitted_at = None
    announcement.approved_by = announcement.approved_at = None
    announcement.submitted_by_name = announcement.approved_by_name = announcement.content_hash = ""
    announcement.step = 0


def take_step(
    session: Session, actor: Actor, announcement: Announcement, *, now: datetime, seen_step: int | None = None
) -> bool:
    """Note that the actor passes it; return whether that was the last step."""
    _require_waiting(announcement)
    if content_hash(announcement) != announcement.content_hash:
        raise WrongState("announcement_changed_meanwhile")
    verdicts = rounds.take_step(session, actor, subject_of(announcement), now=now, seen_step=seen_step)
    announcement.step += 1
    return bool(verdicts)


def refuse(
    session: Session, actor: Actor, announcement: Announcement, verdict: Opinion, reason: str, *, now: datetime
) -> None:
    """Note that the actor returns or rejects it."""
    _require_waiting(announcement)
    rounds.refuse(session, actor, subject_of(announcement), reason, verdict=verdict, now=now)


def reject(session: Session, actor: Actor, announcement_id: UUID, reason: str, *, now: datetime) -> Announcement:
    """End it for good, saying why: it cannot be mended, only written anew."""
    announcement = _waiting(session, actor, announcement_id)
    require_reviewer(actor, announcement)
    reason = checked_reason(reason)
    refuse(session, actor, announcement, Opinion.REJECTED, reason, now=now)
    announcement.state = step(announcement.state, State.WITHDRAWN, what="announcement")
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
    return rounds.standing(session, actor, subject_of(announcement)).refusal


def count_open(session: Session, actor: Actor, waiting: Sequence[Announcement]) -> int:
    """Return how many of those that wait are for this very person to look at."""
    return rounds.count_open(session, actor, [subject_of(one) for one in waiting])


def require_untouched(session: Session, announcement: Announcement) -> None:
    """Raise WrongState unless what goes out is what every reviewer passed."""
    if content_hash(announcement) != announcement.content_hash:
        raise WrongState("announcement_changed_meanwhile")
    rounds.require_passed(session, subject_of(announcement), "announcement_changed_meanwhile")


def checked_reason(reason: str) -> str:
    """Return a reason as it is kept."""
    reason = reason.strip()
    if not reason:
        raise BadInput("reason_missing", field="reason")
    return reason[: rounds.REASON_LENGTH]


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


def _stands(announcement: Announcement, version: Version) -> None:
    announcement.round, announcement.steps, announcement.step = version.round, list(version.steps), 0


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
        "issuer": " ".join(part for part in (a.issuer, a.issuer_ref) if part),
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
