"""From an account to an Actor: its roles as they are now, and what others have left to it while they are away."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from hub.accounts.models import Account, Delegation
from hub.accounts.role_book import Rights, rights
from hub.core.actor import Actor, Permission, Scope

LEFT_TO_OTHERS = frozenset({Permission.SEE, Permission.APPROVE})
"""What somebody who is away leaves to another: to read what waits, and to approve it."""


def actor_for(
    session: Session,
    account: Account,
    *,
    origin: str,
    via: str = "web",
    now: datetime | None = None,
    only: Sequence[str] = (),
) -> Actor:
    """Return the Actor an account stands for. With `only`, no other permissions than these.

    Without `now` nothing that others left to the account counts.
    """
    held = rights(session)
    scopes = [*_own(account, held), *(_left_to(session, account, held, now) if now else ())]
    if only:
        kept = frozenset(Permission(name) for name in only if name in set(Permission))
        scopes = [replace(s, permissions=s.permissions & kept) for s in scopes]
    return Actor(id=account.id, name=account.name, scopes=tuple(scopes), origin=origin, via=via)


def home_of(account: Account) -> str:
    """Return the topmost place an account answers for."""
    return min((grant.region_path for grant in account.grants), key=len, default="")


def permissions_at(session: Session, account: Account) -> list[tuple[str, frozenset[Permission]]]:
    """Return what an account holds by its roles, place by place."""
    return [(scope.path, scope.permissions) for scope in _own(account, rights(session))]


def _own(account: Account, held: Rights) -> list[Scope]:
    grants = sorted(account.grants, key=lambda grant: (grant.region_path, grant.role))
    return [Scope(one.region_path, held.get(one.role, frozenset()), role=one.role) for one in grants]


def _left_to(session: Session, account: Account, held: Rights, now: datetime) -> Iterator[Scope]:
    """What is left to somebody is what the other holds at this moment by roles of their own: it is not passed on."""
    query = (
        select(Account)
        .join(Delegation, Delegation.from_id == Account.id)
        .where(
            Delegation.to_id == account.id,
            Delegation.revoked_at.is_(None),
            Delegation.starts_at <= now,
            Delegation.ends_at > now,
            Account.active,
        )
        .options(selectinload(Account.grants))
    )
    for other in session.scalars(query):
        for scope in _own(other, held):
            if Permission.APPROVE in scope.permissions:
                left = scope.permissions & LEFT_TO_OTHERS
                yield replace(scope, permissions=left, for_id=other.id, for_name=other.name)
