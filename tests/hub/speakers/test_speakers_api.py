"""Loudspeakers, for programs."""

import tomllib

import builders
import pytest
from apilab import Program, audit_count, fields_of, problem_of, program
from carelab import plugged
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import SetVolume, ToDevice
from hub.speakers.station import Station

NEW = {"speaker_id": "new-1", "name": "晒坝", "region_code": builders.BRIDGE}


@pytest.fixture
def clerk(app: OpenAPI, runtime: Runtime) -> Program:
    return program(app, runtime, "clerk")


def speaker(runtime: Runtime, speaker_id: str) -> Speaker:
    with runtime.sessions.read() as session:
        return session.get_one(Speaker, speaker_id)


def known_to_broker(runtime: Runtime) -> str:
    folder = runtime.get(Station).folder
    return "".join(path.read_text("utf-8") for path in folder.iterdir() if path.is_file())


def test_one_sees_ones_own_loudspeakers(clerk: Program) -> None:
    found = clerk.get("/speakers").json
    assert found is not None
    assert [one["id"] for one in found["items"]] == ["s1001-1", "s1001-2", "s1002-1", "s1002-2"]
    assert (found["total"], found["online"], found["next"]) == (4, 4, None)


def test_pages_join_without_gap_or_repetition(clerk: Program, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1002-2").online = False
        session.get_one(Speaker, "s1002-1").fault = "amplifier"
    seen, cursor = [], ""
    while True:
        page = clerk.get(f"/speakers?limit=1&cursor={cursor}").json
        assert page is not None
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["s1002-2", "s1002-1", "s1001-1", "s1001-2"], "those that need somebody come first"


def test_the_list_can_be_narrowed(clerk: Program, runtime: Runtime) -> None:
    def ids(query: str) -> list[str]:
        return [one["id"] for one in clerk.get(f"/speakers?{query}").json["items"]]  # type: ignore[index]

    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1001-2").online = False
    assert ids(f"region={builders.HILL}") == ["s1002-1", "s1002-2"]
    assert ids("offline=true") == ["s1001-2"]
    assert ids("q=1002-1") == ["s1002-1"]
    assert ids("q=100%25") == []


def test_a_loudspeaker_elsewhere_does_not_exist(clerk: Program) -> None:
    problem_of(clerk.get("/speakers/s2001-1"), 404, "speaker_unknown")
    problem_of(clerk.get("/speakers/no-such"), 404, "speaker_unknown")
    problem_of(clerk.get(f"/speakers?region={builders.SOUTH}"), 404, "region_unknown")


def test_a_new_loudspeaker_comes_with_everything_it_must_be_given(clerk: Program, runtime: Runtime) -> None:
    answer = clerk.post("/speakers", NEW | {"broker_host": "hub.example"})
    assert answer.status_code == 201
    found = answer.json
    assert found is not None
    assert found["speaker"]["region"] == builders.BRIDGE
    device = tomllib.loads(found["device_file"])
    assert (device["id"], device["secret"], device["broker_host"]) == ("new-1", found["secret"], "hub.example")
    assert "new-1" in known_to_broker(runtime)
    assert clerk.get("/speakers/new-1").json["name"] == "晒坝"  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"speaker_id": "S 1"}, "speaker_id", "speaker_id_malformed"),
        ({"speaker_id": "s1001-1"}, "speaker_id", "speaker_exists"),
        ({"speaker_id": "hub"}, "speaker_id", "speaker_id_malformed"),
        ({"speaker_id": "x" * 33}, "speaker_id", "field_too_long"),
        ({"name": " "}, "name", "name_missing"),
        ({"region_code": builders.NORTH}, "region_code", "speaker_needs_village"),
        ({"broker_host": "a b"}, "broker_host", "broker_host_malformed"),
        ({"volume": 3}, "volume", "field_unknown"),
    ],
)
def test_a_loudspeaker_that_cannot_be_is_refused(
    clerk: Program, runtime: Runtime, given: dict[str, object], field: str, code: str
) -> None:
    assert fields_of(clerk.post("/speakers", NEW | given)) == {field: code}
    assert clerk.get("/speakers").json["total"] == 4  # type: ignore[index]


def test_strangers_and_those_without_the_right_change_nothing(app: OpenAPI, runtime: Runtime) -> None:
    stranger, viewer = program(app, runtime, "stranger"), program(app, runtime, "viewer")
    with runtime.sessions.read() as session:
        before = audit_count(session)
    problem_of(stranger.post("/speakers", NEW), 404, "region_unknown")
    problem_of(stranger.put("/speakers/s1001-1/volume", {"volume": 1}), 404, "speaker_unknown")
    problem_of(stranger.post("/speakers/s1001-1/retire"), 404, "speaker_unknown")
    problem_of(viewer.post("/speakers", NEW), 403, "not_allowed")
    problem_of(viewer.put("/speakers/s1001-1/volume", {"volume": 1}), 403, "not_allowed")
    problem_of(viewer.post("/speakers/s1001-1/retire"), 403, "not_allowed")
    with runtime.sessions.read() as session:
        assert audit_count(session) == before
    assert speaker(runtime, "s1001-1").volume == 80
    assert speaker(runtime, "s1001-1").state is SpeakerState.ACTIVE


def test_with_the_broker_away_the_volume_stays_as_it_is(clerk: Program, runtime: Runtime) -> None:
    problem_of(clerk.put("/speakers/s1001-1/volume", {"volume": 30}), 503, "broker_away")
    assert speaker(runtime, "s1001-1").volume == 80


def test_the_volume_is_told_to_the_device_and_kept(clerk: Program, runtime: Runtime) -> None:
    station = plugged(runtime)
    assert clerk.put("/speakers/s1001-1/volume", {"volume": 30}).json["volume"] == 30  # type: ignore[index]
    [command] = station.commands()
    assert isinstance(command, SetVolume)
    assert (command.to, command.level) == (ToDevice(device="s1001-1"), 30)
    assert speaker(runtime, "s1001-1").volume == 30


@pytest.mark.parametrize("volume", [-1, 101, "50", 50.0, None, True])
def test_a_volume_is_a_number_from_0_to_100(clerk: Program, runtime: Runtime, volume: object) -> None:
    assert set(fields_of(clerk.put("/speakers/s1001-1/volume", {"volume": volume}))) == {"volume"}
    assert speaker(runtime, "s1001-1").volume == 80


def test_a_retired_loudspeaker_is_gone_from_list_and_broker(clerk: Program, runtime: Runtime) -> None:
    assert clerk.post("/speakers/s1001-1/retire").json["state"] == "retired"  # type: ignore[index]
    assert clerk.get("/speakers").json["total"] == 3  # type: ignore[index]
    assert "s1001-1" not in known_to_broker(runtime)
    assert "s1001-2" in known_to_broker(runtime)
    problem_of(clerk.post("/speakers/s1001-1/retire"), 409, "speaker_retired_already")
