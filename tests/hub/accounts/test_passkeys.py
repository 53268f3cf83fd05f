"""Passkeys: made by who is signed in, good for one account and one address, once an answer, until taken off."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from builders import the_actor
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from passkeylab import PRESENT, Authenticator
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.accounts import passkeys, service
from hub.accounts.models import Account, Passkey, Purpose
from hub.accounts.passkeys import Challenges, Site
from hub.accounts.signing_in import SignedIn, SignInRefused
from hub.accounts.throttle import FREE_FROM_ADDRESS, Door
from hub.audit.models import AuditEntry
from hub.core.errors import BadInput, NotFound, WrongState
from hub.core.runtime import Runtime

SITE = Site("http://localhost:8600", "localhost")
DOOR = Door(origin="10.0.0.7")


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.fixture
def challenges(runtime: Runtime) -> Challenges:
    return Challenges(runtime.secrets)


def enrolled(session: Session, challenges: Challenges, login: str = "duty") -> Authenticator:
    device, actor = Authenticator(), the_actor(session, login)
    answer = device.make(passkeys.enrolment(session, actor, SITE, challenges, now=NOON))
    passkeys.enrol(session, actor, SITE, challenges, answer, name="我的手机", now=NOON)
    return device


def enter(
    session: Session, challenges: Challenges, answer: str, *, now: datetime = NOON, door: Door = DOOR
) -> SignedIn | SignInRefused:
    return passkeys.sign_in(session, SITE, challenges, answer, door=door, now=now)


def test_a_passkey_signs_its_owner_in_and_the_log_says_so(county: Session, challenges: Challenges) -> None:
    device = enrolled(county, challenges)
    found = enter(county, challenges, device.sign(passkeys.invitation(SITE, challenges, now=NOON)))
    assert isinstance(found, SignedIn)
    assert found.account.login == "duty"
    passkey = county.scalars(select(Passkey)).one()
    assert (passkey.used_at, passkey.sign_count) == (NOON, 1)
    deeds = county.scalars(select(AuditEntry.deed).order_by(AuditEntry.id)).all()
    assert deeds[-2:] == ["account.passkey_on", "account.sign_in"]


def test_an_answer_is_good_once_and_not_for_long(county: Session, challenges: Challenges) -> None:
    device = enrolled(county, challenges)
    asked = passkeys.invitation(SITE, challenges, now=NOON)
    answer = device.sign(asked)
    assert enter(county, challenges, answer, now=NOON + timedelta(minutes=6)) == SignInRefused("passkey_late")
    assert isinstance(enter(county, challenges, answer), SignedIn)
    assert isinstance(enter(county, challenges, answer), SignInRefused), "the count did not rise"
    again = replace(device, count=device.count)
    assert enter(county, challenges, again.sign(asked)) == SignInRefused("passkey_late"), "its challenge is spent"


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://cunxiang.example.evil"},
        {"host": "evil.example"},
        {"flags": PRESENT},
        {"credential_id": b"somebody else's"},
        {"key": Authenticator().key},
        {"count": -1},
    ],
    ids=["other address", "other site", "not verified", "unknown", "other key", "count went back"],
)
def test_what_does_not_fit_is_refused(county: Session, challenges: Challenges, changed: dict[str, object]) -> None:
    device = enrolled(county, challenges)
    device.count = 5
    assert isinstance(enter(county, challenges, device.sign(passkeys.invitation(SITE, challenges, now=NOON))), SignedIn)
    other = replace(device, **changed)  # type: ignore[arg-type]
    answer = other.sign(passkeys.invitation(SITE, challenges, now=NOON))
    assert enter(county, challenges, answer) == SignInRefused("passkey_wrong")


@pytest.mark.parametrize(
    "nonsense", ["", "{}", "[]", "null", '{"response": {}}', '{"response": 1}', "x" * 30_000, "{" * 999, "[" * 19_999]
)
def test_nonsense_is_refused_and_guessing_is_slowed(county: Session, challenges: Challenges, nonsense: str) -> None:
    assert enter(county, challenges, nonsense) == SignInRefused("passkey_wrong")


def test_guessing_from_one_address_is_slowed_and_elsewhere_it_still_works(
    county: Session, challenges: Challenges
) -> None:
    device = enrolled(county, challenges)
    for _ in range(FREE_FROM_ADDRESS):
        enter(county, challenges, "{}")
    answer = device.sign(passkeys.invitation(SITE, challenges, now=NOON))
    refused = enter(county, challenges, answer)
    assert isinstance(refused, SignInRefused)
    assert refused.code == "sign_in_locked"
    assert isinstance(enter(county, challenges, answer, door=Door(origin="10.0.0.8")), SignedIn)


def test_who_is_switched_off_does_not_come_in(county: Session, challenges: Challenges) -> None:
    device = enrolled(county, challenges)
    service.set_active(county, the_actor(county, "county"), "duty", False, now=NOON)
    answer = device.sign(passkeys.invitation(SITE, challenges, now=NOON))
    assert enter(county, challenges, answer) == SignInRefused("passkey_wrong")


def test_nobody_enrols_with_a_challenge_of_another(county: Session, challenges: Challenges) -> None:
    clerk, duty = the_actor(county, "clerk"), the_actor(county, "duty")
    answer = Authenticator().make(passkeys.enrolment(county, clerk, SITE, challenges, now=NOON))
    with pytest.raises(BadInput, match="passkey_late"):
        passkeys.enrol(county, duty, SITE, challenges, answer, name="", now=NOON)
    sign_in_challenge = Authenticator().make(passkeys.invitation(SITE, challenges, now=NOON))
    with pytest.raises(BadInput, match="passkey_late"):
        passkeys.enrol(county, duty, SITE, challenges, sign_in_challenge, name="", now=NOON)
    unverified = Authenticator(flags=PRESENT).make(passkeys.enrolment(county, clerk, SITE, challenges, now=NOON))
    with pytest.raises(BadInput, match="passkey_wrong"):
        passkeys.enrol(county, clerk, SITE, challenges, unverified, name="", now=NOON)


def test_the_same_device_is_not_kept_for_two_people(county: Session, challenges: Challenges) -> None:
    device = enrolled(county, challenges, "clerk")
    duty = the_actor(county, "duty")
    answer = device.make(passkeys.enrolment(county, duty, SITE, challenges, now=NOON))
    with pytest.raises(BadInput, match="passkey_wrong"):
        passkeys.enrol(county, duty, SITE, challenges, answer, name="", now=NOON)


def test_ten_are_enough(county: Session, challenges: Challenges) -> None:
    for _ in range(passkeys.MOST):
        enrolled(county, challenges)
    with pytest.raises(WrongState, match="passkeys_too_many"):
        enrolled(county, challenges)


def test_only_the_owner_takes_one_off_and_a_new_password_by_somebody_else_takes_all(
    county: Session, challenges: Challenges
) -> None:
    enrolled(county, challenges)
    device = enrolled(county, challenges)
    first = county.scalars(select(Passkey.id).order_by(Passkey.created_at)).first()
    assert first is not None
    with pytest.raises(NotFound):
        passkeys.remove(county, the_actor(county, "clerk"), first, now=NOON)
    passkeys.remove(county, the_actor(county, "duty"), first, now=NOON)
    service.set_password(county, the_actor(county, "county"), "duty", "a-long-enough-1", now=NOON)
    assert county.scalar(select(func.count(Passkey.id))) == 0
    answer = device.sign(passkeys.invitation(SITE, challenges, now=NOON))
    assert isinstance(enter(county, challenges, answer), SignInRefused)


def test_a_lost_telephone_loses_its_passkey(county: Session, challenges: Challenges) -> None:
    enrolled(county, challenges)
    duty = county.scalars(select(Account).where(Account.login == "duty")).one()
    service.take_second_off(county, the_actor(county, "county"), duty.id, now=NOON)
    assert passkeys.mine(county, duty.id) == []
    with pytest.raises(WrongState):
        service.take_second_off(county, the_actor(county, "county"), duty.id, now=NOON)


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("", "http://localhost:8600"),
        ("https://cunxiang.example", "https://cunxiang.example"),
        ("https://cunxiang.example:8443/", "https://cunxiang.example:8443"),
        ("http://localhost:9000", "http://localhost:9000"),
        ("http://cunxiang.example", None),
        ("https://192.168.1.7", None),
        ("https://[2001:db8::1]", None),
    ],
)
def test_passkeys_need_https_and_a_name_or_localhost(public_url: str, expected: str | None) -> None:
    found = Site.of(public_url, 8600)
    assert (found.origin if found else None) == expected


def test_a_challenge_is_for_its_purpose_and_account(challenges: Challenges, county: Session) -> None:
    duty = the_actor(county, "duty").id
    made = challenges.new(Purpose.PASSKEY_ADD, duty, now=NOON)
    assert challenges.proved(made, Purpose.PASSKEY_ADD, duty, now=NOON)
    assert not challenges.proved(made, Purpose.PASSKEY_IN, duty, now=NOON)
    assert not challenges.proved(made, Purpose.PASSKEY_ADD, None, now=NOON)
    assert not challenges.proved(made[:-1] + bytes([made[-1] ^ 1]), Purpose.PASSKEY_ADD, duty, now=NOON)
    assert not challenges.proved(b"", Purpose.PASSKEY_ADD, duty, now=NOON)
    assert not challenges.proved(made, Purpose.PASSKEY_ADD, duty, now=NOON - timedelta(minutes=1))


def test_the_pages_offer_it_where_it_works_and_say_why_not_elsewhere(
    sign_in: Callable[[str], FlaskClient], runtime: Runtime, clock: SetClock
) -> None:
    client = sign_in("duty")
    site = passkeys.site_of(runtime)
    assert site is not None
    assert f"请从 {site.origin} 打开" in client.get("/account/passkeys").text
    here = {"base_url": site.origin}
    assert "用通行密钥登录" in client.application.test_client().get("/sign-in", **here).text
    assert "用通行密钥登录" not in client.application.test_client().get("/sign-in").text
    device = Authenticator(origin=site.origin)
    answer = device.make(client.get("/account/passkeys/new").text)
    added = client.post("/account/passkeys", data={"credential": answer, "name": "我的手机"}, follow_redirects=True)
    assert "我的手机" in added.text
    assert "有 1 个" in client.get("/account").text
    fresh = client.application.test_client()
    signed = fresh.post("/sign-in/passkey", data={"credential": device.sign(fresh.get("/sign-in/passkey").text)})
    assert signed.status_code == 302
    assert "北镇值班员" in fresh.get("/account").text
    refused = client.application.test_client().post("/sign-in/passkey", data={"credential": "{}"})
    assert refused.status_code == 401
    assert "这个通行密钥不对" in refused.text
