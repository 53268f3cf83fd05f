"""What is sent ahead: laid once, taken over with the same commands, stopped when it is withdrawn."""

from datetime import timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, HILL, NORTH
from conftest import NOON, SetClock
from orderslab import B1, B2, IN_AN_HOUR, NORTHERN, Hub, more_speakers, plays, stops
from sqlalchemy import update

from broadcasts.loudspeaker import sheet
from broadcasts.loudspeaker.models import SheetPlay, SheetState
from broadcasts.loudspeaker.states import PlayState
from broadcasts.loudspeaker.targets import Meant
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.protocol import ToDevice


@pytest.fixture
def hub(runtime: Runtime, clock: SetClock) -> Hub:
    return Hub(runtime, clock)


def test_what_is_laid_goes_out_ahead_with_its_time_and_is_taken_over_with_the_same_command(hub: Hub) -> None:
    laid = hub.lay(NORTH)
    assert laid is not None
    first = plays(hub.step())[0]
    assert first.start_at == round(IN_AN_HOUR.timestamp() * 1000)
    assert first.broadcast == str(laid)
    assert 0 < first.fetch_within_ms <= 30 * 60_000
    hub.answer(first.id, PlayState.RECEIVED, B1, B2)
    hub.answer(first.id, PlayState.FETCHED, B2)
    hub.later(3600 - 20)
    hub.place(NORTH, broadcast_id=laid, starts_at=IN_AN_HOUR)
    states = hub.states(laid)
    assert (states[B1], states[B2], states["s1002-1"]) == (PlayState.RECEIVED, PlayState.FETCHED, PlayState.SENT)
    again = plays(hub.step())
    assert {p.to.device for p in again if isinstance(p.to, ToDevice)} == {"s1002-1", "s1002-2"}
    assert {(p.id, p.seq) for p in again} == {(first.id, first.seq)}, "a device plays an id once"


def test_what_was_laid_and_not_sent_goes_out_at_its_time(hub: Hub) -> None:
    hub.wire.up = False
    laid = hub.lay(NORTH)
    assert laid is not None
    hub.step()
    hub.wire.up = True
    hub.place(NORTH, broadcast_id=laid)
    sent = hub.step()
    assert [topic for topic, _ in sent] == [f"cx/1/region/{NORTH}/cmd"]


def test_a_loudspeaker_added_since_gets_a_command_of_its_own(hub: Hub) -> None:
    laid = hub.lay(BRIDGE)
    assert laid is not None
    first = plays(hub.step())[0]
    more_speakers(hub, ["new-1"])
    hub.answer(first.id, PlayState.FETCHED, B1, B2)
    hub.place(BRIDGE, broadcast_id=laid, starts_at=IN_AN_HOUR)
    assert set(hub.states(laid)) == {B1, B2, "new-1"}
    (play,) = plays(hub.step())
    assert play.to == ToDevice(device="new-1")
    assert play.id != first.id
    assert hub.commands(laid)["new-1"] == UUID(play.id)


def test_after_a_crash_before_the_note_it_goes_out_again_with_the_same_ids(hub: Hub) -> None:
    hub.lay(NORTH)
    first = plays(hub.step())[0]
    with hub.runtime.sessions.begin() as session:
        session.execute(update(SheetPlay).values(state=SheetState.LAID, sent_at=None))
    hub.sender = hub.new_sender()
    assert (plays(hub.step())[0].id, plays(hub.step())) == (first.id, [])


def test_the_silent_are_told_again_and_who_comes_back_at_once(hub: Hub) -> None:
    hub.offline(B2)
    hub.lay(BRIDGE)
    first = plays(hub.step())[0]
    hub.answer(first.id, PlayState.RECEIVED, "s1002-1")
    hub.later(310)
    again = plays(hub.step())
    assert [p.to for p in again] == [ToDevice(device=B1)]
    hub.answer(first.id, PlayState.RECEIVED, B1)
    assert [p.to for p in plays(hub.back(B2))] == [ToDevice(device=B2)]
    hub.answer(first.id, PlayState.RECEIVED, B2)
    assert plays(hub.back(B2)) == []


