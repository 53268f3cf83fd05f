"""Voices for tests: tones as telephones wrap them, whole or in pieces of a second, and an ear that finds them again."""

import io
import wave
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from broadcasts.speech.signals import Samples

PHONE_RATE = 48_000
HZ = 440.0
Pcm = npt.NDArray[np.float32]


def a_tone(seconds: float, *, hz: float = HZ, peak: float = 0.2, rate: int = PHONE_RATE) -> Pcm:
    """A steady tone."""
    t = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def pieces_of(sound: Pcm, *, container: str = "webm", codec: str = "libopus", bit_rate: int = 32_000) -> list[bytes]:
    """What a browser's recorder hands out: one growing file, cut after every second of sound."""
    out, cuts = io.BytesIO(), []

    class Sink:
        def write(self, data: bytes) -> int:
            return out.write(data)

    options = {"live": "1", "cluster_time_limit": "900"} if container == "webm" else _options(container)
    with av.open(Sink(), "w", format=container, container_options=options) as file:
        stream: Any = file.add_stream(codec, rate=PHONE_RATE)
        stream.layout, stream.bit_rate = "mono", bit_rate
        step = stream.codec_context.frame_size or 960
        for start in range(0, len(sound), step):
            file.mux(stream.encode(_frame(sound[start : start + step], start)))
            if (start + step) // PHONE_RATE > start // PHONE_RATE:
                cuts.append(out.tell())
        file.mux(stream.encode(None))
    whole = out.getvalue()
    edges = [0, *cuts, len(whole)]
    return [whole[a:b] for a, b in pairwise(edges) if b > a]


def _options(container: str) -> dict[str, str]:
    # A telephone from Apple writes fragments; a file that is finished at the end could not be read while it grows.
    return (
        {"movflags": "empty_moov+default_base_moof+frag_keyframe", "frag_duration": "900000"}
        if container == "mp4"
        else {}
    )


def _frame(samples: Pcm, at: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None, :], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = PHONE_RATE, at, Fraction(1, PHONE_RATE)
    return frame


def a_wav(sound: Pcm, *, rate: int = PHONE_RATE) -> bytes:
    """The same as a plain file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return out.getvalue()


def unpacked(data: bytes) -> list[bytes]:
    """The Opus packets of a chunk: two bytes of length, then the packet."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : at + 2 + size])
        assert len(found[-1]) == size, "cut short"
        at += 2 + size
    return found


def opus_decoded(packets: list[bytes]) -> Pcm:
    """As a loudspeaker decodes them, 48 kHz."""
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = PHONE_RATE, "mono"
    blocks = [f.to_ndarray().reshape(-1) for p in packets for f in decoder.decode(av.Packet(p))]
    return (np.concatenate(blocks) / 32768).astype(np.float32) if blocks else np.zeros(0, np.float32)


def read_wav(path: Path) -> tuple[Pcm, int]:
    """Samples and rate of a file, also of one that is still being written."""
    raw = path.read_bytes()
    rate = int.from_bytes(raw[24:28], "little") if len(raw) > 44 else 24_000
    body = raw[44:]
    return (np.frombuffer(body[: len(body) // 2 * 2], "<i2") / 32768).astype(np.float32), rate


def tone_blocks(sound: Samples, rate: int, *, hz: float = HZ, block_s: float = 0.05) -> Iterator[bool]:
    """For every twentieth of a second whether that tone is what sounds in it."""
    size = int(block_s * rate)
    wave_ = np.exp(-2j * np.pi * hz * np.arange(size) / rate)
    for start in range(0, len(sound) - size + 1, size):
        block = sound[start : start + size].astype(np.float64)
        power = float(np.square(block).mean())
        share = 2 * abs(np.dot(block, wave_) / size) ** 2 / max(power, 1e-12)
        yield power > 1e-5 and share > 0.6


def tone_seconds(sound: Samples, rate: int, *, hz: float = HZ) -> float:
    """How long that tone sounds in all."""
    return 0.05 * sum(tone_blocks(sound, rate, hz=hz))


def first_tone_s(sound: Samples, rate: int, *, hz: float = HZ) -> float | None:
    """When that tone is heard first."""
    return next((0.05 * i for i, there in enumerate(tone_blocks(sound, rate, hz=hz)) if there), None)
