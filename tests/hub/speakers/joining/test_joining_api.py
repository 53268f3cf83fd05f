"""Joining, moving and replacing, for programs."""

import pytest
from apilab import Program, audit_count, fields_of, problem_of, program
from builders import BRIDGE, FERRY, HILL
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select

from hub.core.runtime import Runtime
from hub.core.typed import new_code, read_code, shown
from hub.speakers.joining import desk
from hub.speakers.joining.claims import Device
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.papers import open_papers
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.station import Station


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "clerk")


@pytest.fixture
def waiting(app: OpenAPI, runtime: Runtime) -> str:
    code = new_code()
    desk.announce(runtime, Device(claim_id(code), "SN-7", "horn-2", "1.0"), "10.0.0.1")
    return code


def known_to_broker(runtime: Runtime, name: str) -> bool:
    return f"user {name}\n" in (runtime.get(Station).folder / "acl").read_text("utf-8")


def test_a_program_lets_a_waiting_device_in(clerk: Program, waiting: str, runtime: Runtime) -> None:
    sent = {"code": shown(waiting), "name": "晒坝", "region_code": BRIDGE}
    answer = clerk.post("/joining/claims", sent, key="once")
    assert answer.status_code == 201
    made = answer.json
    assert made is not None
    assert (made["name"], made["region"], made["state"]) == ("晒坝", BRIDGE, "expected")
    assert clerk.post("/joining/claims", sent, key="once").json == made, "a repetition answers the same"
    assert known_to_broker(runtime, made["speaker_id"])
    listed = clerk.get("/joining").json
    assert listed is not None
    assert [each["speaker_id"] for each in listed["expected"]] == [made["speaker_id"]]
    assert (listed["waiting"], listed["devices"]) == (0, None)


def test_the_county_sees_who_waits(app: OpenAPI, runtime: Runtime, waiting: str) -> None:
    listed = program(app, runtime, "county").get("/joining").json
    assert listed is not None
    assert [(each["claim"], each["serial"]) for each in listed["devices"]] == [(claim_id(waiting), "SN-7")]
    assert waiting not in str(listed)


def test_a_program_makes_codes_that_work(clerk: Program, runtime: Runtime) -> None:
    made = clerk.made("/joining/codes", {"name": "晒坝", "region_code": BRIDGE, "count": 2})
    assert [item["speaker"]["name"] for item in made["items"]] == ["晒坝1", "晒坝2"]
    for item in made["items"]:
        code = read_code(item["code"])
        assert code is not None
        reply = desk.announce(runtime, Device(claim_id(code)), "10.0.0.1")
        assert open_papers(code, reply.papers) is not None


def test_a_replacement_needs_neither_name_nor_village(clerk: Program, runtime: Runtime) -> None:
    made = clerk.made("/joining/codes", {"replaces": "s1001-1"})
    with runtime.sessions.read() as session:
        speaker = session.get_one(Speaker, made["items"][0]["speaker"]["speaker_id"])
    assert (speaker.name, speaker.replaces, speaker.region_code) == ("村口", "s1001-1", BRIDGE)
    problem_of(clerk.post("/joining/codes", {"replaces": "s1001-1"}), 409, "replacement_expected")


def test_what_is_wrong_is_named(clerk: Program, waiting: str) -> None:
    wrong = {"code": "0000-0000-0000-0000", "name": "晒坝", "region_code": BRIDGE}
    assert fields_of(clerk.post("/joining/claims", wrong)) == {"code": "claim_unknown"}
    assert clerk.post("/joining/claims", {**wrong, "code": shown(waiting), "region_code": FERRY}).status_code == 404
    assert fields_of(clerk.post("/joining/codes", {"name": "", "region_code": BRIDGE})) == {"name": "name_missing"}


def test_sending_one_away_answers_who_is_left(app: OpenAPI, runtime: Runtime, clerk: Program, waiting: str) -> None:
    made = clerk.made("/joining/codes", {"name": "晒坝", "region_code": BRIDGE})["items"][0]["speaker"]
    county = program(app, runtime, "county")
    left = county.made(f"/joining/{claim_id(waiting)}/dismiss")
    assert left == county.get("/joining").json
    assert (left["waiting"], left["devices"]) == (0, [])
    assert [each["speaker_id"] for each in left["expected"]] == [made["speaker_id"]]


def test_who_may_add_no_loudspeakers_is_told_of_none(app: OpenAPI, runtime: Runtime, waiting: str) -> None:
    problem_of(program(app, runtime, "viewer").get("/joining"), 403, "not_allowed")


def test_who_may_only_look_is_refused(app: OpenAPI, runtime: Runtime, waiting: str) -> None:
    viewer = program(app, runtime, "viewer")
    for path, body in (
        ("/joining/claims", {"code": waiting, "name": "x", "region_code": BRIDGE}),
        ("/joining/codes", {"name": "x", "region_code": BRIDGE}),
        ("/joining/codes", {"replaces": "s1001-1"}),
        ("/speakers/s1001-1/move", {"region_code": HILL}),
    ):
        problem_of(viewer.post(path, body), 403, "not_allowed")


def test_a_stranger_changes_nothing(app: OpenAPI, runtime: Runtime, waiting: str) -> None:
    stranger = program(app, runtime, "stranger")
    with runtime.sessions.read() as session:
        before = audit_count(session)
    for path, body in (
        ("/joining/claims", {"code": waiting, "name": "x", "region_code": BRIDGE}),
        ("/joining/claims", {"code": waiting, "replaces": "s1001-1"}),
        ("/joining/codes", {"name": "x", "region_code": BRIDGE}),
        (f"/joining/{claim_id(waiting)}/dismiss", None),
        ("/speakers/s1001-1/move", {"region_code": FERRY}),
    ):
        assert stranger.post(path, body).status_code == 404, path
    with runtime.sessions.read() as session:
        assert audit_count(session) == before
        assert session.scalars(select(Speaker).where(Speaker.state == SpeakerState.EXPECTED)).all() == []


def test_without_a_key_nothing_is_told(app: OpenAPI, runtime: Runtime) -> None:
    nobody = Program(app, app.test_client())
    problem_of(nobody.get("/joining"), 401, "key_missing")


def test_a_program_moves_a_loudspeaker(clerk: Program, runtime: Runtime) -> None:
    with runtime.sessions.read() as session:
        before = session.get_one(Speaker, "s1001-1").number
    moved = clerk.post("/speakers/s1001-1/move", {"region_code": HILL}).json
    assert moved is not None
    assert moved["region"] == HILL
    assert moved["number"] > before
    acl = (runtime.get(Station).folder / "acl").read_text("utf-8").split("user s1001-1\n")[1].split("user ")[0]
    assert f"region/{HILL}/" in acl
    assert f"region/{BRIDGE}/" not in acl
    assert fields_of(clerk.post("/speakers/s1001-1/move", {"region_code": HILL})) == {
        "region_code": "speaker_there_already"
    }


def test_a_code_can_be_taken_back(clerk: Program, runtime: Runtime) -> None:
    made = clerk.made("/joining/codes", {"name": "晒坝", "region_code": BRIDGE})["items"][0]
    code = read_code(made["code"])
    assert code is not None
    assert clerk.post(f"/joining/{claim_id(code)}/dismiss").status_code == 200
    assert not known_to_broker(runtime, made["speaker"]["speaker_id"])
    problem_of(clerk.post(f"/joining/{claim_id(code)}/dismiss"), 409, "claim_gone")
