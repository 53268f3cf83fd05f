"""Who may call, what a request has to look like, and how a refusal is told."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import builders
import pytest
from apilab import API, NOWHERE, Program, audit_count, fields_of, problem_of, program
from conftest import SetClock, open_hub
from flask_openapi3.openapi import OpenAPI

import cunxiang
from hub.accounts import service as accounts
from hub.app import build
from hub.core.runtime import Runtime
from hub.web.limits import PerMinute, SignInsPerMinute

DRAFT = {"title": "开会通知", "text": "明天下午开会。", "regions": [builders.NORTH]}


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "clerk")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Runtime]:
    """One hub for all the requests that are refused and so change nothing."""
    folder = tmp_path_factory.mktemp("house") / "var"
    shutil.copytree(prepared, folder)
    runtime = open_hub(folder, SetClock())
    yield runtime
    runtime.sessions.engine.dispose()


@pytest.fixture(scope="module")
def refused(house: Runtime) -> Program:
    """A clerk's program that makes mistakes."""
    return program(build(house, cunxiang.FEATURES), house, "clerk")


def test_without_a_key_nothing_is_told(refused: Program) -> None:
    answer = Program(refused.app, refused.client).get("/me")
    problem_of(answer, 401, "key_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["cx_wrong", "x", "cx_" + "a" * 5000, "", "ключ"])
def test_an_invented_key_is_refused(refused: Program, key: str) -> None:
    answer = refused.client.get(f"{API}/me", headers={"Authorization": f"Bearer {key}".encode().decode("latin-1")})
    problem_of(answer, 401, "key_refused")


def test_basic_authentication_is_not_taken_for_a_key(refused: Program) -> None:
    answer = refused.client.get(f"{API}/me", headers={"Authorization": "Basic Y2xlcms6eA=="})
    problem_of(answer, 401, "key_missing")


def test_a_key_ends_with_its_last_day(clerk: Program, clock: SetClock) -> None:
    clock.now += timedelta(days=30) - timedelta(seconds=1)
    assert clerk.get("/me").status_code == 200
    clock.now += timedelta(seconds=1)
    problem_of(clerk.get("/me"), 401, "key_refused")


def test_a_revoked_key_is_refused(clerk: Program) -> None:
    (mine,) = clerk.get("/me/tokens").json["items"]  # type: ignore[index]
    assert clerk.call("DELETE", f"/me/tokens/{mine['id']}").status_code == 200
    problem_of(clerk.get("/me"), 401, "key_refused")


def test_the_key_of_an_account_that_is_switched_off_is_refused(clerk: Program, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        accounts.set_active(session, builders.the_actor(session, "county"), "clerk", False, now=runtime.now())
    problem_of(clerk.get("/me"), 401, "key_refused")


def test_the_cookie_of_a_browser_speaks_for_nobody_here(app: OpenAPI, runtime: Runtime) -> None:
    browser = app.test_client()
    browser.post("/sign-in", data={"login": "clerk", "password": builders.PASSWORD})
    assert browser.get("/me").status_code != 500
    problem_of(browser.get(f"{API}/me"), 401, "key_missing")
    problem_of(browser.post(f"{API}/announcements", json=DRAFT), 401, "key_missing")


def test_a_program_needs_no_csrf_token_but_a_page_does(app: OpenAPI, runtime: Runtime) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert program(app, runtime, "clerk").post("/announcements", DRAFT).status_code == 201
    assert app.test_client().post("/language", data={"language": "en"}).status_code == 400


def test_words_come_in_the_language_that_was_asked_for(refused: Program) -> None:
    def detail(language: str) -> str:
        answer = refused.call("GET", "/nowhere", headers={"Accept-Language": language} if language else None)
        assert "Accept-Language" in answer.headers["Vary"]
        return str(answer.json["detail"]) + answer.headers["Content-Language"]  # type: ignore[index]

    assert detail("") == detail("zh-CN") == detail("fr") == "没有这个接口地址。看看 /openapi.json 里写的。zh"
    assert detail("en-US,en;q=0.9") == detail("en") == "There is no such address. /openapi.json lists them all.en"


def test_an_unknown_address_is_a_problem(refused: Program) -> None:
    problem_of(refused.get("/nowhere"), 404, "address_unknown")
    problem_of(refused.get("/announcements/no-uuid"), 404, "address_unknown")
    problem_of(refused.client.get("/api/v2/me"), 404, "address_unknown")


def test_an_unknown_method_says_which_there_are(refused: Program) -> None:
    answer = refused.client.open(f"{API}/announcements", method="DELETE")
    problem_of(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken(refused: Program, kind: str) -> None:
    answer = refused.call("POST", "/announcements", b'{"title": "x"}', headers={"Content-Type": kind})
    problem_of(answer, 415, "json_needed")


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "x"',
        b"",
        b"nonsense",
        b'{"repeats": NaN}',
        b'{"repeats": Infinity}',
        b'{"title": "a", "title": "b"}',
        b'{"title": "\xff"}',
        "{}".encode("utf-16"),
        b"[" * 100_000,
        b'{"repeats": ' + b"1" * 5000 + b"}",
        b'["title"]',
        b'"{}"',
        b"null",
        b"1",
    ],
)
def test_what_is_no_sound_json_object_is_refused_as_such(refused: Program, body: bytes) -> None:
    answer = refused.call("POST", "/announcements", body)
    assert answer.status_code == 400
    assert answer.json["code"] in {"json_malformed", "json_no_object", "body_missing"}  # type: ignore[index]


def test_a_large_request_is_refused(refused: Program) -> None:
    body = b'{"text": "' + b"x" * 300_000 + b'"}'
    problem_of(refused.call("POST", "/announcements", body), 413, "body_too_large")


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"titel": "x"}, "titel", "field_unknown"),
        ({"title": 7}, "title", "type_wrong"),
        ({"title": None}, "title", "type_wrong"),
        ({"title": "x" * 31}, "title", "field_too_long"),
        ({"text": "x" * 1001}, "text", "field_too_long"),
        ({"sms_text": "x" * 451}, "sms_text", "field_too_long"),
        ({"text": "a\x00b"}, "text", "control_character"),
        ({"tags": ["a\x07"]}, "tags", "control_character"),
        ({"repeats": "2"}, "repeats", "type_wrong"),
        ({"repeats": True}, "repeats", "type_wrong"),
        ({"repeats": 2.0}, "repeats", "type_wrong"),
        ({"repeats": 1e400}, "repeats", "json"),
        ({"repeats": 0}, "repeats", "number_too_small"),
        ({"repeats": 6}, "repeats", "number_too_large"),
        ({"volume": 101}, "volume", "number_too_large"),
        ({"speakers": "yes"}, "speakers", "type_wrong"),
        ({"speakers": 1}, "speakers", "type_wrong"),
        ({"theme": "gossip"}, "theme", "choice_unknown"),
        ({"speed": "fastest"}, "speed", "field_malformed"),
        ({"regions": builders.NORTH}, "regions", "type_wrong"),
        ({"regions": [builders.NORTH, "12"]}, "regions.1", "field_malformed"),
        ({"regions": [7]}, "regions.0", "type_wrong"),
        ({"regions": ["000000000000"]}, "regions", "region_unknown"),
        ({"regions": ["990101009000"]}, "regions", "region_unknown"),
        ({"regions": [builders.NORTH] * 501}, "regions", "list_too_long"),
        ({"tags": [""]}, "tags.0", "field_too_short"),
        ({"at": "2026-11-23T18:30"}, "at", "type_wrong"),
        ({"when": "once", "at": 10**15}, "at", "number_too_large"),
        ({"when": "once", "at": 10**30}, "at", "number_too_large"),
        ({"when": "daily", "daily_at": "25:00"}, "daily_at", "field_malformed"),
        ({"when": "daily", "first_day": "tomorrow"}, "first_day", "day_malformed"),
        ({"when": "daily", "first_day": 20}, "first_day", "day_malformed"),
        ({"when": "now", "at": 1_800_000_000_000}, "at", "not_with_when"),
        ({"when": "once", "last_day": "2026-11-30"}, "last_day", "not_with_when"),
    ],
)
def test_each_mistake_is_named_by_its_field(
    refused: Program, house: Runtime, given: dict[str, object], field: str, code: str
) -> None:
    if code == "json":  # json.dumps writes Infinity, which is no JSON
        problem_of(refused.post("/announcements", DRAFT | given), 400, "json_malformed")
        return
    with house.sessions.read() as session:
        before = audit_count(session)
    assert fields_of(refused.post("/announcements", DRAFT | given)) == {field: code}
    with house.sessions.read() as session:
        assert audit_count(session) == before
    assert refused.get("/announcements").json == {"items": [], "next": None}


