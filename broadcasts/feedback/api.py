"""Residents' complaints, for programs: what is open, one of them, writing one down, dealing with it."""

from uuid import UUID

from flask import Response
from pydantic import Field, StrictBool

from broadcasts.feedback import listing, service
from broadcasts.feedback.intake import LONGEST
from broadcasts.feedback.kinds import ComplaintDeed, ComplaintKind, ComplaintState, Way
from broadcasts.feedback.listing import Line, Wanted
from broadcasts.feedback.settings import FeedbackSettings
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.residents.phones import PhoneSafe
from hub.residents.shown import shows_residents
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.paging import cut, place_of
from hub.web.work import actor, now, reading, work

bp = room("complaints", "What residents complain of. Numbers are masked.")
deals = permission_required(Permission.ANSWER)


class ComplaintPath(Input):
    """Which complaint."""

    complaint_id: UUID


class ComplaintsQuery(PageQuery):
    """Which complaints."""

    open: bool = Field(True, description="false = also those that are dealt with")
    kind: ComplaintKind | None = Field(None, description="only of this kind")
    region: str = Field("", max_length=14, description="only of this place and below")
    broadcast: UUID | None = Field(None, description="only about this broadcast")
    speaker: str = Field("", max_length=32, description="only about this loudspeaker")


class ComplaintOut(Output):
    """One complaint."""

    id: UUID
    kind: ComplaintKind
    state: ComplaintState
    way: Way
    text: str
    region: str = Field(description="empty = nobody knows")
    broadcast_id: UUID | None
    speaker_id: str = Field(description="empty = any of the place's")
    masked: str
    urgent: bool = Field(description="words of danger stand in it")
    received_at: int
    due_at: int
    assigned_to: str = Field(description="a name; empty = nobody yet")
    done_at: int | None
    outcome: str

    @classmethod
    def of(cls, line: Line) -> "ComplaintOut":
        """Return a complaint for showing."""
        c = line.complaint
        return cls(
            id=c.id,
            kind=c.kind,
            state=c.state,
            way=c.way,
            text=c.text,
            region=codes_in(c.region_path)[-1] if c.region_path else "",
            broadcast_id=c.broadcast_id,
            speaker_id=c.speaker_id,
            masked=c.masked,
            urgent=c.urgent,
            received_at=ms(c.received_at),
            due_at=ms(c.due_at),
            assigned_to=c.assigned_name,
            done_at=ms_or_none(c.done_at),
            outcome=c.outcome,
        )


class ComplaintList(Output):
    """One page of complaints, newest first."""

    items: list[ComplaintOut]
    next: str | None


class ComplaintStepOut(Output):
    """Something that was done about one."""

    at: int
    by: str
    deed: ComplaintDeed
    note: str


class ComplaintOpened(Output):
    """One complaint with what was done about it."""

    complaint: ComplaintOut
    steps: list[ComplaintStepOut]


class ComplaintIn(Input):
    """What somebody said."""

    region: RegionCode
    kind: ComplaintKind
    text: str = Field("", max_length=LONGEST)
    phone: str = Field("", max_length=30, description="sealed at once, never handed out again")
    speaker: str = Field("", max_length=32)


class ComplaintEnd(Input):
    """What was done."""

    outcome: str = Field("", max_length=LONGEST, description="needed unless `take_only`")
    take_only: StrictBool = Field(False, description="the caller takes it on, but it is not over")


@bp.get("/complaints", responses=answers(ComplaintList, 403, 404))
@deals
@shows_residents("complaint.look")
def list_complaints(query: ComplaintsQuery) -> Response:
    """List complaints, newest first."""
    before = place_of(query.cursor, lambda text: UUID(str(text))) if query.cursor else None
    wanted = Wanted("open" if query.open else "all", query.kind, query.region, query.broadcast, query.speaker)
    with reading() as session:
        found = listing.lines(session, actor(), wanted, now=now(), before=before, limit=query.limit + 1)
    shown, following = cut(found, query.limit, lambda line: str(line.complaint.id))
    return say(ComplaintList(items=[ComplaintOut.of(one) for one in shown], next=following))


@bp.get("/complaints/<uuid:complaint_id>", responses=answers(ComplaintOpened, 403, 404))
@deals
@shows_residents("complaint.look")
def get_complaint(path: ComplaintPath) -> Response:
    """Return one complaint with what was done about it."""
    with reading() as session:
        found = listing.opened(session, actor(), path.complaint_id, now=now())
    steps = [ComplaintStepOut(at=ms(s.at), by=s.by_name, deed=s.deed, note=s.note) for s in found.steps]
    return say(ComplaintOpened(complaint=ComplaintOut.of(found.line), steps=steps))


@bp.post("/complaints", responses=answers(ComplaintOut, 403, 404, 409, status=201))
@once
@deals
def write_complaint(body: ComplaintIn) -> Response:
    """Write a complaint down, as the desk does."""
    with work() as session:
        made = service.write_down(
            session,
            actor(),
            region=body.region,
            kind=body.kind,
            text=body.text,
            phone=body.phone,
            speaker_id=body.speaker,
            safe=runtime().get(PhoneSafe),
            settings=runtime().config.section(FeedbackSettings),
            now=now(),
        )
        (line,) = listing.described(session, [made])
        return finish(session, ComplaintOut.of(line), 201)


@bp.post("/complaints/<uuid:complaint_id>/done", responses=answers(ComplaintOut, 403, 404, 409))
@once
@deals
def end_complaint(path: ComplaintPath, body: ComplaintEnd) -> Response:
    """Close it with what was done, or take it on."""
    with work() as session:
        if body.take_only:
            found = service.take(session, actor(), path.complaint_id, now=now())
        else:
            found = service.finish(session, actor(), path.complaint_id, body.outcome, now=now())
        (line,) = listing.described(session, [found])
        return finish(session, ComplaintOut.of(line))
