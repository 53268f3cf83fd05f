"""Broadcasts, for programs: what goes out, how far it has come, and stopping it."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.audience.selection import Audience
from broadcasts.delivery import progress, records, service
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.outcomes import Numbers, Outcome, Phase
from broadcasts.delivery.progress import SpeakerLine
from broadcasts.delivery.records import Show
from broadcasts.loudspeaker.states import PlayState
from broadcasts.pumps import Pumps
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.outbox import MessageLine, SmsProgress
from broadcasts.sms.states import MessageState, RunState
from hub.core.actor import Permission
from hub.core.errors import NotFound
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.residents.shown import shows_residents
from hub.speakers.topics import is_device_id
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, place_of
from hub.web.work import actor, now, reading, urgent_work

bp = room("broadcasts", "What goes out, and what became of it on every loudspeaker and telephone.")
LARGEST_ID = 2**63 - 1


class Counts(Output):
    """How many loudspeakers had which outcome, in the part of the tree the account may see."""

    meant: int
    heard: int
    sounding: int
    played: int
    partly: int
    unheard: int
    open: int = Field(description="those that may still do something")

    @classmethod
    def of(cls, numbers: Numbers) -> "Counts":
        """Return numbers for showing."""
        return cls(
            meant=numbers.meant,
            heard=numbers.heard,
            sounding=numbers.sounding,
            played=numbers.played,
            partly=numbers.partly,
            unheard=numbers.unheard,
            open=numbers.open,
        )


class BroadcastOut(Output):
    """One going-out of something."""

    id: UUID
    kind: Kind
    title: str
    text: str
    sms_text: str
    regions: list[str]
    sms: bool
    state: BroadcastState
    phase: Phase = Field(description="where it stands, as it is told to people")
    audio_ms: int
    repeats: int
    volume: int | None
    announcement_id: UUID | None
    released_at: int
    released_by: str
    approved_by: str
    starts_at: int
    expires_at: int
    stopped_at: int | None
    stopped_by: str
    done_at: int | None
    loudspeakers: Counts
    may_stop: bool

    @classmethod
    def of(cls, b: Broadcast, numbers: Numbers, phase: Phase, *, may_stop: bool) -> "BroadcastOut":
        """Return a broadcast for showing."""
        audience = Audience.from_json(b.audience)
        return cls(
            id=b.id,
            kind=b.kind,
            title=b.title,
            text=b.text,
            sms_text=b.sms_text,
            regions=list(audience.regions),
            sms=audience.sms,
            state=b.state,
            phase=phase,
            audio_ms=b.audio_ms,
            repeats=b.repeats,
            volume=b.volume,
            announcement_id=b.announcement_id,
            released_at=ms(b.released_at),
            released_by=b.released_by_name,
            approved_by=b.approved_by_name,
            starts_at=ms(b.starts_at),
            expires_at=ms(b.expires_at),
            stopped_at=ms_or_none(b.stopped_at),
            stopped_by=b.stopped_by_name,
            done_at=ms_or_none(b.done_at),
            loudspeakers=Counts.of(numbers),
            may_stop=may_stop,
        )


class Broadcasts(Output):
    """One page of broadcasts, newest first."""

    items: list[BroadcastOut]
    next: str | None


class BroadcastsQuery(PageQuery):
    """Which broadcasts."""

    show: Show = Field(Show.ALL, description="all, those going out, or emergencies")


class BroadcastPath(Input):
    """Which broadcast."""

    broadcast_id: UUID


class SpeakersQuery(PageQuery):
    """Which of its loudspeakers."""

    region: RegionCode | None = Field(None, description="only those in this region and below")


class PlayedOn(Output):
    """One loudspeaker in one broadcast."""

    speaker_id: str
    name: str
    village: str
    online: bool
    outcome: Outcome
    state: PlayState
    reason: str
    received_at: int | None
    started_at: int | None
    ended_at: int | None
    used: str = Field(description="what sounded: audio, stream, shout, or what stood in: pack, speech, tone")
    volume: int | None

    @classmethod
    def of(cls, line: SpeakerLine) -> "PlayedOn":
        """Return a line for showing."""
        return cls(
            speaker_id=line.speaker_id,
            name=line.name,
            village=line.village,
            online=line.online,
            outcome=line.outcome,
            state=line.state,
            reason=line.reason,
            received_at=ms_or_none(line.received_at),
            started_at=ms_or_none(line.started_at),
            ended_at=ms_or_none(line.ended_at),
            used=line.used,
            volume=line.volume,
        )


class PlayedOnPage(Output):
    """One page of a broadcast's loudspeakers, in order of their ids."""

    items: list[PlayedOn]
    next: str | None


class SmsRunOut(Output):
    """How far the text messages of a broadcast are."""

    state: RunState
    people: int
    counts: dict[str, int] = Field(description="how many messages are in which state")
    suppressed: dict[str, int] = Field(description="to how many nobody wrote, and why")
    failed: dict[str, int] = Field(description="how many did not work, and why")
    parts: int
    fen: int = Field(description="what they cost at most, as far as it is known now")
    paused_reason: str = Field(description="why it stands still although it is not over; empty = it does not")
    expires_at: int | None

    @classmethod
    def of(cls, found: SmsProgress) -> "SmsRunOut":
        """Return a run for showing."""
        return cls(
            state=found.state,
            people=found.people,
            counts={state.value: number for state, number in found.counts.items()},
            suppressed=dict(found.suppressed),
            failed=dict(found.failed),
            parts=found.parts,
            fen=found.fen,
            paused_reason=found.paused_reason,
            expires_at=ms_or_none(found.expires_at),
        )


