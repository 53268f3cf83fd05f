"""Deal with complaints: take them on, hand them to somebody, say what they are about, close them with what was done."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from broadcasts.feedback import intake
from broadcasts.feedback.intake import LONGEST, Heard
from broadcasts.feedback.kinds import ComplaintDeed, ComplaintKind, ComplaintState, Way
from broadcasts.feedback.linking import meant_there
from broadcasts.feedback.models import Complaint, ComplaintStep
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.sms.letters import inbox
from broadcasts.sms.purposes import StepKind
from hub.accounts import colleagues
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, WrongState
from hub.regions import service as regions
from hub.regions.tree import contains
from hub.residents.phones import PhoneSafe, normalise
from hub.speakers import registry
from hub.speakers.care import repairs
from hub.speakers.care.models import Repair


def visible(actor: Actor) -> ColumnElement[bool] | None:
    """Return the condition for what the actor may deal with; None: nothing. What has no place is the county's."""
    paths = actor.paths(Permission.ANSWER)
    if not paths:
        return None
    below = or_(*(Complaint.region_path.like(like_below(path)) for path in paths))
    if any(path.count("/") <= 1 for path in paths):
        below = or_(below, Complaint.region_path == "")
    return below


def get(session: Session, actor: Actor, complaint_id: UUID, *, lock: bool = False) -> Complaint:
    """Return a complaint the actor may deal with; to a stranger it does not exist."""
    condition = visible(actor)
    query = select(Complaint).where(Complaint.id == complaint_id)
    query = query.with_for_update() if lock else query
    found = session.scalar(query.where(condition)) if condition is not None else None
    if found is None:
        raise NotFound("complaint_unknown")
    return found


def write_down(
    session: Session,
    actor: Actor,
    *,
    region: str,
    kind: ComplaintKind,
    text: str,
    phone: str = "",
    speaker_id: str = "",
    safe: PhoneSafe,
    settings: FeedbackSettings,
    now: datetime,
) -> Complaint:
    """Keep what somebody said at the desk or on the telephone."""
    place = regions.get_region(session, actor, region, Permission.ANSWER)
    if len(text.strip()) > LONGEST:
        raise BadInput("complaint_too_long", field="text", most=LONGEST)
    if kind is ComplaintKind.OTHER and not text.strip():
        raise BadInput("complaint_text_missing", field="text")
    if speaker_id and not contains(place.path, registry.get(session, actor, speaker_id).region_path):
        raise BadInput("complaint_speaker_elsewhere", field="speaker")
    heard = Heard(
        kind, Way.DESK, place.path, text, speaker_id=speaker_id, phone=sealed_number(phone, safe) if phone else None
    )
    complaint = intake.keep(session, heard, settings=settings, at=now)
    _record(session, actor, "complaint.write", complaint, now, kind=kind.value)
    return complaint


def sealed_number(phone: str, safe: PhoneSafe) -> tuple[bytes, bytes, str]:
    """Return a typed number as it is kept: hash, sealed, masked. BadInput when it is none."""
    number = normalise(phone)
    return safe.index(number.e164), safe.seal(number.e164), number.masked


def file_letter(
    session: Session, actor: Actor, inbound_id: UUID, kind: ComplaintKind, *, settings: FeedbackSettings, now: datetime
) -> Complaint:
    """Make a complaint of a text message that somebody has read. Twice is once."""
    letter = inbox.get(session, actor, inbound_id)
    known = session.scalar(select(Complaint).where(Complaint.inbound_id == letter.id))
    if known is not None:
        return known
    complaint = intake.file_letter(session, letter, kind, settings=settings, at=letter.received_at)
    complaint.due_at = now + settings.due_in
    inbox.note_step(session, actor, letter, StepKind.FILED, "", now=now)
    if not letter.urgent and letter.handled_at is None:
        letter.handled_at = now
    _record(session, actor, "complaint.file", complaint, now, kind=kind.value)
    return complaint


def take(session: Session, actor: Actor, complaint_id: UUID, *, now: datetime) -> Complaint:
    """Take it on oneself."""
    found = _open(session, actor, complaint_id)
    _hand_to(found, actor.id, actor.name, now)
    _step(session, actor, found, ComplaintDeed.TAKEN, "", now)
    _record(session, actor, "complaint.take", found, now)
    return found


def assign(session: Session, actor: Actor, complaint_id: UUID, account_id: UUID, *, now: datetime) -> Complaint:
    """Hand it to somebody who may deal with it there."""
    found = _open(session, actor, complaint_id)
    people = colleagues.who_may(session, Permission.ANSWER, found.region_path)
    chosen = next((one for one in people if one.id == account_id), None)
    if chosen is None:
        raise BadInput("complaint_nobody", field="to")
    _hand_to(found, chosen.id, chosen.name, now)
    _step(session, actor, found, ComplaintDeed.ASSIGNED, chosen.name, now)
    _record(session, actor, "complaint.assign", found, now, name=chosen.name)
    return found


