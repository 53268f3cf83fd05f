"""The hub's radio room: broker, link, settings for every loudspeaker, answers to heartbeats."""

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from uuid6 import uuid7

from hub.core import trial
from hub.core.db import may_pass
from hub.core.errors import Unavailable
from hub.core.roles import Role
from hub.core.runtime import Runtime
from hub.core.secrets import FIRST_KEY
from hub.regions.tree import nearest
from hub.speakers import presence, registry
from hub.speakers.broker.accounts import HUB_NAME
from hub.speakers.broker.process import RunningBroker
from hub.speakers.envelope import SigningKey
from hub.speakers.keys import KeyBook, key_of
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.own_broker import OwnBroker
from hub.speakers.presence import Changes
from hub.speakers.probing import BrokerQuestion, Found, lets_strangers_in
from hub.speakers.protocol import (
    Beat,
    FaultReport,
    Ping,
    Prefetch,
    Presence,
    Receipt,
    Records,
    Restart,
    SelfTest,
    SetVolume,
    TimeAnswer,
    ToDevice,
    seal_command,
)
from hub.speakers.settings import MqttSettings
from hub.speakers.shards import Homes, Line, Shards
from hub.speakers.topics import Kind, device_topic

log = logging.getLogger(__name__)
KEY_ID = FIRST_KEY
ISSUER = "hub"
TIME_LIFE_MS = 60_000
COMMAND_LIFE_MS = 300_000
LATE_S = 1.0
"""A heartbeat that waited longer, for a database that was away, says nothing about a clock."""

Came = Callable[[Sequence[str]], None]
Changed = Callable[[list[str], list[str]], None]
Faults = Callable[[list[FaultReport]], None]
Callback = Callable[[list[Any]], None]
ToOne = SetVolume | Ping | Restart | SelfTest | Records | Prefetch


def signing_key(seed: bytes) -> SigningKey:
    """Return the hub's key from its secret seed."""
    return key_of(KEY_ID, seed)


