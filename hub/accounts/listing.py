"""Accounts as their pages show them: with the names of the places they answer for."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from hub.accounts import service
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.core.actor import Actor, Permission
from hub.regions import service as regions
from hub.regions.tree import Level

ANSWERABLE = frozenset({Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE})
"""Levels at which somebody can hold a role."""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account. `posts` are its roles, each with the place it holds for."""

    account: Account
    posts: tuple[tuple[Role, str], ...]
    locked: bool


def accounts_of(session: Session, actor: Actor, *, now: datetime) -> list[AccountLine]:
    """Return the accounts the actor may edit, those in use first."""
    found = [line(session, account, now=now) for account in service.list_accounts(session, actor)]
    return sorted(found, key=lambda one: (not one.account.active, one.account.login))


def line(session: Session, account: Account, *, now: datetime) -> AccountLine:
    """Return an account with the names of its places."""
    grants = sorted(account.grants, key=lambda grant: (grant.region_path, grant.role))
    posts = tuple((grant.role, regions.full_name(session, grant.region_path, without_county=True)) for grant in grants)
    return AccountLine(account, posts, locked=account.locked_until is not None and account.locked_until > now)


def places_to_staff(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (code, name) of the places where the actor may hand out roles."""
    return regions.choices(session, actor, Permission.EDIT_ACCOUNTS, levels=ANSWERABLE)
