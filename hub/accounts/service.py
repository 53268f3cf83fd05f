"""Make accounts, sign in and out, and turn a session or token into an Actor."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, selectinload

from hub.accounts import passwords
from hub.accounts.models import Account, ApiToken, RoleGrant, SignIn
from hub.accounts.roles import PERMISSIONS_OF, Role
from hub.audit import log
from hub.core.actor import Actor, Permission, Scope
from hub.core.errors import BadInput, NotFound, Problems, WrongState

SESSION_LENGTH = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=2)
FREE_FAILURES = 5
LONGEST_LOCK = timedelta(minutes=15)
DOUBLINGS = 5
NAME_LENGTH = 40
KEY_DAYS = (30, 90, 365)
"""How long a new key may live, as the page offers it."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """It worked; `token` goes into the cookie and is stored nowhere."""

    token: str
    account: Account


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """It did not; `code` names the sentence to show, `wait_s` how long to wait."""

    code: str
    wait_s: int = 0


def create_account(
    session: Session,
    actor: Actor,
    *,
    login: str,
    name: str,
    password: str,
    grants: Iterable[tuple[Role, str]],
    now: datetime,
    demo: bool = False,
) -> Account:
    """Make an account whose roles all lie where the actor may hand them out."""
    login = login.strip()
    wanted = list(grants)
    checks: list[Callable[[], None]] = [
        partial(_check_login, session, login),
        partial(_check_name, name),
        partial(_check_roles, wanted),
    ]
    if not demo:
        checks.append(partial(passwords.check_new, password, login))
    _all_of(checks)
    for _, path in wanted:
        actor.require(Permission.EDIT_ACCOUNTS, path)
    account = Account(
        login=login, name=name.strip(), password_hash=passwords.hashed(password), created_at=now, demo=demo
    )
    account.grants = [RoleGrant(role=role, region_path=path) for role, path in wanted]
    session.add(account)
    session.flush()
    roles = [f"{role.value}@{path}" for role, path in wanted]
    log.record(session, actor, "account.create", f"account:{login}", wanted[0][1], now, name=account.name, roles=roles)
    return account


def _all_of(checks: Iterable[Callable[[], None]]) -> None:
    """Run every check and raise everything that is wrong at once."""
    problems = []
    for check in checks:
        try:
            check()
        except BadInput as problem:
            problems.append(problem)
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)


def _check_login(session: Session, login: str) -> None:
    if not login or not login.isascii() or not login.isprintable() or len(login) > 40 or " " in login:
        raise BadInput("login_malformed", field="login")
    if session.scalar(select(Account.id).where(Account.login == login)):
        raise BadInput("login_taken", field="login", login=login)


def _check_name(name: str) -> None:
    if not name.strip():
        raise BadInput("name_missing", field="name")
    if len(name.strip()) > NAME_LENGTH:
        raise BadInput("name_too_long", field="name", most=NAME_LENGTH)


def _check_roles(grants: Sequence[tuple[Role, str]]) -> None:
    if not grants:
        raise BadInput("role_missing", field="role")


def sign_in(session: Session, login: str, password: str, *, origin: str, now: datetime) -> SignedIn | SignInRefused:
    """Check the password and open a session. After five failures each one doubles the wait, up to 15 minutes."""
    query = (
        select(Account).where(Account.login == login.strip()).options(selectinload(Account.grants)).with_for_update()
    )
    account = session.scalar(query)
    if account and account.locked_until and account.locked_until > now:
        return SignInRefused("sign_in_locked", wait_s=round((account.locked_until - now).total_seconds()) + 1)
    fits = passwords.matches(account.password_hash if account else None, password)
    if account is None or not fits or not account.active:
        if account is not None:
            _note_failure(session, account, origin, now)
        return SignInRefused("sign_in_wrong")
    account.failures = 0
    account.locked_until = None
    account.last_sign_in_at = now
    token = passwords.new_token()
    session.add(
        SignIn(
            token_hash=passwords.token_hash(token),
            account_id=account.id,
            created_at=now,
            seen_at=now,
            expires_at=now + SESSION_LENGTH,
            origin=origin,
        )
    )
    who = _actor(account, origin=origin, via="web")
    log.record(session, who, "account.sign_in", f"account:{account.login}", _home(account), now)
    return SignedIn(token, account)


def _note_failure(session: Session, account: Account, origin: str, now: datetime) -> None:
    account.failures += 1
    if account.failures >= FREE_FAILURES:
        wait = timedelta(seconds=30 * 2 ** min(account.failures - FREE_FAILURES, DOUBLINGS))
        account.locked_until = now + min(wait, LONGEST_LOCK)
    log.record(
        session,
        Actor(id=None, name="", scopes=(), origin=origin),
        "account.sign_in_failed",
        f"account:{account.login}",
        _home(account),
        now,
        failures=account.failures,
    )


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
    account, sign_in_ = row
    if sign_in_.revoked_at or sign_in_.expires_at <= now or not account.active:
        return None
    return account, sign_in_


def touch(session: Session, token: str, *, now: datetime) -> None:
    """Note that a session is in use, which prolongs it."""
    session.execute(
        update(SignIn)
        .where(SignIn.token_hash == passwords.token_hash(token))
        .values(seen_at=now, expires_at=now + SESSION_LENGTH)
    )


def actor_for(account: Account, *, origin: str, via: str = "web") -> Actor:
    """Return the Actor an account stands for."""
    return _actor(account, origin=origin, via=via)


def issue_token(session: Session, actor: Actor, *, name: str, days: int | None, now: datetime) -> str:
    """Make an API token for the actor's own account; it is shown this once."""
    if actor.id is None:
        raise BadInput("token_needs_account")
    _check_name(name)
    token = "cx_" + passwords.new_token()
    expires = now + timedelta(days=days) if days else None
    row = ApiToken(
        account_id=actor.id,
        name=name.strip()[:60],
        token_hash=passwords.token_hash(token),
        created_at=now,
        expires_at=expires,
    )
    session.add(row)
    session.flush()
    home = actor.scopes[0].path if actor.scopes else ""
    log.record(session, actor, "token.issue", f"token:{row.id}", home, now, name=row.name, days=days)
    return token


