"""What is sent ahead, chosen, silenced and taken over, on PostgreSQL as on SQLite."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import builders
import pytest
from builders import BRIDGE, NORTH, an_actor
from conftest import SetClock
from orderslab import B1, B2, IN_AN_HOUR, Hub, more_speakers, plays, stops
from postgres import new_database

import cunxiang
from broadcasts.delivery import muting
from broadcasts.loudspeaker.states import PlayState
from hub.accounts.roles import Role
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.speakers.protocol import ToDevice

pytestmark = pytest.mark.slow


@pytest.fixture
def runtime(postgres_url: str, tmp_path: Path, clock: SetClock) -> Iterator[Runtime]:
    """A hub whose tables lie in PostgreSQL, with the small county."""
    url = new_database(postgres_url, f"sheet{uuid4().hex}")
    overrides: dict[str, dict[str, object]] = {"hub": {"data_dir": tmp_path / "var"}, "database": {"url": url}}
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=clock)
    with runtime.sessions.begin() as session:
        builders.a_county(session)
    yield runtime
    runtime.sessions.engine.dispose()


def test_what_was_sent_ahead_is_taken_over_with_what_was_said_about_it(runtime: Runtime, clock: SetClock) -> None:
    hub = Hub(runtime, clock)
    laid = hub.lay(NORTH, without=["s1002-2"])
    assert laid is not None
    first = plays(hub.step())[0]
    hub.answer(first.id, PlayState.FETCHED, B1, B2)
    more_speakers(hub, ["new-1"])
    with runtime.sessions.begin() as session:
        order = muting.silence(session, an_actor(Role.DUTY_OFFICER, region=NORTH), BRIDGE, now=clock.now)
        assert muting.get(session, an_actor(Role.DUTY_OFFICER, region=NORTH), order).meant == 2 + 1
    assert [s.id for s in stops(hub.step())] == [str(order.id)]
    hub.answer(order.id, PlayState.FINISHED, B1)
    clock.now = IN_AN_HOUR - timedelta(seconds=20)
    hub.place(NORTH, broadcast_id=laid, starts_at=IN_AN_HOUR)
    assert set(hub.states(laid)) == {B1, B2, "s1002-1", "s1002-2", "new-1"}
    commands = hub.commands(laid)
    assert commands[B2] == commands["s1002-1"] == UUID(first.id)
    own = {p.to.device for p in plays(hub.step()) if isinstance(p.to, ToDevice) and p.id != first.id}
    assert own == {B1, "new-1", "s1002-2"}


def test_what_is_withdrawn_is_stopped_until_it_is_heard(runtime: Runtime, clock: SetClock) -> None:
    hub = Hub(runtime, clock)
    laid = hub.lay(BRIDGE)
    assert laid is not None
    hub.step()
    hub.withdraw(laid)
    stop = stops(hub.step())[0]
    hub.later(3)
    assert len(stops(hub.step())) == 2
    hub.answer(stop.id, PlayState.FINISHED, B1, B2)
    hub.later(3)
    assert hub.step() == []
