"""待审批 of all rooms as one list, for programs; the verdicts are given by each room's own verbs."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.approvals import queue
from broadcasts.approvals.queue import Queue
from broadcasts.approvals.rules import Matter
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.web.api import Output, answers, ms, room, say
from hub.web.guards import permission_required
from hub.web.work import actor, reading

bp = room("queue", "Everything that waits for reviewers.")


class ToReviewOut(Output):
    """One thing that waits for a verdict."""

    id: UUID
    matter: Matter
    title: str
    region: str = Field(description="the smallest region that holds all of it")
    handed_in_by: str
    handed_in_at: int
    round: int = Field(description="how many times it was handed in")
    step: int = Field(description="how many have passed it")
    steps: int = Field(description="how many have to")
    content_hash: str = Field(description="what an approval is of")
    refusal: str = Field(description="what keeps the caller from the next verdict, as an error code; empty: nothing")
    verbs: str = Field(description="where its verbs are: `…/approve` (plans: `…/sign`) and `…/return` below this")


class WaitingList(Output):
    """What waits where the caller may approve, the longest first."""

    items: list[ToReviewOut]


@bp.get("/reviews", responses=answers(WaitingList, 403))
@permission_required(Permission.APPROVE)
def list_waiting() -> Response:
    """List what waits for reviewers: announcements, campaigns, sheets, rosters, the library, plans."""
    with reading() as session:
        found = queue.waiting(session, actor(), runtime().get(Queue))
    return say(
        WaitingList(
            items=[
                ToReviewOut(
                    id=line.subject.id,
                    matter=line.subject.matter,
                    title=line.subject.title,
                    region=line.region,
                    handed_in_by=line.handed_in_by,
                    handed_in_at=ms(line.handed_in_at),
                    round=line.standing.round,
                    step=line.standing.step,
                    steps=line.standing.steps,
                    content_hash=line.subject.content_hash,
                    refusal=line.standing.refusal,
                    verbs=f"/api/v1/{line.desk.room}/{line.subject.id}",
                )
                for line in found
            ]
        )
    )
