"""A bench for loudspeakers: builders for commands, a device under test, recordings over HTTP."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import av
import numpy as np

from hub.speakers.broker.accounts import BrokerAccount, hash_password, new_secret, write_accounts
from hub.speakers.broker.process import Kind, RunningBroker, start_broker
from hub.speakers.device.actions import Action, Fetch, Keep, Send, Silence, Sound
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.memory import Memory
from hub.speakers.envelope import SigningKey
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.protocol import (
    Audio,
    Beat,
    Chunk,
    Command,
    Play,
    Prefetch,
    Presence,
    Priority,
    QuietTime,
    Reached,
    Receipt,
    Settings,
    Severity,
    Shout,
    Stop,
    Stream,
    ToDevice,
    ToRegion,
    seal_command,
)

COUNTY, TOWNSHIP, VILLAGE = "990101000000", "990101001000", "990101001001"
NOON = 1_795_406_400_000
"""A noon in China: 2026-11-23 12:00 at UTC+8, in ms UTC."""
DAY = 86_400_000
MINUTE = 60_000
KEY = SigningKey.from_secret("h1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
SILENCE_SHA = "0" * 64
GRAVE: dict[str, Any] = {"pri": Priority.EMERGENCY, "severity": Severity.RED, "by": "王建国"}
"""What lets a play sound in quiet hours: a red emergency, and the person who answers for it."""

Did = TypeVar("Did", bound=Action)


def an_audio(**given: Any) -> Audio:
    """A ten-second recording that need not exist."""
    fields: dict[str, Any] = {
        "sha256": SILENCE_SHA,
        "url": "http://127.0.0.1:9/a.mp3",
        "size": 1000,
        "duration_ms": 10_000,
        "codec": "mp3",
    }
    return Audio(**(fields | given))


def a_play(**given: Any) -> Play:
    """A routine play to the village, issued at noon, good for ten minutes."""
    iat = given.pop("iat", NOON)
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "issuer": "hub",
        "iat": iat,
        "nbf": iat,
        "exp": iat + 10 * MINUTE,
        "seq": 1,
        "to": ToRegion(region=VILLAGE, upto=100),
        "pri": Priority.ROUTINE,
        "mode": "live",
        "broadcast": str(uuid4()),
        "audio": an_audio(),
    }
    return Play(**(fields | given))


def a_relay(**given: Any) -> Play:
    """Half an hour of radio for the village, at once; `fallback` is a recording."""
    stream = Stream(
        url=given.pop("url", "http://127.0.0.1:9/radio"),
        duration_ms=given.pop("duration_ms", 30 * MINUTE),
        fallback=given.pop("fallback", None),
    )
    return a_play(**({"pri": Priority.RELAY, "audio": None, "stream": stream} | given))


def a_shout(**given: Any) -> Play:
    """A live voice, a minute at most."""
    shout = Shout(duration_ms=given.pop("duration_ms", MINUTE))
    return a_play(**({"pri": Priority.SHOUT, "audio": None, "shout": shout} | given))


def a_chunk(play: Play, n: int, **given: Any) -> Chunk:
    """A second of that voice."""
    iat = given.pop("iat", NOON)
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "issuer": "hub",
        "iat": iat,
        "nbf": iat,
        "exp": iat + 30_000,
        "seq": 1,
        "to": play.to,
        "play": play.id,
        "n": n,
        "data": "AAEA",
    }
    return Chunk(**(fields | given))


def an_order(**given: Any) -> dict[str, Any]:
    """What every command for horn-7 carries, issued at noon, good for five minutes."""
    iat = given.pop("iat", NOON)
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "issuer": "hub",
        "iat": iat,
        "nbf": iat,
        "exp": iat + 5 * MINUTE,
        "seq": 5,
        "to": ToDevice(device="horn-7"),
    }
    return fields | given


def a_prefetch(**given: Any) -> Prefetch:
    """A recording ordered ahead for horn-7, good for an hour."""
    iat = given.pop("iat", NOON)
    return Prefetch(**an_order(iat=iat, exp=iat + 60 * MINUTE) | {"audio": an_audio()} | given)


def a_stop(**given: Any) -> Stop:
    """A stop to the village, issued at noon."""
    iat = given.pop("iat", NOON)
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "issuer": "hub",
        "iat": iat,
        "nbf": iat,
        "exp": iat + 10 * MINUTE,
        "seq": 1000,
        "to": ToRegion(region=VILLAGE, upto=100),
    }
    return Stop(**(fields | given))


def some_settings(**given: Any) -> Settings:
    """Device number 7 of the village, with the quiet hours of a night and no others."""
    fields: dict[str, Any] = {
        "version": 0,
        "number": 7,
        "regions": (COUNTY, TOWNSHIP, VILLAGE),
        "keys": {"h1": KEY.public()},
        "quiet": (QuietTime(start=21 * 60, end=6 * 60 + 30),),
    }
    return Settings(**(fields | given))


class Bench:
    """A core on a bench: collects what it says and does. `persisted` is what a power cut leaves."""

    def __init__(self, *, settings: Settings | None = None, audio_at_once: bool = True, **options: Any) -> None:
        self.settings = settings or some_settings()
        self.audio_at_once = audio_at_once
        self.options = options
        self.disk_fails = False
        self.persisted = Memory().model_dump_json()
        self.receipts: list[Receipt] = []
        self.sounds: list[Sound] = []
        self.sounded_at: list[int] = []
        self.silences: list[str] = []
        self.actions: list[Action] = []
        self.now = NOON
        self.core = self._new_core()

    def restart(self) -> None:
        """The power was cut: only what was persisted is left."""
        self.core = self._new_core()
        self.take(self.core.boot(self.now))

    def hear(self, *commands: Command, key: SigningKey = KEY) -> None:
        """These commands arrive."""
        for command in commands:
            self.hear_bytes(seal_command(command, key))

    def hear_bytes(self, message: bytes) -> None:
        """These bytes arrive."""
        self.take(self.core.receive(message, self.now))

    def wait(self, ms: int) -> None:
        """Time passes; what sounds to its end, ends."""
        self.now += ms
        self.take(self.core.tick(self.now))

    def sound_ends(self) -> None:
        """What sounds has sounded to its end: one pass of it."""
        assert self.core.memory.playing is not None, "nothing sounds"
        sound = self.sounds[-1]
        duration = sound.command.duration_ms if sound.audio is None else sound.audio.duration_ms
        self.now += sound.lead_in_ms + duration
        self.take(self.core.sound_ended(sound.command.id, duration, None, self.now))

    def sound_breaks(self, error: str, played_ms: int = 0) -> None:
        """What sounds cannot go on."""
        self.take(self.core.sound_ended(self.sounds[-1].command.id, played_ms, error, self.now))

    def sleep(self, ms: int) -> None:
        """Time passes as it does for a device: a tick whenever the rules asked for one."""
        until = self.now + ms
        while (wake := self.core.next_wake(self.now)) <= until:
            self.wait(wake - self.now)
        self.now = until

    def said(self, command: Command) -> list[Reached]:
        """The states it has reported for that command."""
        return [receipt.st for receipt in self.receipts if receipt.id == command.id]

    def receipts_of(self, command: Command) -> list[Receipt]:
        """What it has said about that command."""
        return [receipt for receipt in self.receipts if receipt.id == command.id]

    def did(self, kind: type[Did]) -> list[Did]:
        """What its body was asked to do, of one kind."""
        return [action for action in self.actions if isinstance(action, kind)]

    def last(self) -> Receipt:
        """Its newest receipt."""
        return self.receipts[-1]

    def sounded(self, command: Command) -> int:
        """How often that command began to sound."""
        return sum(sound.command.id == command.id for sound in self.sounds)

    def take(self, actions: list[Action]) -> None:
        """Persist, then act, as the contract demands."""
        if self.core.dirty and self.disk_fails:
            actions = self.core.unkept(actions, self.now)
        elif self.core.dirty:
            self.persisted = self.core.memory.model_dump_json()
            self.core.kept()
        self.actions += actions
        for action in actions:
            self._obey(action)

    def _obey(self, action: Action) -> None:
        match action:
            case Send(receipt):
                self.receipts.append(receipt)
            case Sound():
                self.sounds.append(action)
                self.sounded_at.append(self.now)
            case Silence(command_id):
                self.silences.append(command_id)
            case Fetch(audio) if self.audio_at_once:
                self.take(self.core.fetched(audio.sha256, self.now))
            case Keep(pack) if self.audio_at_once:
                for audio in pack:
                    self.take(self.core.fetched(audio.sha256, self.now))

    def _new_core(self) -> SpeakerCore:
        memory = Memory.model_validate_json(self.persisted)
        return SpeakerCore("horn-7", self.settings, memory, **self.options)


def write_tone(path: Path, seconds: float) -> None:
    """An MP3 of a tone."""
    times = np.arange(int(24_000 * seconds)) / 24_000
    samples = (np.sin(times * 2 * np.pi * 440) * 9000).astype(np.int16).reshape(1, -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp3", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 24_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


@dataclass
class Recordings:
    """Recordings served over HTTP, with what was asked for, and a way to make it fail."""

    folder: Path
    port: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    break_after: int | None = None
    ignores_ranges: bool = False
    gate: threading.Event | None = None

    def tone(self, name: str, seconds: float) -> Audio:
        """A tone that can be fetched."""
        path = self.folder / name
        write_tone(path, seconds)
        return self.offer(name, path.read_bytes(), int(seconds * 1000))

    def offer(self, name: str, data: bytes, duration_ms: int = 1000) -> Audio:
        """Any bytes that can be fetched."""
        (self.folder / name).write_bytes(data)
        return Audio(
            sha256=hashlib.sha256(data).hexdigest(),
            url=f"http://127.0.0.1:{self.port}/{name}",
            size=len(data),
            duration_ms=duration_ms,
            codec="mp3",
        )


@contextmanager
def recordings_served(folder: Path) -> Iterator[Recordings]:
    """Serve a folder with ranges; `break_after` bytes the connection is cut, once."""
    recordings = Recordings(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = folder / self.path.lstrip("/")
            wanted = self.headers.get("Range")
            recordings.asked.append((self.path, wanted))
            if recordings.gate is not None:
                recordings.gate.wait(10)
            if recordings.ignores_ranges:
                wanted = None
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            cut, recordings.break_after = recordings.break_after, None
            self.wfile.write(data[start:] if cut is None else data[start : start + cut])

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no matter."""

    server = Server(("127.0.0.1", 0), Handler)
    recordings.port = server.socket.getsockname()[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield recordings
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Village:
    """A running broker, the hub's link, and what it has heard."""

    broker: RunningBroker
    link: SpeakerLink
    folder: Path
    secrets: dict[str, str]
    hub_secret: str
    receipts: list[Receipt] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)
    presences: list[Presence] = field(default_factory=list)

    def device(self, name: str, number: int = 1) -> DeviceFile:
        """A device file for one of the village's devices."""
        return DeviceFile(
            id=name,
            number=number,
            secret=self.secrets[name],
            broker_host=self.broker.host,
            broker_port=self.broker.port,
            regions=(COUNTY, TOWNSHIP, VILLAGE),
            state_dir=str(self.folder / name),
            hub_keys={"h1": KEY.public()},
        )

    def account(self, name: str) -> BrokerAccount:
        """The broker's account of one device."""
        return BrokerAccount(name, hash_password(self.secrets[name]), regions=(COUNTY, TOWNSHIP, VILLAGE))

    def hub_account(self) -> BrokerAccount:
        """The broker's account of the hub."""
        return BrokerAccount("hub", hash_password(self.hub_secret), is_hub=True)

    def states(self, command: Command) -> list[Reached]:
        """What was said about a command, in order."""
        return [receipt.st for receipt in self.receipts if receipt.id == command.id]

    def knows(self, command: Command) -> set[Reached]:
        """What it has learnt from receipts and from heartbeats, which heal lost receipts."""
        healed = {state for beat in self.beats for name, state in beat.last if name == command.id}
        return healed | set(self.states(command))

    def is_up(self, name: str) -> bool:
        """Whether the newest presence says so and a heartbeat was heard."""
        ups = [presence.up for presence in self.presences if presence.dev == name]
        return bool(ups) and ups[-1]


