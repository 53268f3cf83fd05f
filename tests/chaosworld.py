"""A small county in memory with a clock of its own: anything may get lost, doubled, late, or lose its power."""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from chaosground import BEAT_S, BEGIN, KEY, Asking, HubKilledError, Luck, MortalSessions, a_copy
from sqlalchemy import StaticPool, create_engine, select
from uuid6 import uuid7

from broadcasts.delivery.service import GRACE
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.intake import Intake
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.orders import Manner, Sound
from broadcasts.loudspeaker.sender import Sender
from broadcasts.loudspeaker.states import FINAL, PlayState
from hub.core.db import Sessions
from hub.regions.tree import codes_in, path_of
from hub.speakers import presence
from hub.speakers.device import actions as do
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.memory import Memory
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Presence, Priority, Reached, Receipt, Settings, Stop, Used, read_command
from hub.speakers.topics import Kind, device_topic, read_device_topic, region_command


@dataclass
class Heard:
    """One sound that began on one loudspeaker."""

    horn: str
    broadcast: str
    used: Used


class Horn:
    """A loudspeaker: the real rules, a memory that survives, and nothing else that does."""

    def __init__(self, world: "World", name: str, number: int, regions: tuple[str, ...], skew_ms: int) -> None:
        self.world, self.name, self.skew_ms = world, name, skew_ms
        self.settings = Settings(version=0, number=number, regions=regions, keys={KEY.kid: KEY.public()}, beat_s=BEAT_S)
        self.persisted = Memory().model_dump_json()
        self.journal: list[Receipt] = []
        self.core: SpeakerCore | None = None
        self.connected = False
        self.sounding: tuple[str, int, int] | None = None
        self.obeyed: set[str] = set()
        self.cuts = 0
        self.interrupted: Counter[str] = Counter()

    @property
    def now(self) -> int:
        return self.world.ms + self.skew_ms

    def topics(self) -> set[str]:
        own = {device_topic(self.name, kind) for kind in (Kind.COMMAND, Kind.CONFIG, Kind.TIME)}
        return own | {region_command(code) for code in self.settings.regions}

    def switch_on(self) -> None:
        if self.core is None:
            self.core = SpeakerCore(self.name, self.settings, Memory.model_validate_json(self.persisted))
            self.happen(SpeakerCore.boot)

    def power_cut(self) -> None:
        self.cuts += self.core is not None
        self.core, self.sounding = None, None
        self.hang_up()

    def connect(self) -> None:
        if self.core is not None and not self.connected:
            self.connected = True
            self.say(Kind.PRESENCE, Presence(dev=self.name, up=True, ts=self.now).to_bytes())
            self.happen(SpeakerCore.connected)

    def hang_up(self) -> None:
        if self.connected:
            self.connected = False
            self.world.will(self.name)
            if self.core is not None:
                self.core.disconnected()

    def hear(self, payload: bytes) -> None:
        stop = read_command(payload, self.core._ring) if self.core else None
        lived = self.happen(lambda core, now: core.receive(payload, now))
        if lived and isinstance(stop, Stop):
            self.obeyed.update(stop.broadcasts)

    def happen(self, event: Callable[[SpeakerCore, int], list[do.Action]]) -> bool:
        """Let it happen; whether the power held until its memory was safe."""
        if self.core is None:
            return False
        found, luck = event(self.core, self.now), self.world.luck
        doomed = luck.strikes(luck.power_cut)
        last_act = luck.chance.randint(-1, len(found)) if doomed else len(found)
        if last_act < 0:
            self.power_cut()
            return False
        if self.core.dirty:
            self.persisted = self.core.memory.model_dump_json()
            self.core.dirty = False
        noted = [each.receipt for each in found if isinstance(each, do.Send)]
        self.interrupted.update(each.id or "" for each in noted if each.st is Reached.INTERRUPTED)
        for action in found[:last_act]:
            self._do(action)
        if doomed:
            self.power_cut()
        return True

    def pass_time(self) -> None:
        if self.core is None:
            return
        if self.sounding is not None and self.now >= self.sounding[1]:
            command, _, length = self.sounding
            self.sounding = None
            self.happen(lambda core, now: core.sound_ended(command, length, None, now))
        self.happen(SpeakerCore.tick)

    def say(self, kind: Kind, payload: bytes) -> None:
        if self.connected:
            self.world.say(device_topic(self.name, kind), payload)

    def _do(self, action: do.Action) -> None:
        match action:
            case do.Send(receipt):
                self.journal += [receipt] if receipt.id else []
                self.say(Kind.RECEIPT, receipt.to_bytes())
            case do.SendBeat() if self.core is not None:
                self.say(Kind.BEAT, self.core.beat(self.now, 10**9).to_bytes())
            case do.Resend(after):
                for receipt in [each for each in self.journal if each.n > after]:
                    self.say(Kind.RECEIPT, receipt.to_bytes())
            case do.Fetch(audio):
                self.world.fetch(self, audio.sha256)
            case do.Sound(command, _, used):
                assert command.broadcast not in self.obeyed, f"{self.name} sounds what it was told to stop"
                assert self.sounding is None, f"{self.name} sounds two things at once"
                self.world.heard.append(Heard(self.name, command.broadcast, used))
                self.sounding = (command.id, self.now + command.duration_ms, command.duration_ms)
            case do.Silence():
                self.sounding = None


