"""Handing in, passing on, returning, and asking once more before it goes out: the same for everything that is reviewed.

Handing in begins a round: what was handed in and who has to look are kept in a row nobody can change. Where a round
stands is read from that row and the verdicts on it, never from what the room itself has stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from broadcasts.approvals import reviewing, service
from broadcasts.approvals.models import Opinion, Review, Version
from broadcasts.approvals.reviewing import Case
from broadcasts.approvals.rules import ANYBODY, Matter
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, WrongState

REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """Something of a room that is reviewed. `content` is what people compare; it is needed for handing in only."""

    id: UUID
    matter: Matter
    title: str
    home_path: str
    authors: frozenset[UUID]
    content_hash: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far something has come, for who looks at it. `refusal` is the code of what keeps them from passing it."""

    step: int
    steps: int
    round: int
    passed: tuple[Review, ...]
    refusal: str

    @property
    def is_last(self) -> bool:
        """Whether nobody else has to look after this one."""
        return self.step + 1 >= self.steps

    @property
    def may_return(self) -> bool:
        """Whether this person may give it back: whoever passed it already may still think again."""
        return self.refusal in ("", "reviewed_already")


NOWHERE = Standing(step=0, steps=0, round=0, passed=(), refusal="not_handed_in")
"""What was never handed in."""


def begin(session: Session, actor: Actor, subject: Subject, *, now: datetime) -> Version:
    """Begin a round: who has to look is settled now, and what they look at is kept."""
    steps = service.steps_needed(session, subject.home_path, subject.matter)
    return _keep(session, subject, steps, actor.id, actor.name, now)


def agree(
    session: Session, subject: Subject, given: Sequence[Review], *, by_id: UUID, by_name: str, now: datetime
) -> Version:
    """Let verdicts on something larger count for a part of it, which nobody has to look at again."""
    version = _keep(session, subject, (ANYBODY,) * len(given), by_id, by_name, now)
    for one in given:
        session.add(
            Review(
                subject_id=subject.id,
                round=version.round,
                step=one.step,
                verdict=one.verdict,
                content_hash=subject.content_hash,
                reviewer_id=one.reviewer_id,
                reviewer_name=one.reviewer_name,
                for_id=one.for_id,
                for_name=one.for_name,
                at=one.at,
            )
        )
    session.flush()
    return version


def take_step(
    session: Session, actor: Actor, subject: Subject, *, now: datetime, seen_step: int | None = None
) -> tuple[Review, ...]:
    """Pass it. Return every verdict of the round if that was the last step, else nothing.

    `seen_step` is how many had passed it when the actor looked; if that changed meanwhile, nothing is passed.
    """
    case = _case_for_verdict(session, subject)
    if seen_step is not None and seen_step != case.passed:
        raise WrongState("reviewed_meanwhile")
    given = reviewing.give(session, actor, case, Opinion.PASSED, now=now)
    if case.is_last and not given.for_name:
        return (*case.reviews, given)
    log.record(
        session,
        actor,
        f"{_room(subject.matter)}.pass",
        f"{_room(subject.matter)}:{subject.id}",
        subject.home_path,
        now,
        title=subject.title,
        number=given.step,
        in_place_of=given.for_name,
    )
    return (*case.reviews, given) if case.is_last else ()


def refuse(
    session: Session, actor: Actor, subject: Subject, reason: str, *, now: datetime, verdict: Opinion = Opinion.RETURNED
) -> str:
    """Return or reject it; return the reason as it is kept."""
    words = reason.strip()[:REASON_LENGTH]
    if not words:
        raise BadInput("reason_missing", field="reason")
    reviewing.give(session, actor, _case_for_verdict(session, subject), verdict, now=now, reason=words)
    return words


def require_passed(session: Session, subject: Subject, code: str) -> None:
    """Raise WrongState unless everybody who had to look has passed exactly what goes out now."""
    if not is_passed(session, subject):
        raise WrongState(code)


def is_passed(session: Session, subject: Subject) -> bool:
    """Return whether everybody who had to look has passed exactly this."""
    case = cases(session, [subject]).get(subject.id)
    return case is not None and case.content_hash == subject.content_hash and reviewing.is_passed(case)


