"""A key for a program, in exchange for name and password."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hub.accounts import service
from hub.accounts.service import SignInRefused


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key; it is kept nowhere."""

    token: str
    expires_at: datetime


def issue_for_password(
    session: Session, login: str, password: str, *, name: str, days: int, origin: str, now: datetime
) -> Issued | SignInRefused:
    """Check name and password as for signing in, failures counted, and make a key for that account."""
    found = service.sign_in(session, login, password, origin=origin, now=now)
    if isinstance(found, SignInRefused):
        return found
    service.sign_out(session, found.token, now=now)
    who = service.actor_for(found.account, origin=origin, via="api")
    token = service.issue_token(session, who, name=name, days=days, now=now)
    return Issued(token, now + timedelta(days=days))
