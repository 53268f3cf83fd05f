"""Accounts as their pages show them: with the names of the places they answer for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from hub.accounts import inviting, passkeys, role_book, service, throttle
from hub.accounts.models import Account
from hub.accounts.role_book import RoleLine
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.regions import service as regions
from hub.regions.tree import Level

ANSWERABLE = frozenset({Level.COUNTY, Level.TOWNSHIP, Level.VILLAGE})
"""Levels at which somebody can hold a role."""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account. `posts` are its roles, each with its place; `own_names` what the county calls its own roles."""

    account: Account
    posts: tuple[tuple[str, str], ...]
    own_names: Mapping[str, str]
    locked_until: datetime | None
    invited_until: datetime | None
    passkeys: int


def accounts_of(session: Session, actor: Actor, *, now: datetime) -> list[AccountLine]:
    """Return the accounts the actor may edit, those in use first."""
    found = [line(session, account, now=now) for account in service.list_accounts(session, actor)]
    return sorted(found, key=lambda one: (not one.account.active, one.account.login))


def line(session: Session, account: Account, *, now: datetime) -> AccountLine:
    """Return an account with the names of its places."""
    grants = sorted(account.grants, key=lambda grant: (grant.region_path, grant.role))
    return AccountLine(
        account=account,
        posts=tuple((one.role, regions.full_name(session, one.region_path, without_county=True)) for one in grants),
        own_names=role_book.names(session),
        locked_until=throttle.locked(session, account.login, now=now),
        invited_until=inviting.waiting_until(session, account.id, now=now),
        passkeys=len(passkeys.mine(session, account.id)),
    )


def places_to_staff(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (code, name) of the places where the actor may hand out roles."""
    return regions.choices(session, actor, Permission.EDIT_ACCOUNTS, levels=ANSWERABLE)


def role_line(session: Session, key: str) -> RoleLine:
    """Return one role."""
    found = next((line for line in role_book.every(session) if line.key == key), None)
    if found is None:
        raise NotFound("role_unknown")
    return found
