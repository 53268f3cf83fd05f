"""MP3 made of pieces: what sounds twice is encoded once, silence and attention tones once in a process.

At a constant bit rate every frame here is FRAME_BYTES long and holds FRAME samples. Each piece comes from an encoder of
its own, so its first frame borrows no bits from frames before it, and pieces may follow one another in any order. A
piece ends in REST frames of silence, in which the encoder's filters ring out: at a seam the decoder adds silence to
silence, and the joined file decodes to what one long encoding would.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

from broadcasts.speech.signals import Samples

RATE = 24_000
BIT_RATE = 48_000
QUALITY = 7
"""LAME's: half the work of its usual 5, and recognisers understand the result as well (docs/speech.md)."""
FRAME = 576
FRAME_BYTES = BIT_RATE * FRAME // 8 // RATE
REST = 3
SCALE = np.float32(0.95)
"""LAME makes everything softer by this; it is given back, so that what is decoded is as loud as what went in."""
BLOCK = 28 * FRAME
VERSION = "2"

_HEADER = bytes.fromhex("fff384c0") + bytes(9)  # MPEG-2 layer III, 64 kbit/s, 24 kHz, mono; its side information
_HEADER_BYTES = 192
_ENCODER_DELAY = 576  # decoders add the 529 samples of their own
_HELD_BACK = 2  # frames until all that went into the encoder has come out


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole frames, the loudest sample of each, and how many samples there were before it was filled up."""

    frames: bytes
    peaks: Samples
    sounding: int

    @property
    def samples(self) -> int:
        return len(self.peaks) * FRAME


@dataclass(frozen=True, slots=True)
class Joined:
    """A finished file: its bytes, its exact length, and its outline frame by frame."""

    encoded: bytes
    samples: int
    peaks: Samples


def encode(samples: Samples) -> bytes:
    """One file of these samples, mono at RATE; the same samples give the same bytes."""
    frames = list(_encoded(samples))
    return _headed(frames, len(samples))


def piece(samples: Samples) -> Piece:
    """These samples, filled up with silence to whole frames, and REST frames of silence."""
    at = np.arange(0, len(samples), FRAME)
    tops = np.maximum(np.maximum.reduceat(samples, at), -np.minimum.reduceat(samples, at))
    count = len(tops) + REST
    frames = b"".join(list(_encoded(samples, rest=count * FRAME - len(samples)))[:count])
    return Piece(frames, np.pad(tops, (0, REST)), len(samples))


def silence(seconds: float, after: Piece | None = None) -> Piece:
    """Nothing for so long, to the nearest frame; what `after` was filled up with counts."""
    filled = after.samples - after.sounding if after else 0
    return _silent_frames(max(0, round((seconds * RATE - filled) / FRAME)))


def join(pieces: Iterable[Piece]) -> Joined:
    """One file of all pieces in their order."""
    listed = list(pieces)
    peaks = np.concatenate([each.peaks for each in listed])
    frames = [each.frames for each in [*listed, _silent_frames(_HELD_BACK)]]
    samples = len(peaks) * FRAME
    return Joined(_headed(frames, samples), samples, peaks)


def taken_apart(encoded: bytes) -> Piece:
    """The piece out of which `join` made a file, its outline left blank. ValueError for any other file."""
    body = encoded[_HEADER_BYTES:]
    count = len(body) // FRAME_BYTES - _HELD_BACK
    sound = encoded.startswith(_HEADER) and len(body) % FRAME_BYTES == 0 and count > REST
    if not sound or any(body[at : at + 2] != _HEADER[:2] for at in range(0, len(body), FRAME_BYTES)):
        raise ValueError("not a file of this house")
    return Piece(body[: count * FRAME_BYTES], np.zeros(count, np.float32), (count - REST) * FRAME)


@lru_cache(maxsize=64)
def _silent_frames(count: int) -> Piece:
    encoded = list(_encoded(np.zeros(count * FRAME, np.float32)))
    return Piece(b"".join(encoded[:count]), np.zeros(count, np.float32), 0)


def _encoded(samples: Samples, rest: int = 0) -> Iterable[bytes]:
    """Frames from an encoder of its own, with so much silence added; the last ones hold what it had kept back."""
    encoder = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "fltp"
    encoder.bit_rate, encoder.time_base = BIT_RATE, Fraction(1, RATE)
    encoder.options = {"flags": "+bitexact", "compression_level": str(QUALITY)}
    for start in range(0, len(samples), BLOCK):
        yield from map(bytes, encoder.encode(_frame(samples[start : start + BLOCK], start)))
    if rest:
        yield from map(bytes, encoder.encode(_frame(np.zeros(rest, np.float32), len(samples))))
    yield from map(bytes, encoder.encode(None))


def _frame(samples: Samples, at: int) -> av.AudioFrame:
    block = (samples / SCALE).astype(np.float32)[None, :]
    frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
    return frame


def _headed(frames: Sequence[bytes], samples: int) -> bytes:
    """The frames behind one that tells players how many there are, and what to cut off at both ends."""
    body = b"".join(frames)
    count, size = len(body) // FRAME_BYTES, _HEADER_BYTES + len(body)
    surplus = count * FRAME - _ENCODER_DELAY - samples
    seek_table = bytes(256 * hundredth // 100 for hundredth in range(100))
    tag = b"".join(
        [
            _HEADER,
            b"Info" + struct.pack(">III", 0xF, count, size) + seek_table + bytes(4),
            b"LAME3.100" + bytes(12) + (_ENCODER_DELAY << 12 | surplus).to_bytes(3, "big"),
            bytes(4) + struct.pack(">I", size) + bytes(2),
        ]
    )
    whole = tag + _crc16(tag).to_bytes(2, "big")
    return whole.ljust(_HEADER_BYTES, b"\0") + body


def _crc16(content: bytes) -> int:
    """CRC-16/ARC, as LAME signs its tag."""
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 * (crc & 1)
    return crc
