"""A request that is sent twice is done once."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import builders
import pytest
from apilab import API, Program, audit_count, fields_of, problem_of, program
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.announcements.timing import Timetable
from hub.accounts import keys
from hub.accounts.models import IdempotencyKey
from hub.core.actor import Actor
from hub.core.db import Base, Sessions
from hub.core.errors import BadInput, Unavailable, WrongState
from hub.core.runtime import Runtime
from hub.core.secrets import Secrets, first_signing
from hub.speakers.models import Speaker
from hub.web.idempotency import Answered, Claim, KeyStore

DRAFT = {"title": "开会通知", "text": "明天下午开会。", "regions": [builders.NORTH]}
SPEAKER = {"speaker_id": "new-1", "name": "村口", "region_code": builders.BRIDGE}


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "clerk")


def drafts(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(Announcement)) or 0


def deeds(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return audit_count(session)


def test_the_same_request_gets_the_same_answer_and_is_done_once(clerk: Program, runtime: Runtime) -> None:
    first = clerk.post("/announcements", DRAFT, key="k1")
    second = clerk.post("/announcements", DRAFT, key="k1")
    assert (second.status_code, second.json, second.mimetype) == (201, first.json, "application/json")
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert drafts(runtime) == 1


def test_without_a_key_twice_is_twice(clerk: Program, runtime: Runtime) -> None:
    clerk.post("/announcements", DRAFT)
    clerk.post("/announcements", DRAFT)
    assert drafts(runtime) == 2


def test_how_the_json_is_written_does_not_matter(clerk: Program, runtime: Runtime) -> None:
    clerk.post("/announcements", DRAFT, key="k1")
    turned = json.dumps(dict(reversed(DRAFT.items())), indent=2, ensure_ascii=False).encode()
    answer = clerk.call("POST", "/announcements", turned, key="k1")
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert drafts(runtime) == 1


def test_another_request_under_the_same_key_is_refused(clerk: Program, runtime: Runtime) -> None:
    first = clerk.made("/announcements", DRAFT)
    clerk.post("/announcements", DRAFT, key="k1")
    answer = clerk.post("/announcements", DRAFT | {"title": "别的"}, key="k1")
    problem_of(answer, 422, "idempotency_key_reused")
    assert fields_of(answer) == {"Idempotency-Key": "idempotency_key_reused"}
    problem_of(clerk.post(f"/announcements/{first['id']}/withdraw", key="k1"), 422, "idempotency_key_reused")
    assert drafts(runtime) == 2


def test_a_key_belongs_to_its_account(app: OpenAPI, runtime: Runtime, clerk: Program) -> None:
    stranger = program(app, runtime, "stranger")
    clerk.post("/announcements", DRAFT, key="k1")
    answer = stranger.post("/announcements", DRAFT | {"regions": [builders.SOUTH]}, key="k1")
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers


def test_a_refusal_is_remembered_like_any_answer(clerk: Program, runtime: Runtime) -> None:
    wish = DRAFT | {"regions": [builders.SOUTH]}
    first = clerk.post("/announcements", wish, key="k1")
    problem_of(first, 403, "not_allowed")
    second = clerk.post("/announcements", wish, key="k1")
    problem_of(second, 403, "not_allowed")
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json == first.json


def test_what_could_not_be_read_claims_no_key(clerk: Program) -> None:
    assert clerk.post("/announcements", DRAFT | {"titel": "x"}, key="k1").status_code == 422
    assert clerk.post("/announcements", DRAFT, key="k1").status_code == 201


@pytest.mark.parametrize("key", ["x" * 81, "with blank", "umläut"])
def test_a_strange_key_is_refused(clerk: Program, runtime: Runtime, key: str) -> None:
    answer = clerk.call("POST", "/announcements", DRAFT, headers={"Idempotency-Key": key.encode().decode("latin-1")})
    assert set(fields_of(answer)) == {"Idempotency-Key"}
    assert drafts(runtime) == 0


def test_after_a_failure_of_the_hub_the_same_request_may_be_tried_again(clerk: Program, runtime: Runtime) -> None:
    made = clerk.made("/announcements", DRAFT)
    address = f"/announcements/{made['id']}/withdraw"
    working = runtime.get(Timetable)
    for failure, status in ((Unavailable("broker_away"), 503), (RuntimeError("a bug"), 500)):
        runtime.provide(Timetable, replace(working, unbook=failing_with(failure)))
        answer = clerk.client.post(
            f"{API}{address}", headers={"Authorization": f"Bearer {clerk.key}", "Idempotency-Key": "k1"}
        )
        assert answer.status_code == status
        assert clerk.get(f"/announcements/{made['id']}").json["state"] == "draft"  # type: ignore[index]
    runtime.provide(Timetable, working)
    again = clerk.post(address, key="k1")
    assert (again.status_code, again.json["state"]) == (200, "withdrawn")  # type: ignore[index]
    assert "Idempotency-Replayed" not in again.headers


def failing_with(failure: Exception) -> Callable[[Session, UUID, datetime], bool]:
    def unbook(session: Session, announcement_id: UUID, now: datetime) -> bool:
        raise failure

    return unbook


def test_while_the_first_is_still_being_worked_on_the_second_has_to_wait(clerk: Program, runtime: Runtime) -> None:
    clerk.post("/announcements", DRAFT, key="k1")
    with runtime.sessions.begin() as session:
        session.execute(update(IdempotencyKey).values(status=0, body=""))
    answer = clerk.post("/announcements", DRAFT, key="k1")
    problem_of(answer, 409, "idempotency_in_progress")
    assert int(answer.headers["Retry-After"]) >= 1
    assert drafts(runtime) == 1


def test_a_claim_of_a_hub_that_died_is_taken_over(clerk: Program, runtime: Runtime, clock: SetClock) -> None:
    clerk.post("/announcements", DRAFT, key="k1")
    with runtime.sessions.begin() as session:  # as if it had died before committing
        session.execute(update(IdempotencyKey).values(status=0, body=""))
    clock.now += keys.GIVEN_UP
    assert clerk.post("/announcements", DRAFT, key="k1").status_code == 201
    assert clerk.post("/announcements", DRAFT, key="k1").headers["Idempotency-Replayed"] == "true"


def test_whoever_lost_the_claim_cannot_commit_what_it_did(runtime: Runtime, app: OpenAPI, clock: SetClock) -> None:
    store = runtime.get(KeyStore)
    with runtime.sessions.begin() as session:
        who = builders.the_actor(session, "clerk")
        slow = store.claim(session, who, "k1", b"h" * 32, clock.now)
    assert isinstance(slow, Claim)
    clock.now += keys.GIVEN_UP
    with runtime.sessions.begin() as session:
        quick = store.claim(session, who, "k1", b"h" * 32, clock.now)
    assert isinstance(quick, Claim)
    with pytest.raises(WrongState, match="idempotency_in_progress"):
        write_and_note(runtime, store, who, slow)
    assert drafts(runtime) == 0
    with runtime.sessions.begin() as session:
        store.release(session, slow)
        store.note(session, quick, Answered(201, "{}"))
        assert store.claim(session, who, "k1", b"h" * 32, clock.now) == Answered(201, "{}")


def write_and_note(runtime: Runtime, store: KeyStore, who: Actor, claim: Claim) -> None:
    with runtime.sessions.begin() as session:
        builders.an_announcement(session, who)
        store.note(session, claim, Answered(201, "{}"))


def test_after_two_days_a_key_is_forgotten(clerk: Program, runtime: Runtime, clock: SetClock) -> None:
    clerk.post("/announcements", DRAFT, key="k1")
    clock.now += keys.KEPT
    with runtime.sessions.begin() as session:
        assert keys.purge(session, now=clock.now) == 0
    clock.now += timedelta(seconds=1)
    assert clerk.post("/announcements", DRAFT | {"title": "别的"}, key="k1").status_code == 201
    clock.now += keys.KEPT + timedelta(seconds=1)
    with runtime.sessions.begin() as session:
        assert keys.purge(session, now=clock.now) == 1
        assert session.scalars(select(IdempotencyKey)).all() == []


def test_a_password_in_an_answer_lies_in_no_table(clerk: Program, runtime: Runtime) -> None:
    first = clerk.post("/speakers", SPEAKER, key="k1")
    secret = first.json["secret"]  # type: ignore[index]
    assert len(secret) >= 16
    with runtime.sessions.read() as session:
        assert all(secret not in row.body for row in session.scalars(select(IdempotencyKey)))
    assert clerk.post("/speakers", SPEAKER, key="k1").json["secret"] == secret  # type: ignore[index]


def test_an_answer_that_can_no_longer_be_read_is_not_done_again(clerk: Program, runtime: Runtime) -> None:
    clerk.post("/announcements", DRAFT, key="k1")
    other = Secrets("demo", b"x" * 32, b"", b"", "", first_signing(b""))
    runtime.provide(KeyStore, keys.key_store(other))
    problem_of(clerk.post("/announcements", DRAFT, key="k1"), 409, "idempotency_answer_lost")
    assert drafts(runtime) == 1


def posts(app: OpenAPI) -> list[str]:
    return sorted(path for path, item in app.api_doc["paths"].items() if "post" in item)


def test_every_verb_that_does_something_heeds_the_key(app: OpenAPI) -> None:
    heedless = [
        path
        for path in posts(app)
        if "Idempotency-Key" not in {p["name"] for p in app.api_doc["paths"][path]["post"].get("parameters", [])}
    ]
    only_looking = ["/api/v1/alerts/preview", "/api/v1/numbers", "/api/v1/preview", "/api/v1/readings"]
    # The same document twice is one document, and so is the same list of places; nothing of a list of residents is
    # stored before its commit, and that is done once.
    imports = ["", "/rows", "/{import_id}/columns", "/{import_id}/commit"]
    once_by_nature = [
        "/api/v1/warnings/cap",
        "/api/v1/warnings/national",
        "/api/v1/regions/imports",
        *(f"/api/v1/residents/imports{step}" for step in imports),
    ]
    # Its answer is a secret that nothing may keep; asked again there is another code, and this one is void.
    kept_nowhere = ["/api/v1/accounts/{account_id}/invitation"]
    without_account = ["/api/v1/tokens"]
    assert heedless == sorted([*only_looking, *once_by_nature, *kept_nowhere, *without_account])


def at_once(deed: Any, times: int = 8) -> list[Any]:
    """Do something in several threads at the same moment and return what came of each."""
    gate, found = threading.Barrier(times), []

    def run() -> None:
        gate.wait()
        found.append(deed())

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_many_at_once_do_it_once(app: OpenAPI, runtime: Runtime, clerk: Program) -> None:
    def send() -> tuple[int, str | None, str]:
        mine = Program(app, app.test_client(), clerk.key)
        answer = mine.post("/speakers", SPEAKER, key="k1")
        return answer.status_code, answer.headers.get("Idempotency-Replayed"), answer.text

    answers = at_once(send)
    done = [text for status, replayed, text in answers if status == 201 and replayed is None]
    assert len(done) == 1
    assert {status for status, _, _ in answers} <= {201, 409}
    assert all(text == done[0] for status, replayed, text in answers if replayed)
    assert send() == (201, "true", done[0])
    with runtime.sessions.read() as session:
        assert len(session.scalars(select(Speaker).where(Speaker.id == "new-1")).all()) == 1


@pytest.mark.postgres
def test_many_at_once_claim_a_key_once_on_postgres(postgres_engine: Engine) -> None:
    Base.metadata.create_all(postgres_engine)
    sessions = Sessions(postgres_engine)
    with sessions.begin() as session:
        builders.a_county(session)
        who = builders.the_actor(session, "clerk")
    store = keys.key_store(Secrets("demo", b"x" * 32, b"", b"", "", first_signing(b"")))

    def claim() -> str:
        try:
            with sessions.begin() as session:
                return type(store.claim(session, who, "k1", b"h" * 32, builders.EARLIER)).__name__
        except WrongState as error:
            return error.code

    assert sorted(at_once(claim)) == ["Claim", *["idempotency_in_progress"] * 7]
    with sessions.begin() as session, pytest.raises(BadInput, match="idempotency_key_reused"):
        store.claim(session, who, "k1", b"i" * 32, builders.EARLIER)
    later = builders.EARLIER + keys.GIVEN_UP
    with sessions.begin() as session:
        assert isinstance(store.claim(session, who, "k1", b"h" * 32, later), Claim)
        assert keys.purge(session, now=later + keys.KEPT + timedelta(seconds=1)) == 1
