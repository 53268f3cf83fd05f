"""What a week of a sheet would bring, for programs: slot by slot what stands in its way, and when it would be free."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

from flask import Response
from pydantic import Field

from hub.core.runtime import runtime
from hub.web.api import Input, Output, answers, say
from hub.web.work import actor, now, reading
from schedules.rehearsal import Stage, Trouble
from schedules.sheets import desk, listing
from schedules.sheets.api import SheetPath, bp
from schedules.sheets.desk import Line

WITH_WEEKS = bp
"""The room of sheets with this verb in it: it is registered once."""


class WeekQuery(Input):
    """Which seven days."""

    first: date | None = Field(None, description="YYYY-MM-DD, the first of them; left out = next Monday")


class SlotTroubleOut(Output):
    """One thing that stands in a slot's way, and how often in that week."""

    trouble: Trouble
    other: str = Field(description="the title of what it meets")
    times: int


class SlotWeekOut(Output):
    """One slot, what stands in its way in that week, and when it would be free of it."""

    slot_id: UUID
    title: str
    at: str
    plays: int = Field(description="times it comes round in that week")
    troubles: list[SlotTroubleOut]
    free: str = Field(
        description="the nearest local time HH:MM, three hours to either side, at which it meets nothing on all those "
        "days; empty = it meets nothing as it is, or there is no such time"
    )

    @classmethod
    def of(cls, line: Line) -> "SlotWeekOut":
        """Return it for showing."""
        found = Counter((f.trouble, f.other) for one in line.troubles for f in one.findings)
        return cls(
            slot_id=line.slot.id,
            title=line.slot.title,
            at=line.slot.daily_at,
            plays=line.plays,
            troubles=[SlotTroubleOut(trouble=trouble, other=other, times=n) for (trouble, other), n in found.items()],
            free=line.free,
        )


class SheetWeekOut(Output):
    """What a week would bring if the sheet ran, slot by slot in the order of the day."""

    first: date
    last: date
    slots: list[SlotWeekOut]


@bp.get("/sheets/<uuid:sheet_id>/week", responses=answers(SheetWeekOut, 404))
def get_sheet_week(path: SheetPath, query: WeekQuery) -> Response:
    """Say for each slot what stands in its way in a week, and when it would be free."""
    stage = runtime().get(Stage)
    first = query.first or listing.week_after(now().astimezone(runtime().zone).date())[0]
    since, until = desk.week_from(first, stage)
    with reading() as session:
        page = desk.show(session, actor(), path.sheet_id, stage, since=since, until=until)
    lines = sorted((line for part in page.sessions.values() for line in part), key=lambda line: line.slot.daily_at)
    last = first + timedelta(days=6)
    return say(SheetWeekOut(first=first, last=last, slots=[SlotWeekOut.of(line) for line in lines]))
