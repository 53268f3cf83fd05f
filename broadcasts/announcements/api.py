"""Announcements, for programs: draft, submit, approve, return, withdraw, and look ahead."""

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from flask import Response
from flask_babel import gettext
from pydantic import Field

from broadcasts.announcements import catalogue, handing_in, horns, listing, playing, service, sounding, telephones
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.outlook import look
from broadcasts.announcements.timing import Timetable
from broadcasts.announcements.wire import AnnouncementIn, AnnouncementOut, Preview
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.rounds import REASON_LENGTH
from broadcasts.audience.selection import MOST_NUMBERS
from broadcasts.delivery.rules import Rules
from broadcasts.pumps import Pumps
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.speech.engine import SpeechFailed
from broadcasts.studio import Studio
from hub.core.actor import Permission
from hub.core.errors import Problems, Unavailable, WrongState
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.residents import extra
from hub.residents.phones import PhoneSafe
from hub.web.api import Input, Output, PageQuery, answers, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.mistakes import fields_named
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work

bp = room("announcements", "Words someone wants heard, and how far they have come.")
FIELDS = {"region": "regions", "code": "regions", "channel": "speakers", "material": "material_id"}
"""What services call by the name it has on the pages."""


class AnnouncementPath(Input):
    """Which announcement."""

    announcement_id: UUID


class AnnouncementsQuery(PageQuery):
    """Which announcements."""

    state: State | None = Field(None, description="only those in this state")


class Announcements(Output):
    """One page of announcements, last changed first."""

    items: list[AnnouncementOut]
    next: str | None


class Seen(Input):
    """What the approver was looking at."""

    content_hash: str = Field(min_length=64, max_length=64, description="`content_hash` of the announcement as read")


class Approved(Output):
    """An approved announcement, and the broadcast when it goes out at once."""

    announcement: AnnouncementOut
    broadcast_id: UUID | None


class NumbersIn(Input):
    """Single telephones, however they are written."""

    numbers: list[Annotated[str, Field(min_length=1, max_length=40)]] = Field(min_length=1, max_length=MOST_NUMBERS)


class NumberOut(Output):
    """A number by its key, and as it may be shown."""

    key: str
    masked: str


class NumbersOut(Output):
    """The numbers as announcements name them."""

    items: list[NumberOut]


class Reason(Input):
    """Why it is returned."""

    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


@bp.post("/announcements", responses=answers(AnnouncementOut, 403, 409, status=201))
@once
def create_announcement(body: AnnouncementIn) -> Response:
    """Start a draft."""
    with _our_fields(), work() as session:
        found = service.create(
            session, actor(), playing.named(session, actor(), body.draft(), body.material_id, day=_today()), now=now()
        )
        return finish(session, AnnouncementOut.of(found), 201)


