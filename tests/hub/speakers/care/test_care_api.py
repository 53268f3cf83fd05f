"""Looking after loudspeakers, for programs."""

import base64
import json
from datetime import timedelta
from typing import Any

import builders
import pytest
from apilab import NOWHERE, Program, audit_count, fields_of, problem_of, program
from builders import BRIDGE, HILL, SOUTH
from carelab import Recorder, an_alarm, change, fault, plugged, receipt, watch
from conftest import NOON, SetClock
from flask_openapi3.openapi import OpenAPI

from hub.commands.care import lines
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.speakers.care import patrol
from hub.speakers.care.digest import digest
from hub.speakers.protocol import Reached

ONE, TWO = "s1001-1", "s1001-2"
PLACE = {"name": "老槐树", "place": "杆上", "lat": 26.5, "lon": 103.25, "keeper": "王建国", "households": 86,
         "installed_on": "2025-03-12"}  # fmt: skip


@pytest.fixture
def station(runtime: Runtime, app: OpenAPI) -> Recorder:
    return plugged(runtime)


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime, station: Recorder) -> Program:
    return program(app, runtime, "clerk")


def test_one_says_how_it_is_and_where_it_hangs(clerk: Program, runtime: Runtime) -> None:
    change(runtime, ONE, amp="fault", mains=False, battery=40, faults=["mains_lost"], settings_version=5)
    assert clerk.put(f"/speakers/{ONE}/place", PLACE).status_code == 200
    found = clerk.get(f"/speakers/{ONE}").json
    assert found is not None
    assert found["health"] == {
        "amplifier": "fault",
        "mains": False,
        "battery": 40,
        "temperature": None,
        "signal_dbm": None,
        "free_bytes": None,
        "clock_offset_ms": None,
        "pack_count": None,
        "bad_messages": 0,
        "faults": ["mains_lost"],
        "settings_taken": False,
    }
    assert (found["name"], found["place"]["lat"], found["place"]["installed_on"]) == ("老槐树", 26.5, "2025-03-12")
    assert fields_of(clerk.put(f"/speakers/{ONE}/place", {"name": "x", "lat": 1.0})) == {"lon": "position_half"}


def test_settings_are_kept_and_published(clerk: Program, station: Recorder) -> None:
    body = {"volumes": [{"start": 1080, "end": 1200, "cap": 50}], "lead_in_ms": 800}
    found = clerk.put(f"/speakers/{ONE}/sound", body).json
    assert found is not None
    assert (found["volumes"], found["lead_in_ms"]) == (body["volumes"], 800)
    assert [command.settings.lead_in_ms for command in station.commands()] == [800]
    same = {"volumes": [{"start": 60, "end": 60, "cap": 50}]}
    assert fields_of(clerk.put(f"/speakers/{ONE}/sound", same)) == {"volumes.0.start": "volume_time_wrong"}


def test_a_test_is_sent_and_its_answer_can_be_asked_for(clerk: Program, runtime: Runtime) -> None:
    answer = clerk.post(f"/speakers/{ONE}/test", {"sound": False})
    assert answer.status_code == 202
    sent = answer.json
    assert sent is not None
    assert (sent["deed"], sent["state"]) == ("test", "")
    watch(runtime).receipts([receipt(ONE, sent["id"], Reached.FAILED, reason="self_test", report={"amp": "fault"})])
    [command] = clerk.get(f"/speakers/{ONE}/commands").json["items"]  # type: ignore[index]
    assert (command["id"], command["state"], command["reason"]) == (sent["id"], "failed", "self_test")
    [test] = clerk.get(f"/speaker-tests?region={BRIDGE}&limit=1").json["items"]  # type: ignore[index]
    assert (test["speaker_id"], test["result"], test["report"]["amp"]) == (ONE, "failed", "fault")
    kinds = [(e["kind"], e["code"]) for e in clerk.get(f"/speakers/{ONE}/events").json["items"]]  # type: ignore[index]
    assert kinds == [("test", "failed"), ("deed", "test")]


def test_no_tone_in_quiet_hours_and_nothing_without_a_broker(
    clerk: Program, clock: SetClock, station: Recorder
) -> None:
    clock.now = NOON + timedelta(hours=13)
    problem_of(clerk.post(f"/speakers/{ONE}/test", {"sound": True}), 409, "test_in_quiet_hours")
    station.away = True
    problem_of(clerk.post(f"/speakers/{ONE}/restart"), 503, "broker_away")
    assert clerk.get(f"/speakers/{ONE}/commands").json == {"items": [], "next": None}


