"""What is sent ahead, chosen, silenced and taken over, on PostgreSQL as on SQLite."""

from datetime import timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, NORTH, an_actor
from conftest import IN_POSTGRES, SetClock
from orderslab import B1, B2, IN_AN_HOUR, Hub, more_speakers, plays, stops

from broadcasts.delivery import muting
from broadcasts.loudspeaker.states import PlayState
from hub.accounts.roles import Role
from hub.core.runtime import Runtime
from hub.speakers.protocol import ToDevice

pytestmark = [pytest.mark.slow, IN_POSTGRES]


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
