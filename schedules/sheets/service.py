"""Write a sheet, have it agreed to, let it run, replace it by its next version, take it out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.approvals import rounds
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import touches
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import path_of
from schedules import agreed, almanac, booking
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot
from schedules.sheets.drafting import MOST_SLOTS, WITH_SUBJECT, Head, SlotDraft, content_hash, shown
from schedules.sources import Choice, Nothing, Sources

OPEN = frozenset({SheetState.DRAFT, SheetState.SUBMITTED, SheetState.RETURNED})
LIVE = frozenset({SheetState.RUNNING, *OPEN})


_COPIED = (
    *(
        "kind",
        "subject_id",
        "subject_hash",
        "title",
        "minutes",
        "lasts_ms",
        "volume",
        "relay_url",
        "home_path",
        "rhythm",
    ),
    *("daily_at", "days", "first_day", "last_day", "zone", "late_tolerance_s"),
)


def begin(session: Session, actor: Actor, head: Head, *, today: date, now: datetime) -> Sheet:
    """Start a sheet for a region."""
    path = _place(session, actor, head, today)
    sheet_id = uuid7()
    sheet = Sheet(
        id=sheet_id,
        line_id=sheet_id,
        title=head.title.strip(),
        region_path=path,
        valid_from=head.valid_from,
        valid_until=head.valid_until,
        written_by=actor.id,
        written_by_name=actor.name,
        written_at=now,
        changed_at=now,
    )
    session.add(sheet)
    session.flush()
    _note(session, actor, "sheet.create", sheet, now)
    return sheet


def rename(session: Session, actor: Actor, sheet_id: UUID, head: Head, *, today: date, now: datetime) -> Sheet:
    """Change what it is called, where it is heard and how long it holds."""
    sheet = _editable(session, actor, sheet_id)
    path = _place(session, actor, head, today)
    if sheet.version > 1 and path != sheet.region_path:
        raise BadInput("sheet_keeps_its_place", field="region")
    sheet.title, sheet.region_path = head.title.strip(), path
    sheet.valid_from, sheet.valid_until = head.valid_from, head.valid_until
    session.execute(
        update(Slot)
        .where(Slot.sheet_id == sheet.id)
        .values(home_path=path, first_day=sheet.valid_from, last_day=sheet.valid_until)
    )
    _changed(sheet, now)
    return sheet


def put_slot(
    session: Session,
    actor: Actor,
    sheet_id: UUID,
    slot_id: UUID | None,
    draft: SlotDraft,
    *,
    sources: Sources,
    rules: Rules,
    now: datetime,
) -> Slot:
    """Add a slot, or write one anew."""
    sheet = _editable(session, actor, sheet_id)
    today = now.astimezone(rules.zone).date()
    draft = draft.settled(sheet.valid_from or today)
    problems = draft.problems()
    if sources.of(draft.kind) is None:
        problems.append(BadInput("slot_kind_unknown", field="kind"))
    if problems:
        raise Problems(problems)
    title, subject_hash, lasts_ms = draft.title, "", 0
    if draft.kind in WITH_SUBJECT:
        held = _held(session, actor, sheet, draft, sources, today)
        title, subject_hash, lasts_ms = title or held.title, held.content, held.ms
    slot = _slot(session, sheet, slot_id, rules, now)
    slot.kind, slot.title, slot.daily_at = draft.kind, title[:60], draft.at
    slot.subject_id, slot.subject_hash = draft.subject_id, subject_hash
    slot.minutes, slot.volume, slot.relay_url = draft.minutes, draft.volume, draft.relay_url
    slot.lasts_ms = lasts_ms
    slot.rhythm, slot.days = draft.pattern.rhythm, draft.pattern.as_json()
    slot.late_tolerance_s = draft.late_minutes * 60
    _changed(sheet, now)
    session.flush()
    return slot


def drop_slot(session: Session, actor: Actor, sheet_id: UUID, slot_id: UUID, *, now: datetime) -> None:
    """Take a slot out."""
    sheet = _editable(session, actor, sheet_id)
    session.execute(delete(Slot).where(Slot.id == slot_id, Slot.sheet_id == sheet.id))
    _changed(sheet, now)


def submit(session: Session, actor: Actor, sheet_id: UUID, *, sources: Sources, rules: Rules, now: datetime) -> Sheet:
    """Hand it in; somebody else decides. What would be silent every time is refused."""
    sheet = _editable(session, actor, sheet_id)
    if sheet.state is SheetState.SUBMITTED:
        return sheet
    slots = slots_of(session, sheet)
    if not slots:
        raise BadInput("sheet_empty", field="slots")
    problems = [p for slot in slots for p in _slot_problems(session, slot, sources, rules, now)]
    if problems:
        raise Problems(problems)
    sheet.state = SheetState.SUBMITTED
    sheet.submitted_by, sheet.submitted_by_name, sheet.submitted_at = actor.id, actor.name, now
    sheet.changed_at, sheet.return_reason = now, ""
    sheet.content_hash = content_hash(sheet, slots)
    rounds.begin(session, actor, replace(agreed.subject_of(sheet), content=shown(sheet, slots)), now=now)
    _note(session, actor, "sheet.submit", sheet, now, content=sheet.content_hash)
    return sheet


def approve(
    session: Session, actor: Actor, sheet_id: UUID, *, seen_hash: str, now: datetime, seen_step: int | None = None
) -> Sheet:
    """Pass it on to the next reviewer, or let it run, in place of the version before. Never by who wrote it."""
    sheet = _for_review(session, actor, sheet_id)
    slots = slots_of(session, sheet)
    if seen_hash != sheet.content_hash or content_hash(sheet, slots) != sheet.content_hash:
        raise WrongState("sheet_changed_meanwhile")
    if not rounds.take_step(session, actor, agreed.subject_of(sheet), seen_step=seen_step, now=now):
        return sheet
    before = session.scalars(
        select(Sheet).where(Sheet.line_id == sheet.line_id, Sheet.state == SheetState.RUNNING).with_for_update()
    ).all()
    sheet.state = SheetState.RUNNING
    sheet.approved_by, sheet.approved_by_name, sheet.approved_at, sheet.changed_at = actor.id, actor.name, now, now
    taken: set[UUID] = set()
    for old in before:
        taken |= _replace(session, old, slots, now)
    days = almanac.load(session)
    for slot in slots:
        slot.enabled = True
        if slot.id not in taken:
            slot.planned_until = max(now, slot.planned_until)
            booking.plan_slot(session, slot, days, now)
    _note(session, actor, "sheet.approve", sheet, now, content=sheet.content_hash)
    return sheet


def _replace(session: Session, old: Sheet, slots: Sequence[Slot], now: datetime) -> set[UUID]:
    """End a version; slots that did not change take over what it had planned. Return those."""
    theirs = {json.dumps(agreed.content_of(slot), sort_keys=True): slot for slot in slots_of(session, old)}
    # What was sent out a little ahead of its time must not be planned again.
    reached = session.scalar(
        select(func.max(Occurrence.due_at))
        .join(Slot, Slot.id == Occurrence.slot_id)
        .where(Slot.sheet_id == old.id, Occurrence.state == OccurrenceState.FIRED)
    )
    taken = set()
    for slot in slots:
        slot.planned_until = max(now, reached or now)
        same = theirs.pop(json.dumps(agreed.content_of(slot), sort_keys=True), None)
        if same is not None:
            session.execute(
                update(Occurrence)
                .where(Occurrence.slot_id == same.id, Occurrence.state == OccurrenceState.PLANNED)
                .values(slot_id=slot.id)
            )
            slot.planned_until, slot.enabled, same.enabled = same.planned_until, same.enabled, False
            taken.add(slot.id)
    for slot in theirs.values():
        slot.enabled = False
        booking.clear(session, slot.id, now)
    old.state, old.ended_at, old.changed_at = SheetState.REPLACED, now, now
    return taken


def give_back(session: Session, actor: Actor, sheet_id: UUID, reason: str, *, now: datetime) -> Sheet:
    """Return it to its writer, saying why."""
    sheet = _for_review(session, actor, sheet_id)
    reason = rounds.refuse(session, actor, agreed.subject_of(sheet), reason, now=now)
    sheet.state, sheet.return_reason, sheet.changed_at = SheetState.RETURNED, reason, now
    _note(session, actor, "sheet.return", sheet, now, reason=reason)
    return sheet


def withdraw(session: Session, actor: Actor, sheet_id: UUID, *, now: datetime) -> Sheet:
    """Take it out for good: nothing of it is heard from now on. What sounds just now is stopped elsewhere."""
    sheet = get(session, actor, sheet_id, lock=True)
    needed = Permission.STOP if sheet.state is SheetState.RUNNING else Permission.COMPOSE
    actor.require(needed, sheet.region_path)
    if sheet.state not in LIVE:
        raise WrongState("sheet_over")
    for slot in slots_of(session, sheet):
        slot.enabled = False
        booking.clear(session, slot.id, now)
    sheet.state, sheet.ended_at, sheet.changed_at = SheetState.WITHDRAWN, now, now
    _note(session, actor, "sheet.withdraw", sheet, now)
    return sheet


def next_version(session: Session, actor: Actor, sheet_id: UUID, *, now: datetime) -> Sheet:
    """Return the draft that will replace a running sheet; there is one at a time."""
    sheet = get(session, actor, sheet_id, lock=True)
    actor.require(Permission.COMPOSE, sheet.region_path)
    if sheet.state in OPEN:
        return sheet
    if sheet.state is not SheetState.RUNNING:
        raise WrongState("sheet_over")
    open_ = session.scalar(select(Sheet).where(Sheet.line_id == sheet.line_id, Sheet.state.in_(OPEN)))
    if open_ is not None:
        return open_
    last = session.scalar(select(func.max(Sheet.version)).where(Sheet.line_id == sheet.line_id)) or sheet.version
    draft = Sheet(
        line_id=sheet.line_id,
        version=last + 1,
        title=sheet.title,
        region_path=sheet.region_path,
        valid_from=sheet.valid_from,
        valid_until=sheet.valid_until,
        written_by=actor.id,
        written_by_name=actor.name,
        written_at=now,
        changed_at=now,
    )
    session.add(draft)
    session.flush()
    for slot in slots_of(session, sheet):
        session.add(_copy(slot, draft, now))
    _note(session, actor, "sheet.edit", draft, now)
    return draft


def _copy(slot: Slot, draft: Sheet, now: datetime) -> Slot:
    fields = {name: getattr(slot, name) for name in _COPIED}
    return Slot(sheet_id=draft.id, enabled=False, planned_until=now, created_at=now, **fields)


def slots_of(session: Session, sheet: Sheet) -> list[Slot]:
    """Return its slots in the order of the day."""
    query = select(Slot).where(Slot.sheet_id == sheet.id).order_by(Slot.daily_at, Slot.created_at, Slot.id)
    return list(session.scalars(query))


def get(session: Session, actor: Actor, sheet_id: UUID, *, lock: bool = False) -> Sheet:
    """Return a sheet the actor may see: of one's own part, and what runs above. To a stranger it does not exist."""
    sheet = session.get(Sheet, sheet_id, with_for_update=lock or None)
    if sheet is None or not is_seen(actor, sheet):
        raise NotFound("sheet_unknown")
    return sheet


