"""Repair orders, for programs."""

from uuid import UUID

from flask import Response
from pydantic import Field

from hub.speakers.care import mending, repairs
from hub.speakers.care.api import SpeakerPath
from hub.speakers.care.models import Repair
from hub.web.api import Input, Output, PageQuery, answers, ms, ms_or_none, room, say
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work

bp = room("repairs", "Repair orders for loudspeakers.")


class RepairPath(Input):
    """Which repair order."""

    repair_id: UUID


class RepairOut(Output):
    """A repair order with the time of each step."""

    id: UUID
    speaker_id: str
    what: str
    opened_at: int
    opened_by: str
    taken_at: int | None
    taken_by: str
    done_at: int | None
    done_by: str
    outcome: str

    @classmethod
    def of(cls, repair: Repair) -> "RepairOut":
        """Return an order for showing."""
        return cls(
            id=repair.id,
            speaker_id=repair.speaker_id,
            what=repair.what,
            opened_at=ms(repair.opened_at),
            opened_by=repair.opened_by_name,
            taken_at=ms_or_none(repair.taken_at),
            taken_by=repair.taken_by_name,
            done_at=ms_or_none(repair.done_at),
            done_by=repair.done_by_name,
            outcome=repair.outcome,
        )


class RepairsOut(Output):
    """One page of repair orders: open ones the oldest first, done ones the newest first."""

    items: list[RepairOut]
    next: str | None


class RepairsQuery(PageQuery):
    """Which orders."""

    done: bool = Field(False, description="those that are done instead of those that are open")


class RepairIn(Input):
    """What is wrong."""

    what: str = Field(min_length=1, max_length=500)


class OutcomeIn(Input):
    """What was done."""

    outcome: str = Field(min_length=1, max_length=500)


@bp.get("/speaker-repairs", responses=answers(RepairsOut))
def list_repairs(query: RepairsQuery) -> Response:
    """List repair orders."""
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    with reading() as session:
        found = repairs.everything(session, actor(), done=query.done, limit=query.limit + 1, after=after)
    shown = [repair for repair, _ in found[: query.limit]]
    last = shown[-1] if len(found) > query.limit else None
    return say(RepairsOut(items=[RepairOut.of(repair) for repair in shown], next=_next(last)))


@bp.post("/speakers/<speaker_id>/repairs", responses=answers(RepairOut, 403, 404, 409, status=201))
@once
def open_repair(path: SpeakerPath, body: RepairIn) -> Response:
    """Report a loudspeaker for repair."""
    with work() as session:
        repair = repairs.open_repair(session, actor(), path.speaker_id, body.what, now=now())
        return finish(session, RepairOut.of(repair), 201)


@bp.get("/speaker-repairs/<repair_id>", responses=answers(RepairOut, 404))
def get_repair(path: RepairPath) -> Response:
    """Return one repair order."""
    with reading() as session:
        return say(RepairOut.of(mending.one(session, actor(), path.repair_id)[0]))


@bp.post("/speaker-repairs/<repair_id>/take", responses=answers(RepairOut, 403, 404, 409))
@once
def take_repair(path: RepairPath) -> Response:
    """Take a repair over."""
    with work() as session:
        return finish(session, RepairOut.of(repairs.take(session, actor(), path.repair_id, now=now())))


@bp.post("/speaker-repairs/<repair_id>/done", responses=answers(RepairOut, 403, 404, 409))
@once
def finish_repair(path: RepairPath, body: OutcomeIn) -> Response:
    """Close a repair with what was done."""
    with work() as session:
        repair = repairs.finish(session, actor(), path.repair_id, body.outcome, now=now())
        return finish(session, RepairOut.of(repair))


def _next(last: Repair | None) -> str | None:
    return None if last is None else cursor((last.done_at or last.opened_at).isoformat(), str(last.id))