def revoke_token(session: Session, actor: Actor, token_id: UUID, *, now: datetime) -> None:
    """Switch one of the actor's own tokens off."""
    token = session.get(ApiToken, token_id)
    if token is None or token.account_id != actor.id:
        raise NotFound("token_unknown")
    token.revoked_at = token.revoked_at or now
    home = actor.scopes[0].path if actor.scopes else ""
    log.record(session, actor, "token.revoke", f"token:{token.id}", home, now, name=token.name)


def tokens_of(session: Session, actor: Actor) -> list[ApiToken]:
    """Return the actor's own tokens, newest first."""
    query = select(ApiToken).where(ApiToken.account_id == actor.id).order_by(ApiToken.created_at.desc())
    return list(session.scalars(query))


def account_by_token(session: Session, token: str, *, now: datetime) -> Account | None:
    """Return the account behind an API token, or None."""
    row = session.execute(
        select(Account, ApiToken)
        .join(ApiToken, ApiToken.account_id == Account.id)
        .where(ApiToken.token_hash == passwords.token_hash(token))
        .options(selectinload(Account.grants))
    ).first()
    if row is None:
        return None
    account, api_token = row
    over = api_token.expires_at is not None and api_token.expires_at <= now
    return None if api_token.revoked_at or over or not account.active else account


def set_password(session: Session, actor: Actor, login: str, password: str, *, now: datetime) -> None:
    """Give an account a new password, lift its lock and end all its sessions."""
    account = _by_login(session, login)
    if actor.id != account.id:
        _require_over(actor, account)
    _renew_password(session, actor, account, password, now)


def change_own_password(
    session: Session, actor: Actor, *, old: str, new: str, origin: str, now: datetime
) -> SignInRefused | None:
    """Give oneself a new password, which ends all one's sessions. A wrong old one counts like a wrong sign-in."""
    account = session.get(Account, actor.id, with_for_update=True) if actor.id else None
    if account is None:
        raise NotFound("account_unknown", login=actor.name)
    if account.locked_until and account.locked_until > now:
        return SignInRefused("sign_in_locked", wait_s=round((account.locked_until - now).total_seconds()) + 1)
    if not passwords.matches(account.password_hash, old):
        _note_failure(session, account, origin, now)
        return SignInRefused("password_wrong")
    _renew_password(session, actor, account, new, now)
    return None


