"""Who else may do something at a place: to hand work on to them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from hub.accounts.actors import permissions_at
from hub.accounts.models import Account
from hub.core.actor import Permission


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody with an account in use."""

    id: UUID
    name: str


def who_may(session: Session, permission: Permission, path: str) -> list[Colleague]:
    """Return who holds `permission` at a place by roles of their own, whoever is nearest to it first."""
    query = select(Account).where(Account.active).options(selectinload(Account.grants)).order_by(Account.name)
    found = []
    for account in session.scalars(query):
        near = [len(at) for at, held in permissions_at(session, account) if permission in held and path.startswith(at)]
        if near:
            found.append((-max(near), account.name, Colleague(account.id, account.name)))
    return [one for *_, one in sorted(found, key=lambda line: line[:2])]
