"""Text messages, for programs: let a run go on, or send the doubtful ones once more."""

from datetime import timedelta
from uuid import UUID

from flask import Response
from pydantic import Field, StrictInt

from broadcasts.pumps import Pumps
from broadcasts.sms.sending import outbox
from hub.core.runtime import runtime
from hub.web.api import Input, Output, answers, room
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, work

bp = room("sms", "Text messages of a broadcast.")


class RunPath(Input):
    """Whose messages."""

    broadcast_id: UUID


class Again(Input):
    """How long the second try is good for."""

    hours: StrictInt = Field(6, ge=1, le=72)


class Resumed(Output):
    """It goes on."""

    broadcast_id: UUID


class Resent(Output):
    """To how many people it goes once more."""

    people: int


@bp.post("/broadcasts/<uuid:broadcast_id>/sms/resume", responses=answers(Resumed, 403, 404, 409))
@once
def resume_sms(path: RunPath) -> Response:
    """Let messages go on that stood still, after what was wrong has been put right."""
    with work() as session:
        run = outbox.resume(session, actor(), path.broadcast_id, now=now())
        answer = finish(session, Resumed(broadcast_id=run.broadcast_id))
    runtime().get(Pumps).kick()
    return answer


@bp.post("/broadcasts/<uuid:broadcast_id>/sms/resend", responses=answers(Resent, 403, 404, 409))
@once
def resend_sms(path: RunPath, body: Again) -> Response:
    """Send once more to everybody whose message is of unknown fate; some may get it twice."""
    until = now() + timedelta(hours=body.hours)
    with work() as session:
        people = outbox.resend_unknown(session, actor(), path.broadcast_id, expires_at=until, now=now())
        answer = finish(session, Resent(people=people))
    runtime().get(Pumps).kick()
    return answer
