"""An emergency goes out before its list is written: nothing is lost in between, whoever is killed when."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from builders import BRIDGE, NORTH, a_county
from conftest import NOON, SetClock
from orderslab import NORTHERN, SOUND, Hub, plays, stops
from sqlalchemy import Engine, delete, select, update
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.outcomes import Phase
from broadcasts.delivery.progress import numbers_of
from broadcasts.delivery.progress import of as progress_of
from broadcasts.feature import rules_of
from broadcasts.loudspeaker import listing, orders, receipts
from broadcasts.loudspeaker.intake import Intake
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.states import PlayState
from hub.core.actor import SYSTEM
from hub.core.db import Base, Sessions
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.protocol import Beat, Doing, Priority, Reached, ToDevice

EMERGENCY = Priority.EMERGENCY
BOTH = [pytest.param("sqlite", id="sqlite"), pytest.param("postgresql", id="postgresql", marks=pytest.mark.postgres)]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def hub(runtime: Runtime, clock: SetClock) -> Hub:
    return Hub(runtime, clock)


@pytest.fixture(params=BOTH)
def tables(request: pytest.FixtureRequest) -> Sessions:
    """The small county in an empty database."""
    name = "engine" if request.param == "sqlite" else "postgres_engine"
    engine: Engine = request.getfixturevalue(name)
    Base.metadata.create_all(engine)
    sessions = Sessions(engine)
    with sessions.begin() as session:
        a_county(session)
    return sessions


def placed(tables: Sessions) -> UUID:
    broadcast_id = uuid7()
    with tables.begin() as session:
        orders.place(
            session,
            broadcast_id=broadcast_id,
            paths=[path_of(NORTH)],
            sound=SOUND,
            priority=EMERGENCY,
            volume=None,
            starts_at=NOON,
            expires_at=NOON + timedelta(hours=1),
            now=NOON,
        )
    return broadcast_id


def command_of(tables: Sessions, broadcast_id: UUID) -> UUID:
    with tables.read() as session:
        return UUID(session.get_one(PlayOrder, broadcast_id).targets[0]["id"])


def say(tables: Sessions, command: UUID, *speakers: str, number: int = 1) -> None:
    with tables.begin() as session:
        found = [Report(s, command, PlayState.RECEIVED, NOON + timedelta(seconds=1), number) for s in speakers]
        receipts.record(session, found, now=NOON)


def states(tables: Sessions, broadcast_id: UUID) -> dict[str, PlayState]:
    with tables.read() as session:
        rows = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast_id))
        return {row.speaker_id: row.state for row in rows}


def test_an_emergency_goes_out_before_its_list_and_is_on_it_right_after(hub: Hub) -> None:
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    assert hub.states(broadcast_id) == {}
    assert len(plays(hub.step())) == 1
    assert hub.states(broadcast_id) == dict.fromkeys(NORTHERN, PlayState.SENT)


def test_everything_else_is_listed_in_the_same_transaction(hub: Hub) -> None:
    broadcast_id = hub.place(NORTH, priority=Priority.SHOUT)
    assert hub.states(broadcast_id) == dict.fromkeys(NORTHERN, PlayState.QUEUED)


def test_the_list_waits_a_moment_and_not_longer(hub: Hub) -> None:
    hub.sender = hub.new_sender(list_after_s=0.25)
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    assert hub.sender.step() == pytest.approx(0.25)
    assert hub.states(broadcast_id) == {}
    hub.later(0.1)
    assert hub.sender.step() == pytest.approx(0.15)
    hub.later(0.15)
    assert hub.sender.step() == pytest.approx(1.0)
    assert set(hub.states(broadcast_id)) == set(NORTHERN)


def test_while_the_broker_is_away_the_list_is_written_and_the_order_goes_out_later(hub: Hub) -> None:
    hub.wire.up = False
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    hub.step()
    assert hub.states(broadcast_id) == dict.fromkeys(NORTHERN, PlayState.QUEUED)
    hub.wire.up = True
    assert len(plays(hub.step())) == 1
    hub.step()
    assert hub.states(broadcast_id) == dict.fromkeys(NORTHERN, PlayState.SENT)


def test_who_comes_back_before_the_list_is_written_is_told(hub: Hub) -> None:
    hub.sender = hub.new_sender(list_after_s=60)
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    hub.step()
    assert hub.states(broadcast_id) == {}
    assert [play.to for play in plays(hub.back(NORTHERN[0]))] == [ToDevice(device=NORTHERN[0])]


def test_what_was_said_before_the_list_is_on_it(tables: Sessions) -> None:
    broadcast_id = placed(tables)
    say(tables, command_of(tables, broadcast_id), *NORTHERN[:2])
    listing.write_all(tables, now=NOON)
    assert list(states(tables, broadcast_id).values()) == [PlayState.RECEIVED] * 2 + [PlayState.QUEUED] * 2
    with tables.read() as session:
        first = session.get_one(SpeakerDelivery, (broadcast_id, NORTHERN[0]))
        assert first.received_at == NOON + timedelta(seconds=1)


def test_writing_a_list_twice_writes_it_once(tables: Sessions) -> None:
    broadcast_id = placed(tables)
    for _ in range(2):
        with tables.begin() as session:
            listing.write(session, broadcast_id, now=NOON)
    assert len(states(tables, broadcast_id)) == 4


@pytest.mark.parametrize("first", ["list", "receipts"])
def test_a_receipt_that_is_stored_while_the_list_is_written_is_not_lost(tables: Sessions, first: str) -> None:
    broadcast_id = placed(tables)
    command = command_of(tables, broadcast_id)

    def write() -> None:
        with tables.begin() as session:
            listing.write(session, broadcast_id, now=NOON)

    other = threading.Thread(target=write if first == "receipts" else lambda: say(tables, command, *NORTHERN))
    with tables.begin() as session:
        if first == "receipts":
            receipts.record(session, [Report(s, command, PlayState.RECEIVED, NOON, 1) for s in NORTHERN], now=NOON)
        else:
            listing.write(session, broadcast_id, now=NOON)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "the other one waits until this is committed"
    other.join(10)
    assert states(tables, broadcast_id) == dict.fromkeys(NORTHERN, PlayState.RECEIVED)


def test_a_state_known_from_a_heartbeat_alone_is_taken_again(hub: Hub) -> None:
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    command = command_of(hub.runtime.sessions, broadcast_id)
    intake = Intake(hub.runtime.sessions, NobodyAsked(), hub.clock)
    last = ((str(command), Reached.STARTED),)
    beat = Beat(
        dev=NORTHERN[0],
        st=Doing.PLAYING,
        now=str(command),
        last=last,
        seq=1,
        ts=1000,
        free=1000,
        vol=50,
        ver="1.0",
        cfg=1,
        nonce="0" * 16,
    )
    intake.take_beats([beat])
    hub.step()
    intake.take_beats([beat])
    assert hub.states(broadcast_id)[NORTHERN[0]] is PlayState.STARTED


class NobodyAsked:
    """Nothing is missing."""

    def send(self, kind: object, speaker_id: str, seq: int, *, after: int) -> str | None:
        raise AssertionError(speaker_id)


def test_called_off_before_it_went_out_nobody_is_told_and_all_are_on_the_list(hub: Hub) -> None:
    hub.wire.up = False
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    with hub.runtime.sessions.begin() as session:
        orders.call_off(session, broadcast_id, now=hub.clock.now)
        assert not orders.is_over(session, broadcast_id), "its list is owed"
    hub.wire.up = True
    sent = hub.step()
    assert (len(plays(sent)), len(stops(sent))) == (0, 1)
    assert hub.states(broadcast_id) == dict.fromkeys(NORTHERN, PlayState.STOPPED)


def test_stopped_between_sending_and_listing_it_is_stopped_until_all_have_heard(hub: Hub) -> None:
    hub.sender = hub.new_sender(list_after_s=1)
    broadcast_id = hub.place(NORTH, priority=EMERGENCY)
    hub.step()
    with hub.runtime.sessions.begin() as session:
        orders.call_off(session, broadcast_id, now=hub.clock.now)
    assert len(stops(hub.step())) == 1
    hub.later(3)
    assert [stop.to for stop in stops(hub.step())] == [ToDevice(device=name) for name in NORTHERN]
    assert hub.states(broadcast_id) == dict.fromkeys(NORTHERN, PlayState.SENT)


def test_a_list_that_cannot_be_written_keeps_nothing_else_back(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    broken, whole = hub.place(NORTH, priority=EMERGENCY), hub.place(BRIDGE, priority=EMERGENCY)
    hub.step()
    with hub.runtime.sessions.begin() as session:
        session.execute(update(PlayOrder).where(PlayOrder.broadcast_id == whole).values(listed=False))
        session.execute(update(PlayOrder).where(PlayOrder.broadcast_id == broken).values(listed=False, targets=[{}]))
    third = hub.place(BRIDGE, priority=EMERGENCY)
    assert len(plays(hub.step())) == 1
    assert "list_not_written" in caplog.text
    assert len(hub.states(third)) == 2


def test_the_record_and_the_page_know_who_is_meant_before_the_list_is_written(hub: Hub) -> None:
    now = hub.clock.now
    order = service.Order(
        source="test:listing",
        kind=Kind.EMERGENCY,
        title="演练",
        text="演练",
        sms_text="",
        audience=Audience((NORTH,), speakers=True, sms=False),
        home_path=path_of(NORTH),
        sound=SOUND,
        repeats=1,
        volume=100,
        starts_at=now,
        expires_at=now + timedelta(hours=1),
    )
    with hub.runtime.sessions.begin() as session:
        released = service.release(session, SYSTEM, order, rules=rules_of(hub.runtime), now=now)
        broadcast_id = released.id
        assert released.speakers_meant == 4
    before = look(hub, broadcast_id)
    hub.step()
    assert look(hub, broadcast_id) == before == (Phase.SOUNDING, 4, 4, [4])
    with hub.runtime.sessions.begin() as session:
        session.execute(update(PlayOrder).values(listed=False))
        session.execute(delete(SpeakerDelivery))
    with hub.runtime.sessions.begin() as session:
        service.settle(session, now=now + timedelta(hours=2))
        assert session.get_one(Broadcast, broadcast_id).state is BroadcastState.DONE
    assert set(hub.states(broadcast_id).values()) <= {PlayState.FAILED}
    assert len(hub.states(broadcast_id)) == 4


def look(hub: Hub, broadcast_id: UUID) -> tuple[Phase, int, int, list[int]]:
    with hub.runtime.sessions.read() as session:
        broadcast = session.get_one(Broadcast, broadcast_id)
        shown = progress_of(session, SYSTEM, broadcast, now=hub.clock.now)
        meant = numbers_of(session, SYSTEM, [broadcast_id])[broadcast_id].meant
        return shown.phase, shown.numbers.meant, meant, [town.numbers.meant for town in shown.townships]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["published", "writing", "listed"])
def test_a_hub_that_is_killed_in_between_lists_everybody_when_it_is_back(
    runtime: Runtime, clock: SetClock, tmp_path: Path, moment: str
) -> None:
    database = str(runtime.sessions.engine.url.database)
    command = [sys.executable, str(ROOT / "tests" / "listworker.py"), database, path_of(NORTH), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline().strip() == moment
        worker.kill()
    tables = runtime.sessions
    with tables.read() as session:
        order = session.scalars(select(PlayOrder)).one()
    said = UUID(order.targets[0]["id"])
    say(tables, said, *NORTHERN[:3])
    hub = Hub(runtime, clock)
    clock.now = order.created_at + timedelta(seconds=1)
    again = plays(hub.step())
    assert [play.id for play in again] == ([str(said)] if moment == "published" else [])
    assert list(hub.states(order.broadcast_id).values()) == [PlayState.RECEIVED] * 3 + [PlayState.SENT]
    assert set(hub.commands(order.broadcast_id).values()) == {said}