def set_due(session: Session, actor: Actor, complaint_id: UUID, due_at: datetime, *, now: datetime) -> Complaint:
    """Say until when it is to be dealt with."""
    found = _open(session, actor, complaint_id)
    if due_at <= now:
        raise BadInput("complaint_due_past", field="due")
    before, found.due_at = found.due_at, due_at
    _step(session, actor, found, ComplaintDeed.DUE, "", now)
    _record(session, actor, "complaint.due", found, now, before=str(before), after=str(due_at))
    return found


def link(
    session: Session,
    actor: Actor,
    complaint_id: UUID,
    *,
    kind: ComplaintKind,
    speaker_id: str,
    broadcast_id: UUID | None,
    now: datetime,
) -> Complaint:
    """Correct what it is about."""
    found = _open(session, actor, complaint_id)
    if speaker_id:
        there = registry.get(session, actor, speaker_id).region_path
        if found.region_path and not (contains(found.region_path, there) or contains(there, found.region_path)):
            raise BadInput("complaint_speaker_elsewhere", field="speaker")
    if broadcast_id is not None and not meant_there(session, broadcast_id, found.region_path):
        raise BadInput("complaint_broadcast_elsewhere", field="broadcast")
    before = f"{found.kind.value} {found.speaker_id}".strip()
    found.kind, found.speaker_id, found.broadcast_id = kind, speaker_id, broadcast_id
    _step(session, actor, found, ComplaintDeed.LINKED, "", now)
    after = f"{kind.value} {speaker_id}".strip()
    _record(session, actor, "complaint.link", found, now, before=before, after=after)
    return found


def report(session: Session, actor: Actor, complaint_id: UUID, *, now: datetime) -> Repair:
    """Open a repair order for the loudspeaker it is about."""
    found = _open(session, actor, complaint_id)
    if not found.speaker_id:
        raise BadInput("complaint_speaker_missing", field="speaker")
    what = found.text or found.kind.value
    repair = repairs.open_repair(session, actor, found.speaker_id, what[: repairs.LENGTH], now=now)
    if found.state is ComplaintState.NEW:
        _hand_to(found, actor.id, actor.name, now)
    _step(session, actor, found, ComplaintDeed.REPAIR, found.speaker_id, now)
    _record(session, actor, "complaint.repair", found, now)
    return repair


def finish(session: Session, actor: Actor, complaint_id: UUID, outcome: str, *, now: datetime) -> Complaint:
    """Close it with what was done."""
    found = _open(session, actor, complaint_id)
    words = outcome.strip()
    if not words:
        raise BadInput("complaint_outcome_missing", field="outcome")
    if len(words) > LONGEST:
        raise BadInput("complaint_too_long", field="outcome", most=LONGEST)
    if found.assigned_to is None:
        _hand_to(found, actor.id, actor.name, now)
    found.state, found.done_at, found.done_by_name, found.outcome = ComplaintState.DONE, now, actor.name[:60], words
    _step(session, actor, found, ComplaintDeed.DONE, words, now)
    _record(session, actor, "complaint.done", found, now)
    return found


def reopen(session: Session, actor: Actor, complaint_id: UUID, *, now: datetime) -> Complaint:
    """Open it again: it is not over after all."""
    found = get(session, actor, complaint_id, lock=True)
    if found.state is not ComplaintState.DONE:
        raise WrongState("complaint_open_already")
    found.state, found.done_at, found.done_by_name = ComplaintState.WORKING, None, ""
    _step(session, actor, found, ComplaintDeed.REOPENED, found.outcome, now)
    _record(session, actor, "complaint.reopen", found, now)
    return found


def number_of(session: Session, actor: Actor, complaint_id: UUID, *, safe: PhoneSafe, now: datetime) -> str:
    """Return the whole number, to be called; the log says who looked."""
    found = get(session, actor, complaint_id)
    number = safe.open(found.sealed)
    _record(session, actor, "phone.reveal", found, now)
    return number.removeprefix("+86")


def steps_of(session: Session, complaint_id: UUID) -> list[ComplaintStep]:
    """Return what was done about one, in order."""
    query = select(ComplaintStep).where(ComplaintStep.complaint_id == complaint_id)
    return list(session.scalars(query.order_by(ComplaintStep.at, ComplaintStep.id)))


def _open(session: Session, actor: Actor, complaint_id: UUID) -> Complaint:
    found = get(session, actor, complaint_id, lock=True)
    if found.state is ComplaintState.DONE:
        raise WrongState("complaint_done_already")
    return found


def _hand_to(found: Complaint, account_id: UUID | None, name: str, now: datetime) -> None:
    found.state, found.assigned_to, found.assigned_name = ComplaintState.WORKING, account_id, name[:60]
    found.taken_at = found.taken_at or now


def _step(
    session: Session, actor: Actor, found: Complaint, deed: ComplaintDeed, note: str, now: datetime
) -> None:  # fmt: skip
    session.add(
        ComplaintStep(complaint_id=found.id, at=now, by=actor.id, by_name=actor.name[:60], deed=deed, note=note)
    )
    session.flush()


def _record(session: Session, actor: Actor, deed: str, found: Complaint, now: datetime, **details: str) -> None:
    log.record(session, actor, deed, f"complaint:{found.id}", found.region_path, now, **details)
