"""What reviewers said, as ledgers write it down: who, when, in whose place, in which words."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.approvals.models import Opinion, Review, Version

COLUMNS = 3
"""初审, 复审, 终审."""
Round = tuple["Verdict", ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One reviewer's word. `number` is the step, 0 for a look afterwards."""

    number: int
    name: str
    in_place_of: str
    opinion: Opinion
    reason: str
    at: datetime


def verdict_of(review: Review) -> Verdict:
    """Return a row as a verdict."""
    return Verdict(review.step, review.reviewer_name, review.for_name, review.verdict, review.reason, review.at)


def passed(session: Session, subject_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Round]]:
    """Return by subject who passed it, one round after the other."""
    query = select(Review).where(Review.subject_id.in_(subject_ids), Review.verdict == Opinion.PASSED)
    found: dict[UUID, dict[int, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for review in session.scalars(query.order_by(Review.round, Review.step)):
        found[review.subject_id][review.round].append(verdict_of(review))
    return {key: [tuple(said) for said in rounds.values()] for key, rounds in found.items()}


def handed_in(session: Session, subject_ids: Collection[UUID]) -> Mapping[UUID, Sequence[tuple[datetime, str]]]:
    """Return by subject when it was handed in and by whom, one round after the other."""
    query = select(Version.subject_id, Version.at, Version.by_name).where(Version.subject_id.in_(subject_ids))
    found: dict[UUID, list[tuple[datetime, str]]] = defaultdict(list)
    for key, at, name in session.execute(query.order_by(Version.round)):
        found[key].append((at, name))
    return found


def handed_in_by(rounds: Sequence[tuple[datetime, str]], moment: datetime) -> str:
    """Return who handed in the last round that began by a moment."""
    return next((name for at, name in reversed(rounds) if at <= moment), "")


def column(number: int, steps: int) -> int:
    """Return under which of the field's three reviews a step stands: the last one is always 终审, 3."""
    return COLUMNS if number >= steps else number


def by_then(rounds: Sequence[Round], moment: datetime) -> Round:
    """Return the last round that was passed by a moment: what was passed later did not let this out."""
    return next((said for said in reversed(rounds) if all(one.at <= moment for one in said)), ())
