"""Reviews of announcements, for programs: what was handed in each time and what was said, and rejecting for good."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.announcements import history, review
from broadcasts.announcements.wire import AnnouncementOut
from broadcasts.approvals.history import Round
from broadcasts.approvals.models import Opinion
from broadcasts.approvals.rounds import REASON_LENGTH
from hub.web.api import Input, Output, answers, ms, room, say
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work

bp = room("reviews", "Who looked at an announcement before it went out.")


class ReviewedPath(Input):
    """Which announcement."""

    announcement_id: UUID


class Rejection(Input):
    """Why it ends."""

    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


class VerdictOut(Output):
    """What one reviewer said."""

    step: int
    verdict: Opinion
    reason: str
    reviewer: str
    in_place_of: str = Field(description="who was away; empty when the reviewer stood for themselves")
    content_hash: str
    at: int


class ReviewRoundOut(Output):
    """One time it was handed in."""

    round: int
    handed_in_by: str
    handed_in_at: int
    content_hash: str
    changed: list[str] = Field(description="names of what differs from the time before")
    verdicts: list[VerdictOut]

    @classmethod
    def of(cls, found: Round) -> "ReviewRoundOut":
        """Return a round for showing."""
        return cls(
            round=found.version.round,
            handed_in_by=found.version.by_name,
            handed_in_at=ms(found.version.at),
            content_hash=found.version.content_hash,
            changed=[change.name for change in found.changes],
            verdicts=[
                VerdictOut(
                    step=one.step,
                    verdict=one.verdict,
                    reason=one.reason,
                    reviewer=one.reviewer_name,
                    in_place_of=one.for_name,
                    content_hash=one.content_hash,
                    at=ms(one.at),
                )
                for one in found.reviews
            ],
        )


class Reviews(Output):
    """Every round, the newest first, and how many people the present one needs."""

    steps: int
    passed: int
    rounds: list[ReviewRoundOut]


@bp.get("/announcements/<uuid:announcement_id>/reviews", responses=answers(Reviews, 404))
def list_reviews(path: ReviewedPath) -> Response:
    """Say what was handed in each time and what was said to it."""
    with reading() as session:
        found = history.of(session, actor(), path.announcement_id)
    rounds = [ReviewRoundOut.of(one) for one in found.rounds]
    return say(Reviews(steps=len(found.announcement.steps), passed=found.announcement.step, rounds=rounds))


@bp.post("/announcements/<uuid:announcement_id>/reject", responses=answers(AnnouncementOut, 403, 404, 409))
@once
def reject_announcement(path: ReviewedPath, body: Rejection) -> Response:
    """End it for good, saying why."""
    with work() as session:
        found = review.reject(session, actor(), path.announcement_id, body.reason, now=now())
        return finish(session, AnnouncementOut.of(found))
