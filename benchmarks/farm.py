"""A farm of loudspeakers in one process: raw sockets, one epoll loop, packets written by hand.

Every device has its own account, hears its own topics and those of its regions, checks the signature of each message
once, and answers a command with one receipt at once. It plays nothing: what is measured is the way there and back.
Run: .venv/bin/python benchmarks/farm.py FILE, where FILE holds the `FarmPlan` as JSON. It prints one JSON object a
line: {"up": devices} when all are subscribed, then for every command {"id", "first", "last", "count"} (monotonic
seconds) as soon as all devices have verified it.
"""

import json
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from benchmarks import packets
from hub.speakers.broker.child import raise_file_limit
from hub.speakers.envelope import KeyRing, Refused
from hub.speakers.protocol import (
    Beat,
    Command,
    Configure,
    Doing,
    Play,
    Presence,
    Reached,
    TimeAnswer,
    read_command,
)
from hub.speakers.topics import Kind, device_topic, region_command

AT_ONCE: Final = 64
LARGEST_READ: Final = 65_536
SUBSCRIPTION: Final = 1
MAX_MID: Final = 65_535


class FarmPlan(BaseModel):
    """Which devices, and where."""

    host: str
    port: int
    regions: tuple[str, ...]
    keys: dict[str, str]
    devices: list[tuple[str, int, str]]
    """Name, enrolment number and password of each."""
    presence: bool = True
    """Whether they say that they are there, as real ones do."""
    beat_s: float = 0.0
    """How often each reports; 0: never."""


@dataclass(slots=True)
class _Heard:
    """One distinct message, and who has verified it."""

    command: Command | None
    begin: bytes = b""
    end: bytes = b""
    by: set[int] = field(default_factory=set)
    told: bool = False
    first: float = 0.0
    last: float = 0.0


