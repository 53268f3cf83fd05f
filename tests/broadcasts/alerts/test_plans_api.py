"""Plans, for programs: what is written by one is signed by others, and what lies elsewhere does not exist."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from apilab import NOWHERE, Program, fields_of, problem_of, program
from builders import BRIDGE, COUNTY, HILL, NORTH, SOUTH
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from broadcasts.alerts.plans.models import Plan, PlanVersion
from hub.core.runtime import Runtime

Programs = Callable[[str], Program]
PLAN: dict[str, Any] = {"region": NORTH, "hazard": "landslide", "colour": "red"}


@pytest.fixture
def as_(app: OpenAPI, runtime: Runtime) -> Programs:
    return lambda login: program(app, runtime, login)


def test_what_is_left_out_is_said_in_the_hubs_own_words_and_stays_when_another_text_is_changed(as_: Programs) -> None:
    made = as_("clerk").made("/plans", PLAN | {"speech": "紧急通知！{place}后山要滑坡！"})
    assert (made["state"], made["version"], made["regions"], made["signed_by"]) == ("draft", 1, [NORTH], [])
    assert "{place}" in made["correction_sms"]
    changed = as_("clerk").put(f"/plans/{made['id']}", {"sms": "紧急：{place}后山要滑坡。", "regions": [BRIDGE]}).json
    assert changed is not None
    assert (changed["speech"], changed["sms"], changed["regions"]) == (
        made["speech"],
        "紧急：{place}后山要滑坡。",
        [BRIDGE],
    )
    assert (changed["version"], changed["clear_speech"]) == (1, made["clear_speech"])


def test_only_what_was_read_is_signed_and_never_by_its_author(as_: Programs, runtime: Runtime) -> None:
    clerk, approver = as_("clerk"), as_("approver")
    plan = clerk.made("/plans", PLAN)
    problem_of(approver.post(f"/plans/{plan['id']}/sign", {"content_hash": "0" * 64}), 409, "plan_not_waiting")
    handed = clerk.made(f"/plans/{plan['id']}/submit")
    problem_of(approver.post(f"/plans/{plan['id']}/sign", {"content_hash": "0" * 64}), 409, "plan_changed_meanwhile")
    problem_of(clerk.post(f"/plans/{plan['id']}/sign", {"content_hash": handed["content_hash"]}), 403, "not_allowed")
    signed = approver.made(f"/plans/{plan['id']}/sign", {"content_hash": handed["content_hash"]})
    assert (signed["state"], signed["signed_by"], signed["in_force_since"]) == ("waiting", ["北镇副镇长"], None)
    problem_of(
        approver.post(f"/plans/{plan['id']}/sign", {"content_hash": handed["content_hash"]}), 403, "plan_signed_already"
    )
    with runtime.sessions.begin() as session:  # somebody changes a word behind the hub's back
        session.scalars(select(PlanVersion).where(PlanVersion.plan_id == UUID(plan["id"]))).one().speech += "。"
    problem_of(
        approver.post(f"/plans/{plan['id']}/sign", {"content_hash": handed["content_hash"]}),
        409,
        "plan_changed_meanwhile",
    )


def test_every_text_that_cannot_go_out_is_named(as_: Programs) -> None:
    clerk = as_("clerk")
    plan = clerk.made("/plans", PLAN | {"sms": "滑坡预警！马上走。", "clear_sms": " "})
    wrong = fields_of(clerk.post(f"/plans/{plan['id']}/submit"))
    assert wrong == {"sms": "warning_needs_issuer", "clear_sms": "plan_text_missing"}
    outside = fields_of(clerk.post("/plans", PLAN | {"region": HILL, "regions": [BRIDGE]}))
    assert outside == {"regions": "plan_area_outside"}
    assert fields_of(clerk.post("/plans", PLAN | {"hazard": "dragon"})) == {"hazard": "hazard_unknown"}


def test_a_list_has_pages_and_leaves_out_what_is_elsewhere(as_: Programs, runtime: Runtime) -> None:
    with runtime.sessions.read() as session:
        inside = session.scalars(select(Plan).where(Plan.region_code == COUNTY)).first()
        assert inside is not None
        key, hazard, colour = inside.id, inside.hazard, inside.colour
    own = as_("clerk").made("/plans", PLAN)
    assert [one["id"] for one in as_("viewer").get("/plans").json["items"]] == [own["id"]]  # type: ignore[index]
    found, next_ = [], ""
    for _ in range(3):
        page = as_("county").get(f"/plans?region={COUNTY}&state=approved&limit=20&cursor={next_}").json
        assert page is not None
        found += [one["id"] for one in page["items"]]
        next_ = page["next"] or ""
        if not next_:
            break
    assert len(found) == len(set(found)) == 32
    problem_of(as_("clerk").get(f"/plans/{key}"), 404, "plan_unknown")
    problem_of(as_("clerk").get(f"/plans/{NOWHERE}"), 404, "plan_unknown")
    problem_of(
        as_("clerk").post("/plans", PLAN | {"region": COUNTY, "hazard": hazard, "colour": colour}),
        403,
        "not_allowed",
    )
    for path in ("submit", "drop-changes"):
        problem_of(as_("stranger").post(f"/plans/{own['id']}/{path}"), 404, "plan_unknown")
    assert as_("stranger").get(f"/plans?region={SOUTH}").json == {"items": [], "next": None}
