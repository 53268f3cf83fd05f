"""Awareness days, rosters and pledges, for programs: to be looked at, and turns to be confirmed."""

from datetime import date
from uuid import UUID

from flask import Response
from pydantic import Field
from sqlalchemy.orm import Session

from broadcasts.approvals.rounds import REASON_LENGTH
from broadcasts.delivery.rules import Rules
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.residents.shown import shows_residents
from hub.web.api import Input, Output, RegionCode, answers, ms_or_none, room, say
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work
from schedules.occasions import service as occasions
from schedules.occasions.service import Line
from schedules.pledges import service as pledges
from schedules.rounds import service as rounds
from schedules.rounds.models import CallState, Round, RoundCall, RoundKind, RoundState
from schedules.rounds.service import RoundDraft

bp = room("county", "Awareness days, rosters of volunteers and grid workers, village pledges.")


class OccasionOut(Output):
    """One awareness day or time of the year, as it is in the caller's place."""

    ref: str = Field(description="key and year")
    name: str
    first_day: date
    last_day: date
    to_check: bool = Field(description="its days differ from place to place and nobody has checked them here")
    off: bool
    quiet: bool = Field(description="nothing of the kind is broadcast then")
    departments: list[str]
    texts: list[str] = Field(description="keys of the ready texts a draft of it holds")
    draft_from: date
    campaign_id: UUID | None = Field(description="the draft or campaign made for it here")

    @classmethod
    def of(cls, line: Line) -> "OccasionOut":
        """Return one for showing."""
        return cls(
            ref=line.span.ref,
            name=line.occasion.name,
            first_day=line.first_day,
            last_day=line.last_day,
            to_check=line.uncertain,
            off=line.off,
            quiet=line.occasion.quiet,
            departments=list(line.occasion.departments),
            texts=list(line.occasion.texts),
            draft_from=line.draft_from,
            campaign_id=line.draft_id,
        )


class Occasions(Output):
    """The coming year's."""

    items: list[OccasionOut]


class PledgeOut(Output):
    """One village and its pledge."""

    region: str
    name: str
    usable: UUID | None = Field(description="the material that may be broadcast now")
    materials: list[UUID]
    used: int
    last_used_at: int | None


class Pledges(Output):
    """Every village the caller sees."""

    items: list[PledgeOut]


class TurnOut(Output):
    """One person's turn."""

    id: UUID
    day: date
    name: str
    masked: str
    state: CallState
    confirmed_at: int | None
    confirmed_by: str = Field(description="who of the staff noted it; empty = the person's own reply")

    @classmethod
    def of(cls, call: RoundCall) -> "TurnOut":
        """Return one for showing."""
        return cls(
            id=call.id,
            day=call.day,
            name=call.name,
            masked=call.masked,
            state=call.state,
            confirmed_at=ms_or_none(call.confirmed_at),
            confirmed_by=call.confirmed_by_name,
        )


class RoundOut(Output):
    """A roster; numbers are up to today."""

    id: UUID
    kind: RoundKind
    state: RoundState
    title: str
    region: str
    first_day: date
    last_day: date
    due: int
    confirmed: int
    content_hash: str = Field(description="what an approval is of")
    return_reason: str
    written_by: str
    approved_by: str

    @classmethod
    def of(cls, found: Round, today: date) -> "RoundOut":
        """Return one for showing."""
        counts = rounds.counts(found, today)
        return cls(
            id=found.id,
            kind=found.kind,
            state=found.state,
            title=found.title,
            region=codes_in(found.home_path)[-1],
            first_day=found.first_day,
            last_day=found.last_day,
            due=counts.due,
            confirmed=counts.confirmed,
            content_hash=found.content_hash,
            return_reason=found.return_reason,
            written_by=found.written_by_name,
            approved_by=found.approved_by_name,
        )


class Rounds(Output):
    """Rosters, the newest first."""

    items: list[RoundOut]


class RoundWithTurns(Output):
    """A roster with everybody's turns."""

    round: RoundOut
    turns: list[TurnOut]


class RoundIn(Input):
    """A roster of everybody of one group of residents there, 50 at most."""

    kind: RoundKind
    title: str = Field(min_length=1, max_length=rounds.TITLE)
    region: RegionCode
    tag: str = Field(min_length=1, max_length=20, description="the group its people belong to")
    words: str = Field(min_length=1, max_length=rounds.WORDS, description="the message; 〔日期〕 becomes the day")
    at: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="local time of the reminder")
    first_day: date
    last_day: date
    weekday: int = Field(0, ge=0, le=7, description="of `weekly`: 1 (Monday) to 7")
    each: int = Field(2, ge=1, le=rounds.MOST_EACH, description="of `patrol`: people a day")


