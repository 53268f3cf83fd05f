"""The same job on PostgreSQL: written, approved, released, reported, closed; scheduled and fired by several at once."""

import threading
from datetime import timedelta

import pytest
from builders import an_announcement, the_actor
from conftest import IN_POSTGRES, NOON, SetClock
from fakes import FakeWire
from sqlalchemy import select

from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import When
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, BroadcastState
from broadcasts.feature import rules_of
from broadcasts.loudspeaker import receipts
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.sender import Sender
from broadcasts.loudspeaker.states import PlayState
from hub.audit.chain import prove
from hub.core.runtime import Runtime
from hub.speakers.station import signing_key
from schedules import timetable
from schedules.firing import Firing

pytestmark = IN_POSTGRES
SPOKEN = Spoken(Sound("ab" * 32, 30_000, 90_000), engine="tone", spoken="")


@pytest.fixture
def hub(runtime: Runtime) -> Runtime:
    """A hub whose tables lie in PostgreSQL, with the small county."""
    return runtime


def approved(hub: Runtime, **given: object) -> Broadcast | None:
    rules, doors = rules_of(hub), timetable.doors(hub.zone)
    with hub.sessions.begin() as session:
        clerk, approver = the_actor(session, "clerk"), the_actor(session, "approver")
        notice = an_announcement(session, clerk, now=NOON, **given)
        announcements.submit(session, clerk, notice.id, SPOKEN, rules=rules, now=NOON)
        return announcements.approve(session, approver, notice.id, rules=rules, timetable=doors, now=NOON)


def test_it_goes_out_is_reported_and_closed(hub: Runtime, clock: SetClock) -> None:
    broadcast = approved(hub)
    assert broadcast is not None
    assert broadcast.speakers_meant == 4, "as many as there are deliveries"
    wire = FakeWire()
    key = signing_key(hub.secrets.signing_seed)
    Sender(hub.sessions, wire, lambda: key, clock=clock, base_url=lambda: "http://hub", lead_s=0).step()
    assert len(wire.published) == 1
    with hub.sessions.begin() as session:
        deliveries = session.scalars(select(SpeakerDelivery)).all()
        reports = [
            Report(d.speaker_id, d.command_id, state, NOON, number)
            for d in deliveries
            for number, state in enumerate((PlayState.RECEIVED, PlayState.STARTED, PlayState.FINISHED))
        ]
        receipts.record(session, reports + reports, now=NOON)
    with hub.sessions.begin() as session:
        assert delivery.settle(session, now=NOON) == 1
        assert session.get_one(Broadcast, broadcast.id).state is BroadcastState.DONE
        assert prove(session).fault is None


def test_several_hubs_fire_each_occurrence_once(hub: Runtime) -> None:
    for minute in range(5):
        approved(hub, when=When.ONCE, at=NOON + timedelta(hours=1, minutes=minute))
    barrier = threading.Barrier(4)
    fired: list[int] = []

    def one_hub() -> None:
        barrier.wait()
        firing = Firing(hub.sessions, rules_of(hub), timedelta())
        # One sweep each is enough: whoever has an item's owner has the item.
        fired.append(firing.fire_due(now=NOON + timedelta(hours=1, minutes=5)))

    threads = [threading.Thread(target=one_hub) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(fired) == 5
    with hub.sessions.read() as session:
        assert len(session.scalars(select(Broadcast)).all()) == 5
        assert prove(session).fault is None
