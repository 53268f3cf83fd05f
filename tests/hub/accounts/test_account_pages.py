"""Sign-in and the pages about accounts, as a browser sees them."""

import re
from collections.abc import Callable
from datetime import timedelta

import builders
import pytest
from builders import NORTH, PASSWORD, SOUTH
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.accounts import service, tokens
from hub.accounts.models import Account, ApiToken
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

SignIn = Callable[[str], FlaskClient]
NEW = "a-long-enough-1"


def account(runtime: Runtime, login: str) -> Account | None:
    with runtime.sessions.read() as session:
        return session.scalar(select(Account).where(Account.login == login))


def the_account(runtime: Runtime, login: str) -> Account:
    found = account(runtime, login)
    assert found is not None
    return found


def test_the_sign_in_page_asks_for_name_and_password_and_shows_no_demo_accounts(app: OpenAPI) -> None:
    page = app.test_client().get("/sign-in").text
    assert 'name="login"' in page
    assert 'autocomplete="current-password"' in page
    assert "演示" not in page


def test_a_wrong_password_keeps_the_name_and_never_shows_the_password(app: OpenAPI) -> None:
    answer = app.test_client().post("/sign-in", data={"login": "clerk", "password": "my-wrong-guess"})
    assert answer.status_code == 401
    assert 'value="clerk"' in answer.text
    assert "账号或密码不对" in answer.text
    assert "my-wrong-guess" not in answer.text


def test_after_five_failures_the_page_says_how_long_to_wait_and_waiting_helps(app: OpenAPI, clock: SetClock) -> None:
    client = app.test_client()
    for _ in range(5):
        client.post("/sign-in", data={"login": "clerk", "password": "nonsense"})
    locked = client.post("/sign-in", data={"login": "clerk", "password": PASSWORD})
    assert (locked.status_code, "先等 31 秒" in locked.text) == (401, True)
    clock.now += timedelta(seconds=31)
    assert client.post("/sign-in", data={"login": "clerk", "password": PASSWORD}).status_code == 302


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(app: OpenAPI) -> None:
    answer = app.test_client().post("/sign-in", data={"login": "clerk", "password": PASSWORD})
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("cunxiang_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie, "the test hub speaks plain http"
    assert f"Max-Age={12 * 3600}" in cookie


@pytest.mark.parametrize("where", ["/speakers", "/speakers?region=990101001001&offline=1"])
def test_signing_in_leads_on_to_where_one_wanted(app: OpenAPI, where: str) -> None:
    answer = app.test_client().post("/sign-in", data={"login": "clerk", "password": PASSWORD, "next": where})
    assert answer.headers["Location"] == where


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example/",
        "/\t\\evil.example",
        "/\n/evil.example/",
        "javascript:alert(1)",
        "evil.example",
        "",
    ],
)
def test_signing_in_leads_nobody_to_another_site(app: OpenAPI, where: str) -> None:
    answer = app.test_client().post("/sign-in", data={"login": "clerk", "password": PASSWORD, "next": where})
    assert answer.headers["Location"] == "/"


def test_a_page_asked_for_by_a_stranger_to_the_house_leads_through_the_sign_in_page(app: OpenAPI) -> None:
    answer = app.test_client().get("/speakers?offline=1")
    assert answer.headers["Location"] == "/sign-in?next=/speakers?offline%3D1"


