"""Make accounts, change their passwords and roles, switch them off."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, selectinload

from hub.accounts import passkeys, passwords, role_book, second, sessions, signing_in, throttle
from hub.accounts.actors import home_of
from hub.accounts.models import Account, RoleGrant
from hub.accounts.role_book import Rights, rights
from hub.accounts.signing_in import SignInRefused
from hub.accounts.throttle import Door
from hub.audit import log
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotFound, Problems, WrongState

NAME_LENGTH = 40
MOST_GRANTS = 20
Grants = Iterable[tuple[str, str]]
"""Pairs of role and region path."""


def create_account(
    session: Session,
    actor: Actor,
    *,
    login: str,
    name: str,
    password: str,
    grants: Grants,
    now: datetime,
    demo: bool = False,
) -> Account:
    """Make an account whose roles the actor may hand out there. Without password it waits for an invitation."""
    login = login.strip()
    wanted = [(str(role), path) for role, path in grants]
    held = rights(session)
    checks: list[Callable[[], None]] = [
        partial(_check_login, session, login),
        partial(_check_name, name),
        partial(_check_roles, wanted, held),
    ]
    if password and not demo:
        checks.append(partial(passwords.check_new, password, login))
    _all_of(checks)
    for role, path in wanted:
        role_book.require_grantable(actor, path, held[role])
    account = Account(
        login=login,
        name=name.strip(),
        password_hash=passwords.hashed(password) if password else "",
        must_change=bool(password) and actor.id is not None,
        created_at=now,
        demo=demo,
    )
    account.grants = [RoleGrant(role=role, region_path=path) for role, path in wanted]
    session.add(account)
    session.flush()
    roles = _shown(account)
    log.record(session, actor, "account.create", f"account:{login}", wanted[0][1], now, name=account.name, roles=roles)
    return account


def any_account(session: Session) -> bool:
    """Return whether anybody has an account yet."""
    return bool(session.scalar(select(exists().where(Account.id.is_not(None)))))


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
    if not login or not login.isascii() or not login.isprintable() or len(login) > 40 or " " in login or "#" in login:
        raise BadInput("login_malformed", field="login")
    if session.scalar(select(Account.id).where(Account.login == login)):
        raise BadInput("login_taken", field="login", login=login)


def _check_name(name: str) -> None:
    if not name.strip():
        raise BadInput("name_missing", field="name")
    if len(name.strip()) > NAME_LENGTH:
        raise BadInput("name_too_long", field="name", most=NAME_LENGTH)


def _check_roles(grants: Sequence[tuple[str, str]], held: Rights) -> None:
    if not grants or any(role not in held for role, _ in grants):
        raise BadInput("role_missing", field="role")
    if len(grants) > MOST_GRANTS:
        raise BadInput("role_too_many", field="role", most=MOST_GRANTS)


def change_grants(session: Session, actor: Actor, account_id: UUID, grants: Grants, *, now: datetime) -> Account:
    """Give an account other roles; they hold from its next request on. Nobody changes their own."""
    account = get_account(session, actor, account_id)
    if account.id == actor.id:
        raise WrongState("account_own")
    wanted = list(dict.fromkeys((str(role), path) for role, path in grants))
    held = rights(session)
    _check_roles(wanted, held)
    for role, path in wanted:
        role_book.require_grantable(actor, path, held[role])
    before, home = _shown(account), home_of(account)
    kept = [grant for grant in account.grants if (grant.role, grant.region_path) in wanted]
    standing = {(grant.role, grant.region_path) for grant in kept}
    account.grants = [*kept, *(RoleGrant(role=r, region_path=p) for r, p in wanted if (r, p) not in standing)]
    session.flush()
    after = _shown(account)
    if after != before:
        log.record(session, actor, "account.roles", f"account:{account.login}", home, now, before=before, after=after)
    return account


def rename(session: Session, actor: Actor, account_id: UUID, name: str, *, now: datetime) -> Account:
    """Change the name people see; what was signed with the old one keeps it."""
    account = get_account(session, actor, account_id)
    _check_name(name)
    before, account.name = account.name, name.strip()
    if before != account.name:
        subject = f"account:{account.login}"
        log.record(session, actor, "account.rename", subject, home_of(account), now, before=before, after=account.name)
    return account


def set_password(session: Session, actor: Actor, login: str, password: str, *, now: datetime) -> None:
    """Give an account a new password, lift its lock and end all its sessions; its owner must choose another one."""
    account = _by_login(session, login)
    if actor.id != account.id:
        _require_over(session, actor, account)
        passkeys.clear(session, account.id)
    _renew_password(session, actor, account, password, now)


def change_own_password(
    session: Session, actor: Actor, *, old: str, new: str, door: Door, now: datetime
) -> SignInRefused | None:
    """Give oneself a new password, which ends all one's sessions. A wrong old one counts like a wrong sign-in."""
    account = session.get(Account, actor.id, with_for_update=True) if actor.id else None
    if account is None:
        raise NotFound("account_unknown", login=actor.name)
    wait = throttle.wait_s(session, account.login, door, now=now)
    if wait:
        return SignInRefused("sign_in_locked", wait_s=wait)
    if not passwords.matches(account.password_hash, old):
        signing_in.note_failure(session, account.login, account, door, now)
        return SignInRefused("password_wrong")
    if old == new:
        raise BadInput("password_same", field="password")
    _renew_password(session, actor, account, new, now)
    return None


