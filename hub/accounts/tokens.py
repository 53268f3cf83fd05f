"""Keys for programs: no further than the account may, no longer than asked for, and for tests without any effect."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from hub.accounts import passwords
from hub.accounts.models import Account, ApiToken
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotFound

KEY_DAYS = (30, 90, 365)
"""How long a new key may live, as the page offers it."""
NOTED_EVERY = timedelta(minutes=1)
NAME_LENGTH = 40


def issue_token(
    session: Session,
    actor: Actor,
    *,
    name: str,
    days: int | None,
    now: datetime,
    permissions: Iterable[Permission] = (),
    test: bool = False,
) -> str:
    """Make an API token for the actor's own account; it is shown this once. Without `permissions` it may all of it."""
    if actor.id is None:
        raise BadInput("token_needs_account")
    name = name.strip()
    if not name:
        raise BadInput("name_missing", field="name")
    if len(name) > NAME_LENGTH:
        raise BadInput("name_too_long", field="name", most=NAME_LENGTH)
    only = sorted(set(permissions))
    for permission in only:
        if not actor.may_somewhere(permission):
            raise BadInput("token_beyond_account", field="permissions", permission=permission.value)
    token = ("cxt_" if test else "cx_") + passwords.new_token()
    row = ApiToken(
        account_id=actor.id,
        name=name,
        token_hash=passwords.token_hash(token),
        permissions=[permission.value for permission in only],
        test=test,
        created_at=now,
        expires_at=now + timedelta(days=days) if days else None,
    )
    session.add(row)
    session.flush()
    details = {"days": days, "permissions": row.permissions, "test": test or None}
    log.record(session, actor, "token.issue", f"token:{row.id}", _home(actor), now, name=row.name, **details)
    return token


def revoke_token(session: Session, actor: Actor, token_id: UUID, *, now: datetime) -> None:
    """Switch one of the actor's own tokens off."""
    token = session.get(ApiToken, token_id)
    if token is None or token.account_id != actor.id:
        raise NotFound("token_unknown")
    token.revoked_at = token.revoked_at or now
    log.record(session, actor, "token.revoke", f"token:{token.id}", _home(actor), now, name=token.name)


def tokens_of(session: Session, actor: Actor) -> list[ApiToken]:
    """Return the actor's own tokens, newest first."""
    query = select(ApiToken).where(ApiToken.account_id == actor.id).order_by(ApiToken.created_at.desc())
    return list(session.scalars(query))


def by_token(session: Session, token: str, *, now: datetime) -> tuple[Account, ApiToken] | None:
    """Return the account behind an API token and the token itself, or None."""
    row = session.execute(
        select(Account, ApiToken)
        .join(ApiToken, ApiToken.account_id == Account.id)
        .where(ApiToken.token_hash == passwords.token_hash(token))
        .options(selectinload(Account.grants))
    ).first()
    if row is None:
        return None
    account, found = row
    over = found.expires_at is not None and found.expires_at <= now
    return None if found.revoked_at or over or not account.active else (account, found)


def is_stale(token: ApiToken, *, now: datetime) -> bool:
    """Return whether its last use was noted a while ago."""
    return token.used_at is None or now - token.used_at > NOTED_EVERY


def note_use(session: Session, token_id: UUID, *, origin: str, now: datetime) -> None:
    """Note when and from where it was used last."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=now, used_from=origin[:60]))


def _home(actor: Actor) -> str:
    return actor.scopes[0].path if actor.scopes else ""
