"""Silencing whole regions, for programs."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.delivery import muting
from broadcasts.delivery.muting import Done
from broadcasts.pumps import Pumps
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.web.api import Input, Output, RegionCode, answers, ms, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work

bp = room("silences", "Everything in a region falls silent at once.")


class SilenceIn(Input):
    """Which region."""

    region_code: RegionCode = Field(description="a county, township, village or group")


class SilenceOut(Output):
    """A region that was silenced, and how many loudspeakers have confirmed it."""

    id: UUID
    region: str
    made_at: int
    made_by: str
    loudspeakers: int
    confirmed: int
    offline: int = Field(description="not connected, not confirmed: told first of all when they come back, for a day")

    @classmethod
    def of(cls, found: Done) -> "SilenceOut":
        """Return a silence for showing."""
        return cls(
            id=found.order.id,
            region=found.order.region_code,
            made_at=ms(found.order.made_at),
            made_by=found.order.made_by_name,
            loudspeakers=found.meant,
            confirmed=found.confirmed,
            offline=found.offline,
        )


class Silences(Output):
    """The last day's silences, the newest first."""

    items: list[SilenceOut]


@bp.get("/silences", responses=answers(Silences))
def list_silences() -> Response:
    """List the regions silenced in the last day and how many loudspeakers have confirmed it."""
    with reading() as session:
        found = muting.latest(session, actor(), now=now(), limit=100)
    return say(Silences(items=[SilenceOut.of(done) for done in found]))


@bp.post("/silences", responses=answers(SilenceOut, 403, 404, 409, status=201))
@once
@permission_required(Permission.STOP)
def silence(body: SilenceIn) -> Response:
    """Silence every loudspeaker of a region. Broadcasts to it alone are stopped whole, text messages included.

    Others go on elsewhere. What is planned for later sounds at its time.
    """
    with work() as session:
        order = muting.silence(session, actor(), body.region_code, now=now())
        answer = finish(session, SilenceOut.of(muting.get(session, actor(), order)), 201)
    runtime().get(Pumps).kick()
    return answer
