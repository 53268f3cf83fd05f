"""Residents, for programs: with masked numbers."""

import builders
import pytest
from apilab import Program, fields_of, problem_of, program
from flask_openapi3.openapi import OpenAPI

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.residents import blocking, service
from hub.residents.models import BlockReason
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput

NUMBERS = ("13800001111", "13800002222", "13800003333")


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime) -> Program:
    safe = runtime.get(PhoneSafe)
    with runtime.sessions.begin() as session:
        for name, region, phone, tags in (
            ("张三", builders.BRIDGE, NUMBERS[0], ("独居老人",)),
            ("李四", builders.BRIDGE, NUMBERS[1], ()),
            ("王五", builders.FERRY, NUMBERS[2], ("独居老人",)),
        ):
            given = ResidentInput(name, region, (phone,), tags)
            found = service.add_resident(session, SYSTEM, given, safe=safe, now=runtime.now())
            if name == "李四":
                blocking.opt_out(session, SYSTEM, found.phones[0].id, BlockReason.OPTED_OUT, now=runtime.now())
    return program(app, runtime, "clerk")


def test_numbers_are_masked(clerk: Program) -> None:
    answer = clerk.get("/residents")
    assert [one["name"] for one in answer.json["items"]] == ["张三", "李四"]  # type: ignore[index]
    (phone,) = answer.json["items"][0]["phones"]  # type: ignore[index]
    assert (phone["kind"], phone["blocked"]) == ("mobile", None)
    assert answer.json["items"][1]["phones"][0]["blocked"] == "opted_out"  # type: ignore[index]
    assert "*" in phone["masked"]
    assert not any(number in answer.text or number[3:] in answer.text for number in NUMBERS)


def test_pages_join_and_the_cursor_holds_no_name(clerk: Program) -> None:
    first = clerk.get("/residents?limit=1").json
    assert first is not None
    second = clerk.get(f"/residents?limit=1&cursor={first['next']}").json
    assert second is not None
    assert [one["name"] for one in first["items"] + second["items"]] == ["张三", "李四"]
    assert second["next"] is None
    assert len(first["next"]) == len("WyIwMThmMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ")


def test_the_list_can_be_narrowed_by_tag_and_region(clerk: Program) -> None:
    assert [r["name"] for r in clerk.get("/residents?tag=独居老人").json["items"]] == ["张三"]  # type: ignore[index]
    assert clerk.get(f"/residents?region={builders.HILL}").json["items"] == []  # type: ignore[index]


def test_a_message_reaches_as_many_as_the_count_says(clerk: Program) -> None:
    assert clerk.get(f"/residents/count?region={builders.NORTH}").json == {
        "residents": 2,
        "mobiles": 2,
        "landlines": 0,
        "opted_out": 1,
        "wrong_numbers": 0,
        "away_unasked": 0,
        "away_refused": 0,
        "without_phone": 0,
        "routine": 1,
        "emergency": 2,
    }
    assert clerk.get(f"/residents/count?region={builders.NORTH}&tag=独居老人").json["mobiles"] == 1  # type: ignore[index]
    assert fields_of(clerk.get("/residents/count")) == {"region": "field_missing"}


def test_strangers_see_nobody(clerk: Program, app: OpenAPI, runtime: Runtime) -> None:
    stranger = program(app, runtime, "stranger")
    assert [one["name"] for one in stranger.get("/residents").json["items"]] == ["王五"]  # type: ignore[index]
    problem_of(stranger.get(f"/residents?region={builders.BRIDGE}"), 404, "region_unknown")
    problem_of(stranger.get(f"/residents/count?region={builders.BRIDGE}"), 404, "region_unknown")
    cursor = clerk.get("/residents?limit=1").json["next"]  # type: ignore[index]
    assert fields_of(stranger.get(f"/residents?cursor={cursor}")) == {"cursor": "cursor_malformed"}


@pytest.mark.parametrize("login", ["viewer", "duty"])
def test_whoever_may_not_see_residents_is_refused(app: OpenAPI, runtime: Runtime, login: str) -> None:
    problem_of(program(app, runtime, login).get("/residents"), 403, "not_allowed")
    problem_of(program(app, runtime, login).get(f"/residents/count?region={builders.NORTH}"), 403, "not_allowed")