@dataclass(slots=True)
class Device:
    """One loudspeaker; `topic` is that of its receipts, as packets have it."""

    name: str
    number: int
    secret: str
    sock: socket.socket
    topic: bytes
    mid: int = SUBSCRIPTION
    receipts: int = 0
    inbox: bytes = b""
    outbox: bytes = b""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A command has reached everybody it is meant for; times are `time.monotonic()`, the same for all processes."""

    id: str
    first: float
    last: float
    count: int


@dataclass(slots=True)
class Farm:
    """The devices. `run` blocks until `halt`; `tell_up` and `tell_arrived` are called from its thread."""

    plan: FarmPlan
    tell_up: Callable[[int], None]
    tell_arrived: Callable[[Arrived], None]
    up: int = 0
    keys: KeyRing = field(init=False)
    regions: frozenset[str] = field(init=False)
    _halt: threading.Event = field(default_factory=threading.Event)
    _heard: dict[bytes, _Heard] = field(default_factory=dict)
    _here: dict[int, Device] = field(default_factory=dict)
    _coming: deque[tuple[str, int, str]] = field(default_factory=deque)
    _turns: deque[Device] = field(default_factory=deque)
    """Who reports next; empty until all are there."""
    _next_beat: float = 0.0

    def __post_init__(self) -> None:
        self.keys, self.regions = KeyRing.of(self.plan.keys), frozenset(self.plan.regions)

    def run(self) -> None:
        """Connect all, then answer."""
        raise_file_limit()
        self._coming.extend(self.plan.devices)
        poll = select.epoll()
        try:
            while not self._halt.is_set():
                while self._coming and len(self._here) - self.up < AT_ONCE:
                    self._connect(poll, *self._coming.popleft())
                for handle, events in poll.poll(0.2, 1024):
                    device = self._here.get(handle)
                    if device is not None and events & select.EPOLLOUT:
                        self._flush(poll, device)
                    if device is not None and events & ~select.EPOLLOUT:
                        self._serve(poll, device)
                self._report(poll)
        finally:
            poll.close()
            for device in self._here.values():
                device.sock.close()

    def halt(self) -> None:
        """End within a moment."""
        self._halt.set()

    def _report(self, poll: select.epoll) -> None:
        """Let those say how they are whose turn it is."""
        if not self.plan.beat_s:
            return
        now = time.monotonic()
        if not self._turns:
            if self.up < len(self.plan.devices):
                return
            self._turns.extend(self._here.values())
            self._next_beat = now
        for _ in range(AT_ONCE):
            if self._next_beat > now:
                return
            self._next_beat += self.plan.beat_s / len(self._turns)
            device = self._turns[0]
            self._turns.rotate(-1)
            if device.sock.fileno() in self._here:
                topic = packets.topic_bytes(device_topic(device.name, Kind.BEAT))
                self._say(poll, device, packets.publish(topic, self._mid(device), _beat(device)))

    def _connect(self, poll: select.epoll, name: str, number: int, secret: str) -> None:
        sock = socket.create_connection((self.plan.host, self.plan.port), timeout=30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        topic = packets.topic_bytes(device_topic(name, Kind.RECEIPT))
        device = Device(name, number, secret, sock, topic)
        self._here[sock.fileno()] = device
        poll.register(sock.fileno(), select.EPOLLIN)
        self._say(poll, device, packets.connect(name, secret))

    def _serve(self, poll: select.epoll, device: Device) -> None:
        try:
            data = device.sock.recv(LARGEST_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(poll, device)
            return
        buffer, used, answers = device.inbox + data, 0, []
        for kind, flags, body, after in packets.packets(buffer):
            used = after
            if kind == packets.PUBLISH:
                _topic, mid, payload = packets.published(flags, body)
                answers.append((packets.puback(mid) if mid else b"") + self.answer(device, payload))
            elif kind != packets.PUBACK:
                answers.append(self._enter(device, kind, body))
        device.inbox = buffer[used:]
        answer = b"".join(answers)
        if answer:
            self._say(poll, device, answer)

    def _enter(self, device: Device, kind: int, body: bytes) -> bytes:
        """Subscribe when let in; say hello when subscribed."""
        if kind == packets.CONNACK:
            if body[1]:
                raise SystemExit(f"the broker refused {device.name} with code {body[1]}")
            own = [device_topic(device.name, each) for each in (Kind.COMMAND, Kind.CONFIG, Kind.TIME)]
            return packets.subscribe(SUBSCRIPTION, own + [region_command(code) for code in self.plan.regions])
        if kind != packets.SUBACK:
            return b""
        self.up += 1
        if self.up == len(self.plan.devices):
            self.tell_up(self.up)
        if not self.plan.presence:
            return b""
        here = Presence(dev=device.name, up=True, ts=time.time_ns() // 1_000_000).to_bytes()
        return packets.publish(
            packets.topic_bytes(device_topic(device.name, Kind.PRESENCE)), self._mid(device), here, retain=True
        )

    def answer(self, device: Device, payload: bytes) -> bytes:
        """Return the packet with which the device answers a message; nothing, if it is not meant."""
        heard = self._heard.get(payload)
        if heard is None:
            heard = _read(payload, self.keys)
            if heard.command is not None:
                self._heard[payload] = heard
        command = heard.command
        if command is None or not command.to.means(device.name, device.number, self.regions):
            return b""
        self._count(heard, command, device)
        device.receipts += 1
        receipt = b'%b"%b","n":%d,%b%d}' % (
            heard.begin,
            device.name.encode(),
            device.receipts,
            heard.end,
            time.time_ns() // 1_000_000,
        )
        return packets.publish(device.topic, self._mid(device), receipt)

    def _count(self, heard: _Heard, command: Command, device: Device) -> None:
        heard.last = time.monotonic()
        heard.first = heard.first or heard.last
        heard.by.add(device.number)
        if len(heard.by) == len(self.plan.devices) and not heard.told:
            heard.told = True
            self.tell_arrived(Arrived(command.id, heard.first, heard.last, len(heard.by)))

    def _say(self, poll: select.epoll, device: Device, data: bytes) -> None:
        if device.outbox:
            device.outbox += data
            return
        try:
            sent = device.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost(poll, device)
            return
        if sent < len(data):
            device.outbox = data[sent:]
            poll.modify(device.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _flush(self, poll: select.epoll, device: Device) -> None:
        data, device.outbox = device.outbox, b""
        poll.modify(device.sock.fileno(), select.EPOLLIN)
        self._say(poll, device, data)

    def _lost(self, poll: select.epoll, device: Device) -> None:
        handle = device.sock.fileno()
        if self._here.pop(handle, None) is None:
            return
        self.up -= 1
        with suppress(OSError):
            poll.unregister(handle)
        device.sock.close()
        self._coming.append((device.name, device.number, device.secret))

    def _mid(self, device: Device) -> int:
        device.mid = device.mid % MAX_MID + 1
        return device.mid


def _beat(device: Device) -> bytes:
    """What a device says that has nothing to do."""
    said: dict[str, Any] = {"vol": 80, "ver": "farm", "cfg": 0, "nonce": "00000000", "free": 1 << 30, "seq": -1}
    ts = time.time_ns() // 1_000_000
    return Beat(dev=device.name, st=Doing.IDLE, now=None, last=(), ts=ts, n=device.receipts, **said).to_bytes()


def _read(payload: bytes, keys: KeyRing) -> _Heard:
    """Verify a message, once for all devices; settings and the clock are heard without an answer."""
    command = read_command(payload, keys)
    if isinstance(command, Refused):
        raise SystemExit(f"the farm heard a message it cannot believe: {command.reason} {command.detail}")
    if isinstance(command, Configure | TimeAnswer):
        return _Heard(None)
    state = Reached.RECEIVED if isinstance(command, Play) else Reached.FINISHED
    return _Heard(command, f'{{"id":"{command.id}","dev":'.encode(), f'"st":"{state.value}","ts":'.encode())


def main() -> None:
    """Run the farm of a file until stdin is closed."""
    plan = FarmPlan.model_validate_json(Path(sys.argv[1]).read_bytes())

    def say(**what: object) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    farm = Farm(
        plan,
        tell_up=lambda up: say(up=up),
        tell_arrived=lambda a: say(id=a.id, first=a.first, last=a.last, count=a.count),
    )

    def until_closed() -> None:
        sys.stdin.read()
        farm.halt()

    threading.Thread(target=until_closed, daemon=True).start()
    farm.run()


if __name__ == "__main__":
    main()
