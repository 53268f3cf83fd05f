"""Programme sheets, for programs: look, write, submit, approve, return, renew, withdraw, export."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.approvals.rounds import REASON_LENGTH
from broadcasts.delivery.rules import Rules
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.web.api import Input, Output, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work
from schedules.calendar import LAST_OF_MONTH, Pattern, Rhythm
from schedules.models import Sheet, SheetState, Slot, SlotKind
from schedules.sheets import listing, service
from schedules.sheets.drafting import LONGEST_MINUTES, MOST_DAYS, MOST_LATE, TITLE_LENGTH, Head, SlotDraft
from schedules.sources import Sources

Put = Callable[[Any], Slot]
bp = room("sheets", "Programme sheets: what is heard when, agreed to by two.")


class SheetPath(Input):
    """Which sheet."""

    sheet_id: UUID


class SlotPath(SheetPath):
    """Which slot of it."""

    slot_id: UUID


class HeadIn(Input):
    """A sheet's name, place and time."""

    title: str = Field(max_length=TITLE_LENGTH)
    region: RegionCode
    valid_from: date | None = Field(None, description="YYYY-MM-DD; null = from its approval")
    valid_until: date | None = Field(None, description="YYYY-MM-DD, the last day; null = no end")

    def head(self) -> Head:
        """Return it as the hub knows it."""
        return Head(self.title, self.region, self.valid_from, self.valid_until)


class SlotIn(Input):
    """A slot. What its rhythm does not need is left out."""

    title: str = Field("", max_length=TITLE_LENGTH, description="empty = the title of what it holds")
    kind: SlotKind
    subject_id: UUID | None = Field(None, description="the announcement, recording or campaign it holds")
    relay_url: str = Field("", max_length=1000, description="of a relay")
    at: str = Field(max_length=5, description="local time HH:MM")
    minutes: int = Field(0, ge=0, le=LONGEST_MINUTES, description="how long it is; 0 = as long as what it holds")
    volume: int | None = Field(None, ge=1, le=100)
    late_minutes: int = Field(15, ge=0, le=MOST_LATE, description="how late it may still begin after an outage")
    rhythm: Rhythm = Rhythm.DAILY
    weekdays: list[int] = Field(default=[], max_length=7, description="1 = Monday to 7")
    every: int = Field(1, ge=1, le=52, description="every so many weeks")
    month_days: list[int] = Field(default=[], max_length=32, description="1 to 31; -1 = the last day")
    dates: list[date] = Field(default=[], max_length=MOST_DAYS)
    first: date | None = Field(None, description="not before that day")
    last: date | None = Field(None, description="not after that day")
    apart: list[tuple[date, date]] = Field(default=[], max_length=MOST_DAYS, description="days left out, from and to")
    on_quiet_days: bool = Field(False, description="sounds on days of exams, mourning and harvest as well")

    def draft(self) -> SlotDraft:
        """Return it as the hub knows it."""
        return SlotDraft(
            title=self.title,
            kind=self.kind,
            at=self.at,
            minutes=self.minutes,
            subject_id=self.subject_id,
            relay_url=self.relay_url,
            volume=self.volume,
            late_minutes=self.late_minutes,
            pattern=Pattern(
                rhythm=Rhythm.DAILY if self.rhythm is Rhythm.ONCE else self.rhythm,
                weekdays=frozenset(day for day in self.weekdays if 1 <= day <= 7),
                every=self.every,
                month_days=frozenset(day for day in self.month_days if day == LAST_OF_MONTH or 1 <= day <= 31),
                dates=frozenset(self.dates),
                first=self.first,
                last=self.last,
                apart=tuple((a, b) for a, b in sorted(self.apart) if a <= b),
                on_quiet_days=self.on_quiet_days,
            ),
        )