def may_edit(actor: Actor, sheet: Sheet) -> bool:
    """Whether the actor may write in it now."""
    return sheet.state in OPEN and actor.may(Permission.COMPOSE, sheet.region_path)


def _place(session: Session, actor: Actor, head: Head, today: date) -> str:
    problems = head.problems(today)
    if problems:
        raise Problems(problems)
    regions.require_known(session, (head.region,))
    path = path_of(head.region)
    actor.require(Permission.COMPOSE, path)
    return path


def _held(session: Session, actor: Actor, sheet: Sheet, draft: SlotDraft, sources: Sources, today: date) -> Choice:
    source = sources.of(draft.kind)
    offered = source.offered(session, actor, sheet.region_path, today=today) if source else ()
    for choice in offered:
        if choice.id == draft.subject_id:
            return choice
    raise BadInput("slot_subject_unknown", field="subject")


def _slot(session: Session, sheet: Sheet, slot_id: UUID | None, rules: Rules, now: datetime) -> Slot:
    if slot_id is not None:
        found = session.get(Slot, slot_id)
        if found is None or found.sheet_id != sheet.id:
            raise NotFound("slot_unknown")
        return found
    if len(slots_of(session, sheet)) >= MOST_SLOTS:
        raise BadInput("sheet_full", field="", most=MOST_SLOTS)
    slot = Slot(
        id=uuid7(),
        sheet_id=sheet.id,
        home_path=sheet.region_path,
        zone=rules.zone.key,
        enabled=False,
        first_day=sheet.valid_from,
        last_day=sheet.valid_until,
        planned_until=now,
        created_at=now,
    )
    session.add(slot)
    return slot


