"""Sounds for loudspeakers under test."""

from fractions import Fraction

import av
import numpy as np

RATE = 24_000


def pieces(seconds: int, *, bit_rate: int = 24_000, packet_ms: int = 20) -> list[bytes]:
    """A tone of so many seconds, as a hub sends it: a second of Opus packets in each piece."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    encoder.bit_rate, encoder.time_base = bit_rate, Fraction(1, RATE)
    encoder.options = {"frame_duration": str(packet_ms)}
    times = np.arange(RATE * seconds) / RATE
    samples = (np.sin(times * 2 * np.pi * 440) * 9000).astype(np.int16).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = RATE
    found = [bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]]
    each = 1000 // packet_ms
    return [
        b"".join(len(one).to_bytes(2, "big") + one for one in found[start : start + each])
        for start in range(0, each * seconds, each)
    ]
