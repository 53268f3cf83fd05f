"""The timetable, for programs."""

from datetime import timedelta

import builders
import pytest
from apilab import Program, fields_of, program
from conftest import SetClock
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime


def ms(clock: SetClock, **later: float) -> int:
    return round((clock.now + timedelta(**later)).timestamp() * 1000)


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime, clock: SetClock) -> Program:
    clerk, approver = program(app, runtime, "clerk"), program(app, runtime, "approver")
    for hours in (1, 1, 30):
        wish = {"title": f"{hours}", "text": "开会。", "regions": [builders.NORTH], "when": "once"}
        made = clerk.made("/announcements", wish | {"at": ms(clock, hours=hours)})
        handed = clerk.made(f"/announcements/{made['id']}/submit")
        approver.made(f"/announcements/{made['id']}/approve", {"content_hash": handed["content_hash"]})
    return clerk


def test_one_sees_what_comes_page_by_page(clerk: Program, clock: SetClock) -> None:
    first = clerk.get("/timetable?limit=1").json
    assert first is not None
    second = clerk.get(f"/timetable?limit=1&cursor={first['next']}").json
    assert second is not None
    lines = first["items"] + second["items"]
    assert [line["due_at"] for line in lines] == [ms(clock, hours=1)] * 2
    assert len({line["announcement_id"] for line in lines}) == 2
    assert second["next"] is None, "a day ahead, unless more is asked for"
    assert (lines[0]["state"], lines[0]["rhythm"], lines[0]["broadcast_id"]) == ("planned", "once", None)


def test_the_time_can_be_chosen(clerk: Program, clock: SetClock) -> None:
    found = clerk.get(f"/timetable?since={ms(clock, hours=2)}&until={ms(clock, hours=48)}").json
    assert [line["title"] for line in found["items"]] == ["30"]  # type: ignore[index]


def test_a_stranger_sees_nothing_of_it(clerk: Program, app: OpenAPI, runtime: Runtime) -> None:
    assert program(app, runtime, "stranger").get("/timetable").json == {"items": [], "next": None}


def test_a_span_that_makes_no_sense_is_refused(clerk: Program, clock: SetClock) -> None:
    now = ms(clock)
    assert fields_of(clerk.get(f"/timetable?since={now}&until={now}")) == {"until": "timetable_span"}
    assert fields_of(clerk.get(f"/timetable?since={now}&until={ms(clock, days=32)}")) == {"until": "timetable_span"}
    assert fields_of(clerk.get("/timetable?since=yesterday")) == {"since": "type_wrong"}
    assert fields_of(clerk.get("/timetable?since=99999999999999")) == {"since": "number_too_large"}
