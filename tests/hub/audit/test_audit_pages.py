"""The page of the log, as a browser sees it."""

from collections.abc import Callable

import pytest
from builders import BRIDGE, FERRY
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from hub.audit import log
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

SignIn = Callable[[str], FlaskClient]


def note(runtime: Runtime, place: str, times: int = 1, **details: object) -> None:
    with runtime.sessions.begin() as session:
        for i in range(times):
            log.record(session, SYSTEM, "speaker.volume", f"speaker:x{i}", path_of(place), NOON, **details)


def test_the_log_says_who_did_what_where_and_what_it_was_before(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, before=80, after=60)
    page = sign_in("county").get("/audit").text
    for words in ("调了音量", "喇叭 x0", "北镇 桥村", "80 → <b>60</b>", "县管理员", "127.0.0.1"):
        assert words in page


def test_newest_first_and_on_to_the_older_ones(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, times=60)
    client = sign_in("county")
    first = client.get("/audit").text
    assert first.index("x59") < first.index("x58")
    assert "x5<" not in first
    before = first.split("before=")[1].split('"')[0]
    older = client.get(f"/audit?before={before}").text
    assert "x5<" in older
    assert "x59" not in older


def test_an_approver_of_the_south_sees_nothing_of_the_north(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE)
    note(runtime, FERRY, before="渡", after="口")
    page = sign_in("strange_approver").get("/audit").text
    assert "南镇 渡村" in page
    assert "桥村" not in page


@pytest.mark.parametrize("who", ["clerk", "duty", "secretary", "viewer"])
def test_who_may_not_see_the_log_is_told_so(sign_in: SignIn, who: str) -> None:
    client = sign_in(who)
    assert client.get("/audit").status_code == 403
    assert 'href="/audit"' not in client.get("/speakers").text


@pytest.mark.parametrize("before", ["x", "-1", "99999999999999"])
def test_a_made_up_page_is_no_error(sign_in: SignIn, before: str) -> None:
    assert sign_in("county").get(f"/audit?before={before}").status_code == 200


def test_without_signing_in_there_is_no_log(app: OpenAPI) -> None:
    assert app.test_client().get("/audit").status_code == 302


def test_the_log_speaks_english_too(sign_in: SignIn, runtime: Runtime) -> None:
    note(runtime, BRIDGE, before=80, after=60)
    client = sign_in("county")
    client.post("/language", data={"language": "en"})
    assert "changed the volume" in client.get("/audit").text
