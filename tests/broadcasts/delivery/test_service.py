"""Released once, stopped everywhere, closed with the truth."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders import BRIDGE, NORTH, the_actor
from conftest import NOON
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.loudspeaker import receipts
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.states import PlayState
from broadcasts.sms.models import SmsRun
from broadcasts.sms.states import RunState
from hub.core.actor import SYSTEM
from hub.core.errors import NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority

SOUND = Sound("ef" * 32, 30_000, 90_000)
MIDNIGHT = datetime(2026, 11, 23, 16, 10, tzinfo=NOON.tzinfo)


@pytest.fixture
def session(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.fixture
def rules(runtime: Runtime) -> Rules:
    return rules_of(runtime)


def an_order(now: datetime = NOON, **given: object) -> service.Order:
    fields: dict[str, object] = {
        "source": "test:1",
        "kind": Kind.ROUTINE,
        "title": "开会通知",
        "text": "开会了。",
        "sms_text": "开会了。",
        "audience": Audience((BRIDGE,), sms=True),
        "home_path": path_of(BRIDGE),
        "sound": SOUND,
        "repeats": 2,
        "volume": None,
        "starts_at": now,
        "expires_at": now + timedelta(minutes=10),
    }
    return service.Order(**(fields | given))  # type: ignore[arg-type]


def released(session: Session, rules: Rules, now: datetime = NOON, **given: object) -> Broadcast:
    return service.release(session, SYSTEM, an_order(now, **given), rules=rules, now=now)


def report(session: Session, broadcast_id: UUID, speaker_id: str, state: PlayState) -> None:
    command = session.get_one(SpeakerDelivery, (broadcast_id, speaker_id)).command_id
    receipts.record(session, [Report(speaker_id, command, state, NOON, 1)], now=NOON)


def delivery(session: Session, broadcast_id: UUID, speaker_id: str) -> SpeakerDelivery:
    return session.get_one(SpeakerDelivery, (broadcast_id, speaker_id), populate_existing=True)


def test_one_occasion_is_released_once(session: Session, rules: Rules) -> None:
    released(session, rules)
    with pytest.raises(WrongState, match="broadcast_released_already"):
        released(session, rules)
    assert len(session.scalars(select(Broadcast)).all()) == 1


def test_one_emergency_is_released_once_and_nothing_is_half_done(runtime: Runtime, rules: Rules) -> None:
    sessions = runtime.sessions
    with sessions.begin() as session:
        first = released(session, rules, kind=Kind.EMERGENCY).id
    with pytest.raises(WrongState, match="broadcast_released_already"), sessions.begin() as session:
        released(session, rules, kind=Kind.EMERGENCY)
    with sessions.read() as session:
        assert session.scalars(select(Broadcast.id)).all() == [first]
        assert session.scalars(select(PlayOrder.broadcast_id)).all() == [first]


def test_nothing_routine_sounds_at_midnight_whoever_asks(session: Session, rules: Rules) -> None:
    with pytest.raises(WrongState, match="quiet_hours"):
        released(session, rules, MIDNIGHT)
    assert session.scalar(select(PlayOrder)) is None


def test_an_emergency_sounds_at_midnight_and_before_everything_else(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules, MIDNIGHT, kind=Kind.EMERGENCY)
    assert session.get_one(PlayOrder, broadcast.id).priority == Priority.EMERGENCY


def test_something_that_would_run_into_quiet_hours_is_refused(session: Session, rules: Rules) -> None:
    late = datetime(2026, 11, 23, 12, 59, 45, tzinfo=NOON.tzinfo)  # 20:59:45 local, half a minute long
    with pytest.raises(WrongState, match="quiet_hours"):
        released(session, rules, late)


def test_text_messages_alone_go_in_quiet_hours_into_their_own_window(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules, MIDNIGHT, sound=None, audience=Audience((BRIDGE,), speakers=False, sms=True))
    assert session.get(PlayOrder, broadcast.id) is None
    assert session.get_one(SmsRun, broadcast.id).state is RunState.EXPANDING


def test_stopping_stops_sound_and_text_messages_and_twice_is_once(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules)
    clerk = the_actor(session, "clerk")
    for _ in range(2):
        service.stop(session, clerk, broadcast.id, now=NOON)
    assert broadcast.state is BroadcastState.STOPPED
    assert broadcast.stopped_by_name == clerk.name
    assert session.get_one(PlayOrder, broadcast.id).stop_seq is not None
    assert session.get_one(SmsRun, broadcast.id, populate_existing=True).state is RunState.CANCELLED


def test_a_stranger_and_a_viewer_stop_nothing(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules)
    with pytest.raises(NotFound):
        service.stop(session, the_actor(session, "stranger"), broadcast.id, now=NOON)
    with pytest.raises(NotAllowed):
        service.stop(session, the_actor(session, "viewer"), broadcast.id, now=NOON)
    assert broadcast.state is BroadcastState.GOING
    assert service.page(session, the_actor(session, "stranger")) == []


def test_it_is_over_when_every_loudspeaker_said_so(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules, audience=Audience((BRIDGE,)))
    report(session, broadcast.id, "s1001-1", PlayState.FINISHED)
    assert service.settle(session, now=NOON) == 0
    report(session, broadcast.id, "s1001-2", PlayState.FINISHED)
    assert service.settle(session, now=NOON) == 1
    assert (broadcast.state, broadcast.done_at) == (BroadcastState.DONE, NOON)
    with pytest.raises(WrongState, match="broadcast_over"):
        service.stop(session, the_actor(session, "clerk"), broadcast.id, now=NOON)


def test_the_silent_are_named_with_the_reason_when_time_is_up(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules, audience=Audience((NORTH,)), home_path=path_of(NORTH))
    session.get_one(Speaker, "s1001-2").online = False
    report(session, broadcast.id, "s1002-1", PlayState.STARTED)
    report(session, broadcast.id, "s1002-2", PlayState.FINISHED)
    over = NOON + timedelta(minutes=10, seconds=30) + service.GRACE
    assert service.settle(session, now=over - timedelta(seconds=1)) == 0
    assert service.settle(session, now=over) == 1
    found = {s: delivery(session, broadcast.id, s) for s in ("s1001-1", "s1001-2", "s1002-1", "s1002-2")}
    assert {s: d.reason for s, d in found.items()} == {
        "s1001-1": "no_receipt",
        "s1001-2": "offline",
        "s1002-1": "no_end",
        "s1002-2": "",
    }


def test_a_report_that_comes_very_late_still_counts(session: Session, rules: Rules) -> None:
    broadcast = released(session, rules, audience=Audience((BRIDGE,)))
    service.settle(session, now=NOON + timedelta(hours=1))
    assert delivery(session, broadcast.id, "s1001-1").state is PlayState.FAILED
    report(session, broadcast.id, "s1001-1", PlayState.FINISHED)
    assert delivery(session, broadcast.id, "s1001-1").state is PlayState.FINISHED
