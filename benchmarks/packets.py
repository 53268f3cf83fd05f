"""The few MQTT 3.1.1 packets a measuring peer needs, written and read by hand."""

from collections.abc import Iterator
from typing import Final

CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
SUBACK: Final = 9
CLEAN: Final = 0x02
WITH_NAME_AND_PASSWORD: Final = 0xC0
RETAIN: Final = 0x01
QOS_1: Final = 0x02


def connect(name: str, password: str, keepalive_s: int = 3600) -> bytes:
    """A clean session under that name."""
    flags = CLEAN | WITH_NAME_AND_PASSWORD
    head = b"\x00\x04MQTT\x04" + bytes([flags]) + keepalive_s.to_bytes(2, "big")
    return _packet(0x10, head + _text(name) + _text(name) + _text(password))


def subscribe(mid: int, topics: list[str]) -> bytes:
    """All with QoS 1."""
    return _packet(0x82, mid.to_bytes(2, "big") + b"".join(_text(topic) + b"\x01" for topic in topics))


def publish(topic: bytes, mid: int, payload: bytes, *, retain: bool = False) -> bytes:
    """With QoS 1; `topic` is already encoded by `topic_bytes`."""
    flags = QOS_1 | (RETAIN if retain else 0)
    return _packet(0x30 | flags, topic + mid.to_bytes(2, "big") + payload)


def puback(mid: bytes) -> bytes:
    """The answer to a QoS 1 publish; `mid` as it came."""
    return b"\x40\x02" + mid


def topic_bytes(topic: str) -> bytes:
    """A topic as it stands in a packet."""
    return _text(topic)


def disconnect() -> bytes:
    """Goodbye."""
    return b"\xe0\x00"


def packets(buffer: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Every whole packet: type, flags, body, and where the next one begins."""
    at, end = 0, len(buffer)
    while at + 2 <= end:
        length, shift, head = 0, 0, at + 1
        while head < end:
            byte = buffer[head]
            length |= (byte & 127) << shift
            head, shift = head + 1, shift + 7
            if byte < 128:
                break
        else:
            return
        if head + length > end:
            return
        yield buffer[at] >> 4, buffer[at] & 15, buffer[head : head + length], head + length
        at = head + length


def published(flags: int, body: bytes) -> tuple[bytes, bytes, bytes]:
    """Topic, message id (empty for QoS 0) and payload of a publish."""
    cut = 2 + int.from_bytes(body[:2], "big")
    after = cut + 2 if flags & 6 else cut
    return body[2:cut], body[cut:after], body[after:]


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(first: int, body: bytes) -> bytes:
    length, size = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        size.append(digit | 128 if length else digit)
        if not length:
            return bytes([first]) + bytes(size) + body
