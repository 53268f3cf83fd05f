"""Keys for programs, and who one is: the JSON side of accounts."""

from uuid import UUID

from flask import Response
from pydantic import Field, StrictInt

from hub.accounts import service, tokens
from hub.accounts.issuing import Wish, issue_for_password
from hub.accounts.models import Account, ApiToken
from hub.accounts.second import Vault
from hub.accounts.signing_in import SignInRefused
from hub.core.actor import Actor, Permission
from hub.core.errors import HubError, NotSignedIn, TooMany
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.web.api import Input, Output, answers, client, ms, ms_or_none, open_to_all, room, say
from hub.web.limits import SignInsPerMinute
from hub.web.work import actor, now, origin, reading, work

ABOUT = "Keys for programs, and whose they are."
open_bp = room("keys", ABOUT, open_to_all=True)
bp = room("account", ABOUT)


class NewKey(Input):
    """Name and password, for a key that programs use from then on."""

    login: str = Field(max_length=40)
    password: str = Field(max_length=200)
    name: str = Field(min_length=1, max_length=40, description="what the key is for, to know it again later")
    days: StrictInt = Field(90, ge=1, le=366, description="how many days it is good for")
    code: str = Field("", max_length=20, description="of the second factor, for an account that has one")
    permissions: list[Permission] = Field(
        [], max_length=len(Permission), description="what it may do; leave out for all that the account may"
    )
    test: bool = Field(False, description="a key for trying out: everything is checked and answered, nothing is done")


class IssuedKey(Output):
    """A new key. It is shown this once."""

    token: str = Field(description="send it as `Authorization: Bearer cx_…`")
    expires_at: int


class Grant(Output):
    """One role, and the region it holds for with everything below."""

    role: str = Field(description="one of the program's roles, or `own_…` for one of the county's own")
    region: str


class Me(Output):
    """Whose key this is."""

    id: UUID
    login: str
    name: str
    language: str
    grants: list[Grant]
    permissions: list[Permission] = Field(description="everything it may do somewhere; each verb asks for the place")


class KeyOut(Output):
    """A key as it may be shown: without itself."""

    id: UUID
    name: str
    permissions: list[str] = Field(description="what it may do; empty: all that the account may")
    test: bool
    created_at: int
    expires_at: int | None
    used_at: int | None
    revoked_at: int | None

    @classmethod
    def of(cls, token: ApiToken) -> "KeyOut":
        """Return a key for showing."""
        return cls(
            id=token.id,
            name=token.name,
            permissions=token.permissions,
            test=token.test,
            created_at=ms(token.created_at),
            expires_at=ms_or_none(token.expires_at),
            used_at=ms_or_none(token.used_at),
            revoked_at=ms_or_none(token.revoked_at),
        )


class Keys(Output):
    """All keys of the account, newest first."""

    items: list[KeyOut]


class KeyPath(Input):
    """Which key."""

    key_id: UUID


@open_bp.post("/tokens", responses=answers(IssuedKey, status=201))
@open_to_all
def issue_key(body: NewKey) -> Response:
    """Get a key for name and password."""
    runtime().get(SignInsPerMinute).take(client(), now())
    with work() as session:
        wish = Wish(**body.model_dump())
        found = issue_for_password(session, wish, vault=runtime().get(Vault), origin=origin(), now=now())
    if isinstance(found, SignInRefused):  # raised out here, so that the failure stays counted
        raise _refusal(found)
    return say(IssuedKey(token=found.token, expires_at=ms(found.expires_at)), 201)


@bp.get("/me", responses=answers(Me))
def me() -> Response:
    """Say whose key this is and what it may do where."""
    with reading() as session:
        return say(_me(service.own_account(session, actor()), actor()))


@bp.get("/me/tokens", responses=answers(Keys))
def list_keys() -> Response:
    """List the account's own keys."""
    with reading() as session:
        return say(Keys(items=[KeyOut.of(token) for token in tokens.tokens_of(session, actor())]))


@bp.delete("/me/tokens/<uuid:key_id>", responses=answers(KeyOut, 404))
def revoke_key(path: KeyPath) -> Response:
    """Switch one of the account's own keys off."""
    with work() as session:
        tokens.revoke_token(session, actor(), path.key_id, now=now())
        found = next(token for token in tokens.tokens_of(session, actor()) if token.id == path.key_id)
        return say(KeyOut.of(found))


def _me(account: Account, who: Actor) -> Me:
    grants = sorted(account.grants, key=lambda grant: (grant.region_path, grant.role))
    return Me(
        id=account.id,
        login=account.login,
        name=account.name,
        language=account.language,
        grants=[Grant(role=grant.role, region=codes_in(grant.region_path)[-1]) for grant in grants],
        permissions=sorted({permission for scope in who.scopes for permission in scope.permissions}),
    )


def _refusal(found: SignInRefused) -> HubError:
    if found.wait_s:
        return TooMany(found.code, seconds=found.wait_s, retry_after_s=found.wait_s)
    return NotSignedIn(found.code)
