"""Repair orders (报修): what is wrong, who takes care, how it ended."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Row, select, tuple_
from sqlalchemy.orm import Session

from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.speakers import registry
from hub.speakers.care import events
from hub.speakers.care.attention import visible
from hub.speakers.care.models import EventKind, Repair
from hub.speakers.models import Speaker, SpeakerState

LENGTH: Final = 500
RECENT: Final = 20


def open_repair(session: Session, actor: Actor, speaker_id: str, what: str, *, now: datetime) -> Repair:
    """Report a loudspeaker for repair. Whoever writes for the village may do so: they hear that it is broken."""
    speaker = registry.get(session, actor, speaker_id)
    if not any(actor.may(one, speaker.region_path) for one in (Permission.EDIT_SPEAKERS, Permission.COMPOSE)):
        raise NotAllowed("not_allowed", permission=Permission.EDIT_SPEAKERS.value)
    if speaker.state is SpeakerState.RETIRED:
        raise WrongState("speaker_retired_already", speaker=speaker_id)
    text = _text(what, "what")
    if session.scalar(select(Repair.id).where(Repair.speaker_id == speaker_id, Repair.done_at.is_(None))):
        raise WrongState("repair_open_already", speaker=speaker_id)
    repair = Repair(
        speaker_id=speaker_id,
        region_path=speaker.region_path,
        what=text,
        opened_at=now,
        opened_by_name=actor.name[:60],
    )
    session.add(repair)
    session.flush()
    _remember(session, actor, repair, "repair_open", now)
    return repair


def take(session: Session, actor: Actor, repair_id: UUID, *, now: datetime) -> Repair:
    """Take it over: from now on somebody cares."""
    repair = _mine(session, actor, repair_id)
    if repair.done_at is not None:
        raise WrongState("repair_done_already")
    if repair.taken_at is not None:
        raise WrongState("repair_taken_already", who=repair.taken_by_name)
    repair.taken_at, repair.taken_by_name = now, actor.name[:60]
    _remember(session, actor, repair, "repair_take", now)
    return repair


def finish(session: Session, actor: Actor, repair_id: UUID, outcome: str, *, now: datetime) -> Repair:
    """Close it with what was done. Who closes what nobody took over has taken it over."""
    repair = _mine(session, actor, repair_id)
    if repair.done_at is not None:
        raise WrongState("repair_done_already")
    text = _text(outcome, "outcome")
    if repair.taken_at is None:
        repair.taken_at, repair.taken_by_name = now, actor.name[:60]
    repair.done_at, repair.done_by_name, repair.outcome = now, actor.name[:60], text
    _remember(session, actor, repair, "repair_done", now)
    return repair


def get(session: Session, actor: Actor, repair_id: UUID) -> Repair:
    """Return a repair order the actor may see."""
    repair = session.get(Repair, repair_id)
    if repair is None:
        raise NotFound("repair_unknown")
    speaker = session.get_one(Speaker, repair.speaker_id)
    if not actor.may(Permission.SEE, speaker.region_path):
        raise NotFound("repair_unknown")
    return repair


def of_speaker(session: Session, speaker_id: str) -> Sequence[Repair]:
    """Return the latest repair orders of one loudspeaker, newest first."""
    query = select(Repair).where(Repair.speaker_id == speaker_id)
    return session.scalars(query.order_by(Repair.opened_at.desc()).limit(RECENT)).all()


def everything(
    session: Session,
    actor: Actor,
    *,
    path: str | None = None,
    done: bool = False,
    limit: int = 500,
    after: tuple[datetime, UUID] | None = None,
) -> Sequence[Row[Repair, Speaker]]:
    """Return open orders, the oldest first; or those that are done, the newest first.

    `after` is when the last one seen was opened, or done, and its id.
    """
    query = (
        select(Repair, Speaker).join(Speaker, Speaker.id == Repair.speaker_id).where(visible(actor, path)).limit(limit)
    )
    if done:
        query = query.where(Repair.done_at.is_not(None)).order_by(Repair.done_at.desc(), Repair.id.desc())
    else:
        query = query.where(Repair.done_at.is_(None)).order_by(Repair.opened_at, Repair.id)
    if after is not None:
        query = query.where(
            tuple_(Repair.done_at, Repair.id) < after if done else tuple_(Repair.opened_at, Repair.id) > after
        )
    return session.execute(query).all()


def in_repair(session: Session, speaker_ids: Iterable[str]) -> set[str]:
    """Return which of these loudspeakers have an open order."""
    return set(
        session.scalars(
            select(Repair.speaker_id).where(Repair.speaker_id.in_(list(speaker_ids)), Repair.done_at.is_(None))
        )
    )


def _mine(session: Session, actor: Actor, repair_id: UUID) -> Repair:
    repair = get(session, actor, repair_id)
    actor.require(Permission.EDIT_SPEAKERS, session.get_one(Speaker, repair.speaker_id).region_path)
    return repair


def _text(text: str, field: str) -> str:
    found = text.strip()
    if not found:
        raise BadInput(f"repair_{field}_missing", field=field)
    if len(found) > LENGTH:
        raise BadInput("repair_too_long", field=field, most=LENGTH)
    return found


def _remember(session: Session, actor: Actor, repair: Repair, deed: str, now: datetime) -> None:
    text = repair.outcome if deed == "repair_done" else repair.what
    events.note(session, [events.Happening(repair.speaker_id, EventKind.DEED, deed, text[:80], actor.name)], now=now)
    log.record(session, actor, f"speaker.{deed}", f"speaker:{repair.speaker_id}", repair.region_path, now)
