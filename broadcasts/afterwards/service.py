"""Which emergencies somebody else still has to look at, which are late, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert
from broadcasts.approvals.models import AfterReview
from broadcasts.kinds import Mode
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.web.menu import Badge

LOOKED_BACK = timedelta(days=90)
NOTE_LENGTH = 300
MOST = 100


@dataclass(frozen=True, slots=True)
class Due:
    """An emergency and what was said to it afterwards, if anything was."""

    alert: Alert
    place: str
    due_at: datetime
    late: bool
    own: bool
    review: AfterReview | None


def due(session: Session, actor: Actor, *, within: timedelta, now: datetime) -> list[Due]:
    """Return the emergencies of the last months where the actor approves, those nobody has looked at first."""
    query = (
        select(Alert, AfterReview)
        .outerjoin(AfterReview, AfterReview.broadcast_id == Alert.broadcast_id)
        .where(_went_out(now), _where(actor, Permission.APPROVE))
        .order_by(AfterReview.at.is_not(None), func.coalesce(AfterReview.at, Alert.fired_at))
        .limit(MOST)
    )
    return [_due(session, actor, alert, review, within, now) for alert, review in session.execute(query)]


def unreviewed(session: Session, actor: Actor, *, within: timedelta, now: datetime) -> list[Due]:
    """Return what nobody has looked at yet where the actor approves or sees the log, the oldest first."""
    query = (
        select(Alert)
        .outerjoin(AfterReview, AfterReview.broadcast_id == Alert.broadcast_id)
        .where(
            _went_out(now),
            AfterReview.broadcast_id.is_(None),
            or_(_where(actor, Permission.APPROVE), _where(actor, Permission.SEE_AUDIT)),
        )
        .order_by(Alert.fired_at)
        .limit(MOST)
    )
    return [_due(session, actor, alert, None, within, now) for alert in session.scalars(query)]


def _due(
    session: Session, actor: Actor, alert: Alert, review: AfterReview | None, within: timedelta, now: datetime
) -> Due:
    until = (alert.fired_at or now) + within
    return Due(
        alert=alert,
        place=regions.full_name(session, alert.home_path, without_county=True),
        due_at=until,
        late=review is None and until <= now,
        own=actor.id in _who_did(alert),
        review=review,
    )


def count_due(session: Session, actor: Actor, now: datetime) -> int:
    """Return how many emergencies wait for this person's review."""
    query = (
        select(func.count())
        .select_from(Alert)
        .outerjoin(AfterReview, AfterReview.broadcast_id == Alert.broadcast_id)
        .where(
            _went_out(now),
            _where(actor, Permission.APPROVE),
            AfterReview.broadcast_id.is_(None),
            Alert.armed_by != actor.id,
            or_(Alert.confirmed_by.is_(None), Alert.confirmed_by != actor.id),
        )
    )
    return session.scalar(query) or 0


def badge(runtime: Runtime) -> Badge:
    """Return what the menu counts."""
    return lambda session, actor: count_due(session, actor, runtime.now())


def review(session: Session, actor: Actor, alert_id: UUID, *, proper: bool, note: str, now: datetime) -> AfterReview:
    """Say whether an emergency was right. Never one's own; what was wrong must be said in words."""
    alert = session.get(Alert, alert_id)
    if alert is None or alert.mode is not Mode.LIVE or alert.broadcast_id is None:
        raise NotFound("alert_unknown")
    if not actor.may(Permission.SEE, alert.home_path):
        raise NotFound("alert_unknown")
    actor.require(Permission.APPROVE, alert.home_path)
    right = _right(actor, alert)
    note = note.strip()
    if not proper and not note:
        raise BadInput("after_review_note", field="note")
    if len(note) > NOTE_LENGTH:
        raise BadInput("text_too_long", field="note", most=NOTE_LENGTH, over=len(note) - NOTE_LENGTH)
    row = AfterReview(
        broadcast_id=alert.broadcast_id,
        proper=proper,
        note=note,
        reviewer_id=actor.id,
        reviewer_name=actor.name[:40],
        for_name=right[:40],
        at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise WrongState("reviewed_meanwhile") from None
    log.record(
        session, actor, "alert.after_review", f"alert:{alert.id}", alert.home_path, now, proper=proper, note=note
    )
    return row


def _right(actor: Actor, alert: Alert) -> str:
    """Return in whose place the actor stands, nothing for themselves; NotAllowed when it would be their own deed."""
    did = _who_did(alert)
    if actor.id is None or actor.id in did:
        raise NotAllowed("own_emergency")
    rights = [(for_id, name) for for_id, name in actor.in_place_of(Permission.APPROVE, alert.home_path)]
    free = [name for for_id, name in rights if for_id not in did]
    if not free:
        raise NotAllowed("own_emergency")
    return free[0]


def _who_did(alert: Alert) -> set[UUID]:
    return {one for one in (alert.armed_by, alert.confirmed_by) if one is not None}


def _went_out(now: datetime) -> ColumnElement[bool]:
    return (Alert.mode == Mode.LIVE) & Alert.broadcast_id.is_not(None) & (Alert.fired_at > now - LOOKED_BACK)


def _where(actor: Actor, permission: Permission) -> ColumnElement[bool]:
    paths: Sequence[str] = actor.paths(permission)
    return or_(*(Alert.home_path.like(like_below(path)) for path in paths)) if paths else false()