def test_a_lone_half_of_a_character_is_refused(refused: Program) -> None:
    assert fields_of(refused.call("POST", "/announcements", b'{"title": "\\ud800"}')) == {"title": "field_malformed"}


def test_a_huge_number_in_scientific_form_is_refused(refused: Program) -> None:
    answer = refused.call("POST", "/announcements", b'{"repeats": 1e999}')
    assert fields_of(answer) == {"repeats": "type_wrong"}


def test_every_mistake_is_named_at_once(refused: Program) -> None:
    answer = refused.post("/announcements", {"title": 1, "repeats": 9, "colour": "red"})
    assert fields_of(answer) == {"title": "type_wrong", "repeats": "number_too_large", "colour": "field_unknown"}
    problem_of(answer, 422, "several_problems")


def test_what_was_sent_is_never_repeated_in_a_refusal(refused: Program) -> None:
    answer = refused.post("/announcements", {"title": {"13800001111": "13800001111"}, "regions": ["13800001111"]})
    assert answer.status_code == 422
    assert "13800001111" not in answer.text


def test_parameters_of_the_address_are_checked_like_a_body(refused: Program) -> None:
    assert fields_of(refused.get("/speakers?limit=0&offline=perhaps&sort=name")) == {
        "limit": "number_too_small",
        "offline": "type_wrong",
        "sort": "field_unknown",
    }
    assert fields_of(refused.get("/speakers?limit=201")) == {"limit": "number_too_large"}
    assert fields_of(refused.get("/speakers?q=%00")) == {"q": "control_character"}
    assert fields_of(refused.get("/speakers/a%00b")) == {"speaker_id": "control_character"}


