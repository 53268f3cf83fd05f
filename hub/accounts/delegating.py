"""Somebody is away: for some days another approves in their place, no more than they may, and the record says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from hub.accounts import service
from hub.accounts.actors import home_of, permissions_at
from hub.accounts.models import Account, Delegation
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound

LONGEST = timedelta(days=60)
REASON_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One delegation as its page shows it."""

    delegation: Delegation
    giver: str
    taker: str
    running: bool
    mine: bool


def give(
    session: Session,
    actor: Actor,
    to_id: UUID,
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    now: datetime,
) -> Delegation:
    """Leave one's approvals to somebody for a time. It ends by itself, and cannot be passed on."""
    giver = service.own_account(session, actor)
    paths = _own_paths(session, giver)
    if not paths:
        raise NotAllowed("delegation_nothing_to_leave")
    taker = next((one for one in candidates(session, actor) if one.id == to_id), None)
    if taker is None:
        raise BadInput("delegation_to_nobody", field="to")
    if not reason.strip() or len(reason.strip()) > REASON_LENGTH:
        raise BadInput("delegation_reason", field="reason", most=REASON_LENGTH)
    if ends_at <= max(now, starts_at):
        raise BadInput("delegation_over", field="until")
    if ends_at - max(starts_at, now) > LONGEST:
        raise BadInput("delegation_too_long", field="until", days=LONGEST.days)
    row = Delegation(
        from_id=giver.id,
        to_id=taker.id,
        starts_at=max(starts_at, now),
        ends_at=ends_at,
        reason=reason.strip(),
        made_by_name=actor.name,
        made_at=now,
    )
    session.add(row)
    session.flush()
    log.record(
        session,
        actor,
        "delegation.give",
        f"account:{taker.login}",
        home_of(giver),
        now,
        name=taker.name,
        since=str(row.starts_at),
        until=str(ends_at),
        reason=row.reason,
    )
    return row


def end(session: Session, actor: Actor, delegation_id: UUID, *, now: datetime) -> None:
    """End a delegation early: whoever gave it, whoever has it, or whoever answers for the giver's account."""
    row = session.get(Delegation, delegation_id)
    if row is None or not (actor.id in (row.from_id, row.to_id) or _answers_for(session, actor, row.from_id)):
        raise NotFound("delegation_unknown")
    if row.revoked_at is None:
        row.revoked_at = now
        giver = session.get_one(Account, row.from_id, options=[selectinload(Account.grants)])
        log.record(session, actor, "delegation.end", f"account:{giver.login}", home_of(giver), now, name=giver.name)


def candidates(session: Session, actor: Actor) -> list[Account]:
    """Return to whom the actor may leave their approvals: active colleagues above, beside or below them there."""
    own = session.get(Account, actor.id, options=[selectinload(Account.grants)]) if actor.id else None
    paths = _own_paths(session, own) if own else []
    query = select(Account).where(Account.active, Account.id != actor.id).options(selectinload(Account.grants))
    return [one for one in session.scalars(query.order_by(Account.name)) if _near(one, paths)]


def lines(session: Session, actor: Actor, *, now: datetime) -> list[Line]:
    """Return what the actor left to others and what others left to them, the newest first."""
    query = select(Delegation).where(or_(Delegation.from_id == actor.id, Delegation.to_id == actor.id))
    rows = session.scalars(query.order_by(Delegation.made_at.desc()).limit(50)).all()
    names = _names(session, rows)
    return [
        Line(
            delegation=row,
            giver=names.get(row.from_id, ""),
            taker=names.get(row.to_id, ""),
            running=row.revoked_at is None and row.ends_at > now,
            mine=row.from_id == actor.id,
        )
        for row in rows
    ]


def _own_paths(session: Session, account: Account) -> list[str]:
    return [path for path, held in permissions_at(session, account) if Permission.APPROVE in held]


def _near(account: Account, paths: Sequence[str]) -> bool:
    places = [grant.region_path for grant in account.grants]
    return any(place.startswith(path) or path.startswith(place) for place in places for path in paths)


def _answers_for(session: Session, actor: Actor, account_id: UUID) -> bool:
    try:
        service.get_account(session, actor, account_id)
    except NotFound:
        return False
    return True


def _names(session: Session, rows: Sequence[Delegation]) -> dict[UUID, str]:
    ids = {one for row in rows for one in (row.from_id, row.to_id)}
    return {row.id: row.name for row in session.execute(select(Account.id, Account.name).where(Account.id.in_(ids)))}
