"""The ways in, as a browser and a program see them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from apilab import Program, problem_of
from builders import BRIDGE, COUNTY, NORTH, PASSWORD
from conftest import NOON, SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import func, select

from broadcasts.announcements.models import Announcement
from hub.accounts.models import Account, ApiToken
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime

SignIn = Callable[[str], FlaskClient]
NEW = "a-long-enough-1"


def account_id(runtime: Runtime, login: str) -> str:
    with runtime.sessions.read() as session:
        return str(session.scalars(select(Account.id).where(Account.login == login)).one())


def test_a_new_colleague_chooses_the_password_by_a_code_nobody_else_types(sign_in: SignIn, app: OpenAPI) -> None:
    form = {"login": "li", "name": "李四", "role": "clerk", "region": NORTH}
    page = sign_in("county").post("/accounts/new", data=form).text
    found = re.search(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", page)
    assert found is not None
    assert "<svg" in page
    client = app.test_client()
    assert client.get("/welcome").status_code == 200
    wrong = client.post("/welcome", data={"code": found[0], "password": NEW, "again": "other"})
    assert (wrong.status_code, 'href="#f-again"' in wrong.text) == (422, True)
    assert client.post("/welcome", data={"code": "0000-0000-0000-0000", "password": NEW}).status_code == 422
    assert "你的登录账号是 li" in client.post("/welcome", data={"code": found[0], "password": NEW}).text
    assert client.post("/sign-in", data={"login": "li", "password": NEW}).status_code == 302


def test_until_a_foreign_password_is_changed_there_is_only_that_page_and_the_emergency_desk(
    sign_in: SignIn, app: OpenAPI, runtime: Runtime
) -> None:
    sign_in("county").post(f"/accounts/{account_id(runtime, 'duty')}/password", data={"password": NEW})
    client = app.test_client()
    client.post("/sign-in", data={"login": "duty", "password": NEW})
    assert client.get("/speakers").headers["Location"] == "/account/renew"
    assert client.get("/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/account/renew"
    assert client.get("/emergency").status_code == 200
    assert "先去应急播发" in client.get("/account/renew").text
    client.post("/account/renew", data={"old": NEW, "password": NEW + "x"})
    client.post("/sign-in", data={"login": "duty", "password": NEW + "x"})
    assert client.get("/speakers").status_code == 200


def test_the_second_factor_is_set_up_and_asked_for(sign_in: SignIn, app: OpenAPI, clock: SetClock) -> None:
    client = sign_in("approver")
    page = client.post("/account/second/begin").text
    found = re.search(r"<code>([A-Z2-7 ]{32,40})</code>", page)
    assert found is not None
    totp = pyotp.TOTP(found[1].replace(" ", ""))
    assert client.post("/account/second/confirm", data={"code": "000000"}).status_code == 422
    shown = client.post("/account/second/confirm", data={"code": totp.at(clock.now)}).text
    codes = re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", shown)
    assert len(codes) == 10
    other = app.test_client()
    asked = other.post("/sign-in", data={"login": "approver", "password": PASSWORD, "next": "/approvals"})
    assert asked.headers["Location"] == "/sign-in/second?next=/approvals"
    assert other.get("/approvals").status_code == 302
    assert other.post("/sign-in/second", data={"code": "111111", "next": "/approvals"}).status_code == 401
    done = other.post("/sign-in/second", data={"code": codes[0], "next": "/approvals"})
    assert done.headers["Location"] == "/approvals"
    assert other.get("/approvals").status_code == 200
    program = Program(app, app.test_client())
    wish = {"login": "approver", "password": PASSWORD, "name": "x"}
    problem_of(program.post("/tokens", wish), 401, "second_needed")
    problem_of(program.post("/tokens", wish | {"code": "111111"}), 401, "second_wrong")
    assert program.made("/tokens", wish | {"code": codes[1]})["token"]


def test_the_computer_on_duty_unlocks_by_four_digits_straight_to_the_emergency_desk(
    app: OpenAPI, clock: SetClock
) -> None:
    client = app.test_client()
    client.post("/sign-in", data={"login": "duty", "password": PASSWORD, "duty": "1"})
    assert client.get("/speakers").headers["Location"] == "/duty/pin"
    assert client.post("/duty/pin", data={"pin": "1234"}).status_code == 422
    assert client.post("/duty/pin", data={"pin": "2580"}).headers["Location"] == "/emergency"
    assert "锁屏" in client.get("/speakers").text
    clock.now += timedelta(minutes=16)
    for path in ("/speakers", "/emergency"):
        assert client.get(path).headers["Location"] == "/duty"
    assert client.post("/emergency", data={}).headers["Location"] == "/duty", "nor can anything be sent"
    assert "还能试 4 次" in client.post("/duty", data={"pin": "0000"}).text
    assert client.post("/duty", data={"pin": "2580"}).headers["Location"] == "/emergency"
    assert client.get("/emergency").status_code == 200
    client.post("/duty/lock")
    for _ in range(5):
        last = client.post("/duty", data={"pin": "1379"})
    assert last.headers["Location"] == "/sign-in"
    assert client.get("/emergency").headers["Location"].startswith("/sign-in")


def test_a_stranger_hammering_the_sign_in_page_does_not_lock_out_a_browser_known_there(
    sign_in: SignIn, app: OpenAPI
) -> None:
    known, stranger = sign_in("duty"), app.test_client()
    known.post("/sign-out")
    for _ in range(12):
        stranger.post("/sign-in", data={"login": "duty", "password": "guess"})
    locked = stranger.post("/sign-in", data={"login": "duty", "password": PASSWORD})
    assert (locked.status_code, "先等" in locked.text) == (401, True)
    assert known.post("/sign-in", data={"login": "duty", "password": PASSWORD}).status_code == 302


def test_one_sees_where_one_is_signed_in_and_signs_out_elsewhere(sign_in: SignIn) -> None:
    here, there = sign_in("clerk"), sign_in("clerk")
    assert here.get("/account").text.count("让它退出") == 1
    here.post("/account/sessions/end-others")
    assert there.get("/speakers").status_code == 302
    assert here.get("/speakers").status_code == 200


def test_an_administrator_changes_roles_on_the_page(sign_in: SignIn, runtime: Runtime) -> None:
    boss, viewer = sign_in("county"), account_id(runtime, "viewer")
    theirs = sign_in("viewer")
    assert theirs.get("/compose").status_code == 403
    form = {"name": "北镇督查员", "role": ["clerk", ""], "region": [BRIDGE, NORTH]}
    answer = boss.post(f"/accounts/{viewer}", data=form)
    assert answer.status_code == 302
    assert theirs.get("/compose").status_code == 200
    assert "桥村" in boss.get(f"/accounts/{viewer}").text
    none = boss.post(f"/accounts/{viewer}", data={"name": "x", "role": [""], "region": [NORTH]})
    assert none.status_code == 422


def test_a_role_is_changed_and_added_on_the_page(sign_in: SignIn) -> None:
    boss = sign_in("county")
    assert "能做什么" in boss.get("/accounts/roles").text
    made = boss.post(
        "/accounts/roles/new", data={"name": "维护员", "permissions": ["edit_speakers"]}, follow_redirects=True
    )
    assert "维护员" in made.text
    refused = boss.post("/accounts/roles/new", data={"name": "全能", "permissions": ["compose", "approve"]})
    assert (refused.status_code, 'href="#f-permissions"' in refused.text) == (422, True)
    assert boss.post("/accounts/roles/own_1/remove").status_code == 302
    assert "维护员" not in boss.get("/accounts/roles").text
    assert sign_in("approver").get("/accounts/roles").status_code == 403


# ---- keys for programs


def key_for(client: FlaskClient, **form: object) -> str:
    page = client.post("/settings/keys", data={"name": "雨量站", "days": "90", **form}).text
    found = re.search(r"cxt?_[\w-]{43}", page)
    assert found is not None
    return found[0]


def test_a_key_does_no_more_than_it_was_made_for(app: OpenAPI, sign_in: SignIn) -> None:
    client = sign_in("clerk")
    program = Program(app, app.test_client(), key_for(client, permissions=["see"]))
    assert program.get("/me").json["permissions"] == ["see"]  # type: ignore[index]
    assert program.get("/speakers").status_code == 200
    assert program.get("/residents").status_code == 403
    refused = client.post("/settings/keys", data={"name": "x", "days": "90", "permissions": ["approve"]})
    assert refused.status_code == 422


def test_a_keys_last_use_is_noted(app: OpenAPI, sign_in: SignIn, runtime: Runtime, clock: SetClock) -> None:
    client = sign_in("clerk")
    program = Program(app, app.test_client(), key_for(client))
    assert "还没用过" in client.get("/settings/keys").text
    clock.now += timedelta(minutes=5)
    program.get("/me")
    with runtime.sessions.read() as session:
        row = session.scalars(select(ApiToken)).one()
    assert (row.used_at, row.used_from) == (NOON + timedelta(minutes=5), "127.0.0.1")


def test_with_a_test_key_everything_is_answered_and_nothing_is_done(
    app: OpenAPI, sign_in: SignIn, runtime: Runtime
) -> None:
    program = Program(app, app.test_client(), key_for(sign_in("clerk"), test="1"))

    def rows() -> tuple[int | None, ...]:
        with runtime.sessions.read() as session:
            return tuple(
                session.scalar(select(func.count()).select_from(table)) for table in (Announcement, AuditEntry)
            )

    before = rows()
    body = {"title": "开会", "text": "明天下午两点开会。", "regions": [NORTH], "when": "now"}
    answer = program.post("/announcements", body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cunxiang-Test-Key"] == "nothing was done"
    keyed = program.call("POST", "/announcements", body, headers={"Idempotency-Key": "k1"})
    assert keyed.status_code == 201, keyed.text
    assert rows() == before
    problem_of(program.get(f"/announcements/{answer.json['id']}"), 404, "announcement_unknown")  # type: ignore[index]
    wrong = program.post("/announcements", body | {"regions": [COUNTY]})
    assert wrong.status_code == 403, "what is not allowed is refused as ever"
    real = Program(app, app.test_client(), key_for(sign_in("clerk")))
    assert real.post("/announcements", body).status_code == 201
    assert rows() != before, "the next request, with a real key, is done again"


@pytest.mark.parametrize("path", ["/accounts/roles", "/accounts/roles/new", "/accounts/roles/clerk"])
def test_a_stranger_changes_no_role(sign_in: SignIn, path: str) -> None:
    client = sign_in("stranger")
    assert client.get(path).status_code == 403
    assert client.post(path, data={"name": "x", "permissions": ["see"]}).status_code in (403, 405)
