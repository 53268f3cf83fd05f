"""The stop of one broadcast is asked about until everybody it was for has come to an end, whoever fell in between."""

from collections.abc import Callable
from uuid import UUID

import pytest
from builders import BRIDGE
from conftest import SetClock
from fakes import FakeWire
from orderslab import B1, B2, Hub, plays, stops
from sqlalchemy import update

from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from hub.core.runtime import Runtime
from hub.speakers.models import Speaker
from hub.speakers.protocol import ToDevice


@pytest.fixture
def hub(runtime: Runtime, clock: SetClock) -> Hub:
    return Hub(runtime, clock)


def stopped_while_one_was_away(hub: Hub) -> tuple[UUID, str]:
    """B1 obeys the stop, B2 is away and never had the play. Returns the broadcast and the stop's id."""
    hub.offline(B2)
    broadcast_id = hub.place(BRIDGE)
    hub.step()
    hub.answer(hub.commands(broadcast_id)[B1], PlayState.STARTED, B1)
    call_off(hub, broadcast_id)
    stop = stops(hub.step())[0]
    hub.answer(hub.commands(broadcast_id)[B1], PlayState.STOPPED, B1)
    hub.answer(stop.id, PlayState.FINISHED, B1)
    return broadcast_id, stop.id


def call_off(hub: Hub, broadcast_id: UUID) -> None:
    with hub.runtime.sessions.begin() as session:
        orders.call_off(session, broadcast_id, now=hub.clock.now)


def online(hub: Hub, speaker_id: str) -> None:
    with hub.runtime.sessions.begin() as session:
        session.get_one(Speaker, speaker_id).online = True


def why(hub: Hub, broadcast_id: UUID, speaker_id: str) -> tuple[PlayState, str]:
    with hub.runtime.sessions.read() as session:
        delivery = session.get_one(SpeakerDelivery, (broadcast_id, speaker_id))
        return delivery.state, delivery.reason


def test_who_comes_back_and_confirms_a_stop_without_ever_having_had_the_play_is_through(hub: Hub) -> None:
    broadcast_id, stop_id = stopped_while_one_was_away(hub)
    hub.later(30)
    hub.step()
    hub.later(3)
    assert hub.step() == []
    online(hub, B2)
    assert [stop.to for stop in stops(hub.back(B2))] == [ToDevice(device=B2)]
    hub.answer(stop_id, PlayState.FINISHED, B2)
    hub.later(3)
    assert hub.step() == []
    assert why(hub, broadcast_id, B2) == (PlayState.STOPPED, "stopped_before")


def test_who_comes_back_and_did_not_hear_it_is_told_again_until_he_answers(hub: Hub) -> None:
    broadcast_id, _ = stopped_while_one_was_away(hub)
    hub.later(100)
    hub.step()
    online(hub, B2)
    assert len(stops(hub.back(B2))) == 1
    told = 0
    for _ in range(50):
        hub.later(3)
        told += len(stops(hub.step()))
    assert 7 <= told <= 10, "at once, and then every twenty seconds"
    hub.answer(hub.commands(broadcast_id)[B2], PlayState.STOPPED, B2)
    hub.later(60)
    assert hub.step() == []
    hub.later(60)
    assert hub.step() == []


def test_who_came_back_while_nobody_looked_is_told_by_the_next_hub(hub: Hub) -> None:
    """The hub was killed between noting that it is there and telling it."""
    stopped_while_one_was_away(hub)
    hub.later(30)
    hub.step()
    online(hub, B2)
    hub.sender = hub.new_sender()
    assert hub.step() == []
    hub.later(3)
    assert [stop.to for stop in stops(hub.step())] == [ToDevice(device=B2)]


