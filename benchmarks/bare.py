"""The bare peer of a hub: one hand-written connection that publishes a message and counts who acknowledges it."""

import socket
import time
from dataclasses import dataclass, field
from typing import Final, Self

from benchmarks import packets
from hub.speakers.topics import Kind, every_device

LARGEST_READ: Final = 262_144
PATIENCE_S: Final = 120.0


@dataclass(slots=True)
class BareHub:
    """No tables, no checks, no threads: what the broker and the devices cost when the hub costs next to nothing.

    It reads all that has come at once and acknowledges it in one piece. Letting more come together first, as the hub
    does, makes it no faster: that was tried.
    """

    sock: socket.socket
    _inbox: bytes = b""
    _mid: int = 1
    seen: set[bytes] = field(default_factory=set)

    @classmethod
    def enter(cls, address: tuple[str, int], name: str, password: str) -> Self:
        """Connect under the hub's name and hear all receipts."""
        sock = socket.create_connection(address, timeout=PATIENCE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hub = cls(sock)
        sock.sendall(packets.connect(name, password))
        hub._wait_for(packets.CONNACK)
        sock.sendall(packets.subscribe(1, [every_device(Kind.RECEIPT)]))
        hub._wait_for(packets.SUBACK)
        return hub

    def ask_all(self, topic: str, message: bytes, devices: int) -> tuple[float, float]:
        """Publish to a region; when it went out and when the last of so many devices had answered (monotonic)."""
        self.seen.clear()
        self._mid += 1
        begin = time.monotonic()
        self.sock.sendall(packets.publish(packets.topic_bytes(topic), self._mid, message))
        while len(self.seen) < devices:
            self._read()
        return begin, time.monotonic()

    def leave(self) -> None:
        """Disconnect."""
        self.sock.sendall(packets.disconnect())
        self.sock.close()

    def _wait_for(self, kind: int) -> None:
        while kind not in self._read():
            pass

    def _read(self) -> list[int]:
        data = self.sock.recv(LARGEST_READ)
        if not data:
            raise SystemExit("the broker cut the bare peer off")
        buffer, used, kinds, answers = self._inbox + data, 0, [], []
        for kind, flags, body, after in packets.packets(buffer):
            used = after
            kinds.append(kind)
            if kind == packets.PUBLISH:
                topic, mid, _payload = packets.published(flags, body)
                self.seen.add(topic)
                if mid:
                    answers.append(packets.puback(mid))
        self._inbox = buffer[used:]
        if answers:
            self.sock.sendall(b"".join(answers))
        return kinds
