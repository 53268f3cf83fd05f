"""Accounts: signing in, locking, passwords, and who may hand out what."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import builders
import pytest
from builders import COUNTY, NORTH, PASSWORD, SOUTH
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts import service, sessions, signing_in, throttle, tokens
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.accounts.signing_in import SignedIn, SignInRefused
from hub.accounts.throttle import FREE_FAILURES, Door
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM, Actor
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    """A session on a database with the small county."""
    with runtime.sessions.begin() as session:
        yield session


def try_to_sign_in(session: Session, password: str = PASSWORD, *, after: timedelta = timedelta()) -> object:
    return signing_in.sign_in(session, "clerk", password, door=Door("here"), now=NOON + after)


def an_admin(region: str = COUNTY) -> Actor:
    return builders.an_actor(Role.COUNTY_ADMIN, region)


def make(session: Session, actor: Actor = SYSTEM, **given: object) -> Account:
    fields: dict[str, object] = {
        "login": "new",
        "name": "新人",
        "password": "a-long-enough-1",
        "grants": [(Role.CLERK, path_of(NORTH))],
        "now": NOON,
    }
    return service.create_account(session, actor, **(fields | given))  # type: ignore[arg-type]


def test_the_right_password_opens_a_session_that_names_its_account(county: Session) -> None:
    signed_in = try_to_sign_in(county)
    assert isinstance(signed_in, SignedIn)
    found = sessions.find_session(county, signed_in.token, now=NOON)
    assert found is not None
    assert found[0].login == "clerk"


def test_the_token_itself_is_stored_nowhere(county: Session) -> None:
    signed_in = try_to_sign_in(county)
    assert isinstance(signed_in, SignedIn)
    county.flush()
    dump = "\n".join(county.connection().connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert signed_in.token not in dump


def test_a_wrong_password_and_an_unknown_name_look_the_same(county: Session) -> None:
    wrong = try_to_sign_in(county, "nonsense")
    nobody = signing_in.sign_in(county, "nobody", PASSWORD, door=Door(), now=NOON)
    assert wrong == nobody == SignInRefused("sign_in_wrong")


def test_five_failures_lock_and_even_the_right_password_has_to_wait(county: Session) -> None:
    for _ in range(FREE_FAILURES):
        try_to_sign_in(county, "nonsense")
    locked = try_to_sign_in(county, after=timedelta(seconds=29))
    assert isinstance(locked, SignInRefused)
    assert (locked.code, locked.wait_s) == ("sign_in_locked", 2)
    assert isinstance(try_to_sign_in(county, after=timedelta(seconds=31)), SignedIn)


def test_four_failures_do_not_lock(county: Session) -> None:
    for _ in range(FREE_FAILURES - 1):
        try_to_sign_in(county, "nonsense")
    assert isinstance(try_to_sign_in(county), SignedIn)


@pytest.mark.parametrize(("failures", "seconds"), [(5, 30), (6, 60), (7, 120), (9, 480), (10, 900), (200, 900)])
def test_each_further_failure_doubles_the_wait_up_to_fifteen_minutes(
    county: Session, failures: int, seconds: int
) -> None:
    for _ in range(failures):
        throttle.note_failure(county, "clerk", Door("here"), now=NOON)
    assert throttle.locked(county, "clerk", now=NOON) == NOON + timedelta(seconds=seconds)


def test_success_forgives_earlier_failures(county: Session) -> None:
    for _ in range(FREE_FAILURES - 1):
        try_to_sign_in(county, "nonsense")
    try_to_sign_in(county)
    try_to_sign_in(county, "nonsense")
    assert isinstance(try_to_sign_in(county), SignedIn)


def test_a_failed_sign_in_is_logged_without_the_password(county: Session) -> None:
    try_to_sign_in(county, "my-secret-guess")
    entry = county.scalars(select(AuditEntry).where(AuditEntry.deed == "account.sign_in_failed")).one()
    assert entry.details == {"failures": 1}
    assert "my-secret-guess" not in f"{entry.subject}{entry.actor_name}"


def test_a_session_ends_after_twelve_hours_and_use_prolongs_it(county: Session) -> None:
    signed_in = try_to_sign_in(county)
    assert isinstance(signed_in, SignedIn)
    sessions.touch(county, signed_in.token, now=NOON + timedelta(hours=11))
    assert sessions.find_session(county, signed_in.token, now=NOON + timedelta(hours=22)) is not None
    assert sessions.find_session(county, signed_in.token, now=NOON + timedelta(hours=23)) is None


def test_signing_out_ends_only_that_session(county: Session) -> None:
    one, other = try_to_sign_in(county), try_to_sign_in(county)
    assert isinstance(one, SignedIn)
    assert isinstance(other, SignedIn)
    sessions.sign_out(county, one.token, now=NOON)
    assert sessions.find_session(county, one.token, now=NOON) is None
    assert sessions.find_session(county, other.token, now=NOON) is not None


def test_an_account_that_is_switched_off_is_out_at_once_and_cannot_come_back(county: Session) -> None:
    signed_in = try_to_sign_in(county)
    assert isinstance(signed_in, SignedIn)
    service.set_active(county, an_admin(), "clerk", False, now=NOON)
    assert sessions.find_session(county, signed_in.token, now=NOON) is None
    assert try_to_sign_in(county) == SignInRefused("sign_in_wrong")


def test_a_new_password_ends_all_sessions_and_lifts_the_lock(county: Session) -> None:
    signed_in = try_to_sign_in(county)
    assert isinstance(signed_in, SignedIn)
    for _ in range(FREE_FAILURES):
        try_to_sign_in(county, "nonsense")
    service.set_password(county, an_admin(), "clerk", "another-good-one", now=NOON)
    assert sessions.find_session(county, signed_in.token, now=NOON) is None
    assert isinstance(try_to_sign_in(county, "another-good-one"), SignedIn)


def test_nobody_can_switch_themselves_off(county: Session) -> None:
    admin = builders.the_actor(county, "county")
    with pytest.raises(WrongState, match="account_own"):
        service.set_active(county, admin, "county", False, now=NOON)


@pytest.mark.parametrize("who", ["clerk", "stranger"])
def test_to_whoever_may_not_edit_it_an_account_does_not_exist(county: Session, who: str) -> None:
    actor = builders.the_actor(county, who)
    with pytest.raises(NotFound):
        service.set_password(county, actor, "approver", "another-good-one", now=NOON)
    with pytest.raises(NotFound):
        service.set_active(county, actor, "approver", False, now=NOON)


def test_an_admin_of_the_south_has_no_hold_on_the_north(county: Session) -> None:
    admin = an_admin(SOUTH)
    assert {account.login for account in service.list_accounts(county, admin)} == {
        "stranger",
        "strange_approver",
        "strange_duty",
    }
    with pytest.raises(NotFound):
        service.set_password(county, admin, "clerk", "another-good-one", now=NOON)
    with pytest.raises(NotAllowed):
        make(county, admin, grants=[(Role.CLERK, path_of(NORTH))])


def test_one_post_outside_ones_region_is_enough_to_be_out_of_reach(county: Session) -> None:
    make(county, login="both", grants=[(Role.CLERK, path_of(NORTH)), (Role.CLERK, path_of(SOUTH))])
    with pytest.raises(NotFound):
        service.set_active(county, an_admin(SOUTH), "both", False, now=NOON)


def test_a_clerk_makes_no_accounts(county: Session) -> None:
    with pytest.raises(NotAllowed):
        make(county, builders.the_actor(county, "clerk"))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"login": ""}, "login_malformed"),
        ({"login": "two words"}, "login_malformed"),
        ({"login": "广播员"}, "login_malformed"),
        ({"login": "x" * 41}, "login_malformed"),
        ({"login": "t\tb"}, "login_malformed"),
        ({"login": "clerk"}, "login_taken"),
        ({"name": "  "}, "name_missing"),
        ({"name": "名" * 41}, "name_too_long"),
        ({"password": "short-1"}, "password_too_short"),
        ({"password": "aaaaaaaaaaaa"}, "password_too_easy"),
        ({"password": "my-new-password"}, "password_too_easy"),
        ({"grants": []}, "role_missing"),
    ],
)
def test_a_malformed_account_is_refused(county: Session, given: dict[str, object], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        make(county, SYSTEM, **given)
    assert refused.value.code == code


def test_everything_that_is_wrong_is_said_at_once(county: Session) -> None:
    with pytest.raises(Problems) as refused:
        make(county, login="", name="", password="x")
    assert {problem.field for problem in refused.value.problems} == {"login", "name", "password"}


def test_making_an_account_is_logged_with_its_roles(county: Session) -> None:
    make(county)
    entry = county.scalars(select(AuditEntry).where(AuditEntry.subject == "account:new")).one()
    assert (entry.deed, entry.details["roles"]) == ("account.create", [f"clerk@{path_of(NORTH)}"])


def test_a_key_acts_as_its_account_until_it_is_revoked(county: Session) -> None:
    actor = builders.the_actor(county, "clerk")
    token = tokens.issue_token(county, actor, name="气象", days=30, now=NOON)
    found = tokens.by_token(county, token, now=NOON)
    assert found is not None
    assert found[0].login == "clerk"
    tokens.revoke_token(county, actor, tokens.tokens_of(county, actor)[0].id, now=NOON)
    assert tokens.by_token(county, token, now=NOON) is None


def test_a_key_ends_with_its_days_and_with_its_account(county: Session) -> None:
    actor = builders.the_actor(county, "clerk")
    token = tokens.issue_token(county, actor, name="气象", days=30, now=NOON)
    assert tokens.by_token(county, token, now=NOON + timedelta(days=30)) is None
    service.set_active(county, an_admin(), "clerk", False, now=NOON)
    assert tokens.by_token(county, token, now=NOON) is None


def test_nobody_revokes_the_key_of_another(county: Session) -> None:
    owner, other = builders.the_actor(county, "clerk"), builders.the_actor(county, "county")
    tokens.issue_token(county, owner, name="气象", days=30, now=NOON)
    with pytest.raises(NotFound):
        tokens.revoke_token(county, other, tokens.tokens_of(county, owner)[0].id, now=NOON)
    assert tokens.tokens_of(county, owner)[0].revoked_at is None


def test_ones_own_password_needs_the_old_one_and_guessing_it_locks(county: Session) -> None:
    actor = builders.the_actor(county, "clerk")

    def change(old: str) -> SignInRefused | None:
        return service.change_own_password(county, actor, old=old, new="another-good-one", door=Door(), now=NOON)

    for _ in range(FREE_FAILURES):
        assert change("nonsense") == SignInRefused("password_wrong")
    locked = change(PASSWORD)
    assert locked is not None
    assert locked.code == "sign_in_locked"


def test_an_unknown_account_cannot_be_opened(county: Session) -> None:
    with pytest.raises(NotFound):
        service.get_account(county, an_admin(), uuid4())


def test_only_active_demo_accounts_count_as_dangerous(county: Session) -> None:
    make(county, login="show", demo=True)
    make(county, login="gone", demo=True)
    service.set_active(county, SYSTEM, "gone", False, now=NOON)
    assert service.active_demo_logins(county) == ["show"]
    service.set_password(county, SYSTEM, "show", "a-real-password-1", now=NOON)
    assert service.active_demo_logins(county) == []
