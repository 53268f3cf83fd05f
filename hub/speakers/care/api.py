"""Looking after loudspeakers, for programs."""

from typing import Literal
from uuid import UUID

from flask import Response
from pydantic import Field

from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.speakers.care import asking, attention, events, patrol
from hub.speakers.care.digest import Township, digest
from hub.speakers.care.models import Deed, DeviceCommand, EventKind, SpeakerEvent
from hub.speakers.care.patrol import Result
from hub.speakers.settings import CareSettings
from hub.speakers.topics import is_device_id
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work

bp = room("care", "Looking after loudspeakers: events, alarms, self-tests, the daily summary.")


class SpeakerPath(Input):
    """Which loudspeaker."""

    speaker_id: str = Field(max_length=32)


class EventOut(Output):
    """One line of a loudspeaker's history."""

    at: int
    kind: EventKind
    code: str = Field(description="a fault, a reason, or the name of a deed")
    detail: str
    by: str = Field(description="who did it; empty when nobody did")

    @classmethod
    def of(cls, event: SpeakerEvent) -> "EventOut":
        """Return an event for showing."""
        return cls(at=ms(event.at), kind=event.kind, code=event.code, detail=event.detail, by=event.by_name)


class EventsOut(Output):
    """One page of events, newest first."""

    items: list[EventOut]
    next: str | None


class CommandOut(Output):
    """A command to one loudspeaker and its answer."""

    id: UUID
    deed: Deed
    detail: str = Field(description="the level of a volume; empty otherwise")
    sent_at: int
    by: str
    state: str = Field(
        description="empty, received, finished, failed, refused or stopped; answers come within five minutes"
    )
    reason: str
    heard_at: int | None

    @classmethod
    def of(cls, command: DeviceCommand) -> "CommandOut":
        """Return a command for showing."""
        return cls(
            id=command.id,
            deed=command.deed,
            detail=command.detail,
            sent_at=ms(command.sent_at),
            by=command.by_name,
            state=command.state,
            reason=command.reason,
            heard_at=ms_or_none(command.heard_at),
        )


class CommandsOut(Output):
    """One page of commands, newest first."""

    items: list[CommandOut]
    next: str | None


class TestIn(Input):
    """How to test."""

    sound: bool = Field(False, description="with three seconds of tone; refused in quiet hours")


class AlarmOut(Output):
    """Something that lasts. Many loudspeakers of a township that fell silent at once are one alarm."""

    ids: list[UUID] = Field(description="what to acknowledge or put off")
    code: str = Field(description="offline, clock_wrong, settings_old, test_failed, or the code of a fault")
    speaker_id: str = Field(description="empty when it stands for many")
    count: int
    region: str = Field(description="its village, or the township when it stands for many")
    since: int
    acknowledged_by: str
    snoozed_until: int | None

    @classmethod
    def of(cls, line: attention.Line) -> "AlarmOut":
        """Return a line for showing."""
        return cls(
            ids=list(line.ids),
            code=line.code,
            speaker_id=line.speaker_id,
            count=line.count,
            region=line.place,
            since=ms(line.since),
            acknowledged_by=line.acknowledged_by,
            snoozed_until=ms_or_none(line.snoozed_until),
        )


class AlarmsOut(Output):
    """Everything that needs somebody, what began last first."""

    items: list[AlarmOut]


class AlarmsQuery(Input):
    """Which alarms."""

    region: RegionCode | None = Field(None, description="only those in this region and below")
    handled: bool = Field(False, description="also those that somebody knows of or has put off")


class AlarmsIn(Input):
    """Which alarms are meant."""

    ids: list[UUID] = Field(min_length=1, max_length=5000)


class SnoozeIn(AlarmsIn):
    """Until when."""

    days: Literal[1, 3, 7] = Field(description="until 8 in the morning, so many days from now")


class HandledOut(Output):
    """What was handled."""

    count: int


class TestedOut(Output):
    """The last self-test of one loudspeaker."""

    speaker_id: str
    result: Result
    at: int | None
    report: dict[str, str]


class TestsOut(Output):
    """One page of self-tests, those that need somebody first."""

    items: list[TestedOut]
    next: str | None


class TestsQuery(PageQuery):
    """Which loudspeakers."""

    region: RegionCode | None = Field(None, description="only those in this region and below")


class WantTestsIn(Input):
    """Whom to test now: a region, or chosen loudspeakers."""

    region_code: RegionCode | None = None
    speaker_ids: list[str] = Field([], max_length=5000)


class TownshipOut(Output):
    """How the loudspeakers of a township stand."""

    region: str
    total: int
    online: int
    silent: list[str] = Field(description="ids of those that are not connected")
    faulty: int
    repairs: int = Field(description="open orders")
    tested: int = Field(description="self-tests of the last 24 hours")
    failed: int
    unanswered: int
    drops: int = Field(description="how often one of them went offline in the last 24 hours")

    @classmethod
    def of(cls, found: Township) -> "TownshipOut":
        """Return a township for showing."""
        return cls(
            region=found.code,
            total=found.total,
            online=found.online,
            silent=[silent.speaker.id for silent in found.silent],
            faulty=found.faulty,
            repairs=found.repairs,
            tested=found.tested,
            failed=found.failed,
            unanswered=found.unheard,
            drops=found.drops,
        )


