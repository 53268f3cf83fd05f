"""One-time codes: an invitation for a new colleague, a way back in for who forgot the password.

Nobody else ever knows the password, and the code, on paper or behind the # of a link, is good once and for some days.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, selectinload

from hub.accounts import passwords, service, sessions, throttle
from hub.accounts.actors import home_of
from hub.accounts.models import Account, Purpose, Ticket
from hub.accounts.throttle import Door
from hub.audit import log
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotFound, TooMany, WrongState
from hub.core.typed import new_code, read_code

GOOD_FOR = {Purpose.INVITE: timedelta(days=7), Purpose.RESET: timedelta(days=1)}
KEPT = timedelta(days=30)
_COUNTED_AS = "#one-time code"
"""No login can look like this, so wrong codes are counted by themselves."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code as it is shown this once."""

    code: str
    account: Account
    purpose: Purpose
    until: datetime


def invite(session: Session, actor: Actor, account_id: UUID, *, now: datetime) -> Invitation:
    """Make a code for an account: an invitation as long as it has no password, else a way back in. Older codes end."""
    account = service.get_account(session, actor, account_id)
    if not account.active:
        raise WrongState("account_inactive")
    if account.id == actor.id:
        raise WrongState("account_own")
    purpose = Purpose.RESET if account.password_hash else Purpose.INVITE
    _void(session, account.id, now)
    code = new_code()
    until = now + GOOD_FOR[purpose]
    session.add(
        Ticket(
            token_hash=passwords.token_hash(code),
            account_id=account.id,
            purpose=purpose,
            made_by=actor.name,
            created_at=now,
            expires_at=until,
        )
    )
    log.record(session, actor, f"account.{purpose.value}", f"account:{account.login}", home_of(account), now)
    return Invitation(code, account, purpose, until)


def accept(session: Session, typed: str, password: str, *, door: Door, now: datetime) -> Account | TooMany | BadInput:
    """Choose a password by a one-time code. Returns what is wrong instead of raising it, so that it stays counted."""
    guesses = f"{_COUNTED_AS} {door.origin}"
    wait = throttle.wait_s(session, guesses, Door(origin=door.origin), now=now)
    if wait:
        return TooMany("sign_in_locked", seconds=wait, retry_after_s=wait)
    code = read_code(typed)
    row = session.get(Ticket, passwords.token_hash(code), with_for_update=True) if code else None
    if row is None or row.purpose not in GOOD_FOR or row.used_at or row.expires_at <= now:
        throttle.note_failure(session, guesses, Door(origin=door.origin), now=now)
        return BadInput("invitation_unknown", field="code")
    account = session.get_one(Account, row.account_id, options=[selectinload(Account.grants)])
    if not account.active:
        return BadInput("invitation_unknown", field="code")
    try:
        passwords.check_new(password, account.login)
    except BadInput as problem:
        return problem
    row.used_at = now
    account.password_hash, account.must_change, account.demo = passwords.hashed(password), False, False
    sessions.end_all(session, account.id, now=now)
    throttle.lift(session, account.login)
    who = Actor(id=account.id, name=account.name, scopes=(), origin=door.origin)
    log.record(session, who, "account.password", f"account:{account.login}", home_of(account), now)
    return account


def waiting_until(session: Session, account_id: UUID, *, now: datetime) -> datetime | None:
    """Return until when a code that was handed out can still be used."""
    return session.scalar(
        select(Ticket.expires_at).where(
            Ticket.account_id == account_id,
            Ticket.purpose.in_(list(GOOD_FOR)),
            Ticket.used_at.is_(None),
            Ticket.expires_at > now,
        )
    )


def withdraw(session: Session, actor: Actor, account_id: UUID, *, now: datetime) -> None:
    """Make every code that was handed out for an account worthless."""
    account = service.get_account(session, actor, account_id)
    if not _void(session, account.id, now):
        raise NotFound("invitation_none")
    log.record(session, actor, "account.uninvite", f"account:{account.login}", home_of(account), now)


def forget(session: Session, *, now: datetime) -> int:
    """Delete tickets that ended more than a month ago; return how many."""
    gone = session.execute(delete(Ticket).where(Ticket.expires_at < now - KEPT).returning(Ticket.token_hash))
    return len(gone.all())


def _void(session: Session, account_id: UUID, now: datetime) -> int:
    query = update(Ticket).where(
        Ticket.account_id == account_id, Ticket.purpose.in_(list(GOOD_FOR)), Ticket.used_at.is_(None)
    )
    return len(session.execute(query.values(used_at=now).returning(Ticket.token_hash)).all())