def test_alarms_are_listed_acknowledged_and_put_off(clerk: Program, runtime: Runtime) -> None:
    watch(runtime).faults([fault(ONE, "mains_lost"), fault(TWO, "battery_low")])
    found = clerk.get("/speaker-alarms").json
    assert found is not None
    assert {(a["speaker_id"], a["code"], a["region"]) for a in found["items"]} == {
        (ONE, "mains_lost", BRIDGE),
        (TWO, "battery_low", BRIDGE),
    }
    first, second = ([a["ids"][0]] for a in found["items"])
    assert clerk.made("/speaker-alarms/acknowledge", {"ids": first}) == {"count": 1}
    assert clerk.made("/speaker-alarms/snooze", {"ids": second, "days": 7}) == {"count": 1}
    assert clerk.get("/speaker-alarms").json == {"items": []}
    assert len(clerk.get("/speaker-alarms?handled=true").json["items"]) == 2  # type: ignore[index]
    assert clerk.get(f"/speaker-alarms?region={HILL}&handled=true").json == {"items": []}
    assert set(fields_of(clerk.post("/speaker-alarms/snooze", {"ids": second, "days": 2}))) == {"days"}
    problem_of(clerk.post("/speaker-alarms/acknowledge", {"ids": [NOWHERE]}), 404, "alarm_unknown")


def test_a_repair_from_report_to_outcome(clerk: Program) -> None:
    made = clerk.made(f"/speakers/{ONE}/repairs", {"what": "声音发破"})
    problem_of(clerk.post(f"/speakers/{ONE}/repairs", {"what": "x"}), 409, "repair_open_already")
    assert clerk.made(f"/speaker-repairs/{made['id']}/take")["taken_by"] == "北镇广播员"
    done = clerk.made(f"/speaker-repairs/{made['id']}/done", {"outcome": "换了功放"})
    assert (done["outcome"], done["done_at"] is not None) == ("换了功放", True)
    assert clerk.get("/speaker-repairs").json == {"items": [], "next": None}
    [listed] = clerk.get("/speaker-repairs?done=true").json["items"]  # type: ignore[index]
    assert listed == clerk.get(f"/speaker-repairs/{made['id']}").json
    problem_of(clerk.get(f"/speaker-repairs/{NOWHERE}"), 404, "repair_unknown")


def paged(clerk: Program, address: str) -> list[dict[str, Any]]:
    """Read a list one by one, to its end."""
    found, cursor = [], ""
    while cursor is not None:
        page = clerk.get(f"{address}{'&' if '?' in address else '?'}limit=1&cursor={cursor}").json
        assert page is not None
        found += page["items"]
        cursor = page["next"]
        assert len(found) < 20
    return found


def test_long_lists_join_without_gap_or_repetition(clerk: Program) -> None:
    for speaker in (ONE, TWO, "s1002-1"):
        done = clerk.made(f"/speakers/{speaker}/repairs", {"what": "没有声音"})
        clerk.made(f"/speaker-repairs/{done['id']}/done", {"outcome": "换了线"})
        clerk.made(f"/speakers/{speaker}/repairs", {"what": "又没有声音"})
        assert clerk.post(f"/speakers/{ONE}/restart").status_code == 202
    clerk.post("/speaker-tests", {"speaker_ids": [TWO, "s1002-2"]})
    for address, count in (
        ("/speaker-repairs", 3),
        ("/speaker-repairs?done=true", 3),
        (f"/speakers/{ONE}/commands", 3),
        (f"/speakers/{ONE}/events", 6),
        ("/speaker-tests", 4),
    ):
        whole = clerk.get(address).json
        assert whole is not None
        assert paged(clerk, address) == whole["items"], "all of them at the same moment, so the id decides"
        assert (len(whole["items"]), whole["next"]) == (count, None), address


@pytest.mark.parametrize(
    "place", [["passed", "\x00"], ["won", ONE], ["0001-01-01T00:00:00+14:00", NOWHERE], [1, 2], {}]
)
def test_a_cursor_that_is_none_of_ours_is_refused(clerk: Program, place: Any) -> None:
    word = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    for address in ("/speaker-repairs", "/speaker-tests", f"/speakers/{ONE}/events", f"/speakers/{ONE}/commands"):
        assert fields_of(clerk.get(f"{address}?cursor={word}")) == {"cursor": "cursor_malformed"}