@bp.get("/announcements", responses=answers(Announcements))
def list_announcements(query: AnnouncementsQuery) -> Response:
    """List announcements; of the drafts only one's own."""
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    states = (query.state,) if query.state else ()
    with reading() as session:
        found = catalogue.page(session, actor(), states=states, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return say(
        Announcements(
            items=[AnnouncementOut.of(one) for one in shown],
            next=cursor(last.changed_at.isoformat(), str(last.id)) if last else None,
        )
    )


@bp.get("/announcements/<uuid:announcement_id>", responses=answers(AnnouncementOut, 404))
def get_announcement(path: AnnouncementPath) -> Response:
    """Return one announcement."""
    with reading() as session:
        return say(AnnouncementOut.of(listing.copyable(session, actor(), path.announcement_id)))


@bp.put("/announcements/<uuid:announcement_id>", responses=answers(AnnouncementOut, 403, 404, 409))
def change_announcement(path: AnnouncementPath, body: AnnouncementIn) -> Response:
    """Replace one's own announcement; what was submitted or returned becomes a draft again."""
    with _our_fields(), work() as session:
        listing.editable(session, actor(), path.announcement_id)
        found = service.save(
            session,
            actor(),
            path.announcement_id,
            playing.named(session, actor(), body.draft(), body.material_id, day=_today()),
            now=now(),
        )
        return say(AnnouncementOut.of(found))


@bp.post("/announcements/<uuid:announcement_id>/submit", responses=answers(AnnouncementOut, 403, 404, 409, 503))
@once
def submit_announcement(path: AnnouncementPath) -> Response:
    """Hand it in for approval, with the recording people will hear. May take some seconds."""
    rules = runtime().get(Rules)
    with reading() as session:
        draft = service.as_draft(listing.editable(session, actor(), path.announcement_id))
    with _our_fields():
        telephones.require_carried(runtime().get(SmsProvider), draft, rules.sms)
        spoken = _spoken(draft, rules)
        with work() as session:
            found = handing_in.hand_in(session, actor(), path.announcement_id, draft, spoken, rules=rules, now=now())
            return finish(session, AnnouncementOut.of(found))


@bp.post("/announcements/<uuid:announcement_id>/approve", responses=answers(Approved, 403, 404, 409))
@once
def approve_announcement(path: AnnouncementPath, body: Seen) -> Response:
    """Let it go out, at once or at its time. Never by whoever wrote it."""
    with work() as session:
        if not sounding.is_there(runtime().get(Studio), service.get(session, actor(), path.announcement_id)):
            raise WrongState("sound_lost")
        released = service.approve(
            session,
            actor(),
            path.announcement_id,
            rules=runtime().get(Rules),
            timetable=runtime().get(Timetable),
            now=now(),
            seen_hash=body.content_hash,
        )
        found = AnnouncementOut.of(service.get(session, actor(), path.announcement_id))
        answer = finish(session, Approved(announcement=found, broadcast_id=released.id if released else None))
    runtime().get(Pumps).kick()
    return answer


@bp.post("/announcements/<uuid:announcement_id>/return", responses=answers(AnnouncementOut, 403, 404, 409))
@once
def return_announcement(path: AnnouncementPath, body: Reason) -> Response:
    """Give it back to its author, saying why."""
    with work() as session:
        found = service.give_back(session, actor(), path.announcement_id, body.reason, now=now())
        return finish(session, AnnouncementOut.of(found))


@bp.post("/announcements/<uuid:announcement_id>/withdraw", responses=answers(AnnouncementOut, 403, 404, 409))
@once
def withdraw_announcement(path: AnnouncementPath) -> Response:
    """Take it back for good. What already sounds is stopped by its broadcast."""
    timetable = runtime().get(Timetable)
    with work() as session:
        found = service.withdraw(session, actor(), path.announcement_id, timetable=timetable, now=now())
        return finish(session, AnnouncementOut.of(found))


@bp.post("/numbers", responses=answers(NumbersOut, 403))
@permission_required(Permission.COMPOSE)
def keep_numbers(body: NumbersIn) -> Response:
    """Keep single telephones for an announcement; it names them by their keys, so that no number stands in it."""
    with work() as session:
        keys = extra.note_typed(session, "\n".join(body.numbers), safe=runtime().get(PhoneSafe), now=now())
        found = [NumberOut(key=key, masked=masked) for key, masked in extra.shown(session, keys)]
    return say(NumbersOut(items=found))


@bp.post("/preview", responses=answers(Preview, 403))
@permission_required(Permission.COMPOSE)
def preview(body: AnnouncementIn) -> Response:
    """Say how it would be read, how long it lasts, whom it reaches, what it costs and whether the time fits."""
    with _our_fields():
        with reading() as session:
            draft = playing.named(session, actor(), body.draft(), body.material_id, day=_today())
        sound = sounding.sounding(runtime().get(Studio), draft)
        with reading() as session:
            regions.require_known(session, draft.audience.regions)
            draft = replace(draft, audience=horns.settle(session, actor(), draft.audience))
            for path in draft.audience.paths:
                actor().require(Permission.COMPOSE, path)
            rules, timetable = runtime().get(Rules), runtime().get(Timetable)
            found = look(session, draft, sound, rules=rules, timetable=timetable, now=now())
    return say(Preview.of(found))


def _spoken(draft: Draft, rules: Rules) -> Spoken | None:
    """Return the recording, None when it is for telephones only. Takes seconds: no session is open."""
    problems = draft.problems(now=now(), today=now().astimezone(rules.zone).date())
    if problems:
        raise Problems(problems)
    if not draft.speaks:
        return None
    try:
        return sounding.as_spoken(sounding.record(runtime().get(Studio), draft))
    except SpeechFailed as failure:
        raise Unavailable("speech_failed", why=gettext(failure.msgid, **failure.values)) from failure


def _today() -> date:
    return now().astimezone(runtime().zone).date()


def _our_fields() -> AbstractContextManager[None]:
    return fields_named(lambda field: FIELDS.get(field, field))