class Station:
    """Connects the tables to the loudspeakers. Rooms above register for receipts, beats and arrivals."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.config.section(MqttSettings)
        self.keys = KeyBook(runtime.config.data_dir, runtime.secrets.signing)
        self._own = OwnBroker(runtime)
        self.question = BrokerQuestion(self._asked, lambda: self.link)
        self.link: SpeakerLink | None = None
        self.shards: Shards | None = None
        """All lines, where single places have brokers of their own; `link` is one of them then."""
        self._on_receipts: list[Callable[[list[Receipt]], None]] = []
        self._on_beats: list[Callable[[list[Beat]], None]] = []
        self._on_faults: list[Faults] = []
        self._on_came: list[Came] = []
        self._on_changes: list[Changed] = []
        self._untold: deque[Changes] = deque()
        self._telling = threading.Lock()
        self._known: frozenset[str] = frozenset()
        self._connections = presence.Connections()
        self._listens_since: dict[str, datetime] = {}
        """By the place a line is for, since when it is up."""
        self.ignored = 0
        """Heartbeats of devices that are unknown here, or retired."""
        self._on_connected: list[Callable[[], None]] = []
        self.publisher: Callable[[Sequence[str]], None] | None = None

    def on_receipts(self, callback: Callable[[list[Receipt]], None]) -> None:
        """Register for receipts."""
        self._on_receipts.append(callback)

    def on_beats(self, callback: Callable[[list[Beat]], None]) -> None:
        """Register for heartbeats."""
        self._on_beats.append(callback)

    def on_came(self, callback: Came) -> None:
        """Register for loudspeakers that have just connected, also those of whom nobody saw that they were away."""
        self._on_came.append(callback)

    def on_faults(self, callback: Faults) -> None:
        """Register for faults that came or went. The broker brings them again until the callback has returned."""
        self._on_faults.append(callback)

    def on_changes(self, callback: Changed) -> None:
        """Register for who came and who went, by whatever it was noticed."""
        self._on_changes.append(callback)

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Register for every (re)connection to the broker. The callback must not take long."""
        self._on_connected.append(callback)

    @property
    def key(self) -> SigningKey:
        """The key that signs. Ask for it at every message: it can change under a running hub."""
        return self.keys.active

    @property
    def told(self) -> tuple[str, int, bool]:
        """Host, port and whether to speak TLS, as loudspeakers are told. No host: where they reach the hub."""
        settings, broker = self._settings, self.broker
        secure = broker.secure.port if broker and broker.secure else settings.tls_port
        plain = broker.port if broker else settings.doors[0][1]
        return settings.told_host, settings.told_port(plain, secure), settings.secure

    @property
    def folder(self) -> Path:
        """Where the own broker keeps its accounts and log."""
        return self._own.folder

    @property
    def broker(self) -> RunningBroker | None:
        """The broker of our own, once it runs."""
        return self._own.running

    @property
    def address(self) -> tuple[str, int]:
        """Host and port loudspeakers connect to."""
        if self.broker is not None:
            return self.broker.host, self.broker.port
        return self._settings.doors[0]

    def start(self) -> None:
        """Start the own broker if there is one, connect, and begin to listen. Raises BrokerFailed.

        A process that is no bridge connects to speak alone.
        """
        self._own.start()
        self.link = link = SpeakerLink(self._own_address())
        if self._settings.shards:
            self._start_shards(link)
            return
        self._listen(link, "", lambda callback: callback)
        if not link.start(wait_s=5.0):
            log.error("broker not reachable yet: %s", link.problem)

    def _start_shards(self, link: SpeakerLink) -> None:
        homes = Homes(self._runtime.sessions)
        self.shards = shards = Shards.beside(link, self._settings.shard_doors, homes)
        for line in shards:
            self._listen(line.link, line.place, partial(shards.in_turn, line))
        shards.start(wait_s=5.0)
        for place in shards.away:
            log.error("broker not reachable yet", extra={"place": place})

    def _listen(self, link: SpeakerLink, place: str, wrapped: Callable[[Callback], Callback]) -> None:
        if not self._runtime.duties.has(Role.BRIDGE):
            return
        for callback in self._on_receipts:
            link.on_receipts(wrapped(callback))
        for on_beats in (self._note_beats, *self._on_beats):
            link.on_beats(wrapped(on_beats))
        link.on_presences(wrapped(self._note_presences))
        for on_faults in self._on_faults:
            link.on_faults(wrapped(on_faults))
        begins: Callable[[], None] = partial(self._begin_to_listen, place)
        for on_connected in (begins, *self._on_connected):
            link.on_connected(on_connected)

    def stop(self) -> None:
        """Disconnect and end the own broker."""
        if self.shards is not None:
            self.shards.stop()
        elif self.link is not None:
            self.link.stop()
        self._own.stop()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False when it cannot be reached."""
        if trial.is_on():
            return self.connected
        if self.shards is not None:
            return self.shards.publish(topic, payload, qos, retain)
        return self.link is not None and self.link.publish(topic, payload, qos, retain)

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached; of several, any."""
        line = self.shards or self.link
        return line is not None and line.connected

    def told_at(self, path: str) -> tuple[str, int, bool]:
        """Host, port and whether to speak TLS, as loudspeakers below a region path are told."""
        told = self._settings.told_shards
        place = nearest(told, path)
        return (*told[place], self._settings.secure) if place else self.told

    def renew_accounts(self) -> None:
        """Write who may use the own broker; it takes the change over within two seconds."""
        self._own.renew_accounts()

    def publish_settings(self, speaker_ids: Sequence[str] = ()) -> None:
        """Publish the retained settings of some loudspeakers, or of all: `SettingsBook` does it."""
        if self.shards is not None:
            self.shards.homes.forget()
        if self.publisher is not None:
            self.publisher(speaker_ids)

    def send(
        self, kind: type[ToOne], speaker_id: str, seq: int, *, life_ms: int = COMMAND_LIFE_MS, **fields: object
    ) -> str | None:
        """Send a command to one loudspeaker; return its id, or None when the broker cannot be reached.

        `seq` comes from `registry.next_value(session, registry.COMMANDS)`; `fields` are those of the command's kind.
        """
        now = self._now_ms()
        command_id = str(uuid7())
        command = kind.model_validate(
            {
                "id": command_id,
                "issuer": ISSUER,
                "iat": now,
                "nbf": now - TIME_LIFE_MS,
                "exp": now + life_ms,
                "seq": seq,
                "to": ToDevice(device=speaker_id),
                **fields,
            }
        )
        topic = device_topic(speaker_id, Kind.COMMAND)
        if self.shards is not None and not self.shards.reaches(topic):
            return None
        return command_id if self.publish(topic, seal_command(command, self.key)) else None

    def require_connection(self) -> None:
        """Raise Unavailable when the broker cannot be reached."""
        if not self.connected:
            raise Unavailable("broker_away")

    @property
    def sweep_s(self) -> float:
        """How often to look who is silent, so that a dead loudspeaker is shown within three heartbeats."""
        return min(presence.LONGEST_SWEEP_S, presence.SWEEP_BEATS * self._settings.heartbeat_seconds)

    def sweep(self) -> int:
        """Call those offline that no longer report; return how many. Call it every `sweep_s`."""
        now, heartbeat_s = self._runtime.now(), self._settings.heartbeat_seconds
        with self._runtime.sessions.read() as session:
            if not presence.anyone_silent(session, now=now, heartbeat_s=heartbeat_s):
                return 0
        with self._runtime.sessions.begin() as session:
            gone = presence.sweep(session, now=now, heartbeat_s=heartbeat_s)
        self._tell(Changes(went=gone))
        return len(gone)

    def _begin_to_listen(self, place: str) -> None:
        self._listens_since[place] = self._runtime.now()

    def hears(self, path: str) -> bool:
        """Whether silence below a region path means anything: the hub is on the broker there, and was a moment ago."""
        return not self._just_came(self.shards.home_of(path) if self.shards is not None else None)

    def was_away(self, speaker_id: str) -> bool:
        """Whether the hub was not on that loudspeaker's line a moment ago: it may only not have reported again yet."""
        return self._just_came(self.shards.line_of(speaker_id) if self.shards is not None else None)

    def _just_came(self, line: Line | None) -> bool:
        connected, place = (line.link.connected, line.place) if line is not None else (self.connected, "")
        since, heartbeat_s = self._listens_since.get(place), self._settings.heartbeat_seconds
        return not connected or presence.has_just_come(since, self._runtime.now(), heartbeat_s)

    def _note_presences(self, presences: list[Presence]) -> None:
        with self._runtime.sessions.begin() as session:
            changes = presence.note_presences(session, presences, now=self._runtime.now())
        anew = [name for name in self._connections.anew(presences) if name in changes.known]
        self._tell(replace(changes, anew=[name for name in anew if name not in changes.came]))

    def _note_beats(self, beats: list[Beat]) -> None:
        now = self._runtime.now()
        line = self.shards or self.link
        timely = line is None or line.behind_s < LATE_S
        early = self._known  # answered before anything is written: the answer's age is what a device's clock is out by
        if timely:
            self._answer([beat for beat in beats if beat.dev in early], now)
        with self._runtime.sessions.begin() as session:
            changes = presence.note_beats(session, beats, now=now, timely=timely)
            wrong = presence.wrong_volumes(session, beats)
            seq = registry.next_value(session, registry.COMMANDS, len(wrong)) if wrong else 0
        self._meet(beats, changes, early)
        if timely:
            self._answer([beat for beat in beats if beat.dev in changes.known - early], now)
        for offset, (speaker_id, level) in enumerate(wrong.items()):
            self.send(SetVolume, speaker_id, seq + offset, level=level)
        self._tell(changes)

    def _meet(self, beats: list[Beat], changes: Changes, early: frozenset[str]) -> None:
        """Remember those in service, forget those that are no longer, count the strangers."""
        said = {beat.dev for beat in beats}
        if not said - changes.known and changes.known <= early:
            return
        self.ignored += sum(beat.dev not in changes.known for beat in beats)
        self._known = (early - (said - changes.known)) | changes.known

    def _tell(self, changes: Changes) -> None:
        """Tell everybody, also of what could not be told before: a change is noticed only once."""
        with self._telling:
            if changes.came or changes.went or changes.anew:
                self._untold.append(changes)
            while self._untold:
                try:
                    self._tell_all(self._untold[0])
                except Exception as error:
                    if not may_pass(error):
                        self._untold.popleft()  # a fault of ours: it must not stand in the way of all later changes
                    raise
                self._untold.popleft()

    def _tell_all(self, changes: Changes) -> None:
        there = [*changes.came, *changes.anew]
        for on_came in self._on_came if there else ():
            on_came(there)
        for on_changes in self._on_changes if changes.came or changes.went else ():
            on_changes(changes.came, changes.went)

    def _answer(self, beats: Sequence[Beat], now: datetime) -> None:
        ms = round(now.timestamp() * 1000)
        for beat in beats:
            answer = TimeAnswer(
                id=str(uuid7()),
                issuer=ISSUER,
                iat=ms,
                nbf=ms - TIME_LIFE_MS,
                exp=ms + TIME_LIFE_MS,
                seq=0,
                to=ToDevice(device=beat.dev),
                nonce=beat.nonce,
                offset_ms=beat.ts - ms,
            )
            self.publish(device_topic(beat.dev, Kind.TIME), seal_command(answer, self.key), qos=0)

    def ask_broker(self) -> Found:
        """Ask the broker at once whether it lets strangers in, for who looks before anything is started."""
        return lets_strangers_in(self._own_address())

    def _asked(self) -> BrokerAddress | None:
        """Return which broker is to be asked what it does; None as long as the own one does not run."""
        return None if self._settings.own and self.broker is None else self._own_address()

    def _own_address(self) -> BrokerAddress:
        settings = self._settings
        if settings.engine != "external":
            return BrokerAddress(*self.address, HUB_NAME, self._runtime.secrets.broker_password)
        first, *others = settings.doors
        duties = self._runtime.duties
        return BrokerAddress(
            *first,
            settings.username,
            settings.password.get_secret_value(),
            tls=settings.tls,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            others=tuple(others),
            only_speaks="" if duties.has(Role.BRIDGE) else f"{settings.username}-{duties.name}-{secrets.token_hex(4)}",
        )

    def _now_ms(self) -> int:
        return round(self._runtime.now().timestamp() * 1000)
