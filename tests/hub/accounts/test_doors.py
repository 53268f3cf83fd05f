"""Ways in: slowed guessing, invitations, forced change, the second factor, the computer on duty, known passwords."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import builders
import pyotp
import pytest
from builders import PASSWORD
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.accounts import inviting, passwords, second, service, sessions, signing_in, throttle
from hub.accounts.models import Account, RecoveryCode, SignIn, Ticket
from hub.accounts.second import Vault
from hub.accounts.sessions import StillLocked, Unlocked
from hub.accounts.signing_in import SecondNeeded, SignedIn, SignInRefused
from hub.accounts.throttle import FREE_FAILURES, FREE_FROM_ADDRESS, Door, Marks
from hub.audit.models import AuditEntry
from hub.core.actor import Actor
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime

NEW = "a-long-enough-1"


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.fixture
def vault(runtime: Runtime) -> Vault:
    return Vault(runtime.secrets)


def enter(
    session: Session, login: str = "duty", password: str = PASSWORD, *, door: Door | None = None, now: datetime = NOON
) -> object:
    return signing_in.sign_in(session, login, password, door=door or Door("10.0.0.1"), now=now)


def account_of(session: Session, login: str) -> Account:
    return session.scalars(select(Account).where(Account.login == login)).one()


# ---- guessing


def test_a_stranger_cannot_keep_the_officer_on_duty_out(county: Session, runtime: Runtime) -> None:
    marks = Marks(runtime.secrets)
    own = Door("10.0.0.9", mark=marks.proved(marks.new("duty"), "duty"))
    for n in range(40):
        enter(county, password="guess", door=Door(f"203.0.113.{n}"), now=NOON + timedelta(seconds=n))
    refused = enter(county, door=Door("10.0.0.10"), now=NOON + timedelta(minutes=1))
    assert isinstance(refused, SignInRefused)
    assert refused.code == "sign_in_locked", "an unknown browser has to wait"
    assert isinstance(enter(county, door=own, now=NOON + timedelta(minutes=1)), SignedIn)


def test_a_known_browser_cannot_guess_for_ever_either(county: Session, runtime: Runtime) -> None:
    marks = Marks(runtime.secrets)
    own = Door("10.0.0.9", mark=marks.proved(marks.new("duty"), "duty"))
    for _ in range(FREE_FAILURES):
        enter(county, password="guess", door=own)
    assert isinstance(enter(county, door=own), SignInRefused)


def test_a_mark_is_good_for_its_own_login_only_and_cannot_be_made_up(runtime: Runtime) -> None:
    marks = Marks(runtime.secrets)
    mark = marks.new("clerk")
    assert marks.proved(mark, "Clerk ")
    for cookie, login in ((mark, "duty"), (mark + "0", "clerk"), ("", "clerk"), ("." * 80, "clerk"), ("ä.ü", "clerk")):
        assert marks.proved(cookie, login) == ""


def test_an_unknown_login_is_locked_like_a_known_one(county: Session) -> None:
    doors = (("duty", Door("10.1.0.1")), ("nobody", Door("10.1.1.1")))
    said = [[enter(county, login, "guess", door=door) for _ in range(8)] for login, door in doors]
    assert said[0] == said[1]
    assert isinstance(said[0][-1], SignInRefused)
    assert said[0][-1].code == "sign_in_locked"


def test_one_address_trying_many_names_is_slowed(county: Session) -> None:
    answers = [enter(county, f"name{n}", "guess") for n in range(FREE_FROM_ADDRESS + 1)]
    assert answers[-1] != answers[0]
    assert enter(county) != answers[0]
    assert isinstance(enter(county, door=Door("10.0.0.2")), SignedIn)


def test_failures_are_forgotten_after_an_hour(county: Session) -> None:
    for _ in range(FREE_FAILURES - 1):
        enter(county, password="guess")
    enter(county, password="guess", now=NOON + timedelta(hours=2))
    assert isinstance(enter(county, now=NOON + timedelta(hours=2)), SignedIn)
    assert throttle.forget(county, now=NOON + timedelta(days=1)) > 0


def test_a_failed_sign_in_of_nobody_logs_nothing_that_was_typed(county: Session) -> None:
    enter(county, "my-secret-password", "guess")
    entry = county.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.deed, entry.subject, entry.region_path) == ("account.sign_in_failed", "account:", "")


# ---- passwords


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "Woaini1314520",
        "1234567890",
        "13800138000",
        "qwertyuiop",
        "abcdefghijkl",
        "zhongguo2026!",
        "0123456789012",
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(BadInput, match=r"password_(known|too_easy)"):
        passwords.check_new(password, "li")


@pytest.mark.parametrize(
    "password", ["correct-horse-7", "qingshi-laba-3-hao", "雨天记得收稻谷啊不要忘", "Mx7#kk29Pqz4"]
)
def test_what_is_long_and_nobodys_is_taken(password: str) -> None:
    passwords.check_new(password, "li")


def test_a_password_somebody_else_set_has_to_be_changed_to_another(county: Session) -> None:
    service.set_password(county, builders.the_actor(county, "county"), "clerk", NEW, now=NOON)
    assert account_of(county, "clerk").must_change
    me = builders.the_actor(county, "clerk")
    with pytest.raises(BadInput, match="password_same"):
        service.change_own_password(county, me, old=NEW, new=NEW, door=Door(), now=NOON)
    service.change_own_password(county, me, old=NEW, new=NEW + "x", door=Door(), now=NOON)
    assert not account_of(county, "clerk").must_change


# ---- one-time codes


def invited(session: Session) -> inviting.Invitation:
    boss = builders.the_actor(session, "county")
    grants = [("clerk", "990101000000/990101001000/")]
    made = service.create_account(session, boss, login="li", name="李四", password="", grants=grants, now=NOON)
    return inviting.invite(session, boss, made.id, now=NOON)


def test_an_invitation_is_good_once_and_until_then_there_is_no_way_in(county: Session) -> None:
    invitation = invited(county)
    for password in ("", "x", PASSWORD):
        assert isinstance(enter(county, "li", password), SignInRefused)
    typed = invitation.code.lower()
    weak = inviting.accept(county, typed, "short", door=Door("a"), now=NOON)
    assert isinstance(weak, BadInput)
    assert isinstance(inviting.accept(county, typed, NEW, door=Door("a"), now=NOON), Account)
    assert isinstance(enter(county, "li", NEW), SignedIn)
    again = inviting.accept(county, typed, "another-good-one", door=Door("a"), now=NOON)
    assert isinstance(again, BadInput)
    assert isinstance(enter(county, "li", NEW), SignedIn)


def test_a_code_ends_with_its_days_with_the_next_one_and_when_it_is_withdrawn(county: Session) -> None:
    boss, first = builders.the_actor(county, "county"), invited(county)

    def fits(code: str, now: datetime = NOON) -> bool:
        return isinstance(inviting.accept(county, code, NEW, door=Door("a"), now=now), Account)

    assert not fits(first.code, NOON + timedelta(days=7))
    second_one = inviting.invite(county, boss, first.account.id, now=NOON)
    assert not fits(first.code)
    inviting.withdraw(county, boss, first.account.id, now=NOON)
    assert not fits(second_one.code)
    with pytest.raises(NotFound):
        inviting.withdraw(county, boss, first.account.id, now=NOON)


def test_codes_are_made_by_whoever_answers_for_the_account_and_kept_nowhere(county: Session) -> None:
    clerk = account_of(county, "clerk")
    for who in ("stranger", "approver"):
        with pytest.raises(NotFound):
            inviting.invite(county, builders.the_actor(county, who), clerk.id, now=NOON)
    boss = builders.the_actor(county, "county")
    with pytest.raises(WrongState):
        inviting.invite(county, boss, account_of(county, "county").id, now=NOON)
    code = inviting.invite(county, boss, clerk.id, now=NOON).code
    county.flush()
    dump = "\n".join(county.connection().connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert code not in dump


# ---- the second factor


def with_second(session: Session, vault: Vault, login: str = "duty") -> tuple[Actor, pyotp.TOTP, list[str]]:
    actor = builders.the_actor(session, login)
    secret, address = second.begin(session, actor, vault)
    assert address.startswith("otpauth://totp/")
    codes = second.confirm(session, actor, vault, pyotp.TOTP(secret).at(NOON), now=NOON)
    return actor, pyotp.TOTP(secret), codes


def test_the_digits_are_those_of_rfc_6238(county: Session, vault: Vault) -> None:
    """Appendix B of the RFC, cut to six digits: the secret is 12345678901234567890 in ASCII."""
    account = account_of(county, "duty")
    account.second_secret = vault.seal("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", account.id)
    for seconds, digits in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")):
        account.second_step = 0
        assert second.check(county, account, vault, digits, now=datetime.fromtimestamp(seconds, NOON.tzinfo))


def test_with_it_the_password_alone_opens_nothing(county: Session, vault: Vault) -> None:
    _, totp, _ = with_second(county, vault)
    later = NOON + timedelta(minutes=1)
    asked = enter(county, now=later)
    assert isinstance(asked, SecondNeeded)
    assert sessions.find_session(county, asked.ticket, now=later) is None
    wrong = signing_in.second_step(county, asked.ticket, "000000", door=Door("a"), vault=vault, now=later)
    assert wrong == SignInRefused("second_wrong")
    right = signing_in.second_step(county, asked.ticket, totp.at(later), door=Door("a"), vault=vault, now=later)
    assert isinstance(right, SignedIn)
    once = signing_in.second_step(county, asked.ticket, totp.at(later), door=Door("a"), vault=vault, now=later)
    assert once == SignInRefused("second_too_late")


def test_a_code_is_good_once_and_for_a_minute_and_a_half(county: Session, vault: Vault) -> None:
    _, totp, _ = with_second(county, vault)
    account, later = account_of(county, "duty"), NOON + timedelta(minutes=5)
    assert second.check(county, account, vault, totp.at(later), now=later)
    assert not second.check(county, account, vault, totp.at(later), now=later), "seen over a shoulder"
    assert not second.check(county, account, vault, totp.at(later - timedelta(seconds=60)), now=later)
    assert not second.check(county, account, vault, totp.at(later + timedelta(seconds=90)), now=later)
    assert second.check(county, account, vault, totp.at(later + timedelta(seconds=30)), now=later)


def test_guessing_codes_is_slowed_like_guessing_passwords(county: Session, vault: Vault) -> None:
    with_second(county, vault)
    asked = enter(county, now=NOON)
    assert isinstance(asked, SecondNeeded)
    said = [
        signing_in.second_step(county, asked.ticket, f"{n:06}", door=Door("a"), vault=vault, now=NOON) for n in range(7)
    ]
    assert isinstance(said[-1], SignInRefused)
    assert said[-1].code == "sign_in_locked"


def test_a_code_on_paper_is_good_once(county: Session, vault: Vault) -> None:
    _, _, codes = with_second(county, vault)
    account = account_of(county, "duty")
    assert len(set(codes)) == second.RECOVERY_CODES
    assert second.check(county, account, vault, codes[3].lower().replace("-", " "), now=NOON)
    assert not second.check(county, account, vault, codes[3], now=NOON)
    assert second.codes_left(county, account.id) == second.RECOVERY_CODES - 1
    other = account_of(county, "clerk")
    assert not second.check(county, other, vault, codes[4], now=NOON), "of somebody else"


def test_it_is_switched_off_with_a_code_or_by_the_administrator(county: Session, vault: Vault) -> None:
    actor, _, codes = with_second(county, vault)
    with pytest.raises(BadInput, match="second_wrong"):
        second.switch_off(county, actor, vault, "123", now=NOON)
    second.switch_off(county, actor, vault, codes[0], now=NOON)
    assert isinstance(enter(county), SignedIn)
    with_second(county, vault)
    stranger = builders.the_actor(county, "stranger")
    with pytest.raises(NotFound):
        service.take_second_off(county, stranger, account_of(county, "duty").id, now=NOON)
    service.take_second_off(county, builders.the_actor(county, "county"), account_of(county, "duty").id, now=NOON)
    assert isinstance(enter(county), SignedIn)
    assert county.scalars(select(RecoveryCode)).all() == []


def test_the_tables_alone_open_no_door(county: Session, vault: Vault) -> None:
    _, totp, codes = with_second(county, vault)
    county.flush()
    dump = "\n".join(county.connection().connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert totp.secret not in dump
    assert not any(code.replace("-", "") in dump for code in codes)


def test_another_hubs_secrets_open_nothing(county: Session, vault: Vault) -> None:
    account = account_of(county, "duty")
    account.second_secret = vault.seal(pyotp.random_base32(), account_of(county, "clerk").id)
    assert not second.check(county, account, vault, "123456", now=NOON)


# ---- the computer on duty


def on_duty(session: Session, now: datetime = NOON) -> str:
    sessions.set_pin(session, builders.the_actor(session, "duty"), "2580", now=now)
    found = signing_in.sign_in(session, "duty", PASSWORD, door=Door("a"), now=now, duty=True)
    assert isinstance(found, SignedIn)
    return found.token


def locked(session: Session, token: str, now: datetime) -> bool:
    found = sessions.find_session(session, token, now=now)
    assert found is not None
    return sessions.is_locked(found[1], now=now)


def test_its_screen_locks_by_itself_and_four_digits_unlock_it(county: Session) -> None:
    token, late = on_duty(county), NOON + timedelta(minutes=16)
    assert not locked(county, token, NOON + timedelta(minutes=14))
    assert locked(county, token, late)
    assert sessions.unlock(county, token, "0000", origin="a", now=late) == StillLocked(4)
    assert sessions.unlock(county, token, "2580", origin="a", now=late) == Unlocked()
    assert not locked(county, token, late)
    sessions.lock(county, token, now=late)
    assert locked(county, token, late)


def test_five_wrong_tries_end_the_session(county: Session) -> None:
    token = on_duty(county)
    for _ in range(5):
        said = sessions.unlock(county, token, "1379", origin="a", now=NOON)
    assert said == StillLocked(0)
    assert sessions.find_session(county, token, now=NOON) is None
    assert sessions.unlock(county, token, "2580", origin="a", now=NOON) == StillLocked(0)


def test_it_ends_twelve_hours_after_the_password_whatever_happens(county: Session) -> None:
    token = on_duty(county)
    sessions.touch(county, token, now=NOON + timedelta(hours=11))
    assert sessions.find_session(county, token, now=NOON + timedelta(hours=11, minutes=59)) is not None
    assert sessions.find_session(county, token, now=NOON + timedelta(hours=12)) is None


def test_digits_do_not_open_an_ordinary_session(county: Session) -> None:
    on_duty(county)
    plain = enter(county)
    assert isinstance(plain, SignedIn)
    assert sessions.unlock(county, plain.token, "2580", origin="a", now=NOON) == StillLocked(0)
    assert not locked(county, plain.token, NOON + timedelta(hours=1))


@pytest.mark.parametrize("pin", ["1111", "1234", "9876", "123", "12345", "12a4", "１２３４", ""])
def test_easy_and_malformed_digits_are_refused(county: Session, pin: str) -> None:
    with pytest.raises(BadInput):
        sessions.set_pin(county, builders.the_actor(county, "duty"), pin, now=NOON)


def test_only_who_may_call_emergencies_has_digits(county: Session) -> None:
    with pytest.raises(NotAllowed):
        sessions.set_pin(county, builders.the_actor(county, "clerk"), "2580", now=NOON)


# ---- where one is signed in


def test_one_ends_ones_own_sessions_and_nobody_elses(county: Session) -> None:
    here, there = enter(county), enter(county)
    assert isinstance(here, SignedIn)
    assert isinstance(there, SignedIn)
    me, rows = builders.the_actor(county, "duty"), sessions.open_of(county, here.account.id, now=NOON)
    assert len(rows) == 2
    with pytest.raises(NotFound):
        sessions.end_own(county, builders.the_actor(county, "clerk"), rows[0].id, now=NOON)
    keep = county.get_one(SignIn, passwords.token_hash(here.token)).id
    assert sessions.end_others(county, me, keep, now=NOON) == 1
    assert sessions.find_session(county, here.token, now=NOON) is not None
    assert sessions.find_session(county, there.token, now=NOON) is None


def test_a_browser_is_named_as_people_know_it() -> None:
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/109.0 Safari/537.36"
    assert sessions.device_of(chrome) == "Chrome · Windows"
    assert sessions.device_of("curl/8") == ""


def test_old_tickets_are_forgotten(county: Session) -> None:
    invited(county)
    assert inviting.forget(county, now=NOON + timedelta(days=30)) == 0
    assert inviting.forget(county, now=NOON + timedelta(days=38)) == 1
    assert county.scalars(select(Ticket)).all() == []
