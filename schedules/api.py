"""The timetable, for programs."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from flask import Response
from pydantic import Field

from hub.core.errors import BadInput
from hub.web.api import LATEST_MS, Output, PageQuery, answers, moment_of, ms, room, say
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading
from schedules import timetable
from schedules.calendar import Rhythm
from schedules.models import OccurrenceState, SlotKind
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


def _span(query: TimetableQuery) -> tuple[datetime, datetime]:
    since = now() if query.since is None else moment_of(query.since)
    until = since + USUAL if query.until is None else moment_of(query.until)
    if not since < until <= since + LONGEST:
        raise BadInput("timetable_span", field="until")
    return since, until
