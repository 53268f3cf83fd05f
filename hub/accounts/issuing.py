"""A key for a program, in exchange for name and password, and the second factor where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hub.accounts import second, signing_in, throttle, tokens
from hub.accounts.actors import actor_for
from hub.accounts.second import Vault
from hub.accounts.signing_in import SignInRefused
from hub.accounts.throttle import Door
from hub.core.actor import Permission


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key; it is kept nowhere."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What key somebody wants, and how they prove who they are."""

    login: str
    password: str
    code: str
    name: str
    days: int
    permissions: Sequence[Permission] = ()
    test: bool = False


def issue_for_password(
    session: Session, wish: Wish, *, vault: Vault, origin: str, now: datetime
) -> Issued | SignInRefused:
    """Check name and password as for signing in, failures counted, and make a key for that account."""
    door = Door(origin=origin)
    account = signing_in.check_password(session, wish.login, wish.password, door=door, now=now)
    if isinstance(account, SignInRefused):
        return account
    if account.must_change:
        return SignInRefused("password_must_change")
    if account.second_on and not wish.code:
        return SignInRefused("second_needed")
    if account.second_on and not second.check(session, account, vault, wish.code, now=now):
        signing_in.note_failure(session, account.login, account, door, now)
        return SignInRefused("second_wrong")
    throttle.forgive(session, account.login, door)
    who = actor_for(session, account, origin=origin, via="api")
    token = tokens.issue_token(
        session, who, name=wish.name, days=wish.days, now=now, permissions=wish.permissions, test=wish.test
    )
    return Issued(token, now + timedelta(days=wish.days))
