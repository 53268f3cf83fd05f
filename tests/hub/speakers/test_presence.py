"""Who is connected: by what loudspeakers say, and by what they no longer say."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import NOON
from sqlalchemy.orm import Session

from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.speakers import presence, registry
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, Presence

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
    assert presence.note_beats(county, [a_beat(st=Doing.PLAYING, ver="v" * 35)], now=NOON) == [ID]
    assert (speaker.online, speaker.seen_at, speaker.online_since) == (True, NOON, NOON)
    assert (speaker.activity, speaker.version, speaker.clock_offset_ms) == ("playing", "v" * 30, 0)


def test_it_counts_as_come_only_once_and_since_stays(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat()], now=NOON)
    assert presence.note_beats(county, [a_beat(LATER)], now=LATER) == []
    assert (speaker.seen_at, speaker.online_since) == (LATER, NOON)


def test_a_fault_is_noted_and_forgotten_when_it_is_over(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat(st=Doing.FAULT)], now=NOON)
    assert speaker.fault == "fault"
    presence.note_beats(county, [a_beat(LATER)], now=LATER)
    assert speaker.fault == ""


def test_a_clock_that_is_wrong_is_measured_and_an_absurd_one_bounded(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat(NOON + timedelta(seconds=90))], now=NOON)
    assert speaker.clock_offset_ms == 90_000
    presence.note_beats(county, [a_beat(ts=0)], now=NOON)
    assert speaker.clock_offset_ms == -presence.FARTHEST_CLOCK_MS


def test_the_last_word_of_a_batch_counts(county: Session, speaker: Speaker) -> None:
    presence.note_presences(county, [Presence(dev=ID, up=True), Presence(dev=ID, up=False)], now=NOON)
    assert not speaker.online


def test_going_offline_says_since_when_and_forgets_what_it_did(county: Session, speaker: Speaker) -> None:
    presence.note_beats(county, [a_beat(st=Doing.PLAYING, now="0192b7c1-0000-7000-8000-000000000001")], now=NOON)
    presence.note_presences(county, [Presence(dev=ID, up=False)], now=LATER)
    assert (speaker.online, speaker.online_since, speaker.seen_at) == (False, LATER, NOON)
    assert (speaker.activity, speaker.now_playing) == ("", "")


def test_coming_back_is_told_once(county: Session, speaker: Speaker) -> None:
    assert presence.note_presences(county, [Presence(dev=ID, up=True)], now=NOON) == [ID]
    assert presence.note_presences(county, [Presence(dev=ID, up=True)], now=LATER) == []


@pytest.mark.parametrize(("seconds", "gone"), [(180, False), (181, True)])
def test_three_missed_heartbeats_make_it_offline_whatever_the_broker_believes(
    county: Session, speaker: Speaker, seconds: int, gone: bool
) -> None:
    presence.note_beats(county, [a_beat()], now=NOON)
    county.flush()
    now = NOON + timedelta(seconds=seconds)
    presence.sweep(county, now=now, heartbeat_s=60)
    county.refresh(speaker)
    assert speaker.online is not gone
    assert speaker.online_since == (now if gone else NOON)


def test_an_unknown_device_changes_nothing(county: Session) -> None:
    assert presence.note_beats(county, [a_beat(dev="nobody")], now=NOON) == []
    assert presence.note_presences(county, [Presence(dev="nobody", up=True)], now=NOON) == []


def test_a_device_with_another_volume_than_was_set_is_found(county: Session, speaker: Speaker) -> None:
    assert presence.wrong_volumes(county, [a_beat(vol=80)]) == {}
    assert presence.wrong_volumes(county, [a_beat(vol=30)]) == {ID: 80}
    registry.retire(county, SYSTEM, ID, now=NOON)
    county.flush()
    assert presence.wrong_volumes(county, [a_beat(vol=30)]) == {}