class RoundSeen(Input):
    """What the approver was looking at."""

    content_hash: str = Field(min_length=64, max_length=64, description="`content_hash` of the roster as read")


class RoundReason(Input):
    """Why it is returned."""

    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


class RoundPath(Input):
    """Which roster."""

    round_id: UUID


class TurnPath(Input):
    """Which turn."""

    call_id: UUID


@bp.get("/occasions", responses=answers(Occasions))
def list_occasions() -> Response:
    """List the coming year's awareness days."""
    with reading() as session:
        found = occasions.calendar(session, actor(), today=_today())
    return say(Occasions(items=[OccasionOut.of(line) for line in found.lines]))


@bp.get("/pledges", responses=answers(Pledges))
def list_pledges() -> Response:
    """List villages and their pledges."""
    with reading() as session:
        found = pledges.lines(session, actor(), today=_today())
    return say(
        Pledges(
            items=[
                PledgeOut(
                    region=line.code,
                    name=line.name,
                    usable=line.usable.id if line.usable else None,
                    materials=[one.id for one in line.own],
                    used=line.used,
                    last_used_at=ms_or_none(line.last_used_at),
                )
                for line in found
            ]
        )
    )


@bp.get("/rounds", responses=answers(Rounds))
def list_rounds() -> Response:
    """List rosters with how many came."""
    with reading() as session:
        return say(Rounds(items=[RoundOut.of(found, _today()) for found in rounds.every(session, actor())]))


@bp.get("/rounds/<uuid:round_id>", responses=answers(RoundWithTurns, 404))
@shows_residents("round.look")
def get_round(path: RoundPath) -> Response:
    """Return a roster with everybody's turns."""
    with reading() as session:
        found = rounds.get(session, actor(), path.round_id)
        return say(RoundWithTurns(round=RoundOut.of(found, _today()), turns=[TurnOut.of(call) for call in found.calls]))


@bp.post("/rounds", responses=answers(RoundOut, 403, 409, status=201))
@once
def create_round(body: RoundIn) -> Response:
    """Write a roster; it waits for somebody else."""
    with work() as session:
        made = rounds.create(session, actor(), _draft(session, body), rules=runtime().get(Rules), now=now())
        return finish(session, RoundOut.of(made, _today()), 201)


@bp.put("/rounds/<uuid:round_id>", responses=answers(RoundOut, 403, 404, 409))
def change_round(path: RoundPath, body: RoundIn) -> Response:
    """Write one's own anew, of the same kind, and hand it in again; nobody has been reminded yet."""
    with work() as session:
        rounds.save(session, actor(), path.round_id, _draft(session, body), rules=runtime().get(Rules), now=now())
        return say(RoundOut.of(rounds.hand_in(session, actor(), path.round_id, now=now()), _today()))


@bp.post("/rounds/<uuid:round_id>/approve", responses=answers(RoundOut, 403, 404, 409))
@once
def approve_round(path: RoundPath, body: RoundSeen) -> Response:
    """Pass it on, or let its reminders go out. Never by whoever wrote it."""
    with work() as session:
        found = rounds.approve(session, actor(), path.round_id, seen_hash=body.content_hash, now=now())
        return finish(session, RoundOut.of(found, _today()))


@bp.post("/rounds/<uuid:round_id>/return", responses=answers(RoundOut, 403, 404, 409))
@once
def return_round(path: RoundPath, body: RoundReason) -> Response:
    """Give it back to its writer, saying why."""
    with work() as session:
        found = rounds.give_back(session, actor(), path.round_id, body.reason, now=now())
        return finish(session, RoundOut.of(found, _today()))


@bp.post("/rounds/<uuid:round_id>/stop", responses=answers(RoundOut, 403, 404, 409))
@once
def stop_round(path: RoundPath) -> Response:
    """Remind nobody any more."""
    with work() as session:
        return finish(session, RoundOut.of(rounds.stop(session, actor(), path.round_id, now=now()), _today()))


@bp.post("/rounds/turns/<uuid:call_id>/confirm", responses=answers(TurnOut, 403, 404, 409))
@once
def confirm_turn(path: TurnPath) -> Response:
    """Note that somebody came, or has done it."""
    with work() as session:
        return finish(session, TurnOut.of(rounds.confirm(session, actor(), path.call_id, now=now())))


def _draft(session: Session, body: RoundIn) -> RoundDraft:
    people = rounds.candidates(session, actor(), body.region, body.tag)
    return RoundDraft(**body.model_dump(exclude={"tag"}), people=tuple(person.id for person in people))


def _today() -> date:
    return now().astimezone(runtime().zone).date()
