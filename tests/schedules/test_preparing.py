"""What a sheet will read is rendered a day ahead, once, with no session open; a failure is tried again and said."""

import logging
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from conftest import NOON
from sheetlab import Desk
from sqlalchemy.orm import Session

from broadcasts.loudspeaker.orders import Sound
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import Rendering, RenderOrder
from hub.core.actor import Actor
from hub.core.runtime import Runtime
from schedules.models import Occurrence, Slot, SlotKind
from schedules.preparing import ASK_AGAIN, Preparing
from schedules.sources import Choice, Piece, Sources

WORDS = "今晚七点停水"


class Reader:
    """A source that reads other words each day, and a voice that can fail."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.asked: list[str] = []
        self.made: set[str] = set()
        self.broken = False

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece:
        text = f"{WORDS}{due_at:%m%d}"
        if text in self.made:
            return Piece("x", text, sound=Sound("ab" * 32, 60_000, 1000))
        return Piece("x", text, script=RenderOrder(text))

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> list[Choice]:
        return []

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        raise AssertionError("preparing lets nothing go out")

    def render(self, order: RenderOrder) -> Rendering:
        with self.runtime.sessions.begin() as session:  # SQLite lets in one writer: a session left open would show
            session.query(Occurrence).update({"note": ""})
        self.asked.append(order.text)
        if self.broken:
            raise SpeechFailed("out of order")
        self.made.add(order.text)
        return Rendering("k", "ab" * 32, 1000, 60_000, 50_000, (), "tone", "", "")


@pytest.fixture
def reader(runtime: Runtime) -> Reader:
    desk = Desk(runtime)
    desk.run(desk.recording(at="18:00"))
    desk.plan(NOON)
    return Reader(runtime)


@pytest.fixture
def preparing(runtime: Runtime, reader: Reader) -> Preparing:
    return Preparing(runtime.sessions, Sources({SlotKind.RECORDING: reader}), reader.render)


def test_the_coming_day_is_made_once_and_the_day_after_later(preparing: Preparing, reader: Reader) -> None:
    assert preparing.prepare_near(now=NOON) == 1
    assert preparing.prepare_near(now=NOON + timedelta(minutes=1)) == 0
    assert reader.asked == [f"{WORDS}1123"]
    assert preparing.prepare_near(now=NOON + timedelta(hours=6)) == 1, "tomorrow's is less than 26 hours away"
    assert reader.asked == [f"{WORDS}1123", f"{WORDS}1124"]


def test_a_failure_is_tried_again_after_a_while_and_logged_without_its_words(
    preparing: Preparing, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    reader.broken = True
    with caplog.at_level(logging.ERROR):
        assert preparing.prepare_near(now=NOON) == 0
    assert "could not be made" in caplog.text
    assert WORDS not in caplog.text
    reader.broken = False
    assert preparing.prepare_near(now=NOON + ASK_AGAIN / 2) == 0
    assert len(reader.asked) == 1, "not asked every minute"
    assert preparing.prepare_near(now=NOON + ASK_AGAIN) == 1


def test_nothing_is_made_for_a_sheet_that_was_stopped(preparing: Preparing, reader: Reader, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        session.query(Occurrence).update({"state": "skipped"})
    assert preparing.prepare_near(now=NOON) == 0
    assert reader.asked == []
