"""Every address of the application, walked by somebody who holds every role in another township, and by nobody."""

from collections.abc import Iterator
from functools import partial

import pytest
from builders import BRIDGE, HILL, NORTH, PASSWORD, SOUTH, the_actor
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select
from sqlalchemy.orm import Session
from strangerlab import FOREIGN_HOST, SECRET, addresses, rows_of_the_north, somebody_for_all, unguarded
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from hub.accounts import tokens
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Permission
from hub.core.db import Base
from hub.core.runtime import Runtime
from hub.web.limits import PerMinute

NAMES = (SECRET, "北镇广播员", "北镇副镇长", "北镇值班员", "s1001-2", "s1002-2", HILL)
"""What stands in everything of the north and in nothing else."""
ECHOED = ("/static", "/openapi.json")
TEST_PHONES = "试发手机</h2>"
FOR_ALL = ("/api/v1/lexicon", "/api/v1/wording", "/settings/lexicon", "/settings/wording")
"""Readings and wording belong to the whole county: everybody writes with them."""
ENDS_THE_SESSION = {"accounts.sign_out", "own.change_password", "own.do_renew"}
FORM = {
    "region": BRIDGE,
    "regions": NORTH,
    "code": BRIDGE,
    "name": "x",
    "title": "x",
    "text": "x",
    "reason": "x",
    "note": "x",
    "password": "a-long-enough-1",
    "volume": "50",
    "speaker": "s1001-1",
    "do": "submit",
}
JSON = {"regions": [NORTH], "region": NORTH, "title": "x", "text": "x", "reason": "x", "name": "x", "volume": 50}


def everything(session: Session) -> dict[str, set[str]]:
    """Return every row there is."""
    tables = (table for table in Base.metadata.sorted_tables if table.name != "sign_in")
    return {table.name: {repr(tuple(row)) for row in session.execute(select(table))} for table in tables}


@pytest.fixture
def stranger(app: OpenAPI, runtime: Runtime) -> tuple[FlaskClient, str]:
    """Somebody with every role in the south: a browser, and a key."""
    runtime.provide(PerMinute, PerMinute(100_000))
    with runtime.sessions.begin() as session:
        made = somebody_for_all(session, SOUTH, name="南镇全能")
        actor = actor_for(session, made, origin="test")
        key = tokens.issue_token(session, actor, name="x", days=30, now=NOON)
    client = app.test_client()
    assert client.post("/sign-in", data={"login": "all", "password": PASSWORD}).status_code == 302
    return client, key


def visits(
    client: FlaskClient, rule: Rule, address: str, key: str, base_url: str = "http://localhost"
) -> Iterator[tuple[str, TestResponse]]:
    """Ask in every way there is: with nothing, with a form, and for programs with JSON."""
    ask = partial(client.open, address, base_url=base_url)
    methods = (rule.methods or set()) - {"OPTIONS", "HEAD"}
    headers = {"Authorization": f"Bearer {key}"} if key and address.startswith("/api/") else {}
    for method in sorted(methods):
        yield method, ask(method=method, headers=headers)
        if method in ("POST", "PUT", "PATCH") and address.startswith("/api/"):
            yield f"{method} json", ask(method=method, headers=headers, json=JSON)
        elif method == "POST":
            yield "POST form", ask(method=method, data=FORM)


def told(answer: TestResponse, address: str) -> list[str]:
    """Return what of the north stands in an answer. An address or a form that is repeated tells nothing."""
    text = answer.get_data().decode("utf-8", "replace") + str(answer.headers.get("Location", ""))
    if address.startswith("/sms/test-phones"):
        text = text.partition(TEST_PHONES)[2]  # above them stand the messages for all
    for repeated in (address, BRIDGE, NORTH, "s1001-1"):
        text = text.replace(repeated, "")
    return [name for name in NAMES if name in text]


@pytest.mark.slow
def test_a_stranger_sees_and_changes_nothing_on_every_address_there_is(
    app: OpenAPI, runtime: Runtime, stranger: tuple[FlaskClient, str]
) -> None:
    client, key = stranger
    walked = addresses(app, runtime)
    with runtime.sessions.read() as session:
        before = rows_of_the_north(session)
    leaks, faults, soft, count = [], [], set(), 0
    for rule, address in walked:
        if rule.endpoint in ENDS_THE_SESSION or address.startswith(ECHOED):
            continue
        for method, answer in visits(client, rule, address, key):
            count += 1
            soft |= {f"{rule.rule}: {lack}" for lack in unguarded(answer, rule.endpoint)}
            where = f"{method} {rule.rule} -> {answer.status_code}"
            if answer.status_code == 500:
                faults.append(where)
            elif (seen := told(answer, address)) and not rule.rule.startswith(FOR_ALL):
                leaks.append(f"{where}: {seen}")
    with runtime.sessions.read() as session:
        after = rows_of_the_north(session)
    changed = [f"{table}: {before[table] ^ after[table]}" for table in before if before[table] != after[table]]
    assert (leaks, changed, faults, soft) == ([], [], [], set())
    assert client.get("/account").status_code == 200, "the walk was made by somebody signed in to the end"
    assert count > 500


