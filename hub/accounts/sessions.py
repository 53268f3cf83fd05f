"""Signed-in browsers: open, found again, listed, ended; and the screen on duty, unlocked by four digits."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, selectinload

from hub.accounts import passwords
from hub.accounts.actors import actor_for, home_of
from hub.accounts.models import Account, SessionKind, SignIn
from hub.accounts.throttle import Door
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound

SESSION_LENGTH = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=2)
SCREEN_LOCKS_AFTER = timedelta(minutes=15)
PIN_TRIES = 5
PIN_LENGTH = 4
KEPT = timedelta(days=7)
_DEVICES = (
    ("MicroMessenger", "微信"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The four digits were right."""


@dataclass(frozen=True, slots=True)
class StillLocked:
    """They were wrong; `left` tries are left, none ends the session."""

    left: int


def open_session(
    session: Session, account: Account, *, door: Door, kind: SessionKind = SessionKind.WEB, now: datetime
) -> str:
    """Open a session and return its token, which is stored nowhere."""
    token = passwords.new_token()
    session.add(
        SignIn(
            token_hash=passwords.token_hash(token),
            account_id=account.id,
            kind=kind,
            device=device_of(door.agent),
            created_at=now,
            seen_at=now,
            expires_at=now + SESSION_LENGTH,
            origin=door.origin,
        )
    )
    return token


def sign_out(session: Session, token: str, *, now: datetime) -> None:
    """End one browser's session."""
    session.execute(
        update(SignIn)
        .where(SignIn.token_hash == passwords.token_hash(token), SignIn.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def find_session(session: Session, token: str, *, now: datetime) -> tuple[Account, SignIn] | None:
    """Return the account behind a cookie, or None when it is unknown, over, revoked or its account is switched off."""
    row = session.execute(
        select(Account, SignIn)
        .join(SignIn, SignIn.account_id == Account.id)
        .where(SignIn.token_hash == passwords.token_hash(token))
        .options(selectinload(Account.grants))
    ).first()
    if row is None:
        return None
    account, sign_in = row
    if sign_in.revoked_at or sign_in.expires_at <= now or not account.active:
        return None
    return account, sign_in


def touch(session: Session, token: str, *, now: datetime) -> None:
    """Note that a session is in use, which prolongs it; the one on duty ends twelve hours after its password."""
    this = SignIn.token_hash == passwords.token_hash(token)
    session.execute(update(SignIn).where(this).values(seen_at=now))
    session.execute(update(SignIn).where(this, SignIn.kind == SessionKind.WEB).values(expires_at=now + SESSION_LENGTH))


def end_all(session: Session, account_id: UUID, *, now: datetime, but: UUID | None = None) -> int:
    """End every session of an account, but for one; return how many."""
    query = update(SignIn).where(SignIn.account_id == account_id, SignIn.revoked_at.is_(None), SignIn.expires_at > now)
    if but is not None:
        query = query.where(SignIn.id != but)
    return len(session.execute(query.values(revoked_at=now).returning(SignIn.id)).all())


def open_of(session: Session, account_id: UUID, *, now: datetime) -> list[SignIn]:
    """Return where an account is signed in, used last first."""
    query = select(SignIn).where(SignIn.account_id == account_id, SignIn.revoked_at.is_(None), SignIn.expires_at > now)
    return list(session.scalars(query.order_by(SignIn.seen_at.desc())))


def end_own(session: Session, actor: Actor, sign_in_id: UUID, *, now: datetime) -> None:
    """End one of the actor's own sessions."""
    found = session.scalar(select(SignIn).where(SignIn.id == sign_in_id, SignIn.account_id == actor.id))
    if found is None:
        raise NotFound("session_unknown")
    found.revoked_at = found.revoked_at or now
    _record_end(session, actor, found.device, now)


def end_others(session: Session, actor: Actor, keep: UUID | None, *, now: datetime) -> int:
    """End all of the actor's own sessions but the one in use; return how many."""
    if actor.id is None:
        raise NotFound("session_unknown")
    ended = end_all(session, actor.id, now=now, but=keep)
    _record_end(session, actor, "", now)
    return ended


def forget(session: Session, *, now: datetime) -> int:
    """Delete sessions that ended more than a week ago; return how many."""
    gone = session.execute(delete(SignIn).where(SignIn.expires_at < now - KEPT).returning(SignIn.token_hash)).all()
    return len(gone)


# ---- on duty


def is_locked(sign_in: SignIn, *, now: datetime) -> bool:
    """Return whether the screen on duty is locked: by hand, or because nobody touched it for a quarter of an hour."""
    if sign_in.kind is not SessionKind.DUTY:
        return False
    return sign_in.locked_at is not None or now - sign_in.seen_at > SCREEN_LOCKS_AFTER


def set_pin(session: Session, actor: Actor, pin: str, *, now: datetime) -> None:
    """Choose the four digits that unlock the actor's screen on duty."""
    account = session.get(Account, actor.id) if actor.id else None
    if account is None or not actor.may_somewhere(Permission.EMERGENCY):
        raise NotAllowed("not_allowed", permission=Permission.EMERGENCY.value)
    if len(pin) != PIN_LENGTH or not (pin.isascii() and pin.isdigit()):
        raise BadInput("pin_malformed", field="pin", digits=PIN_LENGTH)
    if len(set(pin)) == 1 or pin in "01234567890 09876543210":
        raise BadInput("pin_too_easy", field="pin")
    account.pin_hash = passwords.hashed(pin)
    log.record(session, actor, "account.pin", f"account:{account.login}", home_of(account), now)


def lock(session: Session, token: str, *, now: datetime) -> None:
    """Lock the screen on duty."""
    session.execute(
        update(SignIn)
        .where(SignIn.token_hash == passwords.token_hash(token), SignIn.kind == SessionKind.DUTY)
        .values(locked_at=now)
    )


def unlock(session: Session, token: str, pin: str, *, origin: str, now: datetime) -> Unlocked | StillLocked:
    """Unlock the screen on duty. After five wrong tries the session is over and the password is needed."""
    found = find_session(session, token, now=now)
    if found is None or found[1].kind is not SessionKind.DUTY:
        return StillLocked(0)
    account, sign_in = found
    if passwords.matches(account.pin_hash, pin):
        sign_in.locked_at, sign_in.pin_failures, sign_in.seen_at = None, 0, now
        return Unlocked()
    sign_in.pin_failures += 1
    left = PIN_TRIES - sign_in.pin_failures
    if left <= 0:
        sign_in.revoked_at = now
    who = actor_for(session, account, origin=origin)
    log.record(
        session,
        who,
        "account.pin_wrong",
        f"account:{account.login}",
        home_of(account),
        now,
        failures=sign_in.pin_failures,
    )
    return StillLocked(max(left, 0))


def device_of(agent: str) -> str:
    """Return what kind of browser it says it is, in two words for the person's own list."""
    browser = next((name for mark, name in _DEVICES if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(part for part in (browser, system) if part)


def _record_end(session: Session, actor: Actor, device: str, now: datetime) -> None:
    home = actor.scopes[0].path if actor.scopes else ""
    log.record(session, actor, "account.end_session", f"account:{actor.name}", home, now, device=device)
