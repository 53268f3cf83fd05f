"""The timetable, for programs."""

from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.web.api import LATEST_MS, Input, Output, PageQuery, RegionCode, answers, moment_of, ms, room, say
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading
from schedules import rehearsal, timetable
from schedules.calendar import Rhythm
from schedules.models import OccurrenceState, SlotKind
from schedules.rehearsal import Showing, Stage, Trouble
from schedules.timetable import Line

bp = room("timetable", "What goes out when.")
USUAL = timedelta(days=1)
LONGEST = timedelta(days=31)
QueryMoment = Annotated[int, Field(ge=0, le=LATEST_MS)]


class LineOut(Output):
    """One time something goes out, went out, or should have."""

    due_at: int
    kind: SlotKind
    announcement_id: UUID | None = Field(description="of an announcement with a time of its own")
    sheet_id: UUID | None = Field(description="the version of a programme sheet it stands on")
    title: str
    rhythm: Rhythm
    audio_ms: int
    state: OccurrenceState
    note: str = Field(description="the code of why it was missed or skipped")
    broadcast_id: UUID | None

    @classmethod
    def of(cls, line: Line) -> "LineOut":
        """Return a line for showing."""
        return cls(
            due_at=ms(line.due_at),
            kind=line.kind,
            announcement_id=line.announcement_id,
            sheet_id=line.sheet_id,
            title=line.title,
            rhythm=line.rhythm,
            audio_ms=line.audio_ms,
            state=line.state,
            note=line.note,
            broadcast_id=line.broadcast_id,
        )


class Lines(Output):
    """One page of the timetable, in order of time. It is planned a day and a half ahead."""

    items: list[LineOut]
    next: str | None


class TimetableQuery(PageQuery):
    """Which time."""

    since: QueryMoment | None = Field(None, description="milliseconds since 1970 UTC; left out = now")
    until: QueryMoment | None = Field(None, description="left out = a day after `since`; at most 31 days after it")


@bp.get("/timetable", responses=answers(Lines))
def get_timetable(query: TimetableQuery) -> Response:
    """Return what is planned, went out or was missed."""
    since, until = _span(query)
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    with reading() as session:
        found = timetable.lines(session, actor(), since=since, until=until, after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return say(
        Lines(
            items=[LineOut.of(line) for line in shown],
            next=cursor(last.due_at.isoformat(), str(last.id)) if last else None,
        )
    )


class SheetFindingOut(Output):
    """One thing wrong with something planned."""

    trouble: Trouble
    other: str = Field(description="the title of what it meets")
    code: str = Field(description="why there is nothing to play")
    amount: int = Field(description="loudspeakers that clash or are away, or minutes")
    limit: int
    region: str | None = Field(description="the village that would hear too much")


class ShowingOut(Output):
    """One time something would sound."""

    due_at: int
    until: int
    kind: SlotKind
    announcement_id: UUID | None
    sheet_id: UUID | None
    title: str
    regions: list[str]
    speakers: int = Field(description="loudspeakers it is for")
    offline: int = Field(description="of those, how many are away now")
    state: OccurrenceState
    serious: bool = Field(description="somebody should do something about it")
    findings: list[SheetFindingOut]

    @classmethod
    def of(cls, one: Showing) -> "ShowingOut":
        """Return it for showing."""
        line = one.line
        return cls(
            due_at=ms(line.due_at),
            until=ms(one.end),
            kind=line.kind,
            announcement_id=line.announcement_id,
            sheet_id=line.sheet_id,
            title=line.title,
            regions=list(line.audience.regions),
            speakers=one.speakers,
            offline=one.offline,
            state=line.state,
            serious=one.troubled,
            findings=[
                SheetFindingOut(
                    trouble=f.trouble,
                    other=f.other,
                    code=f.code,
                    amount=f.amount,
                    limit=f.limit,
                    region=codes_in(f.place)[-1] if f.place else None,
                )
                for f in one.findings
            ],
        )


class NoiseOut(Output):
    """What a village would hear on a day, over every source, in minutes at the usual volume."""

    region: str
    day: date
    minutes: float


class RehearsalOut(Output):
    """What a stretch of time would bring, on the loudspeakers there are."""

    since: int
    until: int
    problems: int = Field(description="how many of the items are serious")
    day_limit: int
    week_limit: int
    items: list[ShowingOut]
    noise: list[NoiseOut]


class RehearsalQuery(Input):
    """Which time and place."""

    since: QueryMoment | None = Field(None, description="milliseconds since 1970 UTC; left out = now")
    until: QueryMoment | None = Field(None, description="left out = a day after `since`; at most 31 days after it")
    region: RegionCode | None = Field(None, description="only what is heard there")


@bp.get("/timetable/rehearsal", responses=answers(RehearsalOut, 404))
def get_rehearsal(query: RehearsalQuery) -> Response:
    """Run a stretch of time through: what would sound where, and what stands in its way. Nothing goes out."""
    since, until = _span(query)
    with reading() as session:
        below = regions.get_region(session, actor(), query.region).path if query.region else ""
        run = rehearsal.rehearse(session, actor(), runtime().get(Stage), since=since, until=until, below=below)
    seen = [(village, day) for village, day in run.noise.by_day if village in run.names and village.startswith(below)]
    return say(
        RehearsalOut(
            since=ms(since),
            until=ms(until),
            problems=len(run.troubled),
            day_limit=run.limits.a_day,
            week_limit=run.limits.a_week,
            items=[ShowingOut.of(one) for one in run.showings],
            noise=[
                NoiseOut(region=codes_in(village)[-1], day=day, minutes=round(run.noise.day(village, day), 1))
                for village, day in sorted(seen)
            ],
        )
    )


def _span(query: TimetableQuery | RehearsalQuery) -> tuple[datetime, datetime]:
    since = now() if query.since is None else moment_of(query.since)
    until = since + USUAL if query.until is None else moment_of(query.until)
    if not since < until <= since + LONGEST:
        raise BadInput("timetable_span", field="until")
    return since, until
