"""Roles as data: what a county may change, what nobody may hand out, and who is out of an administrator's reach."""

from collections.abc import Iterator

import builders
import pytest
from builders import BRIDGE, COUNTY, NORTH, SOUTH
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts import role_book, service
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.accounts.roles import HANDED_ON, PERMISSIONS_OF, Role, kept_apart, writes_and_approves
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

P = Permission


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


def the_account(session: Session, login: str) -> Account:
    return session.scalars(select(Account).where(Account.login == login)).one()


def make(session: Session, actor: Actor, role: str, region: str, login: str = "new") -> Account:
    return service.create_account(
        session, actor, login=login, name="新人", password="", grants=[(role, path_of(region))], now=NOON
    )


def test_the_programs_own_roles_keep_its_rules() -> None:
    for permissions in PERMISSIONS_OF.values():
        assert P.SEE in permissions
        assert not kept_apart(permissions)
        assert not writes_and_approves(permissions)


def test_a_changed_role_holds_from_the_next_request_on(county: Session) -> None:
    admin = builders.the_actor(county, "county")
    role_book.change(county, admin, Role.CLERK, PERMISSIONS_OF[Role.CLERK] - {P.EDIT_SPEAKERS}, now=NOON)
    assert not builders.the_actor(county, "clerk").may_somewhere(P.EDIT_SPEAKERS)
    assert builders.the_actor(county, "clerk").may_somewhere(P.COMPOSE)
    entry = county.scalars(select(AuditEntry).where(AuditEntry.deed == "role.change")).one()
    assert set(entry.details["before"]) - set(entry.details["after"]) == {"edit_speakers"}
    role_book.remove(county, admin, Role.CLERK, now=NOON)
    assert builders.the_actor(county, "clerk").may_somewhere(P.EDIT_SPEAKERS)


def test_a_role_of_ones_own_is_made_given_and_only_then_taken_out_when_nobody_has_it(county: Session) -> None:
    admin = builders.the_actor(county, "county")
    key = role_book.add(county, admin, "喇叭维护员", {P.EDIT_SPEAKERS}, now=NOON)
    account = make(county, admin, key, BRIDGE)
    actor = actor_for(county, account, origin="")
    assert (actor.may(P.EDIT_SPEAKERS, path_of(BRIDGE)), actor.may(P.EDIT_SPEAKERS, path_of(NORTH))) == (True, False)
    with pytest.raises(WrongState, match="role_in_use"):
        role_book.remove(county, admin, key, now=NOON)
    service.change_grants(county, admin, account.id, [(Role.VIEWER, path_of(BRIDGE))], now=NOON)
    role_book.remove(county, admin, key, now=NOON)
    assert key not in role_book.rights(county)


@pytest.mark.parametrize(
    ("permissions", "code"),
    [
        ({P.EDIT_ACCOUNTS, P.COMPOSE}, "role_accounts_apart"),
        ({P.EDIT_ACCOUNTS, P.APPROVE}, "role_accounts_apart"),
        ({P.EDIT_ACCOUNTS, P.SHOUT}, "role_accounts_apart"),
        ({P.COMPOSE, P.APPROVE}, "role_writes_and_approves"),
    ],
)
def test_no_role_lets_one_person_pass_an_announcement_alone(
    county: Session, permissions: set[Permission], code: str
) -> None:
    admin = builders.the_actor(county, "county")
    with pytest.raises(BadInput, match=code):
        role_book.add(county, admin, "全能", permissions, now=NOON)
    with pytest.raises(BadInput):
        role_book.change(county, admin, Role.VIEWER, permissions, now=NOON)


def test_the_administrators_role_keeps_the_right_to_let_people_in(county: Session) -> None:
    admin = builders.the_actor(county, "county")
    with pytest.raises(BadInput, match="role_needs_accounts"):
        role_book.change(county, admin, Role.COUNTY_ADMIN, {P.SEE}, now=NOON)


@pytest.mark.parametrize("who", ["clerk", "approver", "stranger"])
def test_who_edits_no_accounts_changes_no_role(county: Session, who: str) -> None:
    with pytest.raises(NotAllowed):
        role_book.change(county, builders.the_actor(county, who), Role.VIEWER, {P.SEE, P.STOP}, now=NOON)


def test_an_administrator_of_one_township_changes_no_role(county: Session) -> None:
    admin = builders.an_actor(Role.COUNTY_ADMIN, NORTH)
    with pytest.raises(NotAllowed):
        role_book.add(county, admin, "新身份", {P.SEE}, now=NOON)


def test_nobody_hands_out_more_than_they_hold(county: Session) -> None:
    boss = builders.the_actor(county, "county")
    key = role_book.add(county, boss, "镇管理员", {P.EDIT_ACCOUNTS, P.EDIT_RESIDENTS}, now=NOON)
    small = actor_for(county, make(county, boss, key, NORTH, "small"), origin="")
    with pytest.raises(NotAllowed, match="grant_beyond_own"):
        make(county, small, Role.DUTY_OFFICER, NORTH)
    with pytest.raises(NotAllowed):
        make(county, small, key, SOUTH)
    with pytest.raises(NotAllowed):
        make(county, small, key, COUNTY)
    made = make(county, small, key, BRIDGE)
    with pytest.raises(NotAllowed, match="grant_beyond_own"):
        service.change_grants(county, small, made.id, [(Role.COUNTY_ADMIN, path_of(BRIDGE))], now=NOON)
    assert [grant.role for grant in made.grants] == [key]


def test_what_is_kept_from_administrators_can_still_be_handed_on(county: Session) -> None:
    boss = builders.the_actor(county, "county")
    assert not any(boss.may_somewhere(permission) for permission in HANDED_ON)
    assert make(county, boss, Role.CLERK, NORTH).grants[0].role == Role.CLERK


def test_whoever_holds_more_is_out_of_reach(county: Session) -> None:
    """Who sets a password could sign in with it: so nobody sets that of somebody they could not have appointed."""
    boss = builders.the_actor(county, "county")
    key = role_book.add(county, boss, "镇管理员", {P.EDIT_ACCOUNTS}, now=NOON)
    small = actor_for(county, make(county, boss, key, NORTH, "small"), origin="")
    with pytest.raises(NotFound):
        service.set_password(county, small, "duty", "another-good-one", now=NOON)
    assert "duty" not in {account.login for account in service.list_accounts(county, small)}
    assert "viewer" in {account.login for account in service.list_accounts(county, small)}


def test_roles_of_an_account_are_changed_and_the_log_has_before_and_after(county: Session) -> None:
    boss, viewer = builders.the_actor(county, "county"), the_account(county, "viewer")
    service.change_grants(county, boss, viewer.id, [(Role.CLERK, path_of(BRIDGE))], now=NOON)
    assert builders.the_actor(county, "viewer").may(P.COMPOSE, path_of(BRIDGE))
    assert not builders.the_actor(county, "viewer").may(P.SEE, path_of(NORTH))
    entry = county.scalars(select(AuditEntry).where(AuditEntry.deed == "account.roles")).one()
    assert entry.details == {"before": [f"viewer@{path_of(NORTH)}"], "after": [f"clerk@{path_of(BRIDGE)}"]}


def test_nobody_changes_their_own_roles(county: Session) -> None:
    boss = builders.the_actor(county, "county")
    with pytest.raises(WrongState, match="account_own"):
        service.change_grants(county, boss, the_account(county, "county").id, [(Role.CLERK, path_of(NORTH))], now=NOON)


def test_an_unknown_role_is_refused(county: Session) -> None:
    with pytest.raises(BadInput, match="role_missing"):
        make(county, SYSTEM, "king", NORTH)
