"""Incidents, for programs: the time line, the calls, and what keeps one open."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from apilab import NOWHERE, Program, problem_of, program
from builders import BRIDGE, NORTH
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI

from broadcasts.alerts import firing
from broadcasts.alerts.calling.models import Errand, ErrandKind
from broadcasts.delivery.rules import Rules
from hub.core.runtime import Runtime
from hub.regions.tree import path_of

Programs = Callable[[str], Program]
WISH = {"hazard": "flash_flood", "colour": "red", "regions": [NORTH], "speakers_confirmed": 4}


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def an_incident(as_: Programs, runtime: Runtime, clock: SetClock, key: str = "incident-1") -> str:
    """Fire an emergency; return its incident."""
    armed = as_("duty").made("/alerts", WISH | {"form_key": key})
    clock.now += timedelta(seconds=4)
    firing.fire_due(runtime.sessions, rules=runtime.get(Rules), now=clock())
    return str(armed["incident_id"])


def an_errand(runtime: Runtime, incident: str, clock: SetClock) -> str:
    with runtime.sessions.begin() as session:
        errand = Errand(
            alert_id=UUID(NOWHERE),
            incident_id=UUID(incident),
            kind=ErrandKind.PHONE,
            subject=BRIDGE,
            region_code=BRIDGE,
            region_path=path_of(BRIDGE),
            name="桥村",
            opened_at=clock(),
            due_at=clock() + timedelta(minutes=15),
        )
        session.add(errand)
        session.flush()
        return str(errand.id)


def test_the_time_line_and_what_is_to_be_done_until_it_may_be_closed(
    as_: Programs, runtime: Runtime, clock: SetClock
) -> None:
    incident = an_incident(as_, runtime, clock)
    errand = an_errand(runtime, incident, clock)
    duty = as_("duty")
    whole = duty.made(f"/incidents/{incident}/notes", {"text": "老桥已经封了"})
    assert [line["key"] for line in whole["lines"]][:2] == ["pressed", "fired"]
    assert whole["lines"][1]["took_ms"] == 4000
    assert [line["what"] for line in whole["lines"] if line["key"] == "note"] == ["老桥已经封了"]
    assert [(one["kind"], one["name"], one["closed_at"]) for one in whole["errands"]] == [("phone", "桥村", None)]
    problem_of(duty.post(f"/incidents/{incident}/close"), 409, "incident_errands_open")
    problem_of(as_("viewer").post(f"/errands/{errand}/done", {"result": "x"}), 403, "not_allowed")
    problem_of(as_("strange_duty").post(f"/errands/{errand}/done", {"result": "x"}), 404, "errand_unknown")
    assert duty.made(f"/errands/{errand}/done", {"result": "跟村支书说了"})["closed_by"] == "北镇值班员"
    problem_of(duty.post(f"/errands/{errand}/done", {"result": "又说了"}), 409, "errand_done")
    problem_of(as_("viewer").post(f"/incidents/{incident}/close"), 403, "not_allowed")
    assert duty.made(f"/incidents/{incident}/close")["state"] == "closed"
    assert duty.get("/incidents?open=true").json == {"items": [], "next": None}


def test_a_list_has_pages_and_strangers_find_nothing(as_: Programs, runtime: Runtime, clock: SetClock) -> None:
    made = []
    for number in range(3):
        made.append(an_incident(as_, runtime, clock, f"incident-{number}"))
        clock.now += timedelta(hours=13)
    first = as_("viewer").get("/incidents?limit=2").json
    assert first is not None
    second = as_("viewer").get(f"/incidents?limit=2&cursor={first['next']}").json
    assert second is not None
    assert [one["id"] for one in [*first["items"], *second["items"]]] == made[::-1]
    assert second["next"] is None
    stranger = as_("strange_duty")
    assert stranger.get("/incidents").json == {"items": [], "next": None}
    problem_of(stranger.get(f"/incidents/{made[0]}"), 404, "incident_unknown")
    problem_of(stranger.post(f"/incidents/{made[0]}/notes", {"text": "x"}), 404, "incident_unknown")
    problem_of(stranger.post(f"/incidents/{made[0]}/close"), 404, "incident_unknown")
