"""Chosen and excluded loudspeakers, and the most urgent first while many are told one by one."""

import pytest
from builders import BRIDGE, HILL, NORTH
from conftest import SetClock
from fakes import FakeWire
from orderslab import B1, B2, NORTHERN, Hub, more_speakers, plays
from sqlalchemy import update

from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.outlet import CHUNK
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker
from hub.speakers.protocol import Play, Priority, Stop, ToRegion


@pytest.fixture
def hub(runtime: Runtime, clock: SetClock) -> Hub:
    return Hub(runtime, clock)


def test_an_excluded_loudspeaker_is_named_in_the_order_and_has_no_delivery(hub: Hub) -> None:
    broadcast = hub.place(NORTH, without=[B1])
    play = plays(hub.step())[0]
    assert isinstance(play.to, ToRegion)
    assert play.to.excluded == (B1,)
    assert set(hub.states(broadcast)) == set(NORTHERN) - {B1}


def test_chosen_loudspeakers_are_told_one_by_one_with_one_command(hub: Hub) -> None:
    broadcast = hub.place(NORTH, only=[B2, "s1002-1"])
    sent = hub.step()
    assert [topic for topic, _ in sent] == [f"cx/1/dev/{B2}/cmd", "cx/1/dev/s1002-1/cmd"]
    assert len({p.id for p in plays(sent)}) == 1
    assert set(hub.states(broadcast)) == {B2, "s1002-1"}
    with hub.runtime.sessions.begin() as session:
        orders.call_off(session, broadcast, now=hub.clock.now)
    assert [topic for topic, _ in hub.step()] == [f"cx/1/dev/{B2}/cmd", "cx/1/dev/s1002-1/cmd"]


def test_a_retired_loudspeaker_is_not_meant_even_when_it_was_chosen(hub: Hub) -> None:
    with hub.runtime.sessions.begin() as session:
        session.execute(update(Speaker).where(Speaker.id == B1).values(state="retired"))
    assert set(hub.states(hub.place(NORTH, only=[B1, B2]))) == {B2}
    assert set(hub.states(hub.place(BRIDGE))) == {B2}


def test_with_many_exceptions_everybody_else_is_told_one_by_one(hub: Hub) -> None:
    more_speakers(hub, [f"x{n:03}" + "y" * 28 for n in range(70)], online=False)
    most = [f"x{n:03}" + "y" * 28 for n in range(60)]
    hub.place(BRIDGE, without=most)
    hub.step()
    ((topic, payload),) = hub.wire.published
    assert topic == f"cx/1/region/{BRIDGE}/cmd"
    assert len(payload) < 16_384
    broadcast = hub.place(BRIDGE, without=[*most, B1])
    sent = hub.step()
    assert {topic.split("/")[2] for topic, _ in sent} == {"dev"}
    assert len(sent) == len(hub.states(broadcast)) == 11


class SlowWire(FakeWire):
    """A wire on which something happens after so many messages."""

    def __init__(self, after: int, then: object) -> None:
        super().__init__()
        self.after, self.then = after, then

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        done = super().publish(topic, payload, qos=qos, retain=retain)
        if len(self.published) == self.after and callable(self.then):
            self.then()
        return done


@pytest.fixture
def valley(hub: Hub) -> list[str]:
    """Make 桥村 big."""
    ids = [f"v{n:03}" for n in range(200)]
    more_speakers(hub, ids)
    return ids


def test_an_emergency_overtakes_a_long_round_of_repetitions_which_goes_on_afterwards(
    hub: Hub, valley: list[str]
) -> None:
    hub.place(BRIDGE)
    hub.step()
    hub.later(6)
    hub.wire = SlowWire(20, lambda: hub.place(HILL, priority=Priority.EMERGENCY))
    hub.sender = hub.new_sender()
    assert hub.sender.step() == 0.0, "there is more to do at once"
    hub.sender.step()
    sent = list(hub.wire.commands(hub.keys))
    at = next(n for n, p in enumerate(plays(sent)) if p.pri is Priority.EMERGENCY)
    assert at <= 20 + CHUNK
    told = [topic for topic, c in sent if isinstance(c, Play) and c.pri is Priority.ROUTINE]
    assert len(told) == len(set(told)) == len(valley) + 2, "nobody twice, nobody left out"


def test_a_stop_overtakes_an_emergency_that_goes_to_many_one_by_one(hub: Hub, valley: list[str]) -> None:
    hub.place(BRIDGE, only=valley, priority=Priority.EMERGENCY)
    hub.wire = SlowWire(20, lambda: hub.silence(BRIDGE))
    hub.sender = hub.new_sender()
    assert hub.sender.step() == 0.0
    hub.sender.step()
    sent = [c for _, c in hub.wire.commands(hub.keys)]
    assert next(n for n, c in enumerate(sent) if isinstance(c, Stop)) <= 20 + CHUNK