class SlotOut(Output):
    """A slot of a sheet."""

    id: UUID
    kind: SlotKind
    title: str
    subject_id: UUID | None
    relay_url: str
    at: str
    minutes: int
    volume: int | None
    late_minutes: int
    rhythm: Rhythm
    weekdays: list[int]
    every: int
    month_days: list[int]
    dates: list[date]
    first: date | None
    last: date | None
    apart: list[tuple[date, date]]
    on_quiet_days: bool

    @classmethod
    def of(cls, slot: Slot) -> "SlotOut":
        """Return a slot for showing."""
        p = Pattern.from_json(slot.rhythm, slot.days)
        return cls(
            id=slot.id,
            kind=slot.kind,
            title=slot.title,
            subject_id=slot.subject_id,
            relay_url=slot.relay_url,
            at=slot.daily_at,
            minutes=slot.minutes,
            volume=slot.volume,
            late_minutes=slot.late_tolerance_s // 60,
            rhythm=slot.rhythm,
            weekdays=sorted(p.weekdays),
            every=p.every,
            month_days=sorted(p.month_days),
            dates=sorted(p.dates),
            first=p.first,
            last=p.last,
            apart=list(p.apart),
            on_quiet_days=p.on_quiet_days,
        )


class SheetOut(Output):
    """A version of a sheet with its slots, in the order of the day."""

    id: UUID
    line_id: UUID = Field(description="the same for all versions of a sheet")
    version: int
    title: str
    region: str
    valid_from: date | None
    valid_until: date | None
    state: SheetState
    content_hash: str = Field(description="what an approval is of; empty before it is submitted")
    return_reason: str
    written_by: str
    submitted_by: str
    approved_by: str
    approved_at: int | None
    changed_at: int
    slots: list[SlotOut]

    @classmethod
    def of(cls, s: Sheet, slots: list[Slot]) -> "SheetOut":
        """Return a sheet for showing."""
        return cls(
            id=s.id,
            line_id=s.line_id,
            version=s.version,
            title=s.title,
            region=codes_in(s.region_path)[-1],
            valid_from=s.valid_from,
            valid_until=s.valid_until,
            state=s.state,
            content_hash=s.content_hash,
            return_reason=s.return_reason,
            written_by=s.written_by_name,
            submitted_by=s.submitted_by_name,
            approved_by=s.approved_by_name,
            approved_at=ms_or_none(s.approved_at),
            changed_at=ms(s.changed_at),
            slots=[SlotOut.of(slot) for slot in slots],
        )


class SheetRow(Output):
    """A sheet in the list."""

    id: UUID
    line_id: UUID
    version: int
    title: str
    region: str
    state: SheetState
    slots: int


class Sheets(Output):
    """The sheets that run or are being written."""

    items: list[SheetRow]


class SheetSeen(Input):
    """What the approver was looking at."""

    content_hash: str = Field(min_length=64, max_length=64, description="`content_hash` of the sheet as read")


class SheetReason(Input):
    """Why it is returned."""

    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


@bp.get("/sheets", responses=answers(Sheets))
def list_sheets() -> Response:
    """List the sheets that run or are being written."""
    with reading() as session:
        rows = listing.every(session, actor())
    return say(
        Sheets(
            items=[
                SheetRow(
                    id=row.sheet.id,
                    line_id=row.sheet.line_id,
                    version=row.sheet.version,
                    title=row.sheet.title,
                    region=codes_in(row.sheet.region_path)[-1],
                    state=row.sheet.state,
                    slots=row.slots,
                )
                for row in rows
            ]
        )
    )


@bp.get("/sheets/<uuid:sheet_id>", responses=answers(SheetOut, 404))
def get_sheet(path: SheetPath) -> Response:
    """Return one version of a sheet."""
    with reading() as session:
        sheet = service.get(session, actor(), path.sheet_id)
        return say(SheetOut.of(sheet, service.slots_of(session, sheet)))


@bp.post("/sheets", responses=answers(SheetOut, 403, 409, status=201))
@once
def create_sheet(body: HeadIn) -> Response:
    """Start a sheet; it has no slots yet."""
    with work() as session:
        sheet = service.begin(session, actor(), body.head(), today=_today(), now=now())
        return finish(session, SheetOut.of(sheet, []), 201)


@bp.put("/sheets/<uuid:sheet_id>", responses=answers(SheetOut, 403, 404, 409))
def change_sheet(path: SheetPath, body: HeadIn) -> Response:
    """Change the name, place or time of a sheet that does not run."""
    with work() as session:
        sheet = service.rename(session, actor(), path.sheet_id, body.head(), today=_today(), now=now())
        return say(SheetOut.of(sheet, service.slots_of(session, sheet)))


