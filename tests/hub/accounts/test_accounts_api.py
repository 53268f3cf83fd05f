"""Keys for programs."""

from datetime import timedelta

import builders
import pytest
from apilab import NOWHERE, Program, fields_of, problem_of, program
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.accounts import throttle
from hub.accounts.models import ApiToken, SignIn
from hub.core.runtime import Runtime
from hub.web.limits import SignInsPerMinute

WISH = {"login": "clerk", "password": builders.PASSWORD, "name": "天气站"}


@pytest.fixture
def nobody(app: OpenAPI) -> Program:
    return Program(app, app.test_client())


def test_name_and_password_give_a_key(nobody: Program, clock: SetClock) -> None:
    found = nobody.made("/tokens", WISH)
    assert found["token"].startswith("cx_")
    assert found["expires_at"] == round((clock.now + timedelta(days=90)).timestamp() * 1000)
    nobody.key = found["token"]
    me = nobody.get("/me").json
    assert me["login"] == "clerk"  # type: ignore[index]
    assert me["grants"] == [{"role": "clerk", "region": builders.NORTH}]  # type: ignore[index]
    assert "compose" in me["permissions"]  # type: ignore[index]
    assert "approve" not in me["permissions"]  # type: ignore[index]


def test_asking_for_a_key_leaves_no_open_session_and_no_key_in_the_tables(nobody: Program, runtime: Runtime) -> None:
    token = nobody.made("/tokens", WISH)["token"]
    with runtime.sessions.read() as session:
        assert all(row.revoked_at for row in session.scalars(select(SignIn)))
        (row,) = session.scalars(select(ApiToken)).all()
        assert token.encode() not in row.token_hash


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"login": "nobody"}, {"login": "county", "password": ""}])
def test_a_wrong_password_gives_nothing(nobody: Program, runtime: Runtime, wrong: dict[str, str]) -> None:
    problem_of(nobody.post("/tokens", WISH | wrong), 401, "sign_in_wrong")
    with runtime.sessions.read() as session:
        assert session.scalars(select(ApiToken)).all() == []


def test_wrong_passwords_are_counted_and_lock_the_account(nobody: Program, runtime: Runtime) -> None:
    for _ in range(5):
        problem_of(nobody.post("/tokens", WISH | {"password": "wrong"}), 401, "sign_in_wrong")
    answer = nobody.post("/tokens", WISH)
    problem_of(answer, 429, "sign_in_locked")
    assert int(answer.headers["Retry-After"]) > 0
    with runtime.sessions.read() as session:
        assert throttle.locked(session, "clerk", now=runtime.now()) is not None


def test_one_address_cannot_try_passwords_for_ever(nobody: Program, runtime: Runtime) -> None:
    runtime.provide(SignInsPerMinute, SignInsPerMinute(2))
    answers = [nobody.post("/tokens", WISH | {"login": f"x{n}"}) for n in range(3)]
    assert [a.status_code for a in answers] == [401, 401, 429]
    problem_of(answers[-1], 429, "too_many_requests")


def test_a_key_needs_a_name_and_an_end(nobody: Program) -> None:
    assert fields_of(nobody.post("/tokens", {"login": "clerk", "password": "x"})) == {"name": "field_missing"}
    assert fields_of(nobody.post("/tokens", WISH | {"name": "  "})) == {"name": "name_missing"}
    assert fields_of(nobody.post("/tokens", WISH | {"days": 0})) == {"days": "number_too_small"}
    assert fields_of(nobody.post("/tokens", WISH | {"days": 367})) == {"days": "number_too_large"}


def test_one_sees_and_revokes_only_ones_own_keys(app: OpenAPI, runtime: Runtime) -> None:
    clerk, stranger = program(app, runtime, "clerk"), program(app, runtime, "stranger")
    (mine,) = clerk.get("/me/tokens").json["items"]  # type: ignore[index]
    assert mine["id"] not in stranger.get("/me/tokens").text
    problem_of(stranger.call("DELETE", f"/me/tokens/{mine['id']}"), 404, "token_unknown")
    problem_of(clerk.call("DELETE", f"/me/tokens/{NOWHERE}"), 404, "token_unknown")
    assert clerk.get("/me").status_code == 200
