"""Emergencies and drills on real loudspeakers at a real broker, while voice and text messages hang."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import builders
import pytest
from builders import BRIDGE, NORTH
from livehub import HORN, SECRET, LiveHub, Person, a_horn, live_hub, until
from speakerlab import a_play as a_command
from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.kinds import Act
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.states import MessageState
from hub.core.actor import SYSTEM
from hub.core.clock import utc_now
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers import registry
from hub.speakers.device.client import ReferenceSpeaker
from hub.speakers.models import Speaker
from hub.speakers.protocol import Audio, Priority, ToDevice, ToRegion, seal_command
from hub.speakers.station import Station
from hub.speakers.topics import Kind, device_topic, region_command

pytestmark = pytest.mark.slow
DRILL, AWAY = "horn-drill", "horn-away"
QUIET_S = 1.5
FORM = {"hazard": "flash_flood", "colour": "red", "area": NORTH, "sms": "1"}


@dataclass
class Ground:
    """A hub whose voice and whose provider of text messages never answer, and loudspeakers of both kinds."""

    hub: LiveHub
    drill: ReferenceSpeaker
    folder: Path
    away_number: int

    def sounded(self, name: str) -> int:
        """How many recordings a loudspeaker has begun to sound."""
        if name == HORN:
            return len(self.hub.sounded())
        return len(list((self.folder / name / "sounded").glob("*.wav")))

    def latest(self) -> Alert:
        with self.hub.runtime.sessions.read() as session:
            return session.scalars(select(Alert).order_by(Alert.armed_at.desc())).all()[0]


@pytest.fixture(scope="module")
def black_hole() -> Iterator[socket.socket]:
    """An address that takes connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        yield listener


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None, black_hole: socket.socket
) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("alarm")
    numbers: dict[str, int] = {}

    def prepare(session: Session) -> None:
        builders.signed_plans(session)
        for speaker in session.scalars(select(Speaker).where(Speaker.id != HORN)):
            registry.retire(session, SYSTEM, speaker.id, now=utc_now())
        for name in (DRILL, AWAY):
            enrolled = registry.enrol(
                session, SYSTEM, speaker_id=name, name=name, region_code=BRIDGE, now=utc_now(), secret=SECRET
            )
            enrolled.speaker.drill = name == DRILL
            numbers[name] = enrolled.speaker.number

    nobody = f"http://127.0.0.1:{black_hole.getsockname()[1]}"
    more: dict[str, dict[str, object]] = {
        "speech": {"engines": ("cloud",), "cloud_url": f"{nobody}/cognitiveservices/v1", "cloud_key": "none"},
        "sms": {"gateways": ("sms_http",)},
        "sms_http": {"url": f"{nobody}/send"},
        "broadcast": {"quiet_hours": (), "countdown_seconds": 1},
    }
    with live_hub(folder, more=more, prepare=prepare) as hub:
        runtime = hub.runtime
        with runtime.sessions.begin() as session:
            given = ResidentInput("村民", BRIDGE, ("13800001111",))
            residents.add_resident(session, SYSTEM, given, safe=runtime.get(PhoneSafe), now=utc_now())
        with a_horn(runtime.get(Station), folder / DRILL, DRILL, numbers[DRILL], BRIDGE) as drill:
            until(lambda: _knows_its_kind(hub), what="the drill loudspeaker's settings")
            yield Ground(hub, drill, folder, numbers[AWAY])
            black_hole.close()  # whoever still waits for an answer need not any more


def _knows_its_kind(hub: LiveHub) -> bool:
    with hub.runtime.sessions.read() as session:
        speaker = session.get_one(Speaker, DRILL)
        return bool(speaker.settings_version) and speaker.settings_taken == speaker.settings_version


def pressed(duty: Person, room: str, speakers: int) -> float:
    """Confirm it; return when it was pressed."""
    at = time.monotonic()
    form = FORM | {"form_key": str(uuid4()), "speakers": str(speakers)}
    answer = duty.post(f"/{room}", data=form)
    assert answer.status_code == 200, answer.text
    assert f"/{room}/" in answer.url
    return at