@dataclass
class Released:
    """What was sent out."""

    id: UUID
    priority: Priority
    expires_at: datetime
    meant: frozenset[str]
    stopped_at: datetime | None = None

    @property
    def stopped(self) -> bool:
        return self.stopped_at is not None


class Wire:
    """The hub's line: up or down, and deadly at times."""

    def __init__(self, world: "World") -> None:
        self.world = world

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        world = self.world
        if not world.line_up:
            return False
        before = world.luck.strikes(0.5)
        deadly = world.luck.strikes(world.luck.hub_death)
        if deadly and before:
            raise HubKilledError
        world.deliver(topic, payload)
        if deadly:
            raise HubKilledError
        return True


@dataclass(order=True)
class _Later:
    at: int
    order: int
    happen: Callable[[], None] = field(compare=False)


class World:
    """Hub, line and loudspeakers. `luck` says how bad it is at the moment."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.luck = Luck(chance)
        self.ms = round(BEGIN.timestamp() * 1000)
        self.line_up = True
        self.hub_up = True
        self.heard: list[Heard] = []
        self.released: list[Released] = []
        self.retained: dict[str, bytes] = {}
        self._later: list[_Later] = []
        self._order = itertools.count()
        self.sessions = MortalSessions(create_engine("sqlite://", creator=a_copy, poolclass=StaticPool))
        self.sessions.luck = self.luck
        self.horns = self._switch_on(chance)
        self.next_step = self.ms
        self.sender = self._new_sender()
        self.intake = self._new_intake()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, tz=UTC)

    # ---- what people do

    def release(self, region: str, priority: Priority, *, seconds: float, valid_s: float) -> None:
        broadcast_id, now = uuid7(), self.now
        emergency = priority is Priority.EMERGENCY
        with Sessions.begin(self.sessions) as session:
            orders.place(
                session,
                broadcast_id=broadcast_id,
                paths=[path_of(region)],
                sound=Sound(f"{len(self.released):064x}", int(seconds * 1000), 1000),
                priority=priority,
                volume=None,
                starts_at=now,
                expires_at=now + timedelta(seconds=valid_s),
                now=now,
                manner=Manner(severity="red", by_name="值班员") if emergency else Manner(),
            )
        meant = frozenset(name for name, horn in self.horns.items() if region in horn.settings.regions)
        self.released.append(Released(broadcast_id, priority, now + timedelta(seconds=valid_s), meant))
        self.next_step = self.ms

    def stop(self, released: Released) -> None:
        with Sessions.begin(self.sessions) as session:
            orders.call_off(session, released.id, now=self.now)
        released.stopped_at = self.now
        self.next_step = self.ms

    def close_books(self) -> None:
        """What was stopped is over after a while: whoever has said nothing is written down as silent, or as offline."""
        with Sessions.begin(self.sessions) as session:
            for released in self.released:
                if released.stopped_at is not None and self.now > released.stopped_at + GRACE:
                    orders.close(session, released.id, now=self.now)

    def kill_hub(self) -> None:
        self.hub_up = False

    def start_hub(self) -> None:
        """A new process: nothing but the tables is left, and the broker tells it who is connected."""
        if not self.hub_up:
            self.hub_up = True
            self.sender = self._new_sender()
            self.intake = self._new_intake()
            for topic, payload in self.retained.items():
                self.say(topic, payload)

    # ---- how it comes about

    def pass_time(self, seconds: float, step_s: float = 0.5) -> None:
        """Let everybody live in steps of that length; the hub's sender looks every three seconds, and when kicked."""
        end = self.ms + int(seconds * 1000)
        while self.ms < end:
            self.ms = min(end, self.ms + int(step_s * 1000))
            while self._later and self._later[0].at <= self.ms:
                heapq.heappop(self._later).happen()
            for horn in self.horns.values():
                horn.pass_time()
            if self.hub_up and self.ms >= self.next_step:
                self.next_step = self.ms + 3000
                self._as_hub(self.sender.step)

    def deliver(self, topic: str, payload: bytes) -> None:
        """From the hub to whoever listens."""
        for horn in self.horns.values():
            if horn.connected and topic in horn.topics():
                for delay in self.luck.arrivals():
                    self._in(delay, lambda horn=horn: horn.hear(payload) if horn.connected else None)  # type: ignore[misc]

    def say(self, topic: str, payload: bytes) -> None:
        """From a loudspeaker to the hub."""
        if topic.endswith(Kind.PRESENCE):
            self.retained[topic] = payload
        for delay in self.luck.arrivals():
            self._in(delay, lambda: self._as_hub(lambda: self._take(topic, payload)))

    def will(self, name: str) -> None:
        """The broker notices that a connection is gone."""
        payload = Presence(dev=name, up=False).to_bytes()
        self.say(device_topic(name, Kind.PRESENCE), payload)

    def fetch(self, horn: Horn, sha256: str) -> None:
        """A recording is on its way, or not."""
        core, fails = horn.core, self.luck.strikes(self.luck.fetch_failure)

        def arrive() -> None:
            if horn.core is not core:
                return
            if fails:
                horn.happen(lambda core, now: core.fetch_failed(sha256, "fetch_failed", now))
            else:
                horn.happen(lambda core, now: core.fetched(sha256, now))

        self._in(self.luck.chance.uniform(0.05, 3), arrive)

    # ---- what must hold

    def sounds(self, broadcast: UUID, horn: str) -> Counter[Used]:
        """How often a broadcast began to sound on a loudspeaker: the recording, and what stood in for it."""
        return Counter(each.used for each in self.heard if (each.broadcast, each.horn) == (str(broadcast), horn))

    def interruptions(self, broadcast: UUID, horn: str) -> int:
        """How often a loudspeaker noted that something more urgent had interrupted it."""
        return self.horns[horn].interrupted[str(self.delivery(broadcast, horn).command_id)]

    def delivery(self, broadcast: UUID, horn: str) -> SpeakerDelivery:
        with self.sessions.read() as session:
            return session.get_one(SpeakerDelivery, (broadcast, horn))

    def states(self, broadcast: UUID) -> dict[str, PlayState]:
        with self.sessions.read() as session:
            query = select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast)
            return {each.speaker_id: each.state for each in session.scalars(query)}

    def settled(self) -> bool:
        """Whether everybody has come to an end with everything whose time is not over."""
        valid = [each.id for each in self.released if each.expires_at > self.now]
        query = select(SpeakerDelivery.state).where(SpeakerDelivery.broadcast_id.in_(valid))
        # An order's list is written a moment after the order: until then nobody is known to have come to an end.
        unlisted = select(PlayOrder.broadcast_id).where(PlayOrder.broadcast_id.in_(valid), PlayOrder.listed.is_(False))
        with self.sessions.read() as session:
            return session.scalar(unlisted.limit(1)) is None and set(session.scalars(query)) <= FINAL

    # ---- inside

    def _in(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._later, _Later(self.ms + int(seconds * 1000), next(self._order), happen))

    def _as_hub(self, work: Callable[[], object]) -> None:
        if self.hub_up:
            try:
                work()
            except HubKilledError:
                self.kill_hub()

    def _take(self, topic: str, payload: bytes) -> None:
        place = read_device_topic(topic)
        assert place is not None
        match place[1]:
            case Kind.RECEIPT:
                self.intake.take_receipts([Receipt.model_validate_json(payload)])
            case Kind.PRESENCE:
                with self.sessions.begin() as session:
                    changes = presence.note_presences(session, [Presence.model_validate_json(payload)], now=self.now)
                self.sender.came_back(changes.came)
            case Kind.BEAT:
                beat = Beat.model_validate_json(payload)
                with self.sessions.begin() as session:
                    changes = presence.note_beats(session, [beat], now=self.now)
                self.sender.came_back(changes.came)
                self.intake.take_beats([beat])

    def _new_intake(self) -> Intake:
        return Intake(self.sessions, Asking(Wire(self).publish, lambda: self.now), lambda: self.now)

    def _new_sender(self) -> Sender:
        return Sender(
            self.sessions,
            Wire(self),
            lambda: KEY,
            clock=lambda: self.now,
            base_url=lambda: "http://hub:8600",
            lead_s=20,
        )

    def _switch_on(self, chance: random.Random) -> dict[str, Horn]:
        with self.sessions.read() as session:
            speakers = session.scalars(select(Speaker).order_by(Speaker.number)).all()
        return {
            each.id: Horn(self, each.id, each.number, codes_in(each.region_path), chance.randint(-1000, 1000))
            for each in speakers
        }