def _renew_password(session: Session, actor: Actor, account: Account, password: str, now: datetime) -> None:
    passwords.check_new(password, account.login)
    account.password_hash = passwords.hashed(password)
    account.must_change = actor.id != account.id
    account.demo = False
    throttle.lift(session, account.login)
    sessions.end_all(session, account.id, now=now)
    log.record(session, actor, "account.password", f"account:{account.login}", home_of(account), now)


def take_second_off(session: Session, actor: Actor, account_id: UUID, *, now: datetime) -> None:
    """Take second factor and passkeys off somebody's account: their telephone is gone, and the codes on paper too."""
    account = get_account(session, actor, account_id)
    if account.id == actor.id:
        raise WrongState("account_own")
    if not passkeys.clear(session, account.id) and not account.second_on:
        raise WrongState("second_not_begun")
    second.clear(session, account)
    sessions.end_all(session, account.id, now=now)
    log.record(session, actor, "account.second_off", f"account:{account.login}", home_of(account), now)


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
    _require_over(session, actor, account)
    if actor.id == account.id:
        raise WrongState("account_own")
    account.active = active
    if not active:
        sessions.end_all(session, account.id, now=now)
    log.record(session, actor, "account.active", f"account:{login}", home_of(account), now, active=active)


def get_account(session: Session, actor: Actor, account_id: UUID) -> Account:
    """Return an account the actor may edit; to a stranger it does not exist."""
    account = session.get(Account, account_id, options=[selectinload(Account.grants)])
    if account is None or not _is_over(actor, account, rights(session)):
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


def _is_over(actor: Actor, account: Account, held: Rights) -> bool:
    """Return whether the actor could have appointed the account: whoever sets a password could sign in with it."""
    if not account.grants:
        return role_book.may_grant(actor, "", ())
    return all(
        role_book.may_grant(actor, grant.region_path, held.get(grant.role, frozenset())) for grant in account.grants
    )


def _require_over(session: Session, actor: Actor, account: Account) -> None:
    if not _is_over(actor, account, rights(session)):
        raise NotFound("account_unknown", login=account.login)


def active_demo_logins(session: Session) -> list[str]:
    """Return the accounts whose passwords the demo made known."""
    return list(session.scalars(select(Account.login).where(Account.demo, Account.active).order_by(Account.login)))


def list_accounts(session: Session, actor: Actor) -> list[Account]:
    """Return the accounts the actor could have appointed."""
    held = rights(session)
    accounts = session.scalars(select(Account).options(selectinload(Account.grants)).order_by(Account.login))
    return [account for account in accounts if _is_over(actor, account, held)]


def demo_sign_ins(session: Session) -> list[tuple[str, str]]:
    """Return login and name of the demo's accounts, for the demo's own sign-in page."""
    query = select(Account.login, Account.name).where(Account.demo, Account.active).order_by(Account.created_at)
    return [(row.login, row.name) for row in session.execute(query)]


def _shown(account: Account) -> list[str]:
    return sorted(f"{grant.role}@{grant.region_path}" for grant in account.grants)
