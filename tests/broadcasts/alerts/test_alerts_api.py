"""Emergencies, for programs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import builders
import pytest
from apilab import NOWHERE, Program, audit_count, fields_of, problem_of, program
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select, update

from broadcasts.alerts import firing
from broadcasts.alerts.models import Alert
from broadcasts.alerts.plans.models import PlanState, PlanVersion
from broadcasts.delivery.rules import Rules
from hub.core.runtime import Runtime

WISH: dict[str, Any] = {
    "hazard": "flash_flood",
    "colour": "red",
    "regions": [builders.NORTH],
    "speakers_confirmed": 4,
    "form_key": "form-0001",
}
LOOK = {name: WISH[name] for name in ("hazard", "colour", "regions")}
Programs = Callable[[str], Program]


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def alerts(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return len(session.scalars(select(Alert)).all())


def fire(runtime: Runtime, clock: SetClock) -> None:
    clock.now += timedelta(seconds=4)
    assert firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock.now) == 1


def test_every_hazard_has_words_for_every_colour(as_: Programs) -> None:
    found = as_("viewer").get("/hazards").json["items"]  # type: ignore[index]
    assert "flash_flood" in [one["key"] for one in found]
    assert all({said["colour"] for said in one["words"]} == {"red", "orange", "yellow", "blue"} for one in found)


def test_a_preview_says_the_words_and_the_number_and_sends_nothing(as_: Programs, runtime: Runtime) -> None:
    found = as_("duty").made("/alerts/preview", LOOK)
    assert (found["place"], found["speakers"], found["offline"], found["phones"]) == ("北镇", 4, 0, 0)
    assert "北镇" in found["speech"]
    assert alerts(runtime) == 0


def test_the_countdown_runs_and_then_every_loudspeaker_is_called(
    as_: Programs, runtime: Runtime, clock: SetClock
) -> None:
    duty = as_("duty")
    armed = duty.made("/alerts", WISH)
    assert (armed["state"], armed["fires_in_ms"], armed["broadcast_id"]) == ("armed", 3000, None)
    assert armed["audio_ms"] > 1000
    clock.now += timedelta(seconds=1)
    assert duty.get(f"/alerts/{armed['id']}").json["fires_in_ms"] == 2000  # type: ignore[index]
    assert [one["id"] for one in duty.get("/alerts").json["items"]] == [armed["id"]]  # type: ignore[index]
    fire(runtime, clock)
    fired = duty.get(f"/alerts/{armed['id']}").json
    assert fired is not None
    assert (fired["state"], fired["fires_in_ms"]) == ("fired", 0)
    broadcast = duty.get(f"/broadcasts/{fired['broadcast_id']}").json
    assert broadcast is not None
    assert (broadcast["kind"], broadcast["volume"], broadcast["loudspeakers"]["meant"]) == ("emergency", 100, 4)


def test_the_same_form_sent_twice_arms_once(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    first = as_("duty").made("/alerts", WISH)
    fire(runtime, clock)
    second = as_("duty").made("/alerts", WISH)
    assert (second["id"], second["state"]) == (first["id"], "fired")
    assert alerts(runtime) == 1


def test_the_form_of_another_is_not_answered(as_: Programs, runtime: Runtime) -> None:
    as_("duty").made("/alerts", WISH)
    problem_of(as_("approver").post("/alerts", WISH), 404, "alert_unknown")
    assert alerts(runtime) == 1


def test_a_wrong_number_of_loudspeakers_sends_nothing(as_: Programs, runtime: Runtime) -> None:
    problem_of(as_("duty").post("/alerts", WISH | {"speakers_confirmed": 5}), 409, "alert_reach_differs")
    assert alerts(runtime) == 0


def test_cancelled_in_time_nothing_goes_out(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    duty = as_("duty")
    armed = duty.made("/alerts", WISH)
    cancelled = duty.made(f"/alerts/{armed['id']}/cancel")
    assert (cancelled["state"], cancelled["ended_by"]) == ("cancelled", "北镇值班员")
    clock.now += timedelta(seconds=10)
    assert firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock.now) == 0
    assert duty.get("/alerts").json["items"] == []  # type: ignore[index]


def test_too_late_to_cancel_it_has_to_be_stopped(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    duty = as_("duty")
    armed = duty.made("/alerts", WISH)
    fire(runtime, clock)
    problem_of(duty.post(f"/alerts/{armed['id']}/cancel"), 409, "alert_fired_already")
    stopped = duty.made(f"/alerts/{armed['id']}/stop")
    assert stopped["state"] == "stopped"
    assert duty.get(f"/broadcasts/{stopped['broadcast_id']}").json["state"] == "stopped"  # type: ignore[index]
    assert duty.made(f"/alerts/{armed['id']}/stop") == stopped


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"hazard": "dragon"}, "hazard", "hazard_unknown"),
        ({"colour": "green"}, "colour", "choice_unknown"),
        ({"regions": []}, "regions", "list_too_short"),
        ({"regions": ["x"]}, "regions.0", "field_malformed"),
        ({"speakers_confirmed": "4"}, "speakers_confirmed", "type_wrong"),
        ({"speakers_confirmed": 4.0}, "speakers_confirmed", "type_wrong"),
        ({"speakers_confirmed": -1}, "speakers_confirmed", "number_too_small"),
        ({"form_key": "short"}, "form_key", "field_too_short"),
        ({"form_key": "with a blank"}, "form_key", "field_malformed"),
        ({"words": "自己写的"}, "words", "field_unknown"),
        ({"sms": "no"}, "sms", "type_wrong"),
    ],
)
def test_each_mistake_is_named_and_nothing_is_armed(
    as_: Programs, runtime: Runtime, given: dict[str, Any], field: str, code: str
) -> None:
    assert fields_of(as_("duty").post("/alerts", WISH | given)) == {field: code}
    assert alerts(runtime) == 0


def test_what_lies_elsewhere_is_refused_and_never_left_out(as_: Programs, runtime: Runtime) -> None:
    mixed = WISH | {"regions": [builders.NORTH, builders.FERRY]}
    problem_of(as_("duty").post("/alerts", mixed), 404, "region_unknown")
    problem_of(as_("duty").post("/alerts/preview", LOOK | {"regions": mixed["regions"]}), 404, "region_unknown")
    problem_of(as_("strange_duty").post("/alerts", WISH), 404, "region_unknown")
    problem_of(as_("clerk").post("/alerts", WISH), 403, "not_allowed")
    problem_of(as_("clerk").post("/alerts/preview", LOOK), 403, "not_allowed")
    assert alerts(runtime) == 0


def test_a_stranger_neither_sees_nor_ends_it(as_: Programs, runtime: Runtime) -> None:
    armed = as_("duty").made("/alerts", WISH)
    stranger = as_("strange_duty")
    with runtime.sessions.read() as session:
        before = audit_count(session)
    for key in (armed["id"], NOWHERE):
        problem_of(stranger.get(f"/alerts/{key}"), 404, "alert_unknown")
        problem_of(stranger.post(f"/alerts/{key}/cancel"), 404, "alert_unknown")
        problem_of(stranger.post(f"/alerts/{key}/stop"), 404, "alert_unknown")
    problem_of(as_("viewer").post(f"/alerts/{armed['id']}/cancel"), 403, "not_allowed")
    problem_of(as_("viewer").post(f"/alerts/{armed['id']}/stop"), 403, "not_allowed")
    assert stranger.get("/alerts").json["items"] == []  # type: ignore[index]
    with runtime.sessions.read() as session:
        assert audit_count(session) == before
    assert as_("duty").get(f"/alerts/{armed['id']}").json["state"] == "armed"  # type: ignore[index]


def test_a_second_person_confirms_by_api_what_no_plan_says(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    with runtime.sessions.begin() as session:
        session.execute(update(PlanVersion).values(state=PlanState.WITHDRAWN))
    proposed = as_("duty").made("/alerts", WISH)
    path = f"/alerts/{proposed['id']}/confirm"
    assert (proposed["state"], proposed["authority"]) == ("proposed", None)
    problem_of(as_("duty").post(path, {"speakers_confirmed": 4}), 403, "alert_own")
    problem_of(as_("approver").post(path, {"speakers_confirmed": 5}), 409, "alert_reach_differs")
    problem_of(as_("clerk").post(path, {"speakers_confirmed": 4}), 403, "not_allowed")
    problem_of(as_("strange_duty").post(path, {"speakers_confirmed": 4}), 404, "alert_unknown")
    assert alerts(runtime) == 1
    armed = as_("approver").made(path, {"speakers_confirmed": 4})
    assert (armed["state"], armed["authority"], armed["confirmed_by"]) == ("armed", "second_person", "北镇副镇长")
    fire(runtime, clock)


@pytest.mark.parametrize(("verb", "act"), [("take-back", "correction"), ("all-clear", "all_clear")])
def test_what_went_out_is_taken_back_or_cleared_once(
    as_: Programs, runtime: Runtime, clock: SetClock, verb: str, act: str
) -> None:
    duty = as_("duty")
    armed = duty.made("/alerts", WISH)
    problem_of(duty.post(f"/alerts/{armed['id']}/{verb}"), 409, "alert_nothing_to_end")
    fire(runtime, clock)
    for login, code in (("viewer", "not_allowed"), ("strange_duty", "alert_unknown")):
        problem_of(as_(login).post(f"/alerts/{armed['id']}/{verb}"), 403 if login == "viewer" else 404, code)
    said = duty.made(f"/alerts/{armed['id']}/{verb}")
    assert (said["act"], said["follows_id"], said["incident_id"]) == (act, armed["id"], armed["incident_id"])
    assert duty.made(f"/alerts/{armed['id']}/{verb}")["id"] == said["id"]
    assert duty.get(f"/alerts/{armed['id']}").json["state"] == "stopped"  # type: ignore[index]
    assert alerts(runtime) == 2
