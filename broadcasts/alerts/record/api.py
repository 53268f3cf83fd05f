"""Incidents, for programs: what happened when, who was called, what is still to be done."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.alerts.calling import answering
from broadcasts.alerts.calling.models import CallState, Errand, ErrandKind
from broadcasts.alerts.incidents import service
from broadcasts.alerts.incidents.models import Incident, IncidentState
from broadcasts.alerts.record import closing, timeline
from broadcasts.alerts.record.timeline import Line, Record
from broadcasts.kinds import Colour, Mode
from hub.core.actor import Permission
from hub.web.api import Input, Output, PageQuery, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work

bp = room("incidents", "One event with everything that was said and done about it.")


class IncidentOut(Output):
    """One event."""

    id: UUID
    state: IncidentState
    hazard: str
    colour: Colour
    title: str
    regions: list[str]
    opened_at: int
    opened_by: str
    closed_at: int | None
    closed_by: str

    @classmethod
    def of(cls, found: Incident) -> "IncidentOut":
        """Return an incident for showing."""
        return cls(
            id=found.id,
            state=found.state,
            hazard=found.hazard,
            colour=found.colour,
            title=found.title,
            regions=list(found.regions),
            opened_at=ms(found.opened_at),
            opened_by=found.opened_by_name,
            closed_at=ms_or_none(found.closed_at),
            closed_by=found.closed_by_name,
        )


class IncidentsOut(Output):
    """One page of incidents, the latest first."""

    items: list[IncidentOut]
    next: str | None


class IncidentsQuery(PageQuery):
    """Which incidents."""

    open: bool = Field(False, description="only those that are not closed")


class IncidentLineOut(Output):
    """One step of the time line."""

    at: int
    key: str = Field(description="what it is, for programs: pressed, fired, first_sound, called, answered_link, note …")
    who: str
    what: str
    number: int
    of: int
    took_ms: int | None = Field(description="since the step it waited for, as a press")
    alert_id: UUID | None

    @classmethod
    def of_line(cls, line: Line) -> "IncidentLineOut":
        """Return a step for showing."""
        return cls(
            at=ms(line.at),
            key=line.key,
            who=line.who,
            what=line.what,
            number=line.number,
            of=line.of,
            took_ms=round(line.took.total_seconds() * 1000) if line.took is not None else None,
            alert_id=line.alert_id,
        )


class IncidentCallOut(Output):
    """How calling the people of one place goes."""

    region: str
    state: CallState
    last_called: str = Field(description="who was called last")
    confirmed_at: int | None
    confirmed_by: str


class ErrandOut(Output):
    """A place to be phoned or visited. Only a confirmation closes it."""

    id: UUID
    kind: ErrandKind
    region: str
    name: str
    households: int | None
    opened_at: int
    due_at: int
    closed_at: int | None
    closed_by: str
    result: str

    @classmethod
    def of(cls, found: Errand) -> "ErrandOut":
        """Return an errand for showing."""
        return cls(
            id=found.id,
            kind=found.kind,
            region=found.region_code,
            name=found.name,
            households=found.households,
            opened_at=ms(found.opened_at),
            due_at=ms(found.due_at),
            closed_at=ms_or_none(found.closed_at),
            closed_by=found.closed_by_name,
            result=found.result,
        )


class IncidentWhole(Output):
    """One event with its time line, its calls and what is to be done."""

    incident: IncidentOut
    lines: list[IncidentLineOut]
    calls: list[IncidentCallOut]
    errands: list[ErrandOut]

    @classmethod
    def of(cls, record: Record) -> "IncidentWhole":
        """Return a record for showing."""
        calls = [
            IncidentCallOut(
                region=call.region_code,
                state=call.state,
                last_called=record.tried[call.id].name if call.id in record.tried else "",
                confirmed_at=ms_or_none(call.confirmed_at),
                confirmed_by=call.confirmed_by_name,
            )
            for call in record.calls
        ]
        return cls(
            incident=IncidentOut.of(record.incident),
            lines=[IncidentLineOut.of_line(line) for line in record.lines],
            calls=calls,
            errands=[ErrandOut.of(errand) for errand in record.errands],
        )


class IncidentPath(Input):
    """Which incident."""

    incident_id: UUID


class ErrandPath(Input):
    """Which errand."""

    errand_id: UUID


class IncidentNoteIn(Input):
    """What is to be noted."""

    text: str = Field(min_length=1, max_length=service.LONGEST_NOTE)


class ErrandDone(Input):
    """Whom somebody spoke to."""

    result: str = Field(min_length=1, max_length=answering.LONGEST_RESULT)


@bp.get("/incidents", responses=answers(IncidentsOut, 403))
@permission_required(Permission.SEE)
def list_incidents(query: IncidentsQuery) -> Response:
    """List incidents, the latest first; drills have pages of their own."""
    before = place_of(query.cursor, moment_and_id)[0] if query.cursor else None
    with reading() as session:
        found = service.page(
            session, actor(), mode=Mode.LIVE, open_only=query.open, limit=query.limit + 1, before=before
        )
        items = [IncidentOut.of(one) for one in found[: query.limit]]
    last = found[query.limit - 1] if len(found) > query.limit else None
    return say(IncidentsOut(items=items, next=cursor(last.opened_at.isoformat(), str(last.id)) if last else None))


@bp.get("/incidents/<uuid:incident_id>", responses=answers(IncidentWhole, 403, 404))
@permission_required(Permission.SEE)
def get_incident(path: IncidentPath) -> Response:
    """Return one incident with its time line."""
    with reading() as session:
        return say(IncidentWhole.of(timeline.record_of(session, actor(), path.incident_id)))


@bp.post("/incidents/<uuid:incident_id>/notes", responses=answers(IncidentWhole, 403, 404, 409))
@permission_required(Permission.STOP)
@once
def add_incident_note(path: IncidentPath, body: IncidentNoteIn) -> Response:
    """Write something into the time line."""
    with work() as session:
        service.add_note(session, actor(), path.incident_id, body.text, now=now())
        return finish(session, IncidentWhole.of(timeline.record_of(session, actor(), path.incident_id)))


@bp.post("/incidents/<uuid:incident_id>/close", responses=answers(IncidentOut, 403, 404, 409))
@once
def close_incident(path: IncidentPath) -> Response:
    """Note that it is over. A place that nobody has spoken to yet keeps it open."""
    with work() as session:
        return finish(session, IncidentOut.of(closing.close(session, actor(), path.incident_id, now=now())))


@bp.post("/errands/<uuid:errand_id>/done", responses=answers(ErrandOut, 403, 404, 409))
@permission_required(Permission.STOP)
@once
def finish_errand(path: ErrandPath, body: ErrandDone) -> Response:
    """Close an errand: somebody was spoken to."""
    with work() as session:
        return finish(session, ErrandOut.of(answering.finish(session, actor(), path.errand_id, body.result, now=now())))
