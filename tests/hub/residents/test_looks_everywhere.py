"""Every page, verb and export that shows a resident leaves a line in the log of deeds: walked over all addresses."""

import os
from collections.abc import Iterator

import pytest
from builders import NORTH, PASSWORD
from conftest import NOON
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import Table, func, select, update
from strangerlab import addresses, somebody_for_all, unguarded

from hub.accounts import tokens
from hub.accounts.actors import actor_for
from hub.audit.models import AuditEntry
from hub.core.db import Base
from hub.core.runtime import Runtime
from hub.residents.looks import Looks
from hub.web.limits import PerMinute

MASKED, NAME = "154****7077", "欧阳某某"
STAFF = {"duty_person", "call_try", "sms_test_phone"}
"""Numbers of who is on duty, or of the unit itself: to be called by whoever has to."""
NOT_LOOKS = {"resident.look", "phone.reveal"}
LEAST = 8
LONG = bool(os.environ.get("CUNXIANG_LONG"))
LIKELY = ("/residents", "/sms", "/feedback", "/rounds", "/broadcasts", "/announcements", "/roster", "/api/v1/")
"""Where residents are shown today; in the long run every address is walked."""


def residents_tables() -> Iterator[Table]:
    for table in Base.metadata.sorted_tables:
        if "masked" in table.columns and table.name not in STAFF:
            yield table


@pytest.fixture
def north(app: OpenAPI, runtime: Runtime) -> tuple[FlaskClient, str]:
    """Somebody with every role in the north: a browser, and a key."""
    runtime.provide(PerMinute, PerMinute(100_000))
    with runtime.sessions.begin() as session:
        made = somebody_for_all(session, NORTH)
        key = tokens.issue_token(session, actor_for(session, made, origin="test"), name="x", days=30, now=NOON)
    client = app.test_client()
    assert client.post("/sign-in", data={"login": "all", "password": PASSWORD}).status_code == 302
    return client, key


def entries(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


@pytest.mark.slow
def test_whoever_is_shown_a_resident_stands_in_the_log(
    app: OpenAPI, runtime: Runtime, north: tuple[FlaskClient, str]
) -> None:
    client, key = north
    walked = addresses(app, runtime)
    with runtime.sessions.begin() as session:
        for table in residents_tables():
            session.execute(update(table).values(masked=MASKED))
        session.execute(update(Base.metadata.tables["resident"]).values(name=NAME))
    shown, unseen, soft = set(), [], set()
    for rule, address in walked:
        if "GET" not in (rule.methods or ()) or address.startswith(("/static", "/openapi.json")):
            continue
        if not (LONG or address.startswith(LIKELY)):
            continue
        runtime.provide(Looks, Looks())
        before = entries(runtime)
        headers = {"Authorization": f"Bearer {key}"} if address.startswith("/api/") else {}
        with client.get(address, headers=headers) as answer:
            text = answer.get_data().decode("utf-8", "replace")
            soft |= {f"{rule.rule}: {lack}" for lack in unguarded(answer, rule.endpoint)}
        if answer.status_code == 200 and (MASKED in text or NAME in text):
            shown.add(rule.rule)
            unseen += [rule.rule] if entries(runtime) == before else []
    assert soft == set()
    assert not unseen, " ".join(sorted(unseen))
    assert len(shown) >= LEAST, " ".join(sorted(shown))


def test_a_list_is_written_down_once_an_hour_for_each_place_and_person(
    runtime: Runtime, north: tuple[FlaskClient, str]
) -> None:
    client, key = north
    before = entries(runtime)
    for _ in range(3):
        client.get("/residents")
        client.get(f"/api/v1/residents?region={NORTH}", headers={"Authorization": f"Bearer {key}"})
    with runtime.sessions.read() as session:
        looks = session.scalars(select(AuditEntry).where(AuditEntry.deed == "residents.look")).all()
    assert [(each.via, each.actor_name, each.region_path.endswith(f"{NORTH}/")) for each in looks] == [
        ("web", "全能", True),
        ("api", "全能", True),
    ]
    assert entries(runtime) == before + 2
    client.get("/api/v1/residents", headers={"Authorization": "Bearer nobody"})
    assert entries(runtime) == before + 2, "who is refused has seen nothing"
