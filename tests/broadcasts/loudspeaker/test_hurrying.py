"""What was just written goes out unasked: once, only when it was committed, and never past a stop given after it."""

from datetime import timedelta
from uuid import UUID

import pytest
from builders import NORTH
from conftest import NOON, SetClock
from orderslab import SOUND, Hub, plays, stops
from sqlalchemy import event
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker import hurrying, orders
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.protocol import Priority


@pytest.fixture
def hub(runtime: Runtime, clock: SetClock) -> Hub:
    return Hub(runtime, clock)


def placed(session: Session, priority: Priority = Priority.EMERGENCY) -> UUID:
    broadcast_id = uuid7()
    orders.place(
        session,
        broadcast_id=broadcast_id,
        paths=[path_of(NORTH)],
        sound=SOUND,
        priority=priority,
        volume=None,
        starts_at=NOON,
        expires_at=NOON + timedelta(hours=1),
        now=NOON,
    )
    session.flush()
    return broadcast_id


def test_it_leaves_before_the_tables_are_asked_and_leaves_once(hub: Hub, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        broadcast_id = placed(session)
    asked: list[int] = []
    event.listen(runtime.sessions.engine, "before_cursor_execute", lambda *_: asked.append(len(hub.wire.published)))
    sent = hub.step()
    assert asked[0] == 1, "the first question came when it had left"
    assert [play.broadcast for play in plays(sent)] == [str(broadcast_id)]
    assert plays(hub.step()) == []


def test_what_was_taken_back_never_sounds(hub: Hub, runtime: Runtime) -> None:
    def broken() -> None:
        with runtime.sessions.begin() as session:
            placed(session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    with runtime.sessions.begin() as session:
        inner = session.begin_nested()
        placed(session)
        inner.rollback()
    assert plays(hub.step()) == []


def test_a_savepoint_hands_nothing_over_before_all_is_committed(hub: Hub, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        with session.begin_nested():
            broadcast_id = placed(session)
        assert hub.sender._hurried.take() is None
    assert [play.broadcast for play in plays(hub.step())] == [str(broadcast_id)]


def test_called_off_a_moment_later_nobody_is_told(hub: Hub, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        broadcast_id = placed(session)
    with runtime.sessions.begin() as session:
        orders.call_off(session, broadcast_id, now=NOON)
    sent = hub.step()
    assert (len(plays(sent)), len(stops(sent))) == (0, 1)


def test_what_has_waited_is_looked_up_again(hub: Hub, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with runtime.sessions.begin() as session:
        placed(session)
    monkeypatch.setattr(hurrying, "FRESH_S", 0.0)
    assert hub.sender._hurried.take() is None
    assert len(plays(hub.step())) == 1


def test_while_the_broker_is_away_it_is_not_lost(hub: Hub, runtime: Runtime) -> None:
    hub.wire.up = False
    with runtime.sessions.begin() as session:
        placed(session)
    assert hub.step() == []
    hub.wire.up = True
    assert len(plays(hub.step())) == 1