@pytest.mark.parametrize(
    "word", ["x", "AAAA", "W10", "WzEsMl0", "eyJhIjoxfQ", "bnVsbA", "WyJhIiwiYiJd", "%ff", "WzFdWw"]
)
@pytest.mark.parametrize("path", ["/announcements", "/broadcasts", "/speakers", "/residents", "/timetable"])
def test_an_invented_cursor_is_refused(refused: Program, path: str, word: str) -> None:
    assert fields_of(refused.get(f"{path}?cursor={word}")) == {"cursor": "cursor_malformed"}


def test_a_verb_that_takes_nothing_takes_nothing(clerk: Program) -> None:
    made = clerk.made("/announcements", DRAFT)
    answer = clerk.post(f"/announcements/{made['id']}/withdraw", {"really": True})
    assert fields_of(answer) == {"really": "field_unknown"}
    assert clerk.post(f"/announcements/{made['id']}/withdraw", {}).status_code == 200


def test_a_verb_that_needs_a_body_says_so(refused: Program) -> None:
    problem_of(refused.post(f"/announcements/{NOWHERE}/return"), 400, "body_missing")


def test_a_bug_is_told_with_a_number_and_nothing_else(fresh_app: OpenAPI, runtime: Runtime) -> None:
    def broken(**_: object) -> str:
        raise RuntimeError("secret 13800001111")

    clerk = program(fresh_app, runtime, "clerk")
    fresh_app.view_functions["account_api.me"] = broken
    answer = problem_of(clerk.get("/me"), 500, "http_500")
    assert "13800001111" not in str(answer)


def test_one_request_too_many_in_a_minute_has_to_wait(app: OpenAPI, runtime: Runtime, clock: SetClock) -> None:
    runtime.provide(PerMinute, PerMinute(3))
    clerk, duty = program(app, runtime, "clerk"), program(app, runtime, "duty")
    clock.now = clock.now.replace(second=20)
    assert [clerk.get("/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = clerk.get("/me")
    problem_of(answer, 429, "too_many_requests")
    assert answer.headers["Retry-After"] == "40"
    assert duty.get("/me").status_code == 200, "another key has its own minute"
    clock.now += timedelta(seconds=40)
    assert clerk.get("/me").status_code == 200


def test_the_limits_come_from_the_configuration(runtime: Runtime) -> None:
    build(runtime, cunxiang.FEATURES)
    assert runtime.get(PerMinute).most == 600
    assert runtime.get(SignInsPerMinute).most == 10
