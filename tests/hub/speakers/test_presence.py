"""Who is connected: by what loudspeakers say, and by what they no longer say."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import NOON
from sqlalchemy import update
from sqlalchemy.orm import Session

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.speakers import presence, registry
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, Presence
from hub.speakers.station import Station

ID = "s1001-1"
LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def county(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.fixture
def speaker(county: Session) -> Speaker:
    """One that has never been heard of."""
    found = county.get_one(Speaker, ID)
    found.online, found.seen_at, found.online_since = False, None, None
    county.flush()
    return found


def a_beat(at: datetime = NOON, **given: Any) -> Beat:
    fields: dict[str, Any] = {
        "dev": ID,
        "st": Doing.IDLE,
        "now": None,
        "last": (),
        "seq": 1,
        "ts": round(at.timestamp() * 1000),
        "free": 1,
        "vol": 80,
        "ver": "1.0",
        "cfg": 1,
        "nonce": "0123456789abcdef",
    }
    return Beat(**(fields | given))


def test_a_heartbeat_makes_it_online_and_tells_what_it_does(county: Session, speaker: Speaker) -> None:
    assert presence.note_beats(county, [a_beat(st=Doing.PLAYING, ver="v" * 35)], now=NOON).came == [ID]
    county.refresh(speaker)
    assert (speaker.online, speaker.seen_at, speaker.online_since) == (True, NOON, NOON)
    assert (speaker.activity, speaker.version, speaker.clock_offset_ms) == ("playing", "v" * 30, 0)


def test_it_counts_as_come_only_once_and_since_stays(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat()], now=NOON)
    assert presence.note_beats(county, [a_beat(LATER)], now=LATER).came == []
    county.refresh(speaker)
    assert (speaker.seen_at, speaker.online_since) == (LATER, NOON)


def test_a_fault_is_noted_and_forgotten_when_it_is_over(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat(st=Doing.FAULT)], now=NOON)
    county.refresh(speaker)
    assert speaker.fault == "fault"
    presence.note_beats(county, [a_beat(LATER)], now=LATER)
    county.refresh(speaker)
    assert speaker.fault == ""


def test_a_clock_that_is_wrong_is_measured_and_an_absurd_one_bounded(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat(NOON + timedelta(seconds=90))], now=NOON)
    county.refresh(speaker)
    assert speaker.clock_offset_ms == 90_000
    presence.note_beats(county, [a_beat(ts=0)], now=NOON)
    county.refresh(speaker)
    assert speaker.clock_offset_ms == -presence.FARTHEST_CLOCK_MS


def test_the_last_word_of_a_batch_counts(county: Session, speaker: Speaker) -> None:
    presence.note_presences(county, [Presence(dev=ID, up=True), Presence(dev=ID, up=False)], now=NOON)
    county.refresh(speaker)
    assert not speaker.online


def test_going_offline_says_since_when_and_forgets_what_it_did(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat(st=Doing.PLAYING, now="0192b7c1-0000-7000-8000-000000000001")], now=NOON)
    assert presence.note_presences(county, [Presence(dev=ID, up=False)], now=LATER).went == [ID]
    county.refresh(speaker)
    assert (speaker.online, speaker.online_since, speaker.seen_at) == (False, LATER, NOON)
    assert (speaker.activity, speaker.now_playing) == ("", "")


def test_coming_back_is_told_once(county: Session, speaker: Speaker) -> None:
    assert presence.note_presences(county, [Presence(dev=ID, up=True)], now=NOON).came == [ID]
    assert presence.note_presences(county, [Presence(dev=ID, up=True)], now=LATER).came == []


@pytest.mark.parametrize(("seconds", "gone"), [(150, False), (151, True)])
def test_two_missed_heartbeats_make_it_offline_whatever_the_broker_believes(
    county: Session, speaker: Speaker, seconds: int, gone: bool
) -> None:
    county.execute(update(Speaker).where(Speaker.id != ID).values(online=False))
    presence.note_beats(county, [a_beat()], now=NOON)
    now = NOON + timedelta(seconds=seconds)
    assert presence.anyone_silent(county, now=now, heartbeat_s=60) is gone
    assert presence.sweep(county, now=now, heartbeat_s=60) == ([ID] if gone else [])
    county.refresh(speaker)
    assert speaker.online is not gone
    assert speaker.online_since == (now if gone else NOON)


def test_an_unknown_device_changes_nothing(county: Session) -> None:
    assert presence.note_beats(county, [a_beat(dev="nobody")], now=NOON).came == []
    assert presence.note_presences(county, [Presence(dev="nobody", up=True)], now=NOON).came == []


def test_a_heartbeat_tells_how_the_device_is(county: Session, speaker: Speaker) -> None:
    well = a_beat(
        amp="on", mains=True, battery=97, temp=41, signal=-71, free=10**15, pack=6, bad=3, faults=("mains_lost",), cfg=7
    )
    presence.note_beats(county, [well], now=NOON)
    county.refresh(speaker)
    assert (speaker.amp, speaker.mains, speaker.battery, speaker.temperature) == ("on", True, 97, 41)
    assert (speaker.signal_dbm, speaker.free_bytes, speaker.pack_count) == (-71, 10**15, 6)
    assert (speaker.bad_messages, speaker.faults, speaker.settings_taken) == (3, ["mains_lost"], 7)


def test_absurd_numbers_and_letters_in_a_heartbeat_are_stored_as_far_as_they_go(
    county: Session, speaker: Speaker
) -> None:
    presence.note_beats(
        county, [a_beat(free=10**30, bad=10**30, cfg=10**30, ver="1\x00", faults=("a\x00b",))], now=NOON
    )
    county.refresh(speaker)
    assert (speaker.bad_messages, speaker.version, speaker.faults) == (2**31 - 1, "1", ["ab"])


def test_a_retired_device_is_not_noted(county: Session, speaker: Speaker) -> None:
    registry.retire(county, SYSTEM, ID, now=NOON)
    county.flush()
    noted = presence.note_beats(county, [a_beat(), a_beat(dev="nobody")], now=NOON)
    assert (noted.came, noted.known) == ([], frozenset())
    county.refresh(speaker)
    assert not speaker.online


def test_a_device_with_another_volume_than_was_set_is_found(county: Session, speaker: Speaker) -> None:
    assert presence.wrong_volumes(county, [a_beat(vol=80)]) == {}
    assert presence.wrong_volumes(county, [a_beat(vol=30)]) == {ID: 80}
    registry.retire(county, SYSTEM, ID, now=NOON)
    county.flush()
    assert presence.wrong_volumes(county, [a_beat(vol=30)]) == {}


def test_who_has_a_new_connection_is_noticed_although_nobody_saw_the_old_one_go() -> None:
    connections = presence.Connections()
    first, second = (Presence(dev=ID, up=True, ts=ts) for ts in (1_000, 2_000))
    assert connections.anew([first]) == [], "for a hub that has just started it is the only one"
    assert connections.anew([first]) == [], "the broker repeats what it has kept"
    assert connections.anew([second, second]) == [ID]
    assert connections.anew([Presence(dev=ID, up=False), second]) == []
    assert connections.anew([Presence(dev=ID, up=True)]) == [], "one that does not say since when"


def test_the_station_tells_of_a_new_connection_but_calls_nobody_come_who_was_there(runtime: Runtime) -> None:
    station, came, changed = Station(runtime), list[str](), list[tuple[list[str], list[str]]]()
    station.on_came(came.extend)
    station.on_changes(lambda *each: changed.append(each))
    with runtime.sessions.begin() as session:
        session.execute(update(Speaker).values(online=True))
    for ts in (1_000, 1_000, 2_000):
        station._note_presences([Presence(dev=ID, up=True, ts=ts), Presence(dev="nobody", up=True, ts=ts)])
    assert (came, changed) == ([ID], [])