class MessagesQuery(PageQuery):
    """Which of its messages."""

    region: RegionCode | None = Field(None, description="only to people of this region and below")
    state: MessageState | None = None


class MessageOut(Output):
    """One person's message. The number is masked."""

    id: int
    name: str
    masked: str
    state: MessageState
    reason: str
    code: str = Field(description="what the provider called it")
    parts: int
    attempts: int
    may_have_gone: bool = Field(description="an earlier try is of unknown fate: this one may be a repetition")
    sent_at: int | None
    changed_at: int

    @classmethod
    def of(cls, line: MessageLine) -> "MessageOut":
        """Return a message for showing."""
        return cls(
            id=line.id,
            name=line.name,
            masked=line.masked,
            state=line.state,
            reason=line.reason,
            code=line.code,
            parts=line.parts,
            attempts=line.attempts,
            may_have_gone=line.may_have_gone,
            sent_at=ms_or_none(line.sent_at),
            changed_at=ms(line.changed_at),
        )


class Messages(Output):
    """One page of messages, in the order they were planned."""

    items: list[MessageOut]
    next: str | None


@bp.get("/broadcasts", responses=answers(Broadcasts))
def list_broadcasts(query: BroadcastsQuery) -> Response:
    """List broadcasts, newest first."""
    before = place_of(query.cursor, lambda text: UUID(str(text))) if query.cursor else None
    with reading() as session:
        found = records.page(session, actor(), show=query.show, before=before, limit=query.limit, now=now())
    items = [BroadcastOut.of(e.broadcast, e.numbers, e.phase, may_stop=e.may_stop) for e in found.entries]
    return say(Broadcasts(items=items, next=cursor(str(found.older)) if found.older else None))


@bp.get("/broadcasts/<uuid:broadcast_id>", responses=answers(BroadcastOut, 404))
def get_broadcast(path: BroadcastPath) -> Response:
    """Return one broadcast and how far it has come."""
    with reading() as session:
        return say(_shown(progress.of(session, actor(), service.get(session, actor(), path.broadcast_id), now=now())))


@bp.get("/broadcasts/<uuid:broadcast_id>/speakers", responses=answers(PlayedOnPage, 404))
def list_broadcast_speakers(path: BroadcastPath, query: SpeakersQuery) -> Response:
    """List what became of it on every loudspeaker."""
    after = place_of(query.cursor, _device) if query.cursor else ""
    with reading() as session:
        broadcast = service.get(session, actor(), path.broadcast_id)
        below = regions.get_region(session, actor(), query.region).path if query.region else ""
        lines = progress.speakers(session, actor(), broadcast.id, path=below, after=after, limit=query.limit + 1)
    shown = lines[: query.limit]
    more = len(lines) > query.limit
    return say(
        PlayedOnPage(items=[PlayedOn.of(one) for one in shown], next=cursor(shown[-1].speaker_id) if more else None)
    )


@bp.post("/broadcasts/<uuid:broadcast_id>/stop", responses=answers(BroadcastOut, 403, 404, 409))
@once
def stop_broadcast(path: BroadcastPath) -> Response:
    """Silence it everywhere and hold back every text message that has not gone yet. Twice is once."""
    with urgent_work() as session:
        broadcast = service.stop(session, actor(), path.broadcast_id, now=now())
        answer = finish(session, _shown(progress.of(session, actor(), broadcast, now=now())))
    runtime().get(Pumps).kick()
    return answer


@bp.get("/broadcasts/<uuid:broadcast_id>/sms", responses=answers(SmsRunOut, 404))
def get_broadcast_sms(path: BroadcastPath) -> Response:
    """Say how far its text messages are."""
    with reading() as session:
        found = progress.texts_of(session, actor(), service.get(session, actor(), path.broadcast_id))
    if found is None:
        raise NotFound("sms_run_unknown")
    return say(SmsRunOut.of(found))


@bp.get("/broadcasts/<uuid:broadcast_id>/sms/messages", responses=answers(Messages, 403, 404))
@permission_required(Permission.SEE_RESIDENTS)
@shows_residents("sms.look")
def list_messages(path: BroadcastPath, query: MessagesQuery) -> Response:
    """List its text messages to people the account may see."""
    after = place_of(query.cursor, _number) if query.cursor else 0
    with reading() as session:
        broadcast = service.get(session, actor(), path.broadcast_id)
        below = regions.get_region(session, actor(), query.region).path if query.region else ""
        lines = outbox.messages(
            session,
            actor(),
            broadcast.id,
            region_path=below,
            state=query.state,
            after=after,
            limit=query.limit + 1,
        )
    shown = lines[: query.limit]
    more = len(lines) > query.limit
    return say(Messages(items=[MessageOut.of(one) for one in shown], next=cursor(shown[-1].id) if more else None))


def _shown(found: progress.Progress) -> BroadcastOut:
    return BroadcastOut.of(found.broadcast, found.numbers, found.phase, may_stop=found.may_stop)


def _device(speaker_id: object) -> str:
    if not (isinstance(speaker_id, str) and is_device_id(speaker_id)):
        raise ValueError(speaker_id)
    return speaker_id


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= LARGEST_ID:
        raise ValueError(value)
    return value