def was_passed(session: Session, subject: Subject) -> bool:
    """Return whether exactly this was passed by everybody who had to look, in whichever round that was.

    For what may hold again after a change that was begun and dropped.
    """
    same = select(Version).where(Version.subject_id == subject.id, Version.content_hash == subject.content_hash)
    for version in session.scalars(same.options(defer(Version.content))):
        if reviewing.is_passed(_case(subject, version, reviewing.of_round(session, subject.id, version.round))):
            return True
    return False


def standing(session: Session, actor: Actor, subject: Subject) -> Standing:
    """Return how far it has come."""
    case = cases(session, [subject]).get(subject.id)
    return NOWHERE if case is None else standing_of(actor, case)


def standing_of(actor: Actor, case: Case) -> Standing:
    """Return how far a round has come."""
    passed = tuple(one for one in case.reviews if one.verdict is Opinion.PASSED)
    return Standing(case.passed, max(len(case.steps), 1), case.round, passed, reviewing.blocked(actor, case))


def count_open(session: Session, actor: Actor, subjects: Sequence[Subject]) -> int:
    """Return how many of these wait for this very person; their rooms have made sure that they wait at all."""
    return len(open_to(session, actor, subjects))


def open_to(session: Session, actor: Actor, subjects: Sequence[Subject]) -> set[UUID]:
    """Return the ids of those that wait for this very person."""
    return {key for key, case in cases(session, subjects).items() if not reviewing.blocked(actor, case)}


def cases(session: Session, subjects: Sequence[Subject]) -> dict[UUID, Case]:
    """Return the present round of each subject that was ever handed in."""
    known = {subject.id: subject for subject in subjects}
    query = select(Version).where(Version.subject_id.in_(known)).options(defer(Version.content))
    latest = {version.subject_id: version for version in session.scalars(query.order_by(Version.round))}
    said: dict[UUID, list[Review]] = {}
    for one in session.scalars(select(Review).where(Review.subject_id.in_(known)).order_by(Review.step)):
        if one.round == latest[one.subject_id].round:
            said.setdefault(one.subject_id, []).append(one)
    return {key: _case(known[key], version, said.get(key, [])) for key, version in latest.items()}


def handed_in(session: Session, of: Sequence[Case]) -> dict[UUID, dict[str, Any]]:
    """Return what people looked at in each of these rounds."""
    keys = [(case.subject_id, case.round) for case in of]
    query = select(Version.subject_id, Version.content).where(tuple_(Version.subject_id, Version.round).in_(keys))
    return {subject_id: content for subject_id, content in session.execute(query)}  # noqa: C416 - a Row is no tuple


def latest(session: Session, subject_id: UUID) -> Version | None:
    """Return what was handed in last."""
    query = select(Version).where(Version.subject_id == subject_id).order_by(Version.round.desc()).limit(1)
    return session.scalar(query)


def _case_for_verdict(session: Session, subject: Subject) -> Case:
    case = cases(session, [subject]).get(subject.id)
    if case is None or case.content_hash != subject.content_hash:
        raise WrongState("announcement_changed_meanwhile")
    return case


def _case(subject: Subject, version: Version, said: Sequence[Review]) -> Case:
    return Case(
        subject_id=subject.id,
        round=version.round,
        home_path=version.home_path,
        authors=subject.authors | {version.by_id},
        steps=tuple(version.steps),
        content_hash=version.content_hash,
        reviews=tuple(said),
    )


def _keep(
    session: Session, subject: Subject, steps: Sequence[str], by_id: UUID | None, by_name: str, now: datetime
) -> Version:
    if by_id is None:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    before = latest(session, subject.id)
    version = Version(
        subject_id=subject.id,
        matter=subject.matter,
        title=subject.title[:60],
        home_path=subject.home_path,
        steps=list(steps),
        round=before.round + 1 if before else 1,
        content=dict(subject.content),
        content_hash=subject.content_hash,
        by_id=by_id,
        by_name=by_name[:40],
        at=now,
    )
    session.add(version)
    session.flush()
    return version


def _room(matter: Matter) -> str:
    rooms = (Matter.CAMPAIGN, Matter.SHEET, Matter.MATERIAL, Matter.ROSTER, Matter.PLAN)
    return matter.value if matter in rooms else "announcement"
