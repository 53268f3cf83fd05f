"""A shift and hand-over notes, for programs."""

from uuid import UUID

from flask import Response
from pydantic import Field

from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.duty import handing_over, shift
from hub.duty.handing_over import Note
from hub.duty.shift import ShiftSources, ShiftTopic
from hub.web.api import (
    Input,
    Moment,
    Output,
    PageQuery,
    RegionCode,
    answers,
    moment_of,
    ms,
    ms_or_none,
    room,
    say,
)
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work

bp = room("watch", "What happened on a shift, and hand-over notes.")
watches = permission_required(Permission.EMERGENCY)


class HandoverPath(Input):
    """Which note."""

    handover_id: UUID


class ShiftQuery(Input):
    """From when on."""

    since: Moment | None = Field(None, description="leave out for the beginning of the caller's own shift")


class ShiftEventOut(Output):
    """One thing that happened, or that lasts."""

    at: int
    topic: ShiftTopic
    title: str
    note: str = Field(description="who takes care of it, or who did it")
    code: str = Field(description="alarm, state or kind")
    place: str
    open: bool = Field(description="somebody still has to do something about it")


class ShiftOut(Output):
    """A shift up to now."""

    since: int
    until: int
    events: list[ShiftEventOut]


class HandoverEntryOut(Output):
    """What came to a note afterwards."""

    at: int
    by: str
    confirms: bool = Field(description="the arriving officer's confirmation")
    text: str


class HandoverOut(Output):
    """A hand-over note."""

    id: UUID
    region: str
    began_at: int
    written_at: int
    written_by: str
    happened: str
    open_matters: str
    confirmed_at: int | None
    entries: list[HandoverEntryOut]
    sound: bool = Field(description="what stands there is what was written")

    @classmethod
    def of(cls, note: Note) -> "HandoverOut":
        """Return a note for showing."""
        h = note.handover
        return cls(
            id=h.id,
            region=h.region_code,
            began_at=ms(h.began_at),
            written_at=ms(h.written_at),
            written_by=h.written_by_name,
            happened=h.happened,
            open_matters=h.open_matters,
            confirmed_at=ms_or_none(note.confirmed.at if note.confirmed else None),
            entries=[
                HandoverEntryOut(at=ms(e.at), by=e.by_name, confirms=e.confirms, text=e.text) for e in note.entries
            ],
            sound=note.sound,
        )


class Handovers(Output):
    """One page of notes, newest first."""

    items: list[HandoverOut]
    next: str | None


class HandoverIn(Input):
    """What the leaving officer writes."""

    region: RegionCode
    happened: str = Field(min_length=1, max_length=handing_over.LONGEST)
    open_matters: str = Field("", max_length=handing_over.LONGEST)
    began_at: Moment | None = Field(None, description="when the shift began; leave out: as the roster says")


class HandoverWords(Input):
    """Words to add."""

    text: str = Field("", max_length=handing_over.LONGEST_ADDITION)


@bp.get("/duty/shift", responses=answers(ShiftOut, 403))
@watches
def get_shift(query: ShiftQuery) -> Response:
    """Return what happened on the caller's shift."""
    until = now()
    with reading() as session:
        since = moment_of(query.since) if query.since is not None else None
        since = since or handing_over.began_of(session, actor(), now=until)
        events = shift.gather(session, actor(), runtime().get(ShiftSources), since=since, until=until)
    found = [
        ShiftEventOut(at=ms(e.at), topic=e.topic, title=e.title, note=e.note, code=e.code, place=e.place, open=e.open)
        for e in events
    ]
    return say(ShiftOut(since=ms(since), until=ms(until), events=found))


@bp.get("/duty/handovers", responses=answers(Handovers, 403))
@permission_required(Permission.SEE)
def list_handovers(query: PageQuery) -> Response:
    """List hand-over notes, newest first."""
    before = place_of(query.cursor, moment_and_id) if query.cursor else None
    with reading() as session:
        found = handing_over.notes(session, actor(), before=before, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1].handover if len(found) > query.limit else None
    following = cursor(last.written_at.isoformat(), str(last.id)) if last else None
    return say(Handovers(items=[HandoverOut.of(one) for one in shown], next=following))


@bp.post("/duty/handovers", responses=answers(HandoverOut, 403, 404, 409, status=201))
@once
@watches
def write_handover(body: HandoverIn) -> Response:
    """Write a hand-over note. It is never changed afterwards."""
    with work() as session:
        made = handing_over.write(
            session,
            actor(),
            region=body.region,
            happened=body.happened,
            open_matters=body.open_matters,
            began_at=moment_of(body.began_at) if body.began_at is not None else None,
            now=now(),
        )
        return finish(session, HandoverOut.of(handing_over.note_of(session, actor(), made.id)), 201)


@bp.post("/duty/handovers/<uuid:handover_id>/confirm", responses=answers(HandoverOut, 403, 404, 409))
@once
@watches
def confirm_handover(path: HandoverPath, body: HandoverWords) -> Response:
    """Confirm as the arriving officer. Never one's own."""
    with work() as session:
        handing_over.confirm(session, actor(), path.handover_id, text=body.text, now=now())
        return finish(session, HandoverOut.of(handing_over.note_of(session, actor(), path.handover_id)))


@bp.post("/duty/handovers/<uuid:handover_id>/additions", responses=answers(HandoverOut, 403, 404, 409))
@once
@watches
def add_to_handover(path: HandoverPath, body: HandoverWords) -> Response:
    """Add a correction, or what was forgotten."""
    with work() as session:
        handing_over.add(session, actor(), path.handover_id, body.text, now=now())
        return finish(session, HandoverOut.of(handing_over.note_of(session, actor(), path.handover_id)))
