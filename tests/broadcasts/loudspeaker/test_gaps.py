"""Receipts that never arrived: asked for once, stored when they come, and given up when they do not."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from conftest import NOON
from sqlalchemy import insert
from uuid6 import uuid7

from broadcasts.loudspeaker.gaps import Gaps
from broadcasts.loudspeaker.models import PlayReceipt
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, Records

HORN, OTHER = "s1001-1", "s1001-2"
MINUTE = timedelta(minutes=1)


@dataclass
class Asked:
    """A station that keeps what it was to send."""

    up: bool = True
    sent: list[tuple[str, int]] = field(default_factory=list)

    def send(self, kind: type[Records], speaker_id: str, seq: int, *, after: int) -> str | None:
        assert kind is Records
        self.sent.append((speaker_id, after))
        return str(uuid7()) if self.up else None


@dataclass
class Desk:
    runtime: Runtime
    asked: Asked
    gaps: Gaps

    def store(self, *numbers: int, speaker: str = HORN) -> None:
        row: dict[str, Any] = {"state": "finished", "device_at": NOON, "arrived_at": NOON, "speaker_id": speaker}
        with self.runtime.sessions.begin() as session:
            session.execute(insert(PlayReceipt), [row | {"number": n, "command_id": uuid7()} for n in numbers])

    def beat(self, n: int, minutes: float = 0, *, speaker: str = HORN) -> list[str]:
        """A heartbeat so many minutes after noon; who was asked."""
        beat = Beat(
            dev=speaker,
            st=Doing.IDLE,
            now=None,
            last=(),
            seq=1,
            ts=0,
            free=1,
            vol=80,
            ver="1",
            cfg=1,
            nonce="0" * 8,
            n=n,
        )
        return self.gaps.note([beat], NOON + MINUTE * minutes)

    def complete_to(self, speaker: str = HORN) -> int:
        with self.runtime.sessions.read() as session:
            return session.get_one(Speaker, speaker).receipts_to


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    asked = Asked()
    return Desk(runtime, asked, Gaps(runtime.sessions, asked))


def test_when_nothing_is_missing_nobody_is_asked(desk: Desk) -> None:
    desk.store(1, 2, 3)
    for minute in range(4):
        assert desk.beat(3, minute) == []
    assert desk.complete_to() == 3


def test_a_gap_counts_when_a_second_heartbeat_shows_it(desk: Desk) -> None:
    desk.store(1, 2, 5)
    assert desk.beat(5) == []
    assert desk.beat(5, 1) == [HORN]
    assert desk.asked.sent == [(HORN, 0)]


def test_what_was_only_late_is_not_asked_for(desk: Desk) -> None:
    desk.store(1)
    assert desk.beat(3) == []
    desk.store(2, 3)
    assert desk.beat(3, 1) == []
    assert (desk.asked.sent, desk.complete_to()) == ([], 3)


def test_it_is_asked_only_for_what_comes_after_the_last_complete_one(desk: Desk) -> None:
    desk.store(*range(1, 11))
    desk.beat(10)
    desk.store(13)
    desk.beat(13, 1)
    desk.beat(13, 2)
    assert desk.asked.sent == [(HORN, 10)]


def test_what_comes_then_closes_the_gap(desk: Desk) -> None:
    desk.store(3)
    desk.beat(3)
    desk.beat(3, 1)
    desk.store(1, 2)
    desk.beat(3, 2)
    assert (len(desk.asked.sent), desk.complete_to()) == (1, 3)


def test_four_tries_then_the_hole_is_accepted_and_noted(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.store(3)
    asked = []
    for seconds in range(0, 360, 5):
        if desk.beat(3, seconds / 60):
            asked.append(seconds)
        if seconds < 300:
            assert desk.complete_to() == 0, "it gets twice as long after each try"
    assert asked == [5, 25, 65, 145]
    assert desk.complete_to() == 3
    assert [record.message for record in caplog.records] == ["receipts_lost"]


def test_a_question_that_was_lost_is_asked_again(desk: Desk) -> None:
    desk.store(3)
    desk.beat(3)
    assert desk.beat(3, 1) == [HORN]
    assert desk.beat(3, 1.2) == []
    assert desk.beat(3, 1.4) == [HORN]
    desk.store(1, 2)
    desk.beat(3, 1.5)
    assert (len(desk.asked.sent), desk.complete_to()) == (2, 3)


def test_what_goes_missing_meanwhile_is_a_gap_of_its_own(desk: Desk) -> None:
    desk.store(3)
    for minute in (0, 1, 1.5, 2.5, 4):
        desk.beat(3, minute)
    desk.store(6)
    desk.beat(6, 7)
    assert desk.complete_to() == 3
    desk.beat(6, 8)
    desk.beat(6, 9)
    assert desk.asked.sent == [(HORN, 0)] * 4 + [(HORN, 3)]


def test_never_more_often_than_every_twenty_seconds_also_by_several_hubs(desk: Desk) -> None:
    desk.store(3)
    second = Gaps(desk.runtime.sessions, desk.asked)
    for minute in (0.0, 0.3):
        desk.beat(3, minute)
        desk.gaps, second = second, desk.gaps
        desk.beat(3, minute)
    assert desk.asked.sent == [(HORN, 0)]


def test_a_request_that_could_not_be_sent_is_no_try(desk: Desk) -> None:
    desk.store(3)
    desk.asked.up = False
    for minute in (0, 1, 3.1, 5.2):
        desk.beat(3, minute)
    assert (len(desk.asked.sent), desk.complete_to()) == (3, 0)


def test_a_device_that_is_gone_or_unknown_is_not_asked(desk: Desk) -> None:
    for minute in range(3):
        assert desk.beat(9, minute, speaker="nobody") == []


def test_many_devices_are_looked_at_by_themselves(desk: Desk) -> None:
    desk.store(1, 2)
    desk.store(2, speaker=OTHER)
    for minute in range(2):
        desk.beat(2, minute)
        desk.beat(2, minute, speaker=OTHER)
    assert desk.asked.sent == [(OTHER, 0)]
    assert (desk.complete_to(), desk.complete_to(OTHER)) == (2, 0)


def test_a_device_that_counts_anew_is_left_in_peace(desk: Desk) -> None:
    desk.store(*range(1, 8))
    desk.beat(7)
    for minute in range(5):
        assert desk.beat(2, minute) == []
    assert desk.complete_to() == 7
