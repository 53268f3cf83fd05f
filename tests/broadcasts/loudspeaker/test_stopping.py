"""Silencing a region: first of all, again until it is heard, and to whoever comes back; nothing older sounds there."""

import pytest
from builders import BRIDGE, COUNTY, FERRY, NORTH, an_actor
from conftest import NOON, SetClock
from orderslab import B1, B2, Hub, plays, stops
from sqlalchemy import select, update

from broadcasts.loudspeaker import stopping
from broadcasts.loudspeaker.models import StopOrder
from broadcasts.loudspeaker.states import PlayState
from hub.accounts.roles import Role
from hub.core.errors import NotAllowed
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority, Stop, ToDevice, ToRegion


@pytest.fixture
def hub(runtime: Runtime, clock: SetClock) -> Hub:
    return Hub(runtime, clock)


def test_a_stop_of_a_region_is_one_message_and_goes_before_anything_else(hub: Hub) -> None:
    hub.place(NORTH, priority=Priority.EMERGENCY)
    hub.silence(BRIDGE)
    sent = hub.step()
    topic, stop = sent[0]
    assert topic == f"cx/1/region/{BRIDGE}/cmd"
    assert isinstance(stop, Stop)
    assert stop.all is True
    assert isinstance(stop.to, ToRegion)
    assert len(plays(sent)) == 1
    assert plays(sent)[0].seq < stop.seq, "what was ordered before must not sound there"


def test_it_is_repeated_every_three_seconds_until_everybody_there_has_answered(hub: Hub) -> None:
    stop_id = hub.silence(BRIDGE)
    first = stops(hub.step())
    assert stops(hub.step()) == []
    hub.later(3)
    again = stops(hub.step())
    assert [s.id for s in again] == [s.id for s in first] == [str(stop_id)]
    hub.answer(stop_id, PlayState.FINISHED, B1)
    hub.later(3)
    assert len(stops(hub.step())) == 1
    hub.answer(stop_id, PlayState.FINISHED, B2)
    hub.later(3)
    assert hub.step() == []


def test_after_a_minute_it_is_no_longer_shouted_at_who_does_not_answer(hub: Hub) -> None:
    hub.silence(BRIDGE)
    heard = 0
    for _ in range(40):
        heard += len(stops(hub.step()))
        hub.later(3)
    assert 20 <= heard <= 22


def test_whoever_comes_back_within_a_day_hears_it_first_and_after_that_no_more(hub: Hub) -> None:
    hub.offline(B1)
    broadcast = hub.place(NORTH)
    hub.step()
    stop_id = hub.silence(BRIDGE)
    hub.answer(stop_id, PlayState.FINISHED, B2)
    hub.step()
    hub.later(300)
    hub.step()
    sent = hub.back(B1)
    assert [topic for topic, _ in sent] == [f"cx/1/dev/{B1}/cmd"], "the stop alone: the play is older"
    assert stops(sent)[0].id == str(stop_id)
    hub.answer(stop_id, PlayState.FINISHED, B1)
    assert hub.back(B1) == []
    hub.later(24 * 3600)
    assert hub.back(B2) == []
    assert hub.states(broadcast)[B1] is PlayState.SENT


def test_older_plays_are_not_sent_again_there_but_go_on_elsewhere(hub: Hub) -> None:
    hub.place(NORTH)
    hub.step()
    hub.silence(BRIDGE)
    hub.step()
    hub.later(6)
    again = plays(hub.step())
    assert {p.to.device for p in again if isinstance(p.to, ToDevice)} == {"s1002-1", "s1002-2"}


def test_what_is_released_after_the_stop_sounds_there(hub: Hub) -> None:
    hub.silence(BRIDGE)
    stop = stops(hub.step())[0]
    hub.place(BRIDGE)
    play = plays(hub.step())[0]
    assert play.seq > stop.seq
    hub.later(6)
    assert len(plays(hub.step())) == 2, "the silent ones are told again"


def test_only_who_may_stop_there_may_silence_it(hub: Hub) -> None:
    with hub.runtime.sessions.begin() as session:
        for role, place, where in (
            (Role.DUTY_OFFICER, NORTH, COUNTY),
            (Role.DUTY_OFFICER, NORTH, FERRY),
            (Role.VIEWER, NORTH, BRIDGE),
        ):
            with pytest.raises(NotAllowed):
                stopping.stop_region(session, an_actor(role, region=place), path_of(where), now=NOON)
        assert session.scalars(select(StopOrder)).all() == []


def test_a_crash_between_sending_and_noting_it_sends_the_same_stop_again(hub: Hub) -> None:
    hub.silence(BRIDGE)
    first = stops(hub.step())
    with hub.runtime.sessions.begin() as session:
        session.execute(update(StopOrder).values(sent_at=None, next_resend_at=NOON))
    assert [s.id for s in stops(hub.step())] == [s.id for s in first]


def test_who_came_back_while_nobody_looked_is_told_by_the_next_hub(hub: Hub) -> None:
    """The hub was killed between noting that it is there and telling it."""
    hub.offline(B2)
    stop_id = hub.silence(BRIDGE)
    hub.step()
    hub.answer(stop_id, PlayState.FINISHED, B1)
    for _ in range(2):
        hub.later(120)
        hub.step()
    with hub.runtime.sessions.begin() as session:
        session.get_one(Speaker, B2).online = True
    assert hub.step() == []
    hub.sender = hub.new_sender()
    hub.step()
    hub.later(3)
    assert [stop.id for stop in stops(hub.step())] == [str(stop_id)]
    hub.answer(stop_id, PlayState.FINISHED, B2)
    hub.sender.line_is_new()
    hub.step()
    hub.later(3)
    assert hub.step() == [], "everybody has heard it"
