"""Settings of loudspeakers: new content alone makes a new version; who is behind hears again; who leaves is cleared."""

from datetime import timedelta

import pytest
from builders import FERRY, HILL
from conftest import NOON, SetClock
from sqlalchemy import select, update

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.core.secrets import Signing, change_signing, read_signing
from hub.speakers import keys, registry
from hub.speakers.envelope import KeyRing
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Audio, Beat, Configure, Doing, Settings, read_command
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import Station

QUIET = ((1260, 390),)
ALARM = Audio(sha256="a" * 64, url="http://hub.example/a.opus", size=9000, duration_ms=3000, codec="opus")


class ToldStation(Station):
    """A station whose broker takes everything, or nothing."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.away = False
        self.sent: list[tuple[str, bytes]] = []

    @property
    def connected(self) -> bool:
        return not self.away

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        assert retain
        if not self.away:
            self.sent.append((topic, payload))
        return not self.away

    def opened(self, ring: KeyRing | None = None) -> dict[str, Settings]:
        """Return what was sent since the last time, by loudspeaker, and forget it."""
        found = {}
        for topic, payload in self.sent:
            command = read_command(payload, ring or KeyRing.of(self.keys.accepted()))
            assert isinstance(command, Configure)
            found[topic.split("/")[3]] = command.settings
        self.sent.clear()
        return found


@pytest.fixture
def station(runtime: Runtime) -> ToldStation:
    return ToldStation(runtime)


@pytest.fixture
def book(runtime: Runtime, station: ToldStation) -> SettingsBook:
    return SettingsBook(runtime, station, QUIET)


@pytest.fixture
def all_told(book: SettingsBook, station: ToldStation, runtime: Runtime) -> dict[str, Settings]:
    """Everybody has been told, and has said so."""
    book.step()
    told = station.opened()
    book.note_beats([a_beat(name, settings.version) for name, settings in told.items()])
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).values(settings_taken=Speaker.settings_version))
    return told


def a_beat(device: str, version: int) -> Beat:
    return Beat(
        dev=device,
        st=Doing.IDLE,
        now=None,
        last=(),
        seq=1,
        ts=round(NOON.timestamp() * 1000),
        free=1,
        vol=80,
        ver="1",
        cfg=version,
        nonce="0123456789abcdef",
    )


def speaker(runtime: Runtime, name: str = "s1001-1") -> Speaker:
    with runtime.sessions.read() as session:
        return session.get_one(Speaker, name)


def test_a_new_hub_tells_everybody_everything(book: SettingsBook, station: ToldStation, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        horn = session.get_one(Speaker, "s1001-1")
        horn.volumes, horn.lead_in_ms, horn.drill = [{"start": 0, "end": 420, "cap": 40}], 800, True
    book.pack["red"] = ALARM
    book.step()
    told = station.opened()
    assert len(told) == 6
    found = told["s1001-1"]
    assert (found.lead_in_ms, found.drill, found.pack, found.beat_s) == (800, True, {"red": ALARM}, 60)
    assert (found.loudness[0].cap, found.quiet[0].start, found.utc_offset_min) == (40, 1260, 480)
    assert (found.number, found.keys) == (speaker(runtime).number, station.keys.accepted())


def test_a_hub_that_starts_again_has_nothing_to_say(
    all_told: dict[str, Settings], runtime: Runtime, clock: SetClock
) -> None:
    clock.now += timedelta(days=1)
    again = ToldStation(runtime)
    SettingsBook(runtime, again, QUIET).step()
    assert again.sent == []


def test_only_changed_content_gets_a_new_version(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    before = all_told["s1001-1"].version
    clock.now += timedelta(minutes=5)
    book.publish(["s1001-1"])
    assert station.opened()["s1001-1"].version == before, "named, so sent; unchanged, so the same version"
    with runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1001-1").lead_in_ms = 300
    book.publish()
    book.step()
    told = station.opened()
    assert list(told) == ["s1001-1"]
    assert told["s1001-1"].version == round(clock.now.timestamp() * 1000)


def test_versions_rise_even_when_the_clock_goes_back(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    clock.now -= timedelta(days=3)
    book.pack["red"] = ALARM
    book.publish()
    book.step()
    told = station.opened()
    assert len(told) == 6
    assert all(told[name].version > all_told[name].version for name in told)


def test_who_follows_other_settings_is_sent_them_again_but_not_all_the_time(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, clock: SetClock
) -> None:
    clock.now += timedelta(minutes=1)
    for seconds, heard in ((0, True), (5, False), (24, False), (31, True)):
        clock.now = NOON + timedelta(minutes=1, seconds=seconds)
        book.note_beats([a_beat("s1001-1", 0), a_beat("s1001-2", all_told["s1001-2"].version)])
        assert list(station.opened()) == (["s1001-1"] if heard else []), seconds


def test_strangers_and_retired_ones_are_told_nothing(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime
) -> None:
    with runtime.sessions.begin() as session:
        registry.retire(session, SYSTEM, "s1001-1", now=NOON)
    book.note_beats([a_beat("s1001-1", 0), a_beat("nobody", 0)])
    book.publish(["s1001-1", "nobody"])
    assert station.sent == []


def test_what_could_not_be_sent_goes_out_after_the_reconnection(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime
) -> None:
    station.away = True
    with runtime.sessions.begin() as session:
        registry.move(session, SYSTEM, "s1001-1", HILL, now=NOON)
    book.publish(["s1001-1"])
    book.step()
    assert station.sent == []
    station.away = False
    for on_connected in station._on_connected:
        on_connected()
    book.step()
    told = station.opened()
    assert {name: settings.regions[-1] for name, settings in told.items()} == {"s1001-1": HILL}


def test_a_move_by_a_command_beside_the_hub_shows_at_the_next_heartbeat(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    clock.now += timedelta(minutes=1)
    with runtime.sessions.begin() as session:
        registry.move(session, SYSTEM, "s1001-1", FERRY, now=NOON)
    book.note_beats([a_beat(name, settings.version) for name, settings in all_told.items()])
    told = station.opened()
    assert list(told) == ["s1001-1"]
    assert told["s1001-1"].regions[-1] == FERRY
    assert told["s1001-1"].version > all_told["s1001-1"].version + 1


def test_what_the_broker_keeps_of_a_retired_one_is_cleared_now_and_after_its_last_will(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    with runtime.sessions.begin() as session:
        registry.retire(session, SYSTEM, "s1001-1", now=NOON)
    book.forget(["s1001-1"])
    both = [("cx/1/dev/s1001-1/cfg", b""), ("cx/1/dev/s1001-1/state", b"")]
    assert station.sent == both
    clock.now += timedelta(seconds=2)
    book.step()
    assert station.sent == both, "not yet"
    clock.now += timedelta(seconds=4)
    book.step()
    assert station.sent == both * 2
    clock.now += timedelta(hours=2)
    book.step()
    assert station.sent == both * 2, "and never again"


def test_one_that_a_command_retired_is_cleared_too(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    with runtime.sessions.begin() as session:
        registry.retire(session, SYSTEM, "s1001-1", now=NOON)
    for hours in (2, 4):
        clock.now = NOON + timedelta(hours=hours)
        book.step()
    assert station.sent == [("cx/1/dev/s1001-1/cfg", b""), ("cx/1/dev/s1001-1/state", b"")] * 2


def test_a_new_key_travels_in_settings_signed_by_the_old_one(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    old = KeyRing.of(station.keys.accepted())
    clock.now += timedelta(days=1)
    keys.new(runtime.config.data_dir, seed=b"n" * 32, now=clock.now)
    book.step()
    told = station.opened(old)
    assert len(told) == 6
    assert all(set(settings.keys) == {"h1", "h2"} for settings in told.values())
    assert station.key.kid == "h1"
    assert speaker(runtime).keys_taken == ["h1"]
    book.note_beats([a_beat("s1001-1", told["s1001-1"].version)])
    assert speaker(runtime).keys_taken == ["h1", "h2"]
    assert speaker(runtime, "s1001-2").keys_taken == ["h1"]


def test_a_new_key_signs_for_those_who_know_it_and_the_old_one_for_the_others(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    first = KeyRing.of(station.keys.accepted())
    clock.now += timedelta(days=1)
    keys.new(runtime.config.data_dir, seed=b"n" * 32, now=clock.now)
    book.step()
    book.note_beats([a_beat("s1001-1", station.opened()["s1001-1"].version)])
    change_signing(runtime.config.data_dir, lambda s: Signing("h2", s.keys, s.archive, s.made))
    book.step()
    assert station.key.kid == "h2"
    book.publish(["s1001-1", "s1001-2"])
    by = {topic.split("/")[3]: payload for topic, payload in station.sent}
    assert b'"kid":"h2"' in by["s1001-1"]
    assert b'"kid":"h1"' in by["s1001-2"]
    assert isinstance(read_command(by["s1001-2"], first), Configure)


def test_a_dropped_key_is_kept_for_who_knows_no_other_and_then_erased(
    all_told: dict[str, Settings], book: SettingsBook, station: ToldStation, runtime: Runtime, clock: SetClock
) -> None:
    data_dir, first = runtime.config.data_dir, KeyRing.of(station.keys.accepted())
    clock.now += timedelta(days=1)
    keys.new(data_dir, seed=b"n" * 32, now=clock.now)
    book.step()
    told = station.opened()
    away = "s2001-1"
    book.note_beats([a_beat(name, s.version) for name, s in told.items() if name != away])
    with runtime.sessions.begin() as session:
        keys.use(session, data_dir, "h2", now=clock.now, anyway=True)
        dropped = keys.drop(session, data_dir, "h1", now=clock.now, anyway=True)
    assert set(dropped.archive) == {"h1"}
    book.step()
    told = station.opened(KeyRing.of({**dict(first.entries), **station.keys.accepted()}))
    assert set(told[away].keys) == {"h2"}
    book.publish([away])
    assert isinstance(read_command(station.sent.pop()[1], first), Configure), "the one that was away can read it"
    book.note_beats([a_beat(away, told[away].version)])
    clock.now += timedelta(hours=2)
    book.step()
    assert read_signing(data_dir).archive == {}
    with runtime.sessions.read() as session:
        taken = session.scalars(select(Speaker.keys_taken).where(Speaker.state == SpeakerState.ACTIVE)).all()
    assert {tuple(names) for names in taken} == {("h1", "h2"), ("h2",)}
