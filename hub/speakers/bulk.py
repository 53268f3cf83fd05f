"""A paho client that reads and acknowledges in bulk: thousands of receipts come at once, and each costs."""

import itertools
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode

READ_AT_ONCE: Final = 65_536
LARGEST_PACKET: Final = 1_048_576
LENGTH_BYTES: Final = 4
GATHER_S: Final = (0.002, 0.016)
"""What a receipt, or a command that is just being sent, may wait: the first while little comes, up to the second while
much does. Read one by one as they trickle in, receipts cost several times as much, and the processor has better things
to do while a county is being told."""
MUCH: Final = 2048
"""So many bytes at once, about ten receipts."""

Heard = Callable[[bytes, bytes, int], None]
"""Topic, payload, and the number to acknowledge; 0 where there is none. Must not raise, and must not wait."""


class BulkClient(mqtt.Client):
    """As paho's, for whoever hears much: messages are taken out of the stream before paho sees them.

    paho reads byte by byte and spends 50 µs and more on a message; this takes a tenth. It leans on `_sock_recv` and
    `_packet_queue`, which are paho's own and not promised; tests/hub/speakers/test_link.py fails when they change.
    """

    _lines: ClassVar[Iterator[int]] = itertools.count(1)

    def __init__(self, heard: Heard, **given: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311, manual_ack=True, **given)
        self.line = 0
        """Number of the present connection; no two of any client have the same."""
        self._turning = threading.Lock()
        self._tell = heard
        self._half = b""
        self._rest = b""
        self._at = 0
        self._came = 0
        self._gather_s = GATHER_S[0]

    def reconnect(self) -> MQTTErrorCode:
        """As paho's; what the old connection has left unread, and unacknowledged, is forgotten."""
        with self._turning:
            self.line = next(self._lines)
        self._half, self._rest, self._at = b"", b"", 0
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read everything that has come, not one packet, and let more come together before the next time."""
        code = super().loop_read(max_packets)
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._at < len(self._rest):
            code = super().loop_read(max_packets)
        least, most = GATHER_S
        self._gather_s = min(most, self._gather_s * 2) if self._came >= MUCH else least
        self._came = 0
        time.sleep(self._gather_s)
        return code

    def acknowledge(self, mids: Sequence[int], line: int) -> None:
        """Tell the broker that these messages are safe here. Numbers of an ended connection mean others by now."""
        acks = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, mid) for mid in mids)
        with self._turning:  # what is queued for an ended connection, paho throws away as it makes the next
            if mids and line == self.line:
                self._packet_queue(MessageType.PUBACK, acks, mids[0], 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        """What is for paho: everything but messages. Raises OSError when the stream makes no sense."""
        while self._at >= len(self._rest):
            data = super()._sock_recv(READ_AT_ONCE)
            if not data:
                return b""
            self._came += len(data)
            self._rest, self._at = self._sift(self._half + data), 0
        piece = self._rest[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece

    def _sift(self, stream: bytes) -> bytes:
        """Hand over the messages of all whole packets; return the others, and keep what is not whole yet."""
        at, others = 0, []
        while (bounds := _bounds(stream, at)) is not None:
            body, end = bounds
            if stream[at] & 0xF0 == MessageType.PUBLISH:
                self._take(stream[at], stream[body:end])
            else:
                others.append(stream[at:end])
            at = end
        self._half = stream[at:]
        return b"".join(others)

    def _take(self, first: int, body: bytes) -> None:
        topic_end = 2 + int.from_bytes(body[:2], "big")
        start = topic_end + 2 if first & 6 else topic_end
        if start > len(body):
            raise OSError("the broker has sent a message without an end")
        self._tell(body[2:topic_end], body[start:], int.from_bytes(body[topic_end:start], "big"))


def _bounds(stream: bytes, at: int) -> tuple[int, int] | None:
    """Where the body of the packet begins and ends; None when it has not all come. Raises OSError."""
    length = 0
    for number in range(LENGTH_BYTES):
        head = at + 1 + number
        if head >= len(stream):
            return None
        length |= (stream[head] & 127) << 7 * number
        if stream[head] < 128:
            if length > LARGEST_PACKET:
                raise OSError(f"the broker has sent a packet of {length} bytes")
            return (head + 1, head + 1 + length) if head + 1 + length <= len(stream) else None
    raise OSError("the broker has sent a packet without a length")
