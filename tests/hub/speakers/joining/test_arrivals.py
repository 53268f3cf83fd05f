"""What happens when a loudspeaker is heard for the first time, or for the first time after it was moved."""

from datetime import timedelta

import builders
import pytest
from builders import BRIDGE, HILL
from conftest import NOON, SetClock

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.envelope import KeyRing
from hub.speakers.joining import desk
from hub.speakers.joining.arrivals import MOVED_LATELY, Arrivals
from hub.speakers.joining.claims import Place
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Beat, Command, Configure, Doing, Stop, read_command
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import Station


class HeardStation(Station):
    """A station whose broker takes everything."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.sent: list[tuple[str, bytes]] = []

    @property
    def connected(self) -> bool:
        return True

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        self.sent.append((topic, payload))
        return True

    def heard(self, name: str) -> list[Command]:
        """Return what was sent to one device since the last time, and forget all."""
        ring = KeyRing.of(self.keys.accepted())
        found = [read_command(payload, ring) for topic, payload in self.sent if topic.split("/")[3] == name and payload]
        self.sent.clear()
        assert all(isinstance(command, Command) for command in found)
        return found  # type: ignore[return-value]


@pytest.fixture
def station(runtime: Runtime) -> HeardStation:
    return runtime.provide(Station, HeardStation(runtime))  # type: ignore[return-value]


@pytest.fixture
def arrivals(runtime: Runtime, station: HeardStation) -> Arrivals:
    runtime.provide(SettingsBook, SettingsBook(runtime, station, ()))
    return runtime.provide(Arrivals, Arrivals(runtime))


def beats(*names: str) -> list[Beat]:
    return [
        Beat(
            dev=name,
            st=Doing.IDLE,
            now=None,
            last=(),
            seq=1,
            ts=0,
            free=1,
            vol=80,
            ver="1",
            cfg=0,
            nonce="0123456789abcdef",
        )
        for name in names
    ]


def test_who_is_heard_for_the_first_time_is_in_service_and_gets_its_settings(
    runtime: Runtime, station: HeardStation, arrivals: Arrivals
) -> None:
    name = desk.make_codes(runtime, SYSTEM, Place("学校旁", BRIDGE))[0].speaker.id
    arrivals.note_beats(beats("s1001-1", "nobody"))
    assert station.heard(name) == []
    arrivals.note_beats(beats(name))
    (settings,) = station.heard(name)
    assert isinstance(settings, Configure)
    with runtime.sessions.read() as session:
        speaker = session.get_one(Speaker, name)
    assert (speaker.state, speaker.number) == (SpeakerState.ACTIVE, settings.settings.number)
    arrivals.note_beats(beats(name))
    assert station.heard(name) == []


def test_what_it_was_sent_before_is_called_off_with_the_move(
    runtime: Runtime, station: HeardStation, arrivals: Arrivals
) -> None:
    with runtime.sessions.begin() as session:
        before = registry.next_value(session, registry.COMMANDS)
    desk.move(runtime, SYSTEM, "s1001-1", HILL)
    with runtime.sessions.begin() as session:
        after = registry.next_value(session, registry.COMMANDS)
    settings, stop = station.heard("s1001-1")
    assert isinstance(settings, Configure)
    assert isinstance(stop, Stop)
    assert stop.all
    assert before < stop.seq < after, "what is ordered for the new place sounds"


def test_one_that_was_away_hears_of_it_when_it_comes_back_and_not_for_ever(
    runtime: Runtime, station: HeardStation, arrivals: Arrivals, clock: SetClock
) -> None:
    with runtime.sessions.begin() as session:
        registry.move(session, builders.the_actor(session, "clerk"), "s1001-1", HILL, now=NOON)
    arrivals.note_beats(beats("s1001-1", "s1001-2"))
    (stop,) = station.heard("s1001-1")
    assert isinstance(stop, Stop)
    arrivals.note_beats(beats("s1001-1"))
    assert station.heard("s1001-1") == [], "told once"
    arrivals.note_came(["s1001-1"])
    (again,) = station.heard("s1001-1")
    assert isinstance(again, Stop)
    assert again.seq == stop.seq
    clock.now += MOVED_LATELY + timedelta(seconds=1)
    arrivals.note_came(["s1001-1"])
    assert station.heard("s1001-1") == []


def test_a_replaced_one_is_gone_from_the_broker(runtime: Runtime, station: HeardStation, arrivals: Arrivals) -> None:
    name = desk.make_codes(runtime, SYSTEM, Place(replaces="s1001-1"))[0].speaker.id
    station.sent.clear()
    arrivals.note_beats(beats(name))
    assert ("cx/1/dev/s1001-1/cfg", b"") in station.sent
    assert "user s1001-1\n" not in (station.folder / "acl").read_text("utf-8")
    assert f"user {name}\n" in (station.folder / "acl").read_text("utf-8")
