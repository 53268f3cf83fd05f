"""What a browser is given when somebody signs in: new every time, worthless afterwards, and for this site alone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from builders import PASSWORD
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from strangerlab import flags

from hub.accounts import passwords
from hub.core.config import HubSettings
from hub.core.runtime import Runtime
from hub.web.work import COOKIE

SignIn = Callable[[str], FlaskClient]
GOOD = {"login": "clerk", "password": PASSWORD}


def cookie(client: FlaskClient) -> str:
    found = client.get_cookie(COOKIE)
    return found.value if found else ""


def test_a_cookie_that_somebody_planted_is_worth_nothing_before_and_after(app: OpenAPI) -> None:
    client, attacker = app.test_client(), app.test_client()
    for browser in (client, attacker):
        browser.set_cookie(COOKIE, "planted")
    assert client.post("/sign-in", data=GOOD).status_code == 302
    assert cookie(client) not in ("", "planted")
    assert client.get("/account").status_code == 200
    assert attacker.get("/account").status_code == 302
    first = cookie(client)
    client.post("/sign-in", data=GOOD)
    assert cookie(client) != first, "new at every sign-in"


def test_signing_out_ends_it_on_the_hub_and_not_only_in_the_browser(app: OpenAPI, sign_in: SignIn) -> None:
    client = sign_in("clerk")
    kept, thief = cookie(client), app.test_client()
    thief.set_cookie(COOKIE, kept)
    assert thief.get("/account").status_code == 200
    client.post("/sign-out")
    assert cookie(client) == ""
    assert thief.get("/account").status_code == 302


@pytest.mark.parametrize(("url", "secure"), [("https://hub.example", True), ("http://127.0.0.1:8600", False)])
def test_with_an_https_address_cookies_stay_off_plain_lines(
    app: OpenAPI, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, url: str, secure: bool
) -> None:
    changed = runtime.config.section(HubSettings).model_copy(update={"public_url": url})
    kept: Any = runtime.config._sections
    monkeypatch.setitem(kept, HubSettings, changed)
    answer = app.test_client().post("/sign-in", data=GOOD)
    given = [each for each in answer.headers.getlist("Set-Cookie") if each.startswith("cunxiang_")]
    assert len(given) >= 2
    assert {"Secure" in flags(each) for each in given} == {secure}
    assert all({"HttpOnly", "SameSite=Lax", "Path=/"} <= flags(each) for each in given)


def test_nobody_learns_which_logins_exist(app: OpenAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    honest, asked = passwords._HASHER.verify, []

    class Counting:
        def verify(self, stored: str, given: str) -> bool:
            asked.append(stored[:9])
            return honest(stored, given)

        hash = passwords._HASHER.hash

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    told = []
    for login in ("clerk", "nobody-of-that-name"):
        answer = app.test_client().post("/sign-in", data={"login": login, "password": "wrong-horse-7"})
        told.append((answer.status_code, re.sub(rf"{login}|csrf[^>]*>", "", answer.text)))
    assert told[0] == told[1], "the same words"
    assert asked == [asked[0]] * 2, "and the same work"


@pytest.mark.parametrize(
    "path",
    [
        "/a/..%2f..%2f..%2fetc%2fpasswd",
        "/a/%2e%2e%2f%2e%2e%2fsecrets.toml.mp3",
        f"/a/{'../' * 20}secrets.toml",
        f"/a/{'.' * 64}.mp3",
        f"/a/{'..%2f' * 12}abcd.mp3",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/secrets.toml",
        "/help/..%2f..%2f..%2fsecrets.toml",
    ],
)
def test_no_address_leads_out_of_its_folder(sign_in: SignIn, path: str) -> None:
    with sign_in("county").get(path) as answer:
        assert answer.status_code in (404, 308, 400), path
        assert b"phone_key" not in answer.get_data()