def test_a_loudspeaker_whose_clock_was_wrong_is_told_again(hub: Hub) -> None:
    hub.lay(BRIDGE)
    first = plays(hub.step())[0]
    hub.answer(first.id, PlayState.RECEIVED, B1)
    hub.answer(first.id, PlayState.REFUSED, B2, reason="not_yet")
    hub.later(310)
    assert [p.to for p in plays(hub.step())] == [ToDevice(device=B2)]


def test_what_is_withdrawn_is_stopped_by_name_until_everybody_has_heard_it(hub: Hub) -> None:
    laid = hub.lay(BRIDGE)
    assert laid is not None
    hub.step()
    hub.offline(B2)
    hub.withdraw(laid)
    stop = stops(hub.step())[0]
    assert stop.broadcasts == (str(laid),)
    hub.later(3)
    assert [s.to for s in stops(hub.step())] == [ToDevice(device=B1)]
    hub.answer(stop.id, PlayState.FINISHED, B1)
    hub.later(3)
    assert hub.step() == []
    hub.later(600)
    assert [(s.to, s.id) for s in stops(hub.back(B2))] == [(ToDevice(device=B2), stop.id)]
    hub.answer(stop.id, PlayState.FINISHED, B2)
    hub.later(600)
    assert hub.back(B2) == []


def test_what_is_withdrawn_is_never_taken_over(hub: Hub) -> None:
    laid = hub.lay(BRIDGE)
    assert laid is not None
    hub.withdraw(laid)
    with hub.runtime.sessions.begin() as session:
        assert sheet.take_over(session, laid, Meant((path_of(BRIDGE),)), now=NOON) is None


def test_a_region_stop_kills_what_lies_ahead_there_and_the_release_sends_it_anew_to_who_confirmed_the_stop(
    hub: Hub,
) -> None:
    laid = hub.lay(NORTH)
    assert laid is not None
    first = plays(hub.step())[0]
    hub.answer(first.id, PlayState.FETCHED, *NORTHERN)
    stop_id = hub.silence(BRIDGE)
    hub.step()
    hub.answer(first.id, PlayState.STOPPED, B1)
    hub.answer(stop_id, PlayState.FINISHED, B1)
    hub.later(3580)
    hub.place(NORTH, broadcast_id=laid, starts_at=IN_AN_HOUR)
    commands = hub.commands(laid)
    assert commands["s1002-1"] == UUID(first.id)
    assert commands[B1] != UUID(first.id), "the stop was heard: the old command can never sound there"
    assert commands[B2] == UUID(first.id), "it may still play the old one by itself: a second one would sound twice"
    own = [p for p in plays(hub.step()) if p.id != first.id]
    assert [p.to for p in own] == [ToDevice(device=B1)]
    assert own[0].seq > max(s for s in [first.seq])


def test_a_queue_is_never_filled_with_what_lies_ahead(hub: Hub) -> None:
    laid = [hub.lay(BRIDGE, starts_at=IN_AN_HOUR + timedelta(minutes=n)) for n in range(50)]
    assert sum(one is not None for one in laid) == sheet.MOST_WAITING == 48
    assert hub.lay(NORTH) is None, "the township's item would lie in the village's queues too"
    assert hub.lay(HILL) is not None
    hub.later(3 * 3600)
    assert hub.lay(BRIDGE, starts_at=hub.clock.now + timedelta(hours=1)) is not None


def test_old_sheets_are_forgotten(hub: Hub) -> None:
    hub.lay(BRIDGE)
    with hub.runtime.sessions.begin() as session:
        assert sheet.forget(session, now=NOON + timedelta(days=1)) == 0
        assert sheet.forget(session, now=NOON + timedelta(days=4)) == 1