@bp.post("/sheets/<uuid:sheet_id>/slots", responses=answers(SlotOut, 403, 404, 409, status=201))
@once
def add_slot(path: SheetPath, body: SlotIn) -> Response:
    """Add a slot to a sheet that does not run."""
    with work() as session:
        return finish(session, SlotOut.of(_put(path.sheet_id, None, body)(session)), 201)


@bp.put("/sheets/<uuid:sheet_id>/slots/<uuid:slot_id>", responses=answers(SlotOut, 403, 404, 409))
def change_slot(path: SlotPath, body: SlotIn) -> Response:
    """Write a slot anew."""
    with work() as session:
        return say(SlotOut.of(_put(path.sheet_id, path.slot_id, body)(session)))


@bp.post("/sheets/<uuid:sheet_id>/slots/<uuid:slot_id>/drop", responses=answers(SheetOut, 403, 404, 409))
@once
def drop_slot(path: SlotPath) -> Response:
    """Take a slot out of a sheet that does not run."""
    with work() as session:
        service.drop_slot(session, actor(), path.sheet_id, path.slot_id, now=now())
        sheet = service.get(session, actor(), path.sheet_id)
        return finish(session, SheetOut.of(sheet, service.slots_of(session, sheet)))


@bp.post("/sheets/<uuid:sheet_id>/submit", responses=answers(SheetOut, 403, 404, 409))
@once
def submit_sheet(path: SheetPath) -> Response:
    """Hand it in for approval."""
    hub = runtime()
    with work() as session:
        sheet = service.submit(
            session, actor(), path.sheet_id, sources=hub.get(Sources), rules=hub.get(Rules), now=now()
        )
        return finish(session, SheetOut.of(sheet, service.slots_of(session, sheet)))


@bp.post("/sheets/<uuid:sheet_id>/approve", responses=answers(SheetOut, 403, 404, 409))
@once
def approve_sheet(path: SheetPath, body: SheetSeen) -> Response:
    """Let it run in place of the version before. Never by whoever wrote it."""
    with work() as session:
        sheet = service.approve(session, actor(), path.sheet_id, seen_hash=body.content_hash, now=now())
        return finish(session, SheetOut.of(sheet, service.slots_of(session, sheet)))


@bp.post("/sheets/<uuid:sheet_id>/return", responses=answers(SheetOut, 403, 404, 409))
@once
def return_sheet(path: SheetPath, body: SheetReason) -> Response:
    """Give it back to its writer, saying why."""
    with work() as session:
        sheet = service.give_back(session, actor(), path.sheet_id, body.reason, now=now())
        return finish(session, SheetOut.of(sheet, service.slots_of(session, sheet)))


@bp.post("/sheets/<uuid:sheet_id>/renew", responses=answers(SheetOut, 403, 404, 409))
@once
def renew_sheet(path: SheetPath) -> Response:
    """Return the draft that will replace a running sheet; the first call makes it."""
    with work() as session:
        draft = service.next_version(session, actor(), path.sheet_id, now=now())
        return finish(session, SheetOut.of(draft, service.slots_of(session, draft)))


@bp.post("/sheets/<uuid:sheet_id>/withdraw", responses=answers(SheetOut, 403, 404, 409))
@once
def withdraw_sheet(path: SheetPath) -> Response:
    """Take it out for good; nothing of it is heard from now on."""
    with work() as session:
        sheet = service.withdraw(session, actor(), path.sheet_id, now=now())
        return finish(session, SheetOut.of(sheet, service.slots_of(session, sheet)))


def _put(sheet_id: UUID, slot_id: UUID | None, body: SlotIn) -> Put:
    hub = runtime()
    return partial(
        service.put_slot,
        actor=actor(),
        sheet_id=sheet_id,
        slot_id=slot_id,
        draft=body.draft(),
        sources=hub.get(Sources),
        rules=hub.get(Rules),
        now=now(),
    )


def _today() -> date:
    return now().astimezone(runtime().zone).date()
