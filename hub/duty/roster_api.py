"""The duty roster, for programs: who is called for a place, in which order, and who has a shift."""

from collections.abc import Sequence
from uuid import UUID

from flask import Response
from pydantic import Field
from sqlalchemy.orm import Session

from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.duty import service
from hub.duty.service import Entry, PersonInput
from hub.residents.phones import PhoneSafe
from hub.web.api import Input, Moment, Output, RegionCode, answers, moment_of, ms, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.mistakes import fields_named
from hub.web.work import actor, now, reading, work

bp = room("roster", "The duty roster: who is called for a place when it is serious, in which order.")
sets = permission_required(Permission.EDIT_RESIDENTS)
FIELDS = {"starts": "starts_at", "ends": "ends_at"}


class RosterQuery(Input):
    """Whose roster."""

    region: RegionCode


class RosterPath(Input):
    """Who on the roster."""

    person_id: UUID


class DutyShiftPath(Input):
    """Which shift."""

    shift_id: UUID


class RosterIn(Input):
    """Somebody for the roster."""

    region: RegionCode = Field(description="a county, township or village")
    name: str = Field(min_length=1, max_length=service.LONGEST)
    title: str = Field("", max_length=service.LONGEST, description="what they are there, as in 村支书")
    phone: str = Field(max_length=40, description="a mobile number; it is never shown again")
    login: str = Field("", max_length=60, description="their account, if they have one")


class DutyShiftIn(Input):
    """From when to when somebody is on duty."""

    starts_at: Moment
    ends_at: Moment


class DutyShiftOut(Output):
    """A shift that is going on or still to come."""

    id: UUID
    starts_at: int
    ends_at: int


class RosterEntryOut(Output):
    """Somebody on the roster. They stand in the order of calling; whoever has a shift now comes first."""

    id: UUID
    name: str
    title: str
    phone: str = Field(description="masked")
    has_account: bool = Field(description="a press on the overview counts as their answer")
    on_duty: bool
    shifts: list[DutyShiftOut]


class RosterOut(Output):
    """The roster of one place."""

    region: str
    items: list[RosterEntryOut]


@bp.get("/duty/roster", responses=answers(RosterOut, 403, 404))
@permission_required(Permission.SEE)
def get_roster(query: RosterQuery) -> Response:
    """Return the roster of a place, in the order of calling."""
    with reading() as session:
        return say(_roster(session, query.region))


@bp.post("/duty/roster", responses=answers(RosterOut, 403, 404, 409, status=201))
@sets
@once
def add_to_roster(body: RosterIn) -> Response:
    """Put somebody at the end of a place's roster."""
    given = PersonInput(body.region, body.name, body.title, body.phone, body.login)
    with work() as session:
        service.add_person(session, actor(), given, safe=runtime().get(PhoneSafe), now=now())
        return finish(session, _roster(session, body.region), 201)


@bp.post("/duty/roster/<uuid:person_id>/up", responses=answers(RosterOut, 403, 404, 409))
@sets
@once
def move_up_on_roster(path: RosterPath) -> Response:
    """Let somebody be called before the one above them."""
    with work() as session:
        moved = service.move_up(session, actor(), path.person_id, now=now())
        return finish(session, _roster(session, moved.region_code))


@bp.delete("/duty/roster/<uuid:person_id>", responses=answers(RosterOut, 403, 404))
@sets
def remove_from_roster(path: RosterPath) -> Response:
    """Take somebody off the roster; their number is forgotten."""
    with work() as session:
        removed = service.remove_person(session, actor(), path.person_id, now=now())
        session.flush()
        return say(_roster(session, removed.region_code))


@bp.post("/duty/roster/<uuid:person_id>/shifts", responses=answers(RosterOut, 403, 404, 409, status=201))
@sets
@once
def add_duty_shift(path: RosterPath, body: DutyShiftIn) -> Response:
    """Say from when to when somebody is on duty: then they are called first."""
    starts, ends = moment_of(body.starts_at), moment_of(body.ends_at)
    with fields_named(lambda field: FIELDS.get(field, field)), work() as session:
        service.add_shift(session, actor(), path.person_id, starts_at=starts, ends_at=ends, now=now())
        person = service.get_person(session, actor(), path.person_id)
        return finish(session, _roster(session, person.region_code), 201)


@bp.delete("/duty/shifts/<uuid:shift_id>", responses=answers(RosterOut, 403, 404))
@sets
def drop_duty_shift(path: DutyShiftPath) -> Response:
    """Take a shift back."""
    with work() as session:
        person = service.drop_shift(session, actor(), path.shift_id, now=now())
        session.flush()
        return say(_roster(session, person.region_code))


def _roster(session: Session, region: str) -> RosterOut:
    return RosterOut(region=region, items=_entries(service.roster(session, actor(), region, now=now())))


def _entries(found: Sequence[Entry]) -> list[RosterEntryOut]:
    return [
        RosterEntryOut(
            id=entry.person.id,
            name=entry.person.name,
            title=entry.person.title,
            phone=entry.person.masked,
            has_account=entry.person.account_id is not None,
            on_duty=entry.on_duty,
            shifts=[DutyShiftOut(id=s.id, starts_at=ms(s.starts_at), ends_at=ms(s.ends_at)) for s in entry.shifts],
        )
        for entry in found
    ]