def _renew_password(session: Session, actor: Actor, account: Account, password: str, now: datetime) -> None:
    passwords.check_new(password, account.login)
    account.password_hash = passwords.hashed(password)
    account.demo = False
    account.failures, account.locked_until = 0, None
    session.execute(
        update(SignIn).where(SignIn.account_id == account.id, SignIn.revoked_at.is_(None)).values(revoked_at=now)
    )
    log.record(session, actor, "account.password", f"account:{account.login}", _home(account), now)


def set_language(session: Session, actor: Actor, language: str) -> None:
    """Remember the language an account reads."""
    session.execute(update(Account).where(Account.id == actor.id).values(language="en" if language == "en" else "zh"))


def set_theme(session: Session, actor: Actor, theme: str) -> None:
    """Remember whether an account likes it light, dark, or as the device is (`auto`)."""
    chosen = theme if theme in ("light", "dark") else "auto"
    session.execute(update(Account).where(Account.id == actor.id).values(theme=chosen))


def set_active(session: Session, actor: Actor, login: str, active: bool, *, now: datetime) -> None:
    """Switch an account on or off; off ends all its sessions. Nobody can switch themselves off and lock the door."""
    account = _by_login(session, login)
    _require_over(actor, account)
    if actor.id == account.id:
        raise WrongState("account_own")
    account.active = active
    if not active:
        session.execute(update(SignIn).where(SignIn.account_id == account.id).values(revoked_at=now))
    log.record(session, actor, "account.active", f"account:{login}", _home(account), now, active=active)


def get_account(session: Session, actor: Actor, account_id: UUID) -> Account:
    """Return an account the actor may edit; to a stranger it does not exist."""
    account = session.get(Account, account_id, options=[selectinload(Account.grants)])
    if account is None or not _is_over(actor, account):
        raise NotFound("account_gone")
    return account


def own_account(session: Session, actor: Actor) -> Account:
    """Return the account of whoever asks."""
    account = session.get(Account, actor.id, options=[selectinload(Account.grants)]) if actor.id else None
    if account is None:
        raise NotFound("account_gone")
    return account


def _by_login(session: Session, login: str) -> Account:
    account = session.scalar(select(Account).where(Account.login == login).options(selectinload(Account.grants)))
    if account is None:
        raise NotFound("account_unknown", login=login)
    return account


def _is_over(actor: Actor, account: Account) -> bool:
    """Return whether every role of the account lies where the actor may edit accounts."""
    paths = [grant.region_path for grant in account.grants] or [""]
    return all(actor.may(Permission.EDIT_ACCOUNTS, path) for path in paths)


def _require_over(actor: Actor, account: Account) -> None:
    if not _is_over(actor, account):
        raise NotFound("account_unknown", login=account.login)


def active_demo_logins(session: Session) -> list[str]:
    """Return the accounts whose passwords the demo made known."""
    return list(session.scalars(select(Account.login).where(Account.demo, Account.active).order_by(Account.login)))


def list_accounts(session: Session, actor: Actor) -> list[Account]:
    """Return the accounts all of whose roles lie where the actor may edit accounts."""
    accounts = session.scalars(select(Account).options(selectinload(Account.grants)).order_by(Account.login))
    return [account for account in accounts if _is_over(actor, account)]


def _actor(account: Account, *, origin: str, via: str) -> Actor:
    scopes = tuple(
        Scope(path=grant.region_path, permissions=PERMISSIONS_OF[grant.role])
        for grant in sorted(account.grants, key=lambda g: (g.region_path, g.role))
    )
    return Actor(id=account.id, name=account.name, scopes=scopes, origin=origin, via=via)


def _home(account: Account) -> str:
    return min((grant.region_path for grant in account.grants), key=len, default="")


def demo_sign_ins(session: Session) -> list[tuple[str, str]]:
    """Return login and name of the demo's accounts, for the demo's own sign-in page."""
    query = select(Account.login, Account.name).where(Account.demo, Account.active).order_by(Account.created_at)
    return [(row.login, row.name) for row in session.execute(query)]


def forget_sign_ins(session: Session, *, now: datetime) -> int:
    """Delete sessions that ended more than a week ago; return how many."""
    old = now - timedelta(days=7)
    gone = session.execute(delete(SignIn).where(SignIn.expires_at < old).returning(SignIn.token_hash)).all()
    return len(gone)
