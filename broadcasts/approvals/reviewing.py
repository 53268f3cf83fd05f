"""Give a verdict: never on one's own words, nobody twice, not for somebody who wrote them either."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.approvals.models import Opinion, Review
from broadcasts.approvals.rules import ANYBODY
from hub.core.actor import Actor, Permission, Scope
from hub.core.errors import NotAllowed, WrongState


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict is about. `steps` are the roles its reviewers need, `reviews` what was said in this round."""

    subject_id: UUID
    round: int
    home_path: str
    authors: frozenset[UUID]
    steps: tuple[str, ...]
    content_hash: str
    reviews: tuple[Review, ...] = ()

    @property
    def passed(self) -> int:
        """How many steps have been taken."""
        return sum(1 for one in self.reviews if one.verdict is Opinion.PASSED)

    @property
    def is_last(self) -> bool:
        """Whether nobody else has to look after the next reviewer."""
        return self.passed + 1 >= len(self.steps)


def stand_for(actor: Actor, case: Case) -> Scope:
    """Return the right by which the actor may give the next verdict; NotAllowed says why there is none."""
    actor.require(Permission.APPROVE, case.home_path)
    if actor.id is None or actor.id in case.authors:
        raise NotAllowed("own_announcement")
    spent = _spent(case)
    if actor.id in spent:
        raise NotAllowed("reviewed_already")
    held = [s for s in actor.scopes if Permission.APPROVE in s.permissions and case.home_path.startswith(s.path)]
    fitting = [s for s in held if _needed(case) in (ANYBODY, s.role)]
    if not fitting:
        raise NotAllowed("review_of_another_role")
    free = [s for s in fitting if s.for_id is None or s.for_id not in case.authors | spent]
    if not free:
        raise NotAllowed("review_for_author" if fitting[0].for_id in case.authors else "review_for_reviewer")
    return min(free, key=lambda scope: scope.for_id is not None)


def stand_against(actor: Actor, case: Case) -> Scope:
    """Return the right by which the actor may return or reject it: whoever passed it already may think again."""
    mine = next((one for one in case.reviews if one.reviewer_id == actor.id), None)
    if mine is None or actor.id in case.authors:
        return stand_for(actor, case)
    actor.require(Permission.APPROVE, case.home_path)
    held = [s for s in actor.scopes if Permission.APPROVE in s.permissions and case.home_path.startswith(s.path)]
    return min(held, key=lambda scope: scope.for_id is not None)


def blocked(actor: Actor, case: Case) -> str:
    """Return the code of what keeps the actor from giving the next verdict, empty when nothing does."""
    if actor.id in case.authors:
        return "own_announcement"
    try:
        stand_for(actor, case)
    except NotAllowed as refused:
        return refused.code
    return ""


def give(session: Session, actor: Actor, case: Case, verdict: Opinion, *, now: datetime, reason: str = "") -> Review:
    """Note a verdict. Of two that come at once for one step the second is refused by the table's own key."""
    right = stand_for(actor, case) if verdict is Opinion.PASSED else stand_against(actor, case)
    if actor.id is None:
        raise NotAllowed("own_announcement")
    review = Review(
        subject_id=case.subject_id,
        round=case.round,
        step=case.passed + 1,
        verdict=verdict,
        reason=reason,
        content_hash=case.content_hash,
        reviewer_id=actor.id,
        reviewer_name=actor.name[:40],
        for_id=right.for_id,
        for_name=right.for_name[:40],
        at=now,
    )
    try:
        with session.begin_nested():
            session.add(review)
    except IntegrityError:
        raise WrongState("reviewed_meanwhile") from None
    return review


def is_passed(case: Case) -> bool:
    """Return whether every step was passed for exactly this content, by as many people, none of them an author.

    Verdicts cannot be changed in the database, so whoever changes something behind the hub's back, its hash included,
    still finds no verdict for it.
    """
    passed = [one for one in case.reviews if one.verdict is Opinion.PASSED and one.content_hash == case.content_hash]
    people = {one.reviewer_id for one in passed} - case.authors
    return len(passed) >= max(len(case.steps), 1) and len(people) == len(passed)


def of_round(session: Session, subject_id: UUID, round_: int) -> Sequence[Review]:
    """Return the verdicts of one round in their order."""
    query = select(Review).where(Review.subject_id == subject_id, Review.round == round_)
    return session.scalars(query.order_by(Review.step)).all()


def _needed(case: Case) -> str:
    return case.steps[case.passed] if case.passed < len(case.steps) else ANYBODY


def _spent(case: Case) -> frozenset[UUID]:
    """Return whose eyes have been used in this round, those of the absent included."""
    return frozenset({r.reviewer_id for r in case.reviews} | {r.for_id for r in case.reviews if r.for_id})
