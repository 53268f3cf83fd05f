"""Roles as the county has them: those of the program, changed where it wanted, and its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts.models import RoleGrant, RoleRow
from hub.accounts.roles import HANDED_ON, PERMISSIONS_OF, Role, kept_apart, writes_and_approves
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.regions import service as regions

MOST_OWN = 30
NAME_LENGTH = 20


@dataclass(frozen=True, slots=True)
class RoleLine:
    """One role. `name` is set for the county's own; those of the program have their words in the templates."""

    key: str
    name: str
    permissions: frozenset[Permission]
    own: bool
    changed: bool
    people: int


Rights = Mapping[str, frozenset[Permission]]
"""Key of a role → what it may."""


def rights(session: Session) -> Rights:
    """Return what every role may now. A permission that a later version brings comes with its role by itself."""
    found: dict[str, frozenset[Permission]] = {role.value: held for role, held in PERMISSIONS_OF.items()}
    for row in session.scalars(select(RoleRow)):
        found[row.key] = (found.get(row.key, frozenset()) | _known(row.plus)) - _known(row.minus)
    return found


def names(session: Session) -> dict[str, str]:
    """Return the names of the county's own roles."""
    return {row.key: row.name for row in session.scalars(select(RoleRow).where(RoleRow.name != ""))}


def every(session: Session) -> list[RoleLine]:
    """Return all roles, those of the program first."""
    held, rows = rights(session), {row.key: row for row in session.scalars(select(RoleRow))}
    people: dict[str, set[UUID]] = {}
    for key, account_id in session.execute(select(RoleGrant.role, RoleGrant.account_id)):
        people.setdefault(key, set()).add(account_id)
    keys = [*(role.value for role in Role), *sorted(key for key in rows if key not in set(Role))]
    return [
        RoleLine(
            key=key,
            name=rows[key].name if key in rows else "",
            permissions=held[key],
            own=key not in set(Role),
            changed=key in set(Role) and key in rows,
            people=len(people.get(key, ())),
        )
        for key in keys
    ]


def change(
    session: Session, actor: Actor, key: str, permissions: Iterable[Permission], *, now: datetime, name: str = ""
) -> None:
    """Say what a role may from now on. Only who answers for the whole tree may, and not beyond what they could give."""
    before = rights(session)
    if key not in before:
        raise NotFound("role_unknown")
    home = _require_whole_tree(session, actor)
    wanted = frozenset(permissions) | {Permission.SEE}
    _check(actor, home, wanted, before[key])
    if key == Role.COUNTY_ADMIN and Permission.EDIT_ACCOUNTS not in wanted:
        raise BadInput("role_needs_accounts", field="permissions")
    row = session.get(RoleRow, key) or RoleRow(key=key, name="")
    base = PERMISSIONS_OF[Role(key)] if key in set(Role) else frozenset()
    row.plus, row.minus = sorted(wanted - base), sorted(base - wanted)
    if key not in set(Role):
        row.name = _checked_name(session, name, key)
    row.changed_by, row.changed_at = actor.name, now
    session.add(row)
    session.flush()
    log.record(
        session, actor, "role.change", f"role:{key}", home, now, before=sorted(before[key]), after=sorted(wanted)
    )


def add(session: Session, actor: Actor, name: str, permissions: Iterable[Permission], *, now: datetime) -> str:
    """Add a role of the county's own; return its key."""
    home = _require_whole_tree(session, actor)
    wanted = frozenset(permissions) | {Permission.SEE}
    _check(actor, home, wanted, frozenset())
    taken = set(session.scalars(select(RoleRow.key)))
    free = (f"own_{number}" for number in range(1, MOST_OWN + 1))
    key = next((one for one in free if one not in taken), "")
    if not key:
        raise WrongState("roles_too_many", most=MOST_OWN)
    name = _checked_name(session, name, key)
    session.add(RoleRow(key=key, name=name, plus=sorted(wanted), minus=[], changed_by=actor.name, changed_at=now))
    session.flush()
    log.record(session, actor, "role.add", f"role:{key}", home, now, name=name, after=sorted(wanted))
    return key


def remove(session: Session, actor: Actor, key: str, *, now: datetime) -> None:
    """Take out a role of the county's own that nobody has, or give a role of the program its own rights back."""
    home = _require_whole_tree(session, actor)
    row = session.get(RoleRow, key)
    if row is None:
        raise NotFound("role_unknown")
    before = rights(session)[key]
    if key in set(Role):
        _check(actor, home, PERMISSIONS_OF[Role(key)], before)
    elif session.scalar(select(RoleGrant.id).where(RoleGrant.role == key).limit(1)):
        raise WrongState("role_in_use")
    session.delete(row)
    session.flush()
    log.record(session, actor, "role.remove", f"role:{key}", home, now, name=row.name, before=sorted(before))


def require_grantable(actor: Actor, path: str, permissions: Iterable[Permission]) -> None:
    """Raise NotAllowed unless the actor may hand out all of it there: they hold it, or it is kept from them alone."""
    actor.require(Permission.EDIT_ACCOUNTS, path)
    for permission in sorted(frozenset(permissions) - HANDED_ON):
        if not actor.may(permission, path):
            raise NotAllowed("grant_beyond_own", permission=permission.value)


def may_grant(actor: Actor, path: str, permissions: Iterable[Permission]) -> bool:
    """Return whether the actor may hand out all of it there."""
    wanted = frozenset(permissions) - HANDED_ON
    return actor.may(Permission.EDIT_ACCOUNTS, path) and all(actor.may(one, path) for one in wanted)


def _require_whole_tree(session: Session, actor: Actor) -> str:
    roots = regions.roots(session)
    for path in roots:
        actor.require(Permission.EDIT_ACCOUNTS, path)
    if not roots:
        actor.require(Permission.EDIT_ACCOUNTS, "")
    return roots[0] if len(roots) == 1 else ""


def _check(actor: Actor, home: str, wanted: frozenset[Permission], before: frozenset[Permission]) -> None:
    require_grantable(actor, home, wanted ^ before)
    if kept_apart(wanted):
        raise BadInput("role_accounts_apart", field="permissions")
    if writes_and_approves(wanted):
        raise BadInput("role_writes_and_approves", field="permissions")


def _checked_name(session: Session, name: str, key: str) -> str:
    name = name.strip()
    if not name or len(name) > NAME_LENGTH:
        raise BadInput("role_name_missing", field="name", most=NAME_LENGTH)
    if session.scalar(select(RoleRow.key).where(RoleRow.name == name, RoleRow.key != key)):
        raise BadInput("role_name_taken", field="name")
    return name


def _known(names_: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions of a row; a name that no version knows any more counts for nothing."""
    return frozenset(Permission(name) for name in names_ if name in set(Permission))
