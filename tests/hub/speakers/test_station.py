"""The hub's radio room with a real broker: volumes arrive signed, and the hub never cuts its own line."""

import queue
import time
from collections.abc import Iterator

import builders
import pytest
from builders import BRIDGE
from conftest import NOON
from flask_openapi3.openapi import OpenAPI
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hub.core.actor import SYSTEM, Actor
from hub.core.runtime import Runtime
from hub.speakers import registry, volume
from hub.speakers.envelope import KeyRing
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, SetVolume, read_command
from hub.speakers.station import KEY_ID, Station
from hub.speakers.topics import Kind, device_topic

pytestmark = pytest.mark.slow
ID = "bridge-9"
PATIENCE_S = 15.0


class Device:
    """A connected loudspeaker that only listens, and says what it is told to say."""

    def __init__(self, station: Station, secret: str) -> None:
        self.station = station
        self.heard: queue.Queue[bytes] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=ID, protocol=mqtt.MQTTv311)
        self._client.username_pw_set(ID, secret)
        ready: queue.Queue[bool] = queue.Queue()
        self._client.on_message = lambda _c, _d, message: self.heard.put(bytes(message.payload))
        self._client.on_connect = lambda c, *_: c.subscribe(device_topic(ID, Kind.COMMAND), 1)
        self._client.on_subscribe = lambda *_: ready.put(True)
        self._client.connect(*station.address)
        self._client.loop_start()
        ready.get(timeout=PATIENCE_S)

    def command(self) -> SetVolume:
        """Return the next command, which must be a change of volume."""
        read = read_command(self.heard.get(timeout=PATIENCE_S), KeyRing.of({KEY_ID: self.station.key.public()}))
        assert isinstance(read, SetVolume)
        return read

    def beat(self, vol: int) -> None:
        """Report a volume."""
        beat = Beat(
            dev=ID,
            st=Doing.IDLE,
            now=None,
            last=(),
            seq=1,
            ts=round(NOON.timestamp() * 1000),
            free=1,
            vol=vol,
            ver="1",
            cfg=1,
            nonce="0123456789abcdef",
        )
        self._client.publish(device_topic(ID, Kind.BEAT), beat.to_bytes(), 0)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def station(runtime: Runtime, app: OpenAPI) -> Iterator[Station]:
    with runtime.sessions.begin() as session:
        registry.enrol(
            session, SYSTEM, speaker_id=ID, name="村口", region_code=BRIDGE, now=NOON, secret="a-secret-of-this-test"
        )
    station = runtime.get(Station)
    station.start()
    yield station
    station.stop()


@pytest.fixture
def device(station: Station) -> Iterator[Device]:
    device = Device(station, "a-secret-of-this-test")
    yield device
    device.close()


def clerk(runtime: Runtime) -> Actor:
    with runtime.sessions.read() as session:
        return builders.the_actor(session, "clerk")


def test_a_new_volume_reaches_the_device(runtime: Runtime, device: Device) -> None:
    volume.change(runtime, clerk(runtime), ID, 35)
    assert device.command().level == 35
    with runtime.sessions.read() as session:
        assert session.get_one(Speaker, ID).volume == 35


def test_a_device_that_was_away_is_told_when_it_reports_the_old_volume(runtime: Runtime, device: Device) -> None:
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, ID).volume = 20
    device.beat(vol=80)
    first = device.command()
    device.beat(vol=80)
    second = device.command()
    assert (first.level, second.level) == (20, 20)
    assert second.seq > first.seq, "or the device would take it for a repetition"
    device.beat(vol=20)
    with pytest.raises(queue.Empty):
        device.heard.get(timeout=1)


def test_writing_the_accounts_again_does_not_cut_the_hubs_own_line(runtime: Runtime, station: Station) -> None:
    with runtime.sessions.begin() as session:
        builders.a_speaker(session, "bridge-10")
    station.renew_accounts()
    deadline = time.monotonic() + 4  # the broker takes changes over within two seconds
    while time.monotonic() < deadline:
        assert station.connected
        time.sleep(0.1)
