"""Name and password, then the second factor where there is one: from a door to a session.

Every refusal before the password was right reads the same and takes as long, whether there is such an account or not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from hub.accounts import passwords, second, sessions, throttle
from hub.accounts.actors import actor_for, home_of
from hub.accounts.models import Account, Purpose, SessionKind, Ticket
from hub.accounts.second import Vault
from hub.accounts.throttle import Door
from hub.audit import log
from hub.core.actor import Actor

SECOND_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It worked; `token` goes into the cookie and is stored nowhere."""

    token: str
    account: Account


@dataclass(frozen=True, slots=True)
class SecondNeeded:
    """The password was right; `ticket` and a code open the door within five minutes."""

    ticket: str


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """It did not; `code` names the sentence to show, `wait_s` how long to wait."""

    code: str
    wait_s: int = 0


def sign_in(
    session: Session, login: str, password: str, *, door: Door, now: datetime, duty: bool = False
) -> SignedIn | SecondNeeded | SignInRefused:
    """Check the password and open a session, or ask for the second factor."""
    found = check_password(session, login, password, door=door, now=now)
    if isinstance(found, SignInRefused):
        return found
    if found.second_on:
        return SecondNeeded(_ticket(session, found, duty, now))
    return let_in(session, found, door, duty, now)


def check_password(
    session: Session, login: str, password: str, *, door: Door, now: datetime
) -> Account | SignInRefused:
    """Return the account if the password is right and it may come in; count it where it is not."""
    wait = throttle.wait_s(session, login, door, now=now)
    if wait:
        return SignInRefused("sign_in_locked", wait_s=wait)
    query = (
        select(Account).where(Account.login == login.strip()).options(selectinload(Account.grants)).with_for_update()
    )
    account = session.scalar(query)
    fits = passwords.matches(account.password_hash if account else None, password)
    if account is None or not fits or not account.active:
        note_failure(session, login, account, door, now)
        return SignInRefused("sign_in_wrong")
    return account


def second_step(
    session: Session, ticket: str, code: str, *, door: Door, vault: Vault, now: datetime
) -> SignedIn | SignInRefused:
    """Open a session with the ticket of a right password and a code. Wrong codes count like wrong passwords."""
    row = session.get(Ticket, passwords.token_hash(ticket), with_for_update=True)
    if row is None or row.purpose is not Purpose.SECOND or row.used_at or row.expires_at <= now:
        return SignInRefused("second_too_late")
    account = session.get_one(Account, row.account_id, options=[selectinload(Account.grants)], with_for_update=True)
    wait = throttle.wait_s(session, account.login, door, now=now)
    if wait:
        return SignInRefused("sign_in_locked", wait_s=wait)
    if not account.active or not second.check(session, account, vault, code, now=now):
        note_failure(session, account.login, account, door, now)
        return SignInRefused("second_wrong")
    row.used_at = now
    return let_in(session, account, door, row.duty, now)


def login_of(session: Session, ticket: str) -> str:
    """Return whose ticket this is, for the mark of a known browser."""
    query = select(Account.login).join(Ticket, Ticket.account_id == Account.id)
    return session.scalar(query.where(Ticket.token_hash == passwords.token_hash(ticket))) or ""


def note_failure(session: Session, login: str, account: Account | None, door: Door, now: datetime) -> None:
    """Count a failure and log it. The log never holds what was typed: people type passwords into the wrong field."""
    failures = throttle.note_failure(session, login, door, now=now)
    log.record(
        session,
        Actor(id=None, name="", scopes=(), origin=door.origin),
        "account.sign_in_failed",
        f"account:{account.login if account else ''}",
        home_of(account) if account else "",
        now,
        failures=failures,
    )


def let_in(
    session: Session, account: Account, door: Door, duty: bool, now: datetime, *, passkey: bool = False
) -> SignedIn:
    """Open a session for somebody who has proved who they are."""
    throttle.forgive(session, account.login, door)
    account.last_sign_in_at = now
    kind = SessionKind.DUTY if duty else SessionKind.WEB
    token = sessions.open_session(session, account, door=door, kind=kind, now=now)
    who = actor_for(session, account, origin=door.origin)
    log.record(
        session,
        who,
        "account.sign_in",
        f"account:{account.login}",
        home_of(account),
        now,
        on_duty=duty or None,
        passkey=passkey or None,
    )
    return SignedIn(token, account)


def _ticket(session: Session, account: Account, duty: bool, now: datetime) -> str:
    token = passwords.new_token()
    session.add(
        Ticket(
            token_hash=passwords.token_hash(token),
            account_id=account.id,
            purpose=Purpose.SECOND,
            duty=duty,
            created_at=now,
            expires_at=now + SECOND_WITHIN,
        )
    )
    return token