def test_signing_out_really_ends_the_session(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    token = client.get_cookie("cunxiang_session")
    assert token is not None
    client.post("/sign-out")
    client.set_cookie("cunxiang_session", token.value)
    assert client.get("/speakers").status_code == 302


@pytest.mark.parametrize(
    "path",
    ["/account", "/settings/keys", "/accounts", "/accounts/new", "/regions", "/audit", "/residents", "/speakers"],
)
def test_without_signing_in_there_is_only_the_sign_in_page(app: OpenAPI, path: str) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/sign-in?next={path}")


@pytest.mark.parametrize("path", ["/accounts", "/accounts/new"])
@pytest.mark.parametrize("who", ["clerk", "approver", "viewer"])
def test_only_administrators_see_the_accounts(sign_in: SignIn, who: str, path: str) -> None:
    client = sign_in(who)
    assert client.get(path).status_code == 403
    assert 'href="/accounts"' not in client.get("/speakers").text


def test_an_administrator_makes_an_account_that_can_sign_in(sign_in: SignIn, app: OpenAPI) -> None:
    form = {"login": "li", "name": "李四", "password": NEW, "role": "clerk", "region": NORTH}
    answer = sign_in("county").post("/accounts/new", data=form, follow_redirects=True)
    assert "账号 li 开好了" in answer.text
    assert NEW not in answer.text
    assert app.test_client().post("/sign-in", data={"login": "li", "password": NEW}).status_code == 302


def test_a_refused_account_keeps_what_was_typed_but_the_password_and_makes_nothing(
    sign_in: SignIn, runtime: Runtime
) -> None:
    form = {"login": "li si", "name": "李四", "password": "short", "role": "approver", "region": SOUTH}
    answer = sign_in("county").post("/accounts/new", data=form)
    assert answer.status_code == 422
    assert '<a href="#f-login">' in answer.text
    assert '<a href="#f-password">' in answer.text
    assert 'value="li si"' in answer.text
    assert f'value="{SOUTH}" selected' in answer.text
    assert re.search(r'value="approver" checked', answer.text)
    assert 'value="short"' not in answer.text
    assert answer.text.count("<title>出错：") == 1
    assert account(runtime, "li si") is None


def test_an_administrator_of_the_south_cannot_staff_the_north(sign_in: SignIn, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        service.create_account(
            session,
            SYSTEM,
            login="south_admin",
            name="南镇管理员",
            password=PASSWORD,
            grants=[(Role.COUNTY_ADMIN, path_of(SOUTH))],
            now=builders.EARLIER,
        )
    client = sign_in("south_admin")
    form = {"login": "li", "name": "李四", "password": NEW, "role": "clerk", "region": NORTH}
    assert client.post("/accounts/new", data=form).status_code == 404
    assert account(runtime, "li") is None
    north = the_account(runtime, "clerk")
    assert client.get(f"/accounts/{north.id}").status_code == 404
    assert client.post(f"/accounts/{north.id}/password", data={"password": NEW}).status_code == 404
    assert client.post(f"/accounts/{north.id}/active", data={"active": "0"}).status_code == 404
    assert the_account(runtime, "clerk").active
    assert "北镇广播员" not in client.get("/accounts").text


def test_a_new_password_set_by_the_administrator_works_and_ends_the_old_sessions(
    sign_in: SignIn, runtime: Runtime
) -> None:
    theirs = sign_in("clerk")
    clerk = the_account(runtime, "clerk")
    sign_in("county").post(f"/accounts/{clerk.id}/password", data={"password": NEW})
    assert theirs.get("/speakers").status_code == 302
    assert theirs.post("/sign-in", data={"login": "clerk", "password": NEW}).status_code == 302


def test_a_short_new_password_is_refused_and_the_old_one_stays(sign_in: SignIn, runtime: Runtime) -> None:
    clerk = the_account(runtime, "clerk")
    answer = sign_in("county").post(f"/accounts/{clerk.id}/password", data={"password": "short"})
    assert (answer.status_code, "密码太短" in answer.text) == (422, True)
    assert the_account(runtime, "clerk").password_hash == clerk.password_hash


def test_an_account_is_switched_off_and_on_again(sign_in: SignIn, runtime: Runtime) -> None:
    clerk, admin = the_account(runtime, "clerk"), sign_in("county")
    admin.post(f"/accounts/{clerk.id}/active", data={"active": "0"})
    assert "已停用" in admin.get(f"/accounts/{clerk.id}").text
    assert not the_account(runtime, "clerk").active
    admin.post(f"/accounts/{clerk.id}/active", data={"active": "1"})
    assert the_account(runtime, "clerk").active


def test_one_cannot_switch_oneself_off(sign_in: SignIn, runtime: Runtime) -> None:
    admin, me = sign_in("county"), the_account(runtime, "county")
    assert "停用这个账号" not in admin.get(f"/accounts/{me.id}").text
    assert admin.post(f"/accounts/{me.id}/active", data={"active": "0"}).status_code == 409
    assert the_account(runtime, "county").active


def test_changing_ones_own_password_signs_out_and_the_new_one_works(sign_in: SignIn) -> None:
    client = sign_in("clerk")
    answer = client.post("/account", data={"old": PASSWORD, "password": NEW}, follow_redirects=True)
    assert "密码改好了" in answer.text
    assert client.get("/account").status_code == 302
    assert client.post("/sign-in", data={"login": "clerk", "password": NEW}).status_code == 302


@pytest.mark.parametrize(
    ("form", "field"), [({"old": "nonsense", "password": NEW}, "old"), ({"old": PASSWORD, "password": "x"}, "password")]
)
def test_a_refused_own_password_changes_nothing(
    sign_in: SignIn, runtime: Runtime, form: dict[str, str], field: str
) -> None:
    before = the_account(runtime, "clerk").password_hash
    answer = sign_in("clerk").post("/account", data=form)
    assert (answer.status_code, f'href="#f-{field}"' in answer.text) == (422, True)
    assert the_account(runtime, "clerk").password_hash == before


def test_a_key_is_shown_once_and_works(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    page = client.post("/settings/keys", data={"name": "雨量站", "days": "90"}).text
    found = re.search(r"cx_[\w-]{43}", page)
    assert found is not None
    again = client.get("/settings/keys").text
    assert "雨量站" in again
    assert found[0] not in again
    with runtime.sessions.read() as session:
        holder = tokens.by_token(session, found[0], now=runtime.now())
    assert holder is not None
    assert holder[0].login == "clerk"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": "", "days": "90"}, "name"),
        ({"name": "雨量站", "days": "100000000000"}, "days"),
        ({"name": "雨量站", "days": ""}, "days"),
    ],
)
def test_a_malformed_key_is_refused(sign_in: SignIn, runtime: Runtime, form: dict[str, str], field: str) -> None:
    answer = sign_in("clerk").post("/settings/keys", data=form)
    assert (answer.status_code, f'href="#f-{field}"' in answer.text) == (422, True)
    assert f'value="{form["name"]}"' in answer.text
    with runtime.sessions.read() as session:
        assert session.scalars(select(ApiToken)).all() == []


def test_ones_key_is_neither_seen_nor_revoked_by_another(sign_in: SignIn, runtime: Runtime) -> None:
    sign_in("clerk").post("/settings/keys", data={"name": "雨量站", "days": "90"})
    with runtime.sessions.read() as session:
        key = session.scalars(select(ApiToken)).one()
    other = sign_in("county")
    assert "雨量站" not in other.get("/settings/keys").text
    assert other.post(f"/settings/keys/{key.id}/revoke").status_code == 404
    with runtime.sessions.read() as session:
        assert session.scalars(select(ApiToken)).one().revoked_at is None


def test_a_revoked_key_no_longer_works(sign_in: SignIn, runtime: Runtime) -> None:
    client = sign_in("clerk")
    page = client.post("/settings/keys", data={"name": "雨量站", "days": "90"}).text
    token = re.search(r"cx_[\w-]{43}", page)
    assert token is not None
    with runtime.sessions.read() as session:
        key = session.scalars(select(ApiToken)).one()
    client.post(f"/settings/keys/{key.id}/revoke")
    with runtime.sessions.read() as session:
        assert tokens.by_token(session, token[0], now=runtime.now()) is None
    assert "已停用" in client.get("/settings/keys").text
