"""Broadcasts for tests: released into the small county, reported on by its loudspeakers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Protocol
from uuid import UUID

from builders import BRIDGE, NORTH, a_draft, the_actor
from fakes import FakeWire
from sqlalchemy import select, update
from uuid6 import uuid7

from broadcasts.announcements import service as announcements
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.service import Order
from broadcasts.loudspeaker import receipts
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.sender import Sender
from broadcasts.loudspeaker.states import PlayState
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.models import Speaker
from hub.speakers.station import Station
from schedules.firing import Firing


class Clock(Protocol):
    now: datetime


SPOKEN = Spoken(Sound("ee" * 32, 61_000, 1000), "tone", "")
B1, B2 = f"s{BRIDGE[-4:]}-1", f"s{BRIDGE[-4:]}-2"
H1, H2 = "s1002-1", "s1002-2"
"""The loudspeakers of the north: two in 桥村, two in 岭村."""


@dataclass
class Air:
    """Releases and reports with the hub's own services, at the time the test's clock shows."""

    runtime: Runtime
    clock: Clock
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def release(
        self,
        *regions: str,
        title: str = "医保缴费提醒",
        kind: Kind = Kind.ROUTINE,
        ms: int = 92_000,
        sms: bool = False,
        sha256: str = "ab" * 32,
        starts_in: timedelta = timedelta(0),
    ) -> UUID:
        """Release a recording of 1:32, twice the words; `ms=0` sends text messages only."""
        audience = Audience(regions or (NORTH,), speakers=ms > 0, sms=sms)
        starts_at = self.clock.now + starts_in
        valid = timedelta(minutes=10 if kind is Kind.ROUTINE else 60)
        order = Order(
            source=f"test:{uuid7()}",
            kind=kind,
            title=title,
            text="请还没缴费的抓紧。",
            sms_text="请还没缴费的抓紧。" if sms else "",
            audience=audience,
            home_path=path_of(audience.regions[0]),
            sound=Sound(sha256, ms, 1000) if ms else None,
            repeats=2,
            volume=None,
            starts_at=starts_at,
            expires_at=starts_at + valid,
            approved_by_name="北镇副镇长",
        )
        with self.runtime.sessions.begin() as session:
            released = service.release(session, SYSTEM, order, rules=self.runtime.get(Rules), now=self.clock.now).id
        self.sender().step()
        return released

    def sender(self) -> Sender:
        """Return the pump that hands commands to the broker; nobody listens there."""
        key = self.runtime.get(Station).key
        return Sender(
            self.runtime.sessions,
            FakeWire(),
            lambda: key,
            clock=lambda: self.clock.now,
            base_url=lambda: "http://hub",
            lead_s=20,
        )

    def report(
        self, broadcast_id: UUID, state: PlayState, speakers: Iterable[str], *, reason: str = "", played_ms: int = 0
    ) -> None:
        """Let loudspeakers report, as their receipts do."""
        with self.runtime.sessions.begin() as session:
            deliveries = session.scalars(select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast_id))
            command = {d.speaker_id: d.command_id for d in deliveries}
            reports = [
                Report(s, command[s], state, self.clock.now, next(self.numbers), reason, played_ms or None)
                for s in speakers
            ]
            receipts.record(session, reports, now=self.clock.now)

    def play(self, broadcast_id: UUID, speakers: Iterable[str]) -> None:
        """Let loudspeakers play it to the end."""
        for state in (PlayState.RECEIVED, PlayState.FETCHED, PlayState.STARTED, PlayState.FINISHED):
            self.report(broadcast_id, state, speakers)

    def submit(self, **given: object) -> UUID:
        """Have the clerk write an announcement and hand it in; see `builders.a_draft`."""
        with self.runtime.sessions.begin() as session:
            clerk = the_actor(session, "clerk")
            written = announcements.create(session, clerk, a_draft(**given), now=self.clock.now)
            announcements.submit(session, clerk, written.id, SPOKEN, rules=self.runtime.get(Rules), now=self.clock.now)
            return written.id

    def book(self, **given: object) -> UUID:
        """Have an announcement approved for its time."""
        written = self.submit(**given)
        rules, door = self.runtime.get(Rules), self.runtime.get(Timetable)
        with self.runtime.sessions.begin() as session:
            approver = the_actor(session, "approver")
            announcements.approve(session, approver, written, rules=rules, timetable=door, now=self.clock.now)
        return written

    def fire(self) -> None:
        """Let the timetable release what is due, and send it."""
        Firing(self.runtime.sessions, self.runtime.get(Rules), timedelta(0)).fire_due(now=self.clock.now)
        self.sender().step()

    def offline(self, *speakers: str) -> None:
        """Take loudspeakers off the broker."""
        with self.runtime.sessions.begin() as session:
            session.execute(
                update(Speaker).where(Speaker.id.in_(speakers)).values(online=False, online_since=self.clock.now)
            )

    def later(self, **span: float) -> None:
        """Let time pass, and let the hub close what is over."""
        self.clock.now += timedelta(**span)
        with self.runtime.sessions.begin() as session:
            service.settle(session, now=self.clock.now)

    def state(self, broadcast_id: UUID) -> Broadcast:
        """Return the broadcast as it stands."""
        with self.runtime.sessions.read() as session:
            return session.get_one(Broadcast, broadcast_id)
