"""Answers from the spot, for programs such as the app of grid workers."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.delivery import service as delivery
from broadcasts.hearing import service, tallies
from broadcasts.hearing.models import HearingVerdict, HearingWay
from hub.core.actor import Permission
from hub.speakers.clarity import NOTHING
from hub.web.api import Input, Output, RegionCode, answers, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work

bp = room("hearing", "Whether people on the spot heard a broadcast.")


class HearingPath(Input):
    """Of which broadcast."""

    broadcast_id: UUID


class HearingIn(Input):
    """What somebody heard."""

    region: RegionCode
    verdict: HearingVerdict
    speaker: str = Field("", max_length=32, description="the loudspeaker they stood by; empty = the place as a whole")


class HearingOut(Output):
    """How many answers said what, where the caller sees."""

    heard: int
    unclear: int
    silent: int
    share: float | None = Field(description="heard ÷ all; null = nobody has answered")


@bp.get("/broadcasts/<uuid:broadcast_id>/hearing", responses=answers(HearingOut, 403, 404))
@permission_required(Permission.SEE)
def get_hearing(path: HearingPath) -> Response:
    """Count the answers to a broadcast."""
    with reading() as session:
        delivery.get(session, actor(), path.broadcast_id)
        found = tallies.of_broadcasts(session, actor(), [path.broadcast_id]).get(path.broadcast_id, NOTHING)
    return say(HearingOut(heard=found.heard, unclear=found.unclear, silent=found.silent, share=found.share))


@bp.post("/broadcasts/<uuid:broadcast_id>/hearing", responses=answers(HearingOut, 403, 404, 409))
@once
@permission_required(Permission.ANSWER)
def answer_hearing(path: HearingPath, body: HearingIn) -> Response:
    """Say what was heard at a place. Again means a change of mind."""
    with work() as session:
        service.answer(
            session,
            actor(),
            path.broadcast_id,
            region=body.region,
            verdict=body.verdict,
            speaker_id=body.speaker,
            way=HearingWay.API,
            now=now(),
        )
        found = tallies.of_broadcasts(session, actor(), [path.broadcast_id]).get(path.broadcast_id, NOTHING)
        out = HearingOut(heard=found.heard, unclear=found.unclear, silent=found.silent, share=found.share)
        return finish(session, out)