@pytest.mark.slow
def test_whoever_is_not_signed_in_sees_nothing_but_the_doors(app: OpenAPI, runtime: Runtime) -> None:
    client = app.test_client()
    leaks, entered, soft = [], [], set()
    for rule, address in addresses(app, runtime):
        if address.startswith(ECHOED):
            continue
        for method, answer in visits(client, rule, address, "", f"http://{FOREIGN_HOST}"):
            soft |= {f"{rule.rule}: {lack}" for lack in unguarded(answer, rule.endpoint)}
            if seen := told(answer, address):
                leaks.append(f"{method} {rule.rule} -> {answer.status_code}: {seen}")
            if answer.status_code < 300:
                entered.append(rule.endpoint)
    assert (leaks, soft) == ([], set())
    assert sorted(set(entered) - OPEN_DOORS) == [], "addresses that anybody may enter are named in OPEN_DOORS"


OPEN_DOORS = {
    "accounts.sign_in",
    "accounts.welcome",
    "joining.scanned",
    "passkeys.invitation",
    "shell.health",
    "walls.show",
    "watching.metrics",
    "watching.ready",
}


WITHOUT_TOKEN = ("/hooks/", "/c/", "/v/", "/join")
"""No cookie speaks for anybody there: what was sent is signed, the address lets in, or the form is everybody's."""


@pytest.mark.slow
def test_no_form_does_anything_without_its_token(app: OpenAPI, runtime: Runtime) -> None:
    runtime.provide(PerMinute, PerMinute(100_000))
    with runtime.sessions.begin() as session:
        somebody_for_all(session, NORTH)
    client = app.test_client()
    assert client.post("/sign-in", data={"login": "all", "password": PASSWORD}).status_code == 302
    walked = addresses(app, runtime)
    app.config["WTF_CSRF_ENABLED"] = True
    with runtime.sessions.read() as session:
        before = everything(session)
    through, tried = {}, 0
    for rule, address in walked:
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}):
            if address.startswith("/api/"):
                answer = client.open(address, method=method, json=JSON)
                asked = answer.status_code in (401, 404, 405) or rule.rule in OPEN_VERBS
            else:
                answer = client.open(address, method=method, data=FORM)
                asked = answer.status_code == 400 or rule.rule.startswith(WITHOUT_TOKEN)
            tried += 1
            if not asked:
                through[f"{method} {rule.rule}"] = answer.status_code
    with runtime.sessions.read() as session:
        after = everything(session)
    assert through == {}
    assert {table for table in before if before[table] != after[table]} == set()
    assert tried > 250


OPEN_VERBS = ("/api/v1/tokens",)
"""Asks for name and password."""


@pytest.mark.slow
def test_a_key_for_one_thing_does_no_other(app: OpenAPI, runtime: Runtime) -> None:
    """A key that may look at the log and nothing else, of somebody who may everything there."""
    runtime.provide(PerMinute, PerMinute(100_000))
    with runtime.sessions.begin() as session:
        actor = actor_for(session, somebody_for_all(session, NORTH), origin="test")
        key = tokens.issue_token(session, actor, name="x", days=30, now=NOON, permissions=[Permission.SEE_AUDIT])
    walked = [(rule, address) for rule, address in addresses(app, runtime) if address.startswith("/api/")]
    client, headers = app.test_client(), {"Authorization": f"Bearer {key}"}
    with runtime.sessions.read() as session:
        before = everything(session)
    told_ = {}
    for rule, address in walked:
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = client.open(address, method=method, headers=headers, json=None if method == "GET" else JSON)
            if seen := told(answer, address):
                told_[f"{method} {rule.rule}"] = seen
    with runtime.sessions.read() as session:
        after = everything(session)
    assert {
        rule for rule in told_ if not rule.startswith(("GET /api/v1/audit", *(f"GET {each}" for each in FOR_ALL)))
    } == set()
    changed = {table for table in before if before[table] != after[table]}
    assert changed <= {"api_token"}, "but for when it was used"
    assert len(walked) > 100


def test_the_walk_would_see_a_leak(app: OpenAPI, runtime: Runtime) -> None:
    """The same walk by somebody of the north does see the north."""
    with runtime.sessions.begin() as session:
        clerk = session.scalars(select(Account).where(Account.login == "clerk")).one()
        assert the_actor(session, "clerk").id == clerk.id
    client = app.test_client()
    client.post("/sign-in", data={"login": "clerk", "password": PASSWORD})
    assert told(client.get("/speakers"), "/speakers") != []
