"""What the pages of sheets show, read in one go."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Standing
from broadcasts.delivery.quiet import QuietHours
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound, WrongState
from hub.regions import service as regions
from hub.regions.tree import Level
from schedules import agreed, rehearsal
from schedules.calendar import Pattern
from schedules.models import Sheet, SheetState, Slot, SlotKind
from schedules.rehearsal import Extra, Rehearsal, Showing, Stage
from schedules.sheets import listing, moving, service
from schedules.sheets.drafting import WITH_SUBJECT, draft_of
from schedules.sheets.forms import SlotForm
from schedules.sources import Choice, Sources

NOON, EVENING = "11:00", "15:00"


@dataclass(frozen=True, slots=True)
class Line:
    """One slot on the page, with what next week would show of it. `free`: a time at which it would meet nothing."""

    slot: Slot
    pattern: Pattern
    plays: int
    troubles: tuple[Showing, ...]
    free: str


@dataclass(frozen=True)
class Page:
    """A sheet with everything beside it. `before` is the version that runs now, if this is to replace it."""

    sheet: Sheet
    place: str
    sessions: dict[str, list[Line]]
    week: Rehearsal
    own: tuple[Showing, ...]
    versions: list[Sheet]
    before: Sheet | None
    may_edit: bool
    may_approve: bool
    standing: Standing
    may_withdraw: bool
    may_renew: bool
    mine: bool
    kinds: tuple[SlotKind, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class SlotPage:
    """The page of one slot."""

    sheet: Sheet
    place: str
    kinds: tuple[SlotKind, ...]
    choices: Sequence[Choice]
    with_subject: bool


def show(session: Session, actor: Actor, sheet_id: UUID, stage: Stage, *, since: datetime, until: datetime) -> Page:
    """Return a sheet, and what a week would bring if it ran."""
    sheet = service.get(session, actor, sheet_id)
    slots = service.slots_of(session, sheet)
    versions = listing.versions(session, sheet)
    before = next((v for v in versions if v.state is SheetState.RUNNING and v.id != sheet.id), None)
    extra = Extra()
    if sheet.state in service.OPEN:
        old = service.slots_of(session, before) if before else []
        extra = Extra(slots, frozenset(slot.id for slot in old))
    week = rehearsal.rehearse(session, actor, stage, since=since, until=until, below=sheet.region_path, extra=extra)
    ids = {slot.id for slot in slots}
    own = tuple(one for one in week.showings if one.line.slot_id in ids)
    mine = actor.id in (sheet.submitted_by, sheet.written_by)
    running, waiting = sheet.state is SheetState.RUNNING, sheet.state is SheetState.SUBMITTED
    may_write = actor.may(Permission.COMPOSE, sheet.region_path)
    standing = rounds.standing(session, actor, agreed.subject_of(sheet))
    return Page(
        sheet=sheet,
        place=regions.full_name(session, sheet.region_path, without_county=True),
        sessions=_sessions(slots, own, week.showings, stage.rules.quiet),
        week=week,
        own=own,
        versions=[v for v in versions if service.is_seen(actor, v)],
        before=before,
        may_edit=service.may_edit(actor, sheet),
        may_approve=waiting and not standing.refusal,
        standing=standing,
        may_withdraw=(sheet.state in service.OPEN and may_write)
        or (running and actor.may(Permission.STOP, sheet.region_path)),
        may_renew=running and may_write,
        mine=mine,
        kinds=stage.sources.kinds,
    )


def week_from(first: date, stage: Stage) -> tuple[datetime, datetime]:
    """Return the seven local days from one on, as moments."""
    since = datetime.combine(first, time(), tzinfo=stage.zone)
    return since, since + timedelta(days=7)


def _sessions(
    slots: Sequence[Slot], own: Sequence[Showing], week: Sequence[Showing], quiet: QuietHours
) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {"morning": [], "noon": [], "evening": []}
    for slot in slots:
        part = "morning" if slot.daily_at < NOON else "noon" if slot.daily_at < EVENING else "evening"
        mine = [one for one in own if one.line.slot_id == slot.id]
        troubles = tuple(one for one in mine if one.findings)
        free = moving.free_time(mine, week, quiet)
        found[part].append(Line(slot, Pattern.from_json(slot.rhythm, slot.days), len(mine), troubles, free))
    return found


def slot_form(session: Session, actor: Actor, sheet_id: UUID, slot_id: UUID) -> SlotForm:
    """Return the form of a slot."""
    sheet = service.get(session, actor, sheet_id)
    slot = session.get(Slot, slot_id)
    if slot is None or slot.sheet_id != sheet.id:
        raise NotFound("slot_unknown")
    return SlotForm.of(draft_of(slot))


def slot_page(
    session: Session, actor: Actor, sheet_id: UUID, kind: SlotKind, sources: Sources, *, today: date
) -> SlotPage:
    """Return what a slot of a kind may hold."""
    sheet = service.get(session, actor, sheet_id)
    actor.require(Permission.COMPOSE, sheet.region_path)
    if sheet.state not in service.OPEN:
        raise WrongState("sheet_frozen")
    source = sources.of(kind)
    if source is None:
        raise NotFound("slot_kind_unknown")
    return SlotPage(
        sheet=sheet,
        place=regions.full_name(session, sheet.region_path, without_county=True),
        kinds=sources.kinds,
        choices=source.offered(session, actor, sheet.region_path, today=today),
        with_subject=kind in WITH_SUBJECT,
    )


def places(session: Session, actor: Actor, permission: Permission = Permission.COMPOSE) -> list[tuple[str, str]]:
    """Return the counties, townships and villages for which the actor may write sheets, as code and name."""
    nodes = [node for top in regions.forest(session, actor, permission) for node in top.walk()]
    return [
        (node.code, regions.full_name(session, node.path, without_county=True))
        for node in nodes
        if node.level is not Level.GROUP
    ]