def _slot_problems(session: Session, slot: Slot, sources: Sources, rules: Rules, now: datetime) -> list[BadInput]:
    label = f"{slot.daily_at} {slot.title}"
    first = next(iter(booking.upcoming(session, slot, now)), None)
    if first is None:
        return [BadInput("slot_never_comes", field="slots", slot=label)]
    piece = sources.piece(session, slot, first)
    if isinstance(piece, Nothing):
        return [BadInput("slot_has_nothing", field="slots", slot=label)] if piece.code else []
    seconds = max(piece.ms / 1000, slot.minutes * 60.0 if piece.stream_url else 0.0)
    if rules.quiet.touches(first, seconds):
        free = rules.quiet.next_free(first, seconds)
        return [BadInput("slot_in_quiet_hours", field="slots", slot=label, free=f"{free:%H:%M}" if free else "")]
    return []


def _editable(session: Session, actor: Actor, sheet_id: UUID) -> Sheet:
    sheet = get(session, actor, sheet_id, lock=True)
    actor.require(Permission.COMPOSE, sheet.region_path)
    if sheet.state not in OPEN:
        raise WrongState("sheet_frozen")
    return sheet


def _for_review(session: Session, actor: Actor, sheet_id: UUID) -> Sheet:
    sheet = get(session, actor, sheet_id, lock=True)
    actor.require(Permission.APPROVE, sheet.region_path)
    if actor.id in (sheet.submitted_by, sheet.written_by):
        raise NotAllowed("own_sheet")
    if sheet.state is not SheetState.SUBMITTED:
        raise WrongState("sheet_not_waiting")
    return sheet


def _changed(sheet: Sheet, now: datetime) -> None:
    """Any change takes back what was handed in."""
    sheet.state = SheetState.DRAFT if sheet.state is not SheetState.RETURNED else sheet.state
    sheet.content_hash, sheet.submitted_by, sheet.submitted_by_name, sheet.submitted_at = "", None, "", None
    sheet.changed_at = now


def is_seen(actor: Actor, sheet: Sheet) -> bool:
    """Whether a sheet concerns the actor: what runs above is heard below."""
    if actor.may(Permission.SEE, sheet.region_path):
        return True
    return sheet.state not in OPEN and touches((sheet.region_path,), actor.paths(Permission.SEE))


def _note(session: Session, actor: Actor, deed: str, sheet: Sheet, now: datetime, **details: str) -> None:
    log.record(
        session,
        actor,
        deed,
        f"sheet:{sheet.id}",
        sheet.region_path,
        now,
        title=sheet.title,
        version=sheet.version,
        **details,
    )
