"""A paho client that reads and acknowledges in bulk: thousands of receipts come at once, and each costs."""

import struct
import time
from collections.abc import Sequence
from typing import Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MessageType, MQTTErrorCode

READ_AT_ONCE: Final = 65_536
GATHER_S: Final = 0.002
"""What a receipt, or a command that is just being sent, may wait. Read one by one as they trickle in, receipts cost
several times as much, and the processor has better things to do while a county is being told."""


class BulkClient(mqtt.Client):
    """As paho's, but it asks the system for 64 KiB at a time instead of byte by byte, and acknowledges many at once.

    Measured: a third of the time per message. It leans on `_sock_recv` and `_packet_queue`, which are paho's own and
    not promised; tests/hub/speakers/test_link.py fails when they change.
    """

    _bytes = b""
    _at = 0

    def reconnect(self) -> MQTTErrorCode:
        """As paho's; what the old connection has left unread is forgotten."""
        self._bytes, self._at = b"", 0
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read everything that has come, not one packet, and let more come together before the next time."""
        code = super().loop_read(max_packets)
        while code == MQTTErrorCode.MQTT_ERR_SUCCESS and self._at < len(self._bytes):
            code = super().loop_read(max_packets)
        time.sleep(GATHER_S)
        return code

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Tell the broker that these messages are safe here."""
        if mids:
            acks = b"".join(struct.pack("!BBH", MessageType.PUBACK, 2, mid) for mid in mids)
            self._packet_queue(MessageType.PUBACK, acks, mids[0], 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._at >= len(self._bytes):
            self._bytes, self._at = b"", 0
            self._bytes = super()._sock_recv(READ_AT_ONCE)
        piece = self._bytes[self._at : self._at + bufsize]
        self._at += len(piece)
        return piece
