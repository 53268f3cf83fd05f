"""The roster, for programs: numbers go in and never come out, the order is that of calling."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from apilab import NOWHERE, Program, audit_count, fields_of, problem_of, program
from builders import BRIDGE, FERRY
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime
from hub.duty import service

Programs = Callable[[str], Program]
ONE = {"region": BRIDGE, "name": "周大河", "title": "网格员", "phone": "138 0000 2001"}
TWO = {"region": BRIDGE, "name": "桥支书", "phone": "13800002002", "login": "secretary"}


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def test_people_are_put_on_moved_up_put_on_shift_and_taken_off(
    as_: Programs, runtime: Runtime, clock: SetClock
) -> None:
    clerk = as_("clerk")
    clerk.made("/duty/roster", ONE)
    both = clerk.made("/duty/roster", TWO)["items"]
    assert [(one["name"], one["phone"], one["has_account"]) for one in both] == [
        ("周大河", "138****2001", False),
        ("桥支书", "138****2002", True),
    ]
    moved = clerk.made(f"/duty/roster/{both[1]['id']}/up")["items"]
    assert [one["name"] for one in moved] == ["桥支书", "周大河"]
    now = round(clock().timestamp() * 1000)
    times = {"starts_at": now - 1000, "ends_at": now + 3_600_000}
    shifted = clerk.made(f"/duty/roster/{both[0]['id']}/shifts", times)["items"]
    assert [(one["name"], one["on_duty"]) for one in shifted] == [("周大河", True), ("桥支书", False)]
    with runtime.sessions.read() as session:
        called = service.on_call(session, "990101000000/990101001000/990101001001/", now=clock())
        assert [person.name for person in called] == ["周大河", "桥支书"]
    left = clerk.call("DELETE", f"/duty/shifts/{shifted[0]['shifts'][0]['id']}").json
    assert left is not None
    assert [one["name"] for one in left["items"]] == ["桥支书", "周大河"]
    left = clerk.call("DELETE", f"/duty/roster/{both[0]['id']}").json
    assert left is not None
    assert [one["name"] for one in left["items"]] == ["桥支书"]


def test_what_is_wrong_is_named_and_changes_nothing(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    clerk = as_("clerk")
    person = clerk.made("/duty/roster", ONE)["items"][0]["id"]
    with runtime.sessions.read() as session:
        before = audit_count(session)
    assert fields_of(clerk.post("/duty/roster", ONE | {"name": "又一个"})) == {"phone": "duty_phone_twice"}
    assert fields_of(clerk.post("/duty/roster", TWO | {"phone": "0571-88881234"})) == {"phone": "duty_phone_no_mobile"}
    assert fields_of(clerk.post("/duty/roster", TWO | {"login": "nobody"})) == {"login": "duty_login_unknown"}
    past = round((clock() - timedelta(hours=2)).timestamp() * 1000)
    times = {"starts_at": past, "ends_at": past + 1000}
    assert fields_of(clerk.post(f"/duty/roster/{person}/shifts", times)) == {"ends_at": "duty_shift_past"}
    with runtime.sessions.read() as session:
        assert audit_count(session) == before


def test_onlookers_look_and_strangers_find_nothing(as_: Programs) -> None:
    person = as_("clerk").made("/duty/roster", ONE)["items"][0]["id"]
    assert as_("viewer").get(f"/duty/roster?region={BRIDGE}").json["items"][0]["name"] == "周大河"  # type: ignore[index]
    problem_of(as_("viewer").post("/duty/roster", TWO), 403, "not_allowed")
    stranger = as_("stranger")
    problem_of(stranger.get(f"/duty/roster?region={BRIDGE}"), 404, "region_unknown")
    problem_of(stranger.post("/duty/roster", TWO), 404, "region_unknown")
    problem_of(stranger.post(f"/duty/roster/{person}/up"), 404, "duty_unknown")
    problem_of(stranger.call("DELETE", f"/duty/roster/{person}"), 404, "duty_unknown")
    problem_of(as_("clerk").call("DELETE", f"/duty/shifts/{NOWHERE}"), 404, "duty_unknown")
    assert stranger.get(f"/duty/roster?region={FERRY}").json == {"region": FERRY, "items": []}
