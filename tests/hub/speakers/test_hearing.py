"""What the station makes of what it hears: who came, who went, what is wrong, and whose clock is out."""

import time
from datetime import timedelta
from typing import Any

import pytest
from conftest import NOON, SetClock
from flask_openapi3.openapi import OpenAPI
from sqlalchemy.exc import OperationalError

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.envelope import KeyRing
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, FaultReport, Presence, TimeAnswer, read_command
from hub.speakers.settings import MqttSettings
from hub.speakers.station import Station
from hub.speakers.topics import Kind, device_topic

ID, OTHER = "s1001-1", "s1001-2"


class Silent(SpeakerLink):
    """A line that keeps what is said on it."""

    def __init__(self) -> None:
        super().__init__(BrokerAddress("127.0.0.1", 1, "hub", "x"))
        self.said: list[tuple[str, bytes]] = []

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> bool:
        self.said.append((topic, payload))
        return True

    def answers(self, station: Station) -> list[TimeAnswer]:
        """The answers to heartbeats so far."""
        keys = KeyRing.of({station.key.kid: station.key.public()})
        read = [read_command(payload, keys) for topic, payload in self.said if topic.endswith(f"/{Kind.TIME}")]
        return [each for each in read if isinstance(each, TimeAnswer)]


@pytest.fixture
def station(runtime: Runtime, app: OpenAPI) -> Station:
    station = runtime.get(Station)
    station.link = Silent()
    with runtime.sessions.begin() as session:
        for name in (ID, OTHER):
            session.get_one(Speaker, name).online = False
    return station


def line(station: Station) -> Silent:
    assert isinstance(station.link, Silent)
    return station.link


def a_beat(**given: Any) -> Beat:
    fields: dict[str, Any] = {
        "dev": ID,
        "st": Doing.IDLE,
        "now": None,
        "last": (),
        "seq": 1,
        "ts": round(NOON.timestamp() * 1000),
        "free": 1,
        "vol": 80,
        "ver": "1.0",
        "cfg": 1,
        "nonce": "0123456789abcdef",
    }
    return Beat(**(fields | given))


def test_who_comes_and_who_goes_is_told_once(station: Station, clock: SetClock) -> None:
    told: list[tuple[list[str], list[str]]] = []
    came: list[str] = []
    station.on_changes(lambda come, gone: told.append((come, gone)))
    station.on_came(came.extend)
    station._note_presences([Presence(dev=ID, up=True), Presence(dev="nobody", up=True)])
    station._note_beats([a_beat(), a_beat(dev=OTHER)])
    station._note_presences([Presence(dev=ID, up=False)])
    clock.now += timedelta(minutes=4)
    assert station.sweep() > 0
    assert station.sweep() == 0
    assert told[:3] == [([ID], []), ([OTHER], []), ([], [ID])]
    assert OTHER in told[3][1]
    assert len(told) == 4
    assert came == [ID, OTHER]


def test_a_change_that_could_not_be_told_is_told_later(station: Station) -> None:
    told: list[list[str]] = []

    def listen(come: list[str], gone: list[str]) -> None:
        told.append(come)
        if len(told) == 1:
            raise OperationalError("INSERT", {}, Exception("the database is away"))

    station.on_changes(listen)
    with pytest.raises(OperationalError):
        station._note_presences([Presence(dev=ID, up=True)])
    station._note_presences([Presence(dev=ID, up=True)])  # the line brings it again
    assert told == [[ID], [ID]]


def test_a_listener_that_breaks_costs_what_it_was_told_and_nothing_later(station: Station) -> None:
    told: list[tuple[list[str], list[str]]] = []

    def listen(come: list[str], gone: list[str]) -> None:
        told.append((come, gone))
        if len(told) == 1:
            raise RuntimeError("a fault of ours")

    station.on_changes(listen)
    with pytest.raises(RuntimeError):
        station._note_presences([Presence(dev=ID, up=True)])
    station._note_presences([Presence(dev=ID, up=True)])
    station._note_presences([Presence(dev=ID, up=False)])
    assert told == [([ID], []), ([], [ID])]


@pytest.mark.parametrize("heartbeat_s", [5, 20, 60])
def test_a_dead_loudspeaker_is_called_offline_within_three_heartbeats(
    station: Station, clock: SetClock, heartbeat_s: int
) -> None:
    station._settings = MqttSettings(heartbeat_seconds=heartbeat_s)
    station._note_beats([a_beat()])
    died = clock.now
    gone: list[str] = []
    station.on_changes(lambda _come, went: gone.extend(went))
    while ID not in gone:
        clock.now += timedelta(seconds=station.sweep_s)
        station.sweep()
    silent = (clock.now - died) / timedelta(seconds=heartbeat_s)
    assert 2 < silent <= 3, "and one heartbeat that is lost on the way does no harm"


def test_a_heartbeat_is_answered_with_the_hubs_clock_and_how_far_the_devices_is_out(station: Station) -> None:
    for _ in range(2):
        station._note_beats([a_beat(ts=round(NOON.timestamp() * 1000) + 1500)])
    answers = line(station).answers(station)
    assert [(a.offset_ms, a.iat, a.nonce) for a in answers] == [
        (1500, round(NOON.timestamp() * 1000), "0123456789abcdef")
    ] * 2


def test_a_heartbeat_that_waited_for_the_database_says_nothing_about_a_clock(
    station: Station, runtime: Runtime, clock: SetClock
) -> None:
    station._note_beats([a_beat()])
    line(station).said.clear()
    clock.now += timedelta(minutes=1)
    line(station)._oldest = time.monotonic() - 60
    station._note_beats([a_beat(vol=80, temp=50)])
    assert line(station).answers(station) == []
    with runtime.sessions.read() as session:
        found = session.get_one(Speaker, ID)
    assert (found.clock_offset_ms, found.temperature, found.seen_at) == (0, 50, clock.now)


def test_strangers_and_retired_devices_get_no_answer_and_are_counted(station: Station, runtime: Runtime) -> None:
    station._note_beats([a_beat()])
    with runtime.sessions.begin() as session:
        registry.retire(session, SYSTEM, ID, now=NOON)
    station._note_beats([a_beat(), a_beat(dev="nobody")])
    line(station).said.clear()
    station._note_beats([a_beat(), a_beat(dev="nobody")])
    assert line(station).said == []
    assert station.ignored == 4


def test_faults_reach_whoever_asked(station: Station) -> None:
    link = Silent()
    heard: list[FaultReport] = []
    link.on_faults(heard.extend)
    report = FaultReport(dev=ID, code="mains_lost", on=True, ts=1)
    assert link._deliver([report])
    assert heard == [report]


def test_the_doors_of_a_cluster_are_taken_from_the_configuration() -> None:
    cluster = MqttSettings(engine="external", hosts=("one.example:1883", "[2001:db8::2]:8883"))
    assert cluster.doors == (("one.example", 1883), ("2001:db8::2", 8883))
    assert MqttSettings(host="one.example", port=1884).doors == (("one.example", 1884),)


@pytest.mark.parametrize("wrong", ["one.example", "one.example:", ":1883", "one.example:0", "one.example:99999", ""])
def test_a_door_without_host_or_port_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a host and a port"):
        MqttSettings(hosts=(wrong,))


def test_a_topic_of_the_device_is_what_it_is_answered_on(station: Station) -> None:
    station._note_beats([a_beat()])
    assert [topic for topic, _ in line(station).said] == [device_topic(ID, Kind.TIME)]