def a_play(ground: Ground, to: ToDevice | ToRegion, mode: str, audio: Audio) -> bytes:
    """A command with the hub's own signature."""
    now = round(utc_now().timestamp() * 1000)
    command = a_command(
        id=str(uuid7()),
        iat=now,
        exp=now + 60_000,
        seq=now,
        to=to,
        mode=mode,
        pri=Priority.EMERGENCY,
        severity="red",
        by="值班员",
        audio=audio,
    )
    return seal_command(command, ground.hub.runtime.get(Station).key)


def test_a_drill_sounds_on_drill_loudspeakers_and_whatever_is_sent_on_no_other(ground: Ground) -> None:
    duty = ground.hub.person("duty")
    pressed(duty, "drill", 1)
    until(lambda: ground.sounded(DRILL) == 1, what="the drill")
    drill = ground.latest()
    duty.post(f"/drill/{drill.id}/take-back")
    until(lambda: ground.sounded(DRILL) == 2, what="the correction of the drill")
    assert ground.sounded(HORN) == 0

    # Commands no page gives, with the right signature: a drill to whoever serves people, something live to a drill one.
    station = ground.hub.runtime.get(Station)
    sha256 = drill.audio_sha256
    audio = Audio(
        sha256=sha256,
        url=f"{ground.hub.address}/a/{sha256}.mp3",
        size=drill.audio_bytes,
        duration_ms=drill.audio_ms,
        codec="mp3",
    )
    duty.post(f"/drill/{ground.latest().id}/stop")
    until(lambda: ground.drill.body.sounding is None, what="the end of the drill")
    before = ground.sounded(DRILL)
    topic = device_topic(HORN, Kind.COMMAND)
    station.publish(topic, a_play(ground, ToDevice(device=HORN), "drill", audio))
    region = ToRegion(region=BRIDGE, upto=ground.away_number + 100)
    station.publish(region_command(BRIDGE), a_play(ground, region, "drill", audio))
    station.publish(device_topic(DRILL, Kind.COMMAND), a_play(ground, ToDevice(device=DRILL), "live", audio))
    until(lambda: ground.sounded(DRILL) == before + 1, what="the drill that was sent to the whole village")
    time.sleep(QUIET_S)
    assert (ground.sounded(HORN), ground.sounded(DRILL)) == (0, before + 1)
    with ground.hub.runtime.sessions.read() as session:
        assert session.scalars(select(SmsMessage)).all() == []


def test_hanging_voice_and_provider_hold_nothing_back_and_a_correction_reaches_only_who_heard(ground: Ground) -> None:
    duty = ground.hub.person("duty")
    before = ground.sounded(DRILL)
    begin = pressed(duty, "emergency", 2)
    until(lambda: ground.sounded(HORN) == 1, what="the alarm")
    took = time.monotonic() - begin
    assert took < 9.5, f"{took:.1f} s with a countdown of one second; the provider alone is waited for ten"
    alert = ground.latest()
    assert alert.state is AlertState.FIRED
    assert alert.engine not in ("", "cloud"), "another voice than the one that never answers"
    with ground.hub.runtime.sessions.read() as session:
        assert MessageState.DELIVERED not in set(session.scalars(select(SmsMessage.state)))

    begin = time.monotonic()
    duty.post(f"/emergency/{alert.id}/take-back")
    until(lambda: ground.sounded(HORN) == 2, what="the correction")
    assert time.monotonic() - begin < 9.5
    assert ground.latest().act is Act.CORRECTION
    # It was away all the time: it has heard nothing, and there is nothing to correct.
    station = ground.hub.runtime.get(Station)
    with a_horn(station, ground.folder / AWAY, AWAY, ground.away_number, BRIDGE):
        until(lambda: _online(ground, AWAY), what="the loudspeaker that was away")
        time.sleep(2 * QUIET_S)
        assert ground.sounded(AWAY) == 0
    assert ground.sounded(HORN) == 2
    assert ground.sounded(DRILL) == before, "nothing live on a drill loudspeaker"


def _online(ground: Ground, name: str) -> bool:
    with ground.hub.runtime.sessions.read() as session:
        return session.get_one(Speaker, name).online
