"""What residents wrote, for programs: the letters that wait, one of them, writing back, closing, and the counts."""

from uuid import UUID

from flask import Response
from pydantic import Field, StrictBool

from broadcasts.pumps import Pumps
from broadcasts.sms.letters import inbox, readable, tallying, writing_back
from broadcasts.sms.letters.readable import Letter
from broadcasts.sms.purposes import StepKind
from broadcasts.sms.settings import SmsSettings
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.residents.shown import shows_residents
from hub.web.api import Input, Output, PageQuery, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.paging import cut, place_of
from hub.web.work import actor, now, reading, work

bp = room("letters", "What residents wrote back. Numbers are masked.")
see = permission_required(Permission.ANSWER)


class LetterPath(Input):
    """Which letter."""

    letter_id: UUID


class RunPath(Input):
    """Answers to which broadcast."""

    broadcast_id: UUID


class LettersQuery(PageQuery):
    """Which letters."""

    open: bool = Field(True, description="false = also those that are dealt with, and what the hub answered itself")
    urgent: bool | None = Field(None, description="only with words of danger, or only without")


class LetterOut(Output):
    """One message from a resident."""

    id: UUID
    text: str
    name: str = Field(description="empty = nobody on the list has that number")
    masked: str
    region: str
    urgent: bool
    command: str = Field(description="what the hub did by itself: opt_out, opt_in, ask or choice; empty = for people")
    topic: str = Field(description="what an opt_out or opt_in is about; empty = everything")
    choice: int = Field(description="which numbered answer; 0 = none")
    broadcast_id: UUID | None = Field(description="whose numbered answers it belongs to")
    received_at: int
    taken_by: str = Field(description="who takes care of it; empty = nobody yet")
    handled_at: int | None

    @classmethod
    def of(cls, letter: Letter) -> "LetterOut":
        """Return a letter for showing."""
        m = letter.message
        return cls(
            id=m.id,
            text=m.text,
            name=letter.name,
            masked=m.masked,
            region=codes_in(m.region_path)[-1] if m.region_path else "",
            urgent=m.urgent,
            command=m.command,
            topic=m.topic,
            choice=m.choice,
            broadcast_id=m.broadcast_id,
            received_at=ms(m.received_at),
            taken_by=m.acknowledged_by_name,
            handled_at=ms_or_none(m.handled_at),
        )


class Letters(Output):
    """One page of letters, newest first."""

    items: list[LetterOut]
    next: str | None


class StepOut(Output):
    """Something that was done about a letter."""

    at: int
    by: str
    kind: StepKind
    note: str


class OpenedOut(Output):
    """One letter with what was done about it."""

    letter: LetterOut
    steps: list[StepOut]


class Closing(Input):
    """How it was dealt with."""

    note: str = Field("", max_length=inbox.NOTE_LENGTH)
    take_only: StrictBool = Field(False, description="somebody takes care of it, but it is not over")


class Reply(Input):
    """What to write back."""

    text: str = Field(min_length=1, max_length=300)


class Replied(Output):
    """The message that goes out."""

    run_id: UUID


class ChoiceOut(Output):
    """One numbered answer and how many telephones gave it."""

    number: int
    label: str
    count: int


class AnswersOut(Output):
    """The numbered answers to a broadcast, where the caller may see them."""

    choices: list[ChoiceOut] = Field(description="empty = the message asked for none")
    silent: int = Field(description="telephones that have not answered")


@bp.get("/letters", responses=answers(Letters, 403))
@see
@shows_residents("sms_inbound.look")
def list_letters(query: LettersQuery) -> Response:
    """List what residents wrote, newest first."""
    before = place_of(query.cursor, lambda text: UUID(str(text))) if query.cursor else None
    with reading() as session:
        found = inbox.inbox(
            session, actor(), open_only=query.open, urgent=query.urgent, before=before, limit=query.limit + 1
        )
        shown, following = cut(found, query.limit, lambda letter: str(letter.id))
        items = [LetterOut.of(one) for one in readable.letters(session, shown)]
    return say(Letters(items=items, next=following))


@bp.get("/letters/<uuid:letter_id>", responses=answers(OpenedOut, 403, 404))
@see
@shows_residents("sms_inbound.look")
def get_letter(path: LetterPath) -> Response:
    """Return one letter with what was done about it."""
    with reading() as session:
        found = inbox.opened(session, actor(), path.letter_id)
        (letter,) = readable.letters(session, [found.message])
        steps = [StepOut(at=ms(s.at), by=s.by_name, kind=s.kind, note=s.note) for s in found.steps]
        return say(OpenedOut(letter=LetterOut.of(letter), steps=steps))


@bp.post("/letters/<uuid:letter_id>/handled", responses=answers(LetterOut, 403, 404, 409))
@once
@see
def close_letter(path: LetterPath, body: Closing) -> Response:
    """Note that somebody has dealt with it, or takes care of it."""
    with work() as session:
        if body.take_only:
            found = inbox.take(session, actor(), path.letter_id, now=now())
        else:
            found = inbox.handled(session, actor(), path.letter_id, now=now(), note=body.note)
        (letter,) = readable.letters(session, [found])
        return finish(session, LetterOut.of(letter))


@bp.post("/letters/<uuid:letter_id>/reply", responses=answers(Replied, 403, 404, 409, status=201))
@once
@see
def reply_to_letter(path: LetterPath, body: Reply) -> Response:
    """Write back by text message."""
    settings = runtime().config.section(SmsSettings)
    with work() as session:
        run = writing_back.answer(session, actor(), path.letter_id, body.text, settings=settings, now=now())
        answer = finish(session, Replied(run_id=run.broadcast_id), 201)
    runtime().get(Pumps).kick()
    return answer


@bp.get("/broadcasts/<uuid:broadcast_id>/sms/answers", responses=answers(AnswersOut, 403, 404))
@see
def count_answers(path: RunPath) -> Response:
    """Count the numbered answers to a broadcast."""
    with reading() as session:
        found = tallying.tally(session, actor(), path.broadcast_id)
    if found is None:
        return say(AnswersOut(choices=[], silent=0))
    choices = [ChoiceOut(number=n, label=label, count=found.counts[n]) for n, label in found.choices.items()]
    return say(AnswersOut(choices=choices, silent=found.counts[tallying.SILENT]))