class DigestOut(Output):
    """The summary as it stands now."""

    day: str
    made_at: int
    townships: list[TownshipOut]


@bp.get("/speakers/<speaker_id>/events", responses=answers(EventsOut, 404))
def list_events(path: SpeakerPath, query: PageQuery) -> Response:
    """List what happened to a loudspeaker."""
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    with reading() as session:
        found = events.latest(session, actor(), path.speaker_id, limit=query.limit + 1, after=after)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    next_ = cursor(last.at.isoformat(), str(last.id)) if last else None
    return say(EventsOut(items=[EventOut.of(event) for event in shown], next=next_))


@bp.get("/speakers/<speaker_id>/commands", responses=answers(CommandsOut, 404))
def list_commands(path: SpeakerPath, query: PageQuery) -> Response:
    """List what was asked of a loudspeaker and what it answered."""
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    with reading() as session:
        found = asking.latest(session, actor(), path.speaker_id, limit=query.limit + 1, after=after)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    next_ = cursor(last.sent_at.isoformat(), str(last.id)) if last else None
    return say(CommandsOut(items=[CommandOut.of(command) for command in shown], next=next_))


@bp.post("/speakers/<speaker_id>/test", responses=answers(CommandOut, 403, 404, 409, 503, status=202))
@once
def test_speaker(path: SpeakerPath, body: TestIn) -> Response:
    """Let a loudspeaker test itself."""
    return _ask(path.speaker_id, Deed.SOUND if body.sound else Deed.TEST)


@bp.post("/speakers/<speaker_id>/restart", responses=answers(CommandOut, 403, 404, 409, 503, status=202))
@once
def restart_speaker(path: SpeakerPath) -> Response:
    """Restart a loudspeaker, when nothing sounds on it."""
    return _ask(path.speaker_id, Deed.RESTART)


def _ask(speaker_id: str, deed: Deed) -> Response:
    command_id = asking.ask(runtime(), actor(), speaker_id, deed)
    with work() as session:
        return finish(session, CommandOut.of(asking.get(session, command_id)), 202)


@bp.get("/speaker-alarms", responses=answers(AlarmsOut, 404))
def list_alarms(query: AlarmsQuery) -> Response:
    """List what needs somebody."""
    with reading() as session:
        path = regions.get_region(session, actor(), query.region).path if query.region else None
        found = attention.lines(session, actor(), now=now(), path=path, all_=query.handled)
    return say(AlarmsOut(items=[AlarmOut.of(line) for line in found]))


@bp.post("/speaker-alarms/acknowledge", responses=answers(HandledOut, 403, 404, 409))
@once
def acknowledge_alarms(body: AlarmsIn) -> Response:
    """Say that somebody knows."""
    with work() as session:
        found = attention.acknowledge(session, actor(), body.ids, now=now())
        return finish(session, HandledOut(count=len(found)))


@bp.post("/speaker-alarms/snooze", responses=answers(HandledOut, 403, 404, 409))
@once
def snooze_alarms(body: SnoozeIn) -> Response:
    """Put alarms off."""
    with work() as session:
        found = attention.snooze(session, actor(), body.ids, body.days, now=now(), zone=runtime().zone)
        return finish(session, HandledOut(count=len(found)))


@bp.get("/speaker-tests", responses=answers(TestsOut, 404))
def list_tests(query: TestsQuery) -> Response:
    """List everybody's last self-test."""
    after = place_of(query.cursor, _test_place) if query.cursor else None
    with reading() as session:
        path = regions.get_region(session, actor(), query.region).path if query.region else None
        found = patrol.results(session, actor(), path=path, now=now(), limit=query.limit + 1, after=after)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    items = [
        TestedOut(speaker_id=t.speaker.id, result=t.result, at=ms_or_none(t.at), report=dict(t.report)) for t in shown
    ]
    return say(TestsOut(items=items, next=cursor(last.result.value, last.speaker.id) if last else None))


def _test_place(result: object, speaker_id: object) -> tuple[Result, str]:
    if not (isinstance(speaker_id, str) and is_device_id(speaker_id)):
        raise ValueError(speaker_id)
    return Result(str(result)), speaker_id


@bp.post("/speaker-tests", responses=answers(HandledOut, 403, 404, 409, status=202))
@once
def want_tests(body: WantTestsIn) -> Response:
    """Let a region, or chosen loudspeakers, test themselves now, without a sound."""
    if not body.region_code and not body.speaker_ids:
        raise BadInput("region_missing", field="region_code")
    with work() as session:
        count = patrol.want(session, actor(), region=body.region_code or "", speaker_ids=body.speaker_ids, now=now())
        return finish(session, HandledOut(count=count), 202)


@bp.get("/speaker-digest", responses=answers(DigestOut))
def get_digest() -> Response:
    """Return how every township's loudspeakers stand."""
    at = runtime().config.section(CareSettings).digest_at
    with reading() as session:
        found = digest(session, actor(), now=now(), zone=runtime().zone, at=at)
    townships = [TownshipOut.of(one) for one in found.townships]
    return say(DigestOut(day=found.day.isoformat(), made_at=ms(found.made_at), townships=townships))
