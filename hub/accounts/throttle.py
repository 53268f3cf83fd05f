"""Guessing is slowed down without letting a stranger lock anybody out.

Failures are counted under the login and under the address they come from. A browser in which somebody signed in before
carries a mark made for that very login; it is counted by itself alone, so that whatever strangers try elsewhere, the
computer on duty is let in with the right password.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from hub.accounts.models import SignInGuard
from hub.core.secrets import Secrets

FREE_FAILURES = 5
FREE_FROM_ADDRESS = 30
"""Behind one address may stand a whole township; a guesser of many names is slowed all the same."""
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(minutes=15)
DOUBLINGS = 5
FORGOTTEN = timedelta(hours=1)
_NONCE = 16


@dataclass(frozen=True, slots=True)
class Door:
    """Where somebody stands who wants in: the address, what browser it says it is, and the mark it carries."""

    origin: str = ""
    agent: str = ""
    mark: str = ""
    """Proved by `Marks.proved`: empty when the browser is not known for this login."""


class Marks:
    """Marks of known browsers: random, and good for one login only. Nothing of them is stored."""

    def __init__(self, secrets_: Secrets) -> None:
        self._key = hashlib.sha256(b"cunxiang known browser v1" + secrets_.session_key).digest()

    def new(self, login: str) -> str:
        """Return a mark for the cookie of a browser in which `login` has just signed in."""
        nonce = secrets.token_hex(_NONCE)
        return f"{nonce}.{self._proof(nonce, login)}"

    def proved(self, cookie: str, login: str) -> str:
        """Return the mark's random part if it was made for that login, else nothing."""
        nonce, _, proof = cookie.partition(".")
        fits = len(nonce) == _NONCE * 2 and hmac.compare_digest(proof.encode(), self._proof(nonce, login).encode())
        return nonce if fits else ""

    def _proof(self, nonce: str, login: str) -> str:
        return hmac.new(self._key, f"{nonce}\n{_plain(login)}".encode(), hashlib.sha256).hexdigest()


def wait_s(session: Session, login: str, door: Door, *, now: datetime) -> int:
    """Return how many seconds this person has to wait here before trying again; 0 = none."""
    buckets = [bucket for bucket, _ in _buckets(login, door)]
    until = session.scalars(
        select(SignInGuard.locked_until).where(SignInGuard.bucket.in_(buckets), SignInGuard.locked_until > now)
    ).all()
    latest = max((moment for moment in until if moment), default=None)
    return round((latest - now).total_seconds()) + 1 if latest else 0


def note_failure(session: Session, login: str, door: Door, *, now: datetime) -> int:
    """Count one failure; return how many in a row it is under this login or in this browser."""
    counts = [_count(session, bucket, free, now) for bucket, free in _buckets(login, door)]
    return counts[0]


def forgive(session: Session, login: str, door: Door) -> None:
    """Forget the failures under a login, after success. What came from an address stays counted."""
    session.execute(delete(SignInGuard).where(SignInGuard.bucket == _buckets(login, door)[0][0]))


def lift(session: Session, login: str) -> None:
    """Forget the failures under a login wherever they came from: an administrator gave a new password."""
    session.execute(delete(SignInGuard).where(SignInGuard.bucket == _of("login", _plain(login))))


def locked(session: Session, login: str, *, now: datetime) -> datetime | None:
    """Return until when strangers' failures keep unknown browsers from a login, None when they do not."""
    row = session.get(SignInGuard, _of("login", _plain(login)))
    return row.locked_until if row and row.locked_until and row.locked_until > now else None


def forget(session: Session, *, now: datetime) -> int:
    """Delete what counts no more; return how many rows."""
    old = now - FORGOTTEN - LONGEST_LOCK
    return len(
        session.execute(delete(SignInGuard).where(SignInGuard.last_at < old).returning(SignInGuard.bucket)).all()
    )


def _buckets(login: str, door: Door) -> list[tuple[bytes, int]]:
    if door.mark:
        return [(_of("mark", door.mark), FREE_FAILURES)]
    found = [(_of("login", _plain(login)), FREE_FAILURES)]
    return [*found, (_of("address", door.origin), FREE_FROM_ADDRESS)] if door.origin else found


def _count(session: Session, bucket: bytes, free: int, now: datetime) -> int:
    insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    new = insert(SignInGuard).values(bucket=bucket, failures=0, last_at=now, locked_until=None)
    session.execute(new.on_conflict_do_nothing(index_elements=["bucket"]))
    row = session.get_one(SignInGuard, bucket, with_for_update=True, populate_existing=True)
    row.failures = 1 if now - row.last_at > FORGOTTEN else row.failures + 1
    row.last_at = now
    over = row.failures - free
    row.locked_until = now + min(FIRST_LOCK * 2 ** min(over, DOUBLINGS), LONGEST_LOCK) if over >= 0 else None
    session.flush()
    return row.failures


def _of(kind: str, what: str) -> bytes:
    return hashlib.sha256(f"{kind}\n{what}".encode()).digest()


def _plain(login: str) -> str:
    return login.strip().casefold()[:80]
