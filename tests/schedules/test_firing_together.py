"""Many things due at one moment go out together, and what goes wrong with one is that one's affair."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from builders import BRIDGE, HILL, NORTH
from sheetlab import RELAY, Desk, an_approved
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker.models import PlayOrder
from hub.audit import chain
from hub.audit.models import AuditEntry
from hub.core.actor import Actor
from hub.core.errors import WrongState
from hub.core.runtime import Runtime
from schedules import firing
from schedules.models import OccurrenceState, Slot, SlotKind
from schedules.playing import Relays
from schedules.sheets.drafting import SlotDraft
from schedules.sources import Choice, Nothing, Piece

MANY = firing.TOGETHER + 3
EVENING = datetime(2026, 11, 23, 18, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


def relays(number: int, at: str = "18:00") -> list[SlotDraft]:
    return [replace(RELAY, title=f"n{n}", at=at, minutes=1) for n in range(number)]


def test_each_goes_out_once_with_a_number_of_its_own_and_the_log_stays_whole(desk: Desk, runtime: Runtime) -> None:
    desk.run(*relays(MANY))
    assert desk.fire(EVENING) == MANY
    assert desk.fire(EVENING) == 0
    with runtime.sessions.read() as session:
        titles = session.scalars(select(Broadcast.title)).all()
        numbers = [target["seq"] for order in session.scalars(select(PlayOrder)) for target in order.targets]
        noted = session.scalars(select(AuditEntry.subject).where(AuditEntry.deed == "broadcast.release")).all()
        assert chain.prove(session).fault is None
    assert sorted(titles) == sorted(f"n{n}" for n in range(MANY))
    assert len(set(numbers)) == len(numbers) == MANY
    assert len(set(noted)) == MANY
    due_now = [state for at, state, _ in desk.found() if at == EVENING]
    assert due_now == [OccurrenceState.FIRED] * MANY


def test_twenty_ask_no_more_questions_than_a_few(desk: Desk, runtime: Runtime) -> None:
    desk.run(*relays(firing.TOGETHER))
    said: list[str] = []
    event.listen(runtime.sessions.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    assert desk.fire(EVENING) == firing.TOGETHER
    selects = [one for one in said if one.startswith("SELECT")]
    assert len(selects) < firing.TOGETHER, "a question for each would be as many as there are items, and more"


class Shaky(Relays):
    """A relay of which one kind breaks."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        if slot.title == "n1":
            self.asked += 1
            raise self.error
        return super().piece(session, slot, due_at)

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> Sequence[Choice]:
        return ()

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        return None


def test_one_that_breaks_keeps_nobody_back_and_is_tried_again(desk: Desk) -> None:
    desk.run(*relays(4))
    shaky = Shaky(RuntimeError("a fault"))
    desk.sources.add(SlotKind.RELAY, shaky)
    assert desk.fire(EVENING) == 3
    assert sorted(b.title for b in desk.broadcasts()) == ["n0", "n2", "n3"]
    assert [state for at, state, _ in desk.found() if at == EVENING].count(OccurrenceState.PLANNED) == 1
    desk.sources.add(SlotKind.RELAY, Relays())
    assert desk.fire(EVENING + timedelta(minutes=1)) == 1
    assert len(desk.broadcasts()) == 4


def test_one_that_may_not_go_out_says_why_and_the_others_go_out(desk: Desk) -> None:
    desk.run(*relays(3))
    desk.sources.add(SlotKind.RELAY, Shaky(WrongState("quiet_hours")))
    assert desk.fire(EVENING) == 2
    assert sorted(b.title for b in desk.broadcasts()) == ["n0", "n2"]
    assert [note for at, state, note in desk.found() if state is OccurrenceState.SKIPPED] == ["quiet_hours"]


def test_of_two_at_one_moment_the_upper_level_is_first_whatever_was_written_first(desk: Desk) -> None:
    desk.run(desk.recording(at="18:00"), region=BRIDGE)
    desk.run(desk.recording(at="18:00"), region=NORTH)
    assert desk.fire(EVENING) == 1
    assert [b.home_path.count("/") for b in desk.broadcasts()] == [2]
    assert [note for at, _, note in desk.found() if at == EVENING].count("upper_level_first") == 1


def test_what_is_meant_for_two_villages_does_not_give_way_to_itself(desk: Desk, runtime: Runtime) -> None:
    """It is at home in their township, which stands above each of them."""
    two = Audience((BRIDGE, HILL))
    an_approved(runtime, desk.rules, audience=two, when=When.ONCE, at=EVENING)
    an_approved(runtime, desk.rules, audience=two, when=When.ONCE, at=EVENING, title="另一条")
    assert desk.fire(EVENING) == 2
