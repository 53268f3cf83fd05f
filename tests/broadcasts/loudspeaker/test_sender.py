"""What goes to the broker, when, how often, and what a crash in between does."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, HILL, NORTH
from conftest import NOON, SetClock
from fakes import FakeWire
from sqlalchemy import select, update
from uuid6 import uuid7

from broadcasts.loudspeaker import orders, receipts
from broadcasts.loudspeaker.models import OrderState, PlayOrder, PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.sender import Sender
from broadcasts.loudspeaker.states import FINAL, RANK, PlayState, may_follow
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.envelope import KeyRing
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, Play, Priority, Reached, Receipt, Stop, ToDevice, ToRegion
from hub.speakers.station import KEY_ID, signing_key

SOUND = Sound("cd" * 32, 30_000, 90_000)


class Desk:
    """A hub's sending side over a fake wire."""

    def __init__(self, runtime: Runtime, clock: SetClock) -> None:
        self.runtime, self.clock, self.wire = runtime, clock, FakeWire()
        key = signing_key(runtime.secrets.signing_seed)
        self.keys = KeyRing.of({KEY_ID: key.public()})
        self.sender = Sender(
            runtime.sessions, self.wire, lambda: key, clock=clock, base_url=lambda: "http://hub:8600", lead_s=20
        )

    def place(self, *codes: str, priority: Priority = Priority.ROUTINE, starts_at: datetime | None = None) -> UUID:
        broadcast_id = uuid7()
        with self.runtime.sessions.begin() as session:
            orders.place(
                session,
                broadcast_id=broadcast_id,
                paths=[path_of(code) for code in codes],
                sound=SOUND,
                priority=priority,
                volume=None,
                starts_at=starts_at or self.clock.now,
                expires_at=(starts_at or self.clock.now) + timedelta(minutes=10),
                now=self.clock.now,
            )
        return broadcast_id

    def step(self) -> list[tuple[str, object]]:
        self.wire.published.clear()
        self.sender.step()
        return list(self.wire.commands(self.keys))

    def later(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    def report(self, speaker_id: str, broadcast_id: UUID, state: PlayState, number: int = 1) -> None:
        with self.runtime.sessions.begin() as session:
            delivery = session.get_one(SpeakerDelivery, (broadcast_id, speaker_id))
            report = Report(speaker_id, delivery.command_id, state, self.clock.now, number)
            receipts.record(session, [report], now=self.clock.now)

    def call_off(self, broadcast_id: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            orders.call_off(session, broadcast_id, now=self.clock.now)

    def states(self, broadcast_id: UUID) -> set[PlayState]:
        with self.runtime.sessions.read() as session:
            query = select(SpeakerDelivery.state).where(SpeakerDelivery.broadcast_id == broadcast_id)
            return set(session.scalars(query))


@pytest.fixture
def desk(runtime: Runtime, clock: SetClock) -> Desk:
    return Desk(runtime, clock)


def test_a_region_is_told_in_one_message(desk: Desk) -> None:
    broadcast_id = desk.place(NORTH)
    sent = desk.step()
    assert [topic for topic, _ in sent] == [f"cx/1/region/{NORTH}/cmd"]
    play = sent[0][1]
    assert isinstance(play, Play)
    assert isinstance(play.to, ToRegion)
    assert play.audio is not None
    assert play.audio.url == f"http://hub:8600/a/{SOUND.sha256}.mp3"
    assert play.broadcast == str(broadcast_id)
    assert play.exp == round((NOON + timedelta(minutes=10)).timestamp() * 1000)
    assert desk.states(broadcast_id) == {PlayState.SENT}


def test_two_villages_are_told_on_their_own_topics(desk: Desk) -> None:
    desk.place(BRIDGE, HILL)
    assert [topic for topic, _ in desk.step()] == [f"cx/1/region/{BRIDGE}/cmd", f"cx/1/region/{HILL}/cmd"]


def test_it_is_sent_once(desk: Desk) -> None:
    desk.place(NORTH)
    assert len(desk.step()) == 1
    assert desk.step() == []


def test_the_most_urgent_goes_first(desk: Desk) -> None:
    desk.place(NORTH)
    desk.place(NORTH, priority=Priority.EMERGENCY)
    priorities = [c.pri for _, c in desk.step() if isinstance(c, Play)]
    assert priorities == [Priority.EMERGENCY, Priority.ROUTINE]


def test_with_the_broker_away_it_stays_queued_and_goes_later(desk: Desk) -> None:
    broadcast_id = desk.place(NORTH)
    desk.wire.up = False
    assert desk.step() == []
    assert desk.states(broadcast_id) == {PlayState.QUEUED}
    desk.wire.up = True
    assert len(desk.step()) == 1


def test_what_expired_while_the_broker_was_away_is_never_sent(desk: Desk) -> None:
    desk.place(NORTH)
    desk.later(601)
    assert desk.step() == []


def test_something_for_later_is_sent_shortly_before_its_start(desk: Desk) -> None:
    desk.place(NORTH, starts_at=NOON + timedelta(minutes=5))
    assert desk.step() == []
    desk.later(280)
    play = desk.step()[0][1]
    assert isinstance(play, Play)
    assert play.start_at == round((NOON + timedelta(minutes=5)).timestamp() * 1000)


def test_after_a_crash_between_sending_and_noting_it_the_same_command_goes_again(desk: Desk) -> None:
    broadcast_id = desk.place(NORTH)
    first = desk.step()[0][1]
    with desk.runtime.sessions.begin() as session:
        session.execute(update(PlayOrder).where(PlayOrder.broadcast_id == broadcast_id).values(state=OrderState.QUEUED))
    second = desk.step()[0][1]
    assert isinstance(first, Play)
    assert isinstance(second, Play)
    assert (first.id, first.seq) == (second.id, second.seq), "a device plays an id once"


def test_the_silent_are_told_again_one_by_one_and_nobody_else(desk: Desk) -> None:
    broadcast_id = desk.place(BRIDGE)
    desk.step()
    desk.report("s1001-1", broadcast_id, PlayState.RECEIVED)
    desk.later(5)
    sent = desk.step()
    assert [topic for topic, _ in sent] == ["cx/1/dev/s1001-2/cmd"]
    play = sent[0][1]
    assert isinstance(play, Play)
    assert play.to == ToDevice(device="s1001-2")
    desk.later(5)
    assert desk.step() == []
    desk.later(25)
    assert len(desk.step()) == 1


def test_the_offline_are_told_when_they_come_back_as_long_as_it_is_valid(desk: Desk) -> None:
    broadcast_id = desk.place(BRIDGE)
    with desk.runtime.sessions.begin() as session:
        session.get_one(Speaker, "s1001-2").online = False
    desk.step()
    desk.report("s1001-1", broadcast_id, PlayState.FINISHED)
    desk.later(6)
    assert desk.step() == []
    desk.sender.came_back(["s1001-2"])
    assert [topic for topic, _ in desk.step()] == ["cx/1/dev/s1001-2/cmd"]
    desk.later(700)
    desk.sender.came_back(["s1001-2"])
    assert desk.step() == []


def test_a_stop_goes_to_the_same_regions_and_is_repeated_until_everybody_answered(desk: Desk) -> None:
    broadcast_id = desk.place(BRIDGE)
    play = desk.step()[0][1]
    desk.report("s1001-1", broadcast_id, PlayState.STARTED)
    desk.report("s1001-2", broadcast_id, PlayState.STARTED)
    desk.call_off(broadcast_id)
    topic, stop = desk.step()[0]
    assert isinstance(stop, Stop)
    assert isinstance(play, Play)
    assert topic == f"cx/1/region/{BRIDGE}/cmd"
    assert stop.broadcasts == (str(broadcast_id),)
    assert stop.seq > play.seq
    desk.report("s1001-1", broadcast_id, PlayState.STOPPED, 2)
    desk.later(3)
    assert len(desk.step()) == 1
    desk.report("s1001-2", broadcast_id, PlayState.STOPPED, 2)
    desk.later(3)
    assert desk.step() == []


def test_what_is_called_off_before_it_was_sent_is_never_played(desk: Desk) -> None:
    broadcast_id = desk.place(BRIDGE, starts_at=NOON + timedelta(minutes=5))
    desk.call_off(broadcast_id)
    assert desk.states(broadcast_id) == {PlayState.STOPPED}
    desk.step()
    desk.later(290)
    assert [c for _, c in desk.step() if isinstance(c, Play)] == []


@pytest.mark.parametrize("current", PlayState)
@pytest.mark.parametrize("reported", PlayState)
def test_a_report_only_moves_forward(current: PlayState, reported: PlayState) -> None:
    if may_follow(current, reported):
        assert RANK[reported] >= RANK[current]
        assert current not in FINAL or RANK[reported] > RANK[current]


def steps(*states: PlayState) -> Sequence[PlayState]:
    return states


@pytest.mark.parametrize(
    ("reported", "ends"),
    [
        (steps(PlayState.RECEIVED, PlayState.FETCHED, PlayState.STARTED, PlayState.FINISHED), PlayState.FINISHED),
        (steps(PlayState.FINISHED, PlayState.STARTED, PlayState.RECEIVED), PlayState.FINISHED),
        (steps(PlayState.STARTED, PlayState.INTERRUPTED, PlayState.STARTED), PlayState.STARTED),
        (steps(PlayState.STARTED, PlayState.FAILED, PlayState.STARTED), PlayState.FAILED),
        (steps(PlayState.REFUSED), PlayState.REFUSED),
    ],
)
def test_reports_in_any_order_end_in_the_same_state(desk: Desk, reported: Sequence[PlayState], ends: PlayState) -> None:
    broadcast_id = desk.place(BRIDGE)
    desk.step()
    for number, state in enumerate([*reported, *reported[-1:]], start=1):
        desk.report("s1001-1", broadcast_id, state, number)
    assert ends in desk.states(broadcast_id)


def test_the_same_receipt_is_stored_once(desk: Desk) -> None:
    broadcast_id = desk.place(BRIDGE)
    desk.step()
    for _ in range(3):
        desk.report("s1001-1", broadcast_id, PlayState.STARTED, number=7)
    with desk.runtime.sessions.read() as session:
        assert len(session.scalars(select(PlayReceipt)).all()) == 1


def test_a_receipt_of_one_device_says_nothing_of_another(desk: Desk) -> None:
    broadcast_id = desk.place(BRIDGE)
    desk.step()
    desk.report("s1001-1", broadcast_id, PlayState.FINISHED)
    with desk.runtime.sessions.read() as session:
        assert session.get_one(SpeakerDelivery, (broadcast_id, "s1001-2")).state is PlayState.SENT


def test_a_duplicate_counts_as_the_state_once_reached_and_a_heartbeat_heals_what_was_lost() -> None:
    command = str(uuid7())
    receipt = Receipt(id=command, dev="s1", n=3, st=Reached.DUPLICATE, ts=1, reached=Reached.FINISHED)
    report = receipts.from_receipt(receipt)
    assert report is not None
    assert report.state is PlayState.FINISHED
    beat = Beat(
        dev="s1",
        st=Doing.IDLE,
        now=None,
        last=((command, Reached.FINISHED),),
        seq=1,
        ts=1,
        free=1,
        vol=80,
        ver="1",
        cfg=1,
        nonce="0" * 8,
    )
    assert [r.state for r in receipts.from_beat(beat)] == [PlayState.FINISHED]
    nameless = Receipt(id=None, dev="s1", n=4, st=Reached.REFUSED, ts=1, reason="bad_signature")
    assert receipts.from_receipt(nameless) is None
