"""领导审批: everything that was handed in in a period, who said what to it, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from broadcasts.alerts.models import Alert
from broadcasts.approvals.models import AfterReview, Opinion, Review, Version
from broadcasts.delivery.models import Broadcast
from broadcasts.kinds import Mode
from broadcasts.reports.counted import Window
from broadcasts.reports.verdicts import Verdict, verdict_of
from hub.core.actor import Actor
from hub.core.db import like_below
from hub.regions import service as regions

MOST = 3_000
EMERGENCY = "emergency"
"""What an emergency is called among the matters: it is looked at afterwards."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: what was handed in, the verdicts, and the broadcast whose receipts it led to, if it led to one."""

    subject_id: UUID
    matter: str
    title: str
    place: str
    handed_in_by: str
    handed_in_at: datetime
    round: int
    steps: int
    verdicts: tuple[Verdict, ...]
    broadcasts: int
    broadcast_id: UUID | None

    @property
    def outcome(self) -> str:
        """What came of it: passed, returned, rejected or waiting."""
        said = {verdict.opinion for verdict in self.verdicts}
        for opinion in (Opinion.REJECTED, Opinion.RETURNED):
            if opinion in said:
                return opinion.value
        return Opinion.PASSED.value if len(self.verdicts) >= self.steps else "waiting"


def entries(session: Session, actor: Actor, code: str, window: Window) -> list[Entry]:
    """Return the ledger of a place the actor may see, oldest first. Raises NotFound."""
    path = regions.get_region(session, actor, code).path
    found = [*_handed_in(session, path, window), *_afterwards(session, path, window)]
    return sorted(found, key=lambda entry: (entry.handed_in_at, entry.title))


def _handed_in(session: Session, path: str, window: Window) -> list[Entry]:
    query = (
        select(Version)
        .where(Version.at >= window.start, Version.at < window.end, Version.home_path.like(like_below(path)))
        .options(defer(Version.content))
        .order_by(Version.at)
        .limit(MOST)
    )
    versions = session.scalars(query).all()
    keys = {version.subject_id for version in versions}
    said: dict[tuple[UUID, int], list[Review]] = {}
    for review in session.scalars(select(Review).where(Review.subject_id.in_(keys)).order_by(Review.at, Review.step)):
        said.setdefault((review.subject_id, review.round), []).append(review)
    sent = _sent(session, keys)
    places = regions.names(session, {_code(version.home_path) for version in versions})
    return [
        Entry(
            subject_id=version.subject_id,
            matter=version.matter.value,
            title=version.title,
            place=places.get(_code(version.home_path), ""),
            handed_in_by=version.by_name,
            handed_in_at=version.at,
            round=version.round,
            steps=len(version.steps),
            verdicts=tuple(verdict_of(one) for one in said.get((version.subject_id, version.round), [])),
            broadcasts=sent.get(version.subject_id, (0, None))[0],
            broadcast_id=sent.get(version.subject_id, (0, None))[1],
        )
        for version in versions
    ]


def _sent(session: Session, keys: set[UUID]) -> dict[UUID, tuple[int, UUID | None]]:
    found: dict[UUID, tuple[int, UUID | None]] = {}
    query = select(Broadcast.announcement_id, Broadcast.id).where(Broadcast.announcement_id.in_(keys))
    for announcement_id, broadcast_id in session.execute(query.order_by(Broadcast.released_at)):
        if announcement_id is not None:
            found[announcement_id] = (found.get(announcement_id, (0, None))[0] + 1, broadcast_id)
    return found


def _afterwards(session: Session, path: str, window: Window) -> list[Entry]:
    query = (
        select(Alert, AfterReview)
        .outerjoin(AfterReview, AfterReview.broadcast_id == Alert.broadcast_id)
        .where(
            Alert.mode == Mode.LIVE,
            Alert.broadcast_id.is_not(None),
            func.coalesce(Alert.fired_at, Alert.armed_at) >= window.start,
            func.coalesce(Alert.fired_at, Alert.armed_at) < window.end,
            Alert.home_path.like(like_below(path)),
        )
        .limit(MOST)
    )
    rows = [(alert, review) for alert, review in session.execute(query)]
    places = regions.names(session, {_code(alert.home_path) for alert, _ in rows})
    return [_emergency(alert, review, places.get(_code(alert.home_path), "")) for alert, review in rows]


def _emergency(alert: Alert, review: AfterReview | None, place: str) -> Entry:
    opinion = Opinion.PASSED if review is not None and review.proper else Opinion.REJECTED
    verdicts: Sequence[Verdict] = ()
    if review is not None:
        verdicts = (Verdict(0, review.reviewer_name, review.for_name, opinion, review.note, review.at),)
    return Entry(
        subject_id=alert.id,
        matter=EMERGENCY,
        title=alert.title,
        place=place,
        handed_in_by=alert.armed_by_name,
        handed_in_at=alert.fired_at or alert.armed_at,
        round=1,
        steps=1,
        verdicts=tuple(verdicts),
        broadcasts=1,
        broadcast_id=alert.broadcast_id,
    )


def _code(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