@contextmanager
def a_village(kind: Kind, folder: Path, names: list[str]) -> Iterator[Village]:
    """Start a broker with accounts for a hub and these devices, and connect the hub."""
    secrets = {name: new_secret() for name in names}
    hub_secret = new_secret()
    accounts = [
        BrokerAccount("hub", hash_password(hub_secret), is_hub=True),
        BrokerAccount("hub-2", hash_password(hub_secret), is_hub=True),
        *(
            BrokerAccount(name, hash_password(secret), regions=(COUNTY, TOWNSHIP, VILLAGE))
            for name, secret in secrets.items()
        ),
    ]
    write_accounts(folder / "broker", accounts)
    broker = start_broker(kind, folder / "broker")
    link = SpeakerLink(BrokerAddress(broker.host, broker.port, "hub", hub_secret))
    village = Village(broker, link, folder, secrets, hub_secret)
    link.on_receipts(village.receipts.extend)
    link.on_beats(village.beats.extend)
    link.on_presences(village.presences.extend)
    try:
        assert link.start(wait_s=10), link.problem
        yield village
    finally:
        link.stop()
        broker.stop()


def kill_broker(broker: RunningBroker) -> None:
    """SIGKILL to the broker and to whoever keeps it."""
    for pid in [*descendants(broker.pid), broker.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The processes below one, deepest first (Linux)."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [*descendants(child), child]
    return found


def is_alive(pid: int) -> bool:
    """Whether the process still runs (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def soon(condition: Callable[[], bool], within_s: float = 30.0) -> bool:
    """Whether it becomes true in time: what comes early costs nothing, and the machine runs other tests too."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def to_device(name: str) -> ToDevice:
    """Addressed to exactly one."""
    return ToDevice(device=name)