def test_what_was_closed_without_a_word_is_still_stopped_for_who_comes_back(hub: Hub) -> None:
    """Its power was gone: what waits in its memory must not sound a minute after everybody was told to be silent."""
    broadcast_id, stop_id = stopped_while_one_was_away(hub)
    hub.later(46)
    with hub.runtime.sessions.begin() as session:
        orders.close(session, broadcast_id, now=hub.clock.now)
    assert why(hub, broadcast_id, B2) == (PlayState.FAILED, "offline")
    hub.step()
    online(hub, B2)
    assert [stop.to for stop in stops(hub.back(B2))] == [ToDevice(device=B2)]
    hub.answer(stop_id, PlayState.FINISHED, B2)
    hub.later(3)
    assert hub.step() == []
    assert why(hub, broadcast_id, B2) == (PlayState.STOPPED, "stopped_before")
    assert hub.back(B2) == [], "it has confirmed it"


def test_an_end_the_loudspeaker_reported_itself_needs_no_stop(hub: Hub) -> None:
    broadcast_id, _ = stopped_while_one_was_away(hub)
    hub.answer(hub.commands(broadcast_id)[B2], PlayState.FAILED, B2, reason="power_lost")
    hub.later(30)
    hub.step()
    online(hub, B2)
    assert hub.back(B2) == []
    assert why(hub, broadcast_id, B2) == (PlayState.FAILED, "power_lost")


def test_what_was_called_off_after_a_crash_in_the_midst_of_sending_is_stopped_for_who_comes_back(hub: Hub) -> None:
    """It had been sent, and nobody had noted it: the hub believes that nobody has it."""
    broadcast_id = hub.place(BRIDGE)
    hub.step()
    with hub.runtime.sessions.begin() as session:
        session.execute(update(PlayOrder).values(state=OrderState.QUEUED))
        session.execute(update(SpeakerDelivery).values(state=PlayState.QUEUED))
    hub.offline(B2)
    call_off(hub, broadcast_id)
    stop = stops(hub.step())[0]
    hub.answer(stop.id, PlayState.FINISHED, B1)
    hub.later(30)
    hub.step()
    online(hub, B2)
    assert [each.to for each in stops(hub.back(B2))] == [ToDevice(device=B2)]
    hub.answer(stop.id, PlayState.FINISHED, B2)
    hub.later(30)
    assert hub.step() == []
    assert hub.states(broadcast_id) == {B1: PlayState.STOPPED, B2: PlayState.STOPPED}


class Meanwhile(FakeWire):
    """A line on which something happens with the next message."""

    def __init__(self, happen: Callable[[], None]) -> None:
        super().__init__()
        self.happen: Callable[[], None] | None = happen

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        happen, self.happen = self.happen, None
        if happen is not None:
            happen()
        return super().publish(topic, payload, qos=qos, retain=retain)


def test_a_stop_that_comes_while_the_silent_are_told_again_waits_for_no_pause(hub: Hub) -> None:
    broadcast_id = hub.place(BRIDGE)
    hub.step()
    hub.later(5)
    hub.wire = Meanwhile(lambda: call_off(hub, broadcast_id))
    hub.sender = hub.new_sender()
    assert len(plays(hub.step())) == 2
    assert len(stops(hub.step())) == 1


def test_who_came_back_is_not_forgotten_when_a_round_breaks_off(hub: Hub) -> None:
    stopped_while_one_was_away(hub)

    def fail() -> None:
        raise OSError("the database is away")

    hub.wire = Meanwhile(fail)
    hub.sender = hub.new_sender()
    online(hub, B2)
    with pytest.raises(OSError, match="away"):
        hub.back(B2)
    assert [stop.to for stop in stops(hub.step())] == [ToDevice(device=B2)]


def test_after_a_fall_of_the_broker_the_silent_are_told_in_seconds(hub: Hub) -> None:
    """They had been told three times, so that the next pause is two minutes; what the broker took went down with it."""
    hub.place(BRIDGE)
    for seconds in (0, 5, 30):
        hub.later(seconds)
        assert plays(hub.step())
    hub.later(10)
    assert hub.step() == []
    hub.sender.line_is_new()
    hub.step()
    hub.later(5)
    assert len(plays(hub.step())) == 2
    hub.later(6)
    assert hub.step() == [], "once"
