"""Accounts and roles for programs: who works here, who may what; always no further than whose key it is."""

from uuid import UUID

from flask import Response
from pydantic import Field

from hub.accounts import inviting, listing, role_book, service
from hub.accounts.api import Grant
from hub.accounts.listing import AccountLine
from hub.accounts.models import Purpose
from hub.accounts.role_book import RoleLine
from hub.core.actor import Permission
from hub.core.typed import shown
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.web.api import Input, Output, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work

bp = room("staff", "Accounts and roles.")
appoints = permission_required(Permission.EDIT_ACCOUNTS)


class AccountPath(Input):
    """Which account."""

    account_id: UUID


class RolePath(Input):
    """Which role."""

    key: str = Field(max_length=24)


class GrantIn(Input):
    """One role, and the region it is to hold for with everything below."""

    role: str = Field(max_length=24)
    region: RegionCode


class AccountIn(Input):
    """A new account. It has no password: `POST …/invitation` makes the code by which its owner chooses one."""

    login: str = Field(min_length=1, max_length=40)
    name: str = Field(min_length=1, max_length=service.NAME_LENGTH)
    grants: list[GrantIn] = Field(min_length=1, max_length=service.MOST_GRANTS)


class AccountChange(Input):
    """What is to be different; leave out what stays."""

    name: str | None = Field(None, min_length=1, max_length=service.NAME_LENGTH)
    grants: list[GrantIn] | None = Field(
        None, min_length=1, max_length=service.MOST_GRANTS, description="all roles from now on"
    )
    active: bool | None = Field(None, description="false ends all its sessions and keys")


class AccountOut(Output):
    """An account as its administrator sees it."""

    id: UUID
    login: str
    name: str
    grants: list[Grant]
    active: bool
    has_password: bool
    second_factor: bool
    passkeys: int
    locked_until: int | None = Field(description="somebody guesses its password; computers it used before get in")
    invited_until: int | None = Field(description="until when a code that was handed out is good")
    created_at: int
    last_sign_in_at: int | None

    @classmethod
    def of(cls, line: AccountLine) -> "AccountOut":
        """Return an account for showing."""
        a = line.account
        grants = sorted(a.grants, key=lambda grant: (grant.region_path, grant.role))
        return cls(
            id=a.id,
            login=a.login,
            name=a.name,
            grants=[Grant(role=grant.role, region=codes_in(grant.region_path)[-1]) for grant in grants],
            active=a.active,
            has_password=bool(a.password_hash),
            second_factor=a.second_on,
            passkeys=line.passkeys,
            locked_until=ms_or_none(line.locked_until),
            invited_until=ms_or_none(line.invited_until),
            created_at=ms(a.created_at),
            last_sign_in_at=ms_or_none(a.last_sign_in_at),
        )


class AccountList(Output):
    """The accounts one may edit, those in use first."""

    items: list[AccountOut]


class InvitationOut(Output):
    """A one-time code. It is shown this once; asking again makes another, and this one void."""

    code: str
    purpose: Purpose = Field(description="`invite`: a first password, `reset`: a new one")
    until: int


class RoleIn(Input):
    """What a role is called, if it is the county's own, and what it may. Everybody with a role may `see`."""

    name: str = Field("", max_length=role_book.NAME_LENGTH, description="of the county's own roles only")
    permissions: list[Permission] = Field(max_length=len(Permission))


class RoleOut(Output):
    """A role."""

    key: str
    name: str = Field(description="of the county's own roles; those of the program have none")
    permissions: list[Permission]
    own: bool
    changed: bool = Field(description="the county changed what a role of the program may")
    people: int

    @classmethod
    def of(cls, line: RoleLine) -> "RoleOut":
        """Return a role for showing."""
        permissions = sorted(line.permissions)
        return cls(
            key=line.key,
            name=line.name,
            permissions=permissions,
            own=line.own,
            changed=line.changed,
            people=line.people,
        )


class RoleList(Output):
    """All roles, those of the program first."""

    items: list[RoleOut]


