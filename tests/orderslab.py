"""The sending side for tests: orders placed, laid ahead and stopped, over a fake wire with answers as a test says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from builders import NORTH, an_actor
from conftest import NOON, SetClock
from fakes import FakeWire
from sqlalchemy import select, update
from uuid6 import uuid7

from broadcasts.loudspeaker import orders, receipts, sheet, stopping
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.orders import Sound
from broadcasts.loudspeaker.receipts import Report
from broadcasts.loudspeaker.sender import Sender
from broadcasts.loudspeaker.sheet import Ahead
from broadcasts.loudspeaker.states import PlayState
from broadcasts.loudspeaker.targets import Meant
from hub.accounts.roles import Role
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.envelope import KeyRing
from hub.speakers.models import Speaker
from hub.speakers.protocol import Command, Play, Priority, Stop
from hub.speakers.station import KEY_ID, signing_key

SOUND = Sound("cd" * 32, 30_000, 90_000)
B1, B2 = "s1001-1", "s1001-2"
NORTHERN = ("s1001-1", "s1001-2", "s1002-1", "s1002-2")
IN_AN_HOUR = NOON + timedelta(hours=1)


class Hub:
    """The sending side over a fake wire, and loudspeakers that answer when a test says so."""

    def __init__(self, runtime: Runtime, clock: SetClock) -> None:
        self.runtime, self.clock, self.wire = runtime, clock, FakeWire()
        key = signing_key(runtime.secrets.signing_seed)
        self.keys = KeyRing.of({KEY_ID: key.public()})
        self.sender = self.new_sender()
        self.number = 0

    def new_sender(self, *, list_after_s: float = 0.0) -> Sender:
        """Return the sender of a hub that has just started."""
        key = signing_key(self.runtime.secrets.signing_seed)
        return Sender(
            self.runtime.sessions,
            self.wire,
            lambda: key,
            clock=self.clock,
            base_url=lambda: "http://hub",
            lead_s=20,
            list_after_s=list_after_s,
        )

    def place(
        self,
        *codes: str,
        only: Sequence[str] = (),
        without: Sequence[str] = (),
        priority: Priority = Priority.ROUTINE,
        broadcast_id: UUID | None = None,
        starts_at: datetime | None = None,
    ) -> UUID:
        """Release something for everybody in these regions, or for some of them."""
        placed = broadcast_id or uuid7()
        starts_at = starts_at or self.clock.now
        with self.runtime.sessions.begin() as session:
            orders.place(
                session,
                broadcast_id=placed,
                paths=Meant(tuple(path_of(code) for code in codes), tuple(only), tuple(without)),
                sound=SOUND,
                priority=priority,
                volume=None,
                starts_at=starts_at,
                expires_at=starts_at + timedelta(minutes=10),
                now=self.clock.now,
            )
        return placed

    def lay(self, *codes: str, starts_at: datetime = IN_AN_HOUR, without: Sequence[str] = ()) -> UUID | None:
        """Send something ahead."""
        ahead = Ahead(
            meant=Meant(tuple(path_of(code) for code in codes), without=tuple(without)),
            sha256=SOUND.sha256,
            bytes=SOUND.bytes,
            ms=SOUND.ms,
            priority=Priority.ROUTINE,
            volume=None,
            starts_at=starts_at,
            expires_at=starts_at + timedelta(minutes=10),
        )
        with self.runtime.sessions.begin() as session:
            return sheet.lay(session, ahead, now=self.clock.now)

    def withdraw(self, broadcast_id: UUID) -> None:
        with self.runtime.sessions.begin() as session:
            sheet.withdraw(session, broadcast_id, now=self.clock.now)

    def silence(self, code: str) -> UUID:
        with self.runtime.sessions.begin() as session:
            actor = an_actor(Role.DUTY_OFFICER, region=NORTH)
            return stopping.stop_region(session, actor, path_of(code), now=self.clock.now).id

    def step(self) -> list[tuple[str, Command]]:
        """Let the sender do one round; return what went out."""
        self.wire.published.clear()
        self.sender.step()
        return list(self.wire.commands(self.keys))

    def back(self, *speakers: str) -> list[tuple[str, Command]]:
        """Let loudspeakers come back; return what they are told."""
        self.sender.came_back(speakers)
        return self.step()

    def later(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    def answer(self, command_id: UUID | str, state: PlayState, *speakers: str, reason: str = "") -> None:
        """Let loudspeakers send a receipt for a command."""
        with self.runtime.sessions.begin() as session:
            for speaker in speakers:
                self.number += 1
                report = Report(speaker, UUID(str(command_id)), state, self.clock.now, self.number, reason)
                receipts.record(session, [report], now=self.clock.now)

    def offline(self, *speakers: str) -> None:
        with self.runtime.sessions.begin() as session:
            session.execute(update(Speaker).where(Speaker.id.in_(speakers)).values(online=False))

    def states(self, broadcast_id: UUID) -> dict[str, PlayState]:
        with self.runtime.sessions.read() as session:
            query = select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast_id)
            return {d.speaker_id: d.state for d in session.scalars(query)}

    def commands(self, broadcast_id: UUID) -> dict[str, UUID]:
        with self.runtime.sessions.read() as session:
            query = select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast_id)
            return {d.speaker_id: d.command_id for d in session.scalars(query)}


def plays(sent: list[tuple[str, Command]]) -> list[Play]:
    return [command for _, command in sent if isinstance(command, Play)]


def stops(sent: list[tuple[str, Command]]) -> list[Stop]:
    return [command for _, command in sent if isinstance(command, Stop)]


def more_speakers(hub: Hub, ids: Sequence[str], *, online: bool = True) -> None:
    """Hang more loudspeakers into 桥村."""
    with hub.runtime.sessions.begin() as session:
        beside = session.get_one(Speaker, B1)
        for n, speaker_id in enumerate(ids):
            session.add(
                Speaker(
                    id=speaker_id,
                    number=1000 + n,
                    name="多",
                    region_code=beside.region_code,
                    region_path=beside.region_path,
                    password_hash="",
                    enrolled_at=NOON,
                    online=online,
                )
            )
