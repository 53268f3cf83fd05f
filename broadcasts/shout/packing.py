"""From levelled sound to what a `chunk` command carries: Opus packets of 20 ms, each after two bytes of length."""

from fractions import Fraction
from typing import Final

import av
import numpy as np

from broadcasts.shout.levelling import BLOCK
from broadcasts.speech.audio import RATE
from broadcasts.speech.signals import Samples

BIT_RATE: Final = 24_000
PACKET_MS: Final = 20
MOST_BYTES: Final = 6_000
"""A chunk's packets, lengths included: as base64 in a command, signed and wrapped in base64 again, some 11 kB of 16."""


class Packer:
    """Encodes blocks of 20 ms and hands out what has gathered."""

    def __init__(self) -> None:
        self._encoder = av.CodecContext.create("libopus", "w")
        self._encoder.sample_rate = RATE
        self._encoder.layout = "mono"
        self._encoder.format = "s16"
        self._encoder.bit_rate = BIT_RATE
        self._encoder.time_base = Fraction(1, RATE)
        self._encoder.options = {"application": "voip", "frame_duration": str(PACKET_MS), "vbr": "constrained"}
        self._at = 0
        self._packets: list[bytes] = []

    @property
    def waiting_ms(self) -> int:
        """How much has gathered."""
        return len(self._packets) * PACKET_MS

    def push(self, block: Samples) -> None:
        """Encode one block of 20 ms."""
        frame = av.AudioFrame.from_ndarray(_as_pcm(block)[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self._at
        self._at += BLOCK
        self._packets += [bytes(packet) for packet in self._encoder.encode(frame)]

    def finish(self) -> None:
        """Encode what the encoder still holds."""
        if self._at:
            self._packets += [bytes(packet) for packet in self._encoder.encode(None)]

    def take(self) -> list[bytes]:
        """Return what has gathered, in pieces that each fit into one command."""
        pieces: list[bytearray] = []
        for packet in self._packets:
            if not pieces or len(pieces[-1]) + 2 + len(packet) > MOST_BYTES:
                pieces.append(bytearray())
            pieces[-1] += len(packet).to_bytes(2, "big") + packet
        self._packets = []
        return [bytes(piece) for piece in pieces]


def _as_pcm(block: Samples) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.clip(np.rint(block * 32767), -32768, 32767).astype(np.int16)
