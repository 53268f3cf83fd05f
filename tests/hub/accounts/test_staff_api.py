"""Accounts and roles by programs: no further than whose key it is."""

from collections.abc import Callable
from uuid import UUID

import pytest
from apilab import NOWHERE, Program, problem_of, program
from builders import BRIDGE, COUNTY, NORTH, SOUTH
from conftest import SetClock
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.accounts.models import Account, IdempotencyKey
from hub.core.runtime import Runtime

NEW = {"login": "xiaohe", "name": "小禾", "grants": [{"role": "clerk", "region": NORTH}]}


@pytest.fixture
def county(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "county")


def id_of(runtime: Runtime, login: str) -> UUID:
    with runtime.sessions.read() as session:
        return session.scalars(select(Account.id).where(Account.login == login)).one()


def test_an_account_is_made_invited_changed_and_stopped(county: Program, app: OpenAPI, runtime: Runtime) -> None:
    made = county.made("/accounts", NEW)
    assert (made["has_password"], made["active"], made["grants"]) == (False, True, NEW["grants"])
    address = f"/accounts/{made['id']}"
    invited = county.post(f"{address}/invitation", {})
    assert invited.status_code == 201
    code = invited.json["code"]  # type: ignore[index]
    browser = app.test_client()
    assert browser.post("/welcome", data={"code": code, "password": "a-long-enough-1"}).status_code in (200, 302)
    other = [{"role": "approver", "region": BRIDGE}]
    changed = county.put(address, {"name": "小苗", "grants": other}).json
    assert (changed["name"], changed["grants"], changed["has_password"]) == ("小苗", other, True)  # type: ignore[index]
    assert county.put(address, {"active": False}).json["active"] is False  # type: ignore[index]
    signed = browser.post("/sign-in", data={"login": "xiaohe", "password": "a-long-enough-1"})
    assert signed.status_code == 401
    assert [a["login"] for a in county.get("/accounts").json["items"]][-1] == "xiaohe"  # type: ignore[index]
    with runtime.sessions.read() as session:
        kept = " ".join(session.scalars(select(IdempotencyKey.body)))
        assert str(code) not in kept


def test_nobody_reaches_beyond_what_they_could_have_appointed(app: OpenAPI, runtime: Runtime, county: Program) -> None:
    for login in ("clerk", "approver", "duty", "viewer"):
        problem_of(program(app, runtime, login).get("/accounts"), 403, "not_allowed")
    with runtime.sessions.begin() as session:
        from_north = session.scalars(select(Account).where(Account.login == "viewer")).one()
        from_north.grants[0].role = "county_admin"
    north = program(app, runtime, "viewer")
    assert "stranger" not in str(north.get("/accounts").json)
    stranger = id_of(runtime, "stranger")
    problem_of(north.get(f"/accounts/{stranger}"), 404, "account_gone")
    problem_of(north.put(f"/accounts/{stranger}", {"name": "x"}), 404, "account_gone")
    problem_of(north.post(f"/accounts/{stranger}/invitation", {}), 404, "account_gone")
    problem_of(north.post("/accounts", NEW | {"grants": [{"role": "clerk", "region": SOUTH}]}), 404, "region_unknown")
    problem_of(north.post("/roles", {"name": "巡查", "permissions": ["see"]}), 403, "not_allowed")
    problem_of(county.get(f"/accounts/{NOWHERE}"), 404, "account_gone")
    problem_of(county.put(f"/accounts/{id_of(runtime, 'county')}", {"active": False}), 409, "account_own")


def test_roles_are_listed_added_changed_and_taken_out(county: Program) -> None:
    assert {role["key"] for role in county.get("/roles").json["items"]} >= {"clerk", "approver"}  # type: ignore[index]
    added = county.made("/roles", {"name": "巡查员", "permissions": ["answer"]})
    assert (added["own"], added["permissions"]) == (True, ["answer", "see"])
    changed = county.put(f"/roles/{added['key']}", {"name": "巡查员", "permissions": ["stop"]}).json
    assert changed["permissions"] == ["see", "stop"]  # type: ignore[index]
    both = {"name": "巡查员", "permissions": ["compose", "approve"]}
    problem_of(county.put(f"/roles/{added['key']}", both), 422, "role_writes_and_approves")
    assert added["key"] not in str(county.call("DELETE", f"/roles/{added['key']}").json)
    problem_of(county.call("DELETE", f"/roles/{added['key']}"), 404, "role_unknown")


def test_everything_that_waits_stands_in_one_list(
    app: OpenAPI, runtime: Runtime, sign_in: Callable[[str], FlaskClient], clock: SetClock
) -> None:
    clerk, approver = program(app, runtime, "clerk"), program(app, runtime, "approver")
    theirs = {"title": "防火", "theme": "safety", "source": "镇里", "text": "上坟不烧纸。"}
    made = clerk.made("/materials", theirs)
    assert clerk.post(f"/materials/{made['id']}/submit", {}).status_code == 200
    (line,) = approver.get("/reviews").json["items"]  # type: ignore[index]
    assert (line["matter"], line["title"], line["region"], line["refusal"]) == ("material", "防火", NORTH, "")
    assert line["verbs"] == f"/api/v1/materials/{made['id']}"
    page = sign_in("approver").get("/approvals").text
    assert "别的也在等你审" in page
    assert f"/materials/{made['id']}" in page
    assert "防火" not in sign_in("strange_approver").get("/approvals").text
    assert program(app, runtime, "strange_approver").get("/reviews").json == {"items": []}
    problem_of(clerk.get("/reviews"), 403, "not_allowed")
    body = {"content_hash": line["content_hash"]}
    assert approver.post(f"{line['verbs'].removeprefix('/api/v1')}/approve", body).status_code == 200
    assert approver.get("/reviews").json == {"items": []}
    assert COUNTY not in page