def test_a_report_that_is_sent_twice_is_one(clerk: Program) -> None:
    one = clerk.post(f"/speakers/{ONE}/repairs", {"what": "坏了"}, key="k1").json
    assert clerk.post(f"/speakers/{ONE}/repairs", {"what": "坏了"}, key="k1").json == one
    assert len(clerk.get("/speaker-repairs").json["items"]) == 1  # type: ignore[index]


def test_a_region_can_be_tested_now(clerk: Program) -> None:
    assert clerk.post("/speaker-tests", {"region_code": HILL}).json == {"count": 2}
    assert clerk.post("/speaker-tests", {"speaker_ids": [ONE]}).json == {"count": 1}
    results = {t["speaker_id"]: t["result"] for t in clerk.get("/speaker-tests").json["items"]}  # type: ignore[index]
    assert results == {ONE: "waiting", "s1002-1": "waiting", "s1002-2": "waiting", TWO: "never"}
    assert fields_of(clerk.post("/speaker-tests", {})) == {"region_code": "region_missing"}


def test_the_summary_is_the_same_for_programs_and_the_terminal(
    clerk: Program, runtime: Runtime, clock: SetClock
) -> None:
    change(runtime, ONE, online=False, online_since=NOON - timedelta(hours=30))
    with runtime.sessions.begin() as session:
        an_alarm(session, TWO, "mains_lost", NOON)
        patrol.want_all(session, NOON, now=NOON)
    clock.now += timedelta(hours=2)
    clerk.made(f"/speakers/{ONE}/repairs", {"what": "坏了"})
    found = clerk.get("/speaker-digest").json
    assert found is not None
    assert found["day"] == "2026-11-23"
    [north] = found["townships"]
    assert north == {
        "region": builders.NORTH,
        "total": 4,
        "online": 3,
        "silent": [ONE],
        "faulty": 1,
        "repairs": 1,
        "tested": 4,
        "failed": 0,
        "unanswered": 4,
        "drops": 0,
    }
    with runtime.sessions.read() as session:
        told = lines(digest(session, SYSTEM, now=clock.now, zone=runtime.zone, at="08:00"))
    assert told[0] == "北镇: 3 of 4 online, 1 faulty, 1 in repair, self-test 0 of 4 passed"
    assert told[1] == f"  silent  {ONE}  村口  32 h  in repair"
    assert f"  fault   {TWO}  村口  mains_lost" in told
    assert told[-3] == "南镇: 2 of 2 online, 0 faulty, 0 in repair, self-test 0 of 2 passed"


def test_strangers_and_onlookers_change_nothing(
    app: OpenAPI, runtime: Runtime, clerk: Program, station: Recorder
) -> None:
    watch(runtime).faults([fault(ONE, "mains_lost")])
    [alarm] = clerk.get("/speaker-alarms").json["items"]  # type: ignore[index]
    repair = clerk.made(f"/speakers/{TWO}/repairs", {"what": "坏了"})
    stranger, viewer = program(app, runtime, "stranger"), program(app, runtime, "viewer")
    assert stranger.get("/speaker-alarms").json == {"items": []}
    assert stranger.get("/speaker-repairs").json == {"items": [], "next": None}
    assert [t["region"] for t in stranger.get("/speaker-digest").json["townships"]] == [SOUTH]  # type: ignore[index]
    with runtime.sessions.read() as session:
        before = audit_count(session)
    for who, status in ((stranger, 404), (viewer, 403)):
        for answer in (
            who.post(f"/speakers/{ONE}/test", {}),
            who.post(f"/speakers/{ONE}/restart"),
            who.post(f"/speakers/{ONE}/repairs", {"what": "x"}),
            who.put(f"/speakers/{ONE}/place", PLACE),
            who.put(f"/speakers/{ONE}/sound", {}),
            who.post("/speaker-alarms/acknowledge", {"ids": alarm["ids"]}),
            who.post("/speaker-alarms/snooze", {"ids": alarm["ids"], "days": 1}),
            who.post(f"/speaker-repairs/{repair['id']}/take"),
            who.post(f"/speaker-repairs/{repair['id']}/done", {"outcome": "x"}),
            who.post("/speaker-tests", {"region_code": BRIDGE}),
        ):
            assert answer.status_code == status, answer.text
    problem_of(stranger.get(f"/speakers/{ONE}/events"), 404, "speaker_unknown")
    problem_of(stranger.get(f"/speakers/{ONE}/commands"), 404, "speaker_unknown")
    problem_of(stranger.get(f"/speaker-repairs/{repair['id']}"), 404, "repair_unknown")
    with runtime.sessions.read() as session:
        assert audit_count(session) == before
    assert station.sent == []