@bp.get("/accounts", responses=answers(AccountList, 403))
@appoints
def list_accounts() -> Response:
    """List the accounts the caller could have appointed."""
    with reading() as session:
        found = listing.accounts_of(session, actor(), now=now())
        return say(AccountList(items=[AccountOut.of(line) for line in found]))


@bp.post("/accounts", responses=answers(AccountOut, 403, 404, 409, status=201))
@appoints
@once
def add_account(body: AccountIn) -> Response:
    """Make an account."""
    with work() as session:
        grants = [(grant.role, regions.get_region(session, actor(), grant.region).path) for grant in body.grants]
        made = service.create_account(
            session, actor(), login=body.login, name=body.name, password="", grants=grants, now=now()
        )
        return finish(session, AccountOut.of(listing.line(session, made, now=now())), 201)


@bp.get("/accounts/<uuid:account_id>", responses=answers(AccountOut, 403, 404))
@appoints
def get_account(path: AccountPath) -> Response:
    """Return one account."""
    with reading() as session:
        found = service.get_account(session, actor(), path.account_id)
        return say(AccountOut.of(listing.line(session, found, now=now())))


@bp.put("/accounts/<uuid:account_id>", responses=answers(AccountOut, 403, 404, 409))
@appoints
@once
def change_account(path: AccountPath, body: AccountChange) -> Response:
    """Change its name, its roles, whether it may come in. Roles hold from its next request on."""
    with work() as session:
        found = service.get_account(session, actor(), path.account_id)
        if body.name is not None:
            service.rename(session, actor(), found.id, body.name, now=now())
        if body.grants is not None:
            grants = [(grant.role, regions.get_region(session, actor(), grant.region).path) for grant in body.grants]
            service.change_grants(session, actor(), found.id, grants, now=now())
        if body.active is not None and body.active != found.active:
            service.set_active(session, actor(), found.login, body.active, now=now())
        return finish(session, AccountOut.of(listing.line(session, found, now=now())))


@bp.post("/accounts/<uuid:account_id>/invitation", responses=answers(InvitationOut, 403, 404, 409, status=201))
@appoints
def invite(path: AccountPath) -> Response:
    """Make a one-time code by which its owner chooses a password; older ones are void. Nothing keeps the answer."""
    with work() as session:
        made = inviting.invite(session, actor(), path.account_id, now=now())
        return say(InvitationOut(code=shown(made.code), purpose=made.purpose, until=ms(made.until)), 201)


@bp.get("/roles", responses=answers(RoleList, 403))
@appoints
def list_roles() -> Response:
    """List all roles and what each may."""
    with reading() as session:
        return say(RoleList(items=[RoleOut.of(line) for line in role_book.every(session)]))


@bp.post("/roles", responses=answers(RoleOut, 403, 409, status=201))
@appoints
@once
def add_role(body: RoleIn) -> Response:
    """Add a role of the county's own. Only who administers the whole county may."""
    with work() as session:
        key = role_book.add(session, actor(), body.name, body.permissions, now=now())
        return finish(session, RoleOut.of(listing.role_line(session, key)), 201)


@bp.put("/roles/<key>", responses=answers(RoleOut, 403, 404, 409))
@appoints
@once
def change_role(path: RolePath, body: RoleIn) -> Response:
    """Say what a role may from now on. Only who administers the whole county may."""
    with work() as session:
        role_book.change(session, actor(), path.key, body.permissions, now=now(), name=body.name)
        return finish(session, RoleOut.of(listing.role_line(session, path.key)))


@bp.delete("/roles/<key>", responses=answers(RoleList, 403, 404, 409))
@appoints
@once
def remove_role(path: RolePath) -> Response:
    """Take out a role of the county's own that nobody has; give one of the program its own rights back."""
    with work() as session:
        role_book.remove(session, actor(), path.key, now=now())
        return finish(session, RoleList(items=[RoleOut.of(line) for line in role_book.every(session)]))
