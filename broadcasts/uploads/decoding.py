"""From bytes nobody trusts to samples in a scratch file, never more of them than allowed. Runs in the cage only."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import av
import numpy as np

from broadcasts.speech.audio import RATE
from broadcasts.speech.signals import Samples
from broadcasts.uploads.containers import open_sound

CODECS: Final = frozenset(
    (  # noqa: SIM905 - clearer than thirty lines
        "mp3 mp3float aac aac_latm aac_fixed opus libopus vorbis flac alac amrnb amrwb libopencore_amrnb "
        "libopencore_amrwb wmav1 wmav2 gsm_ms adpcm_ima_wav adpcm_ms adpcm_ima_qt pcm_u8 pcm_s16le pcm_s16be "
        "pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_alaw pcm_mulaw "
    ).split()
)
"""What recorders, editors and telephones write. FFmpeg knows hundreds more, old and little looked at."""
MOST_CHANNELS, LOWEST_RATE, HIGHEST_RATE = 8, 4_000, 384_000
OUTLINE: Final = RATE // 100
"""Samples in one step of the outline."""
TRUST_LENGTH: Final = frozenset({"mp4", "matroska", "flac", "caf", "asf", "ogg"})
"""Wrappings that say how long they are. MP3 does only with a Xing header; elsewhere FFmpeg guesses."""
WAV_HEAD = 4096
UNKNOWN_SIZE = 0xFFFFFF00
"""What recorders write that do not know yet."""
MISSING_SHARE, MISSING_S = 0.03, 1.0
"""Less than it says by more than this, and the rest got lost on the way."""
BROKEN_SHARE: Final = 0.05
BLOCK: Final = RATE
LOUDEST: Final = 8.0


class Refused(Exception):
    """Nothing can be made of it. `problem` names why, `facts` fill the sentence."""

    def __init__(self, problem: str, **facts: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.facts = facts


@dataclass
class Decoded:
    """What came out: how many samples, and the highest of every hundredth of a second."""

    samples: int = 0
    outline: list[float] = field(default_factory=list)
    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))

    def note(self, block: Samples) -> None:
        """Add a block to the outline."""
        self.samples += len(block)
        held = np.concatenate([self._rest, np.abs(block)])
        whole = len(held) // OUTLINE * OUTLINE
        self.outline += held[:whole].reshape(-1, OUTLINE).max(axis=1).tolist()
        self._rest = held[whole:]


def decode(source: BinaryIO, container: str, into: BinaryIO, *, longest_s: float) -> Decoded:
    """Write the first audio stream as samples. Refused, or av.FFmpegError, for what is no whole recording."""
    found = Decoded()
    most = round(longest_s * RATE)
    with open_sound(source, container) as opened:
        stream = _first(opened)
        declared_s = _declared(opened, stream, container, source)
        for block in _samples(opened, stream):
            found.note(block)
            if found.samples > most:
                raise Refused("too_long", most=round(longest_s / 60) or 1)
            into.write(block.tobytes())
    _require_whole(found.samples / RATE, declared_s)
    return found


def _first(opened: Any) -> Any:
    if not opened.streams.audio:
        raise Refused("no_sound")
    stream = opened.streams.audio[0]
    context = stream.codec_context
    if context is None or context.name not in CODECS:
        raise Refused("unreadable")
    if not 1 <= len(context.layout.channels) <= MOST_CHANNELS or not LOWEST_RATE <= context.rate <= HIGHEST_RATE:
        raise Refused("unreadable")
    context.thread_count = 1
    return stream


def _declared(opened: Any, stream: Any, container: str, source: BinaryIO) -> float:
    """Return how long it says it is, 0 when it says nothing that can be relied on."""
    if container == "wav":
        return _wav_says(source)
    if container not in TRUST_LENGTH and not (container == "mp3" and _has_xing(source)):
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return float(opened.duration / av.time_base) if opened.duration else 0.0


def _wav_says(source: BinaryIO) -> float:
    """Return how long the header of a WAV says it is; FFmpeg believes the size of the file instead."""
    at = source.tell()
    source.seek(0)
    head = source.read(WAV_HEAD)
    source.seek(at)
    form, data = head.find(b"fmt "), head.find(b"data")
    if form < 0 or data < 0 or len(head) < max(form + 20, data + 8):
        return 0.0
    rate, size = (int.from_bytes(head[start : start + 4], "little") for start in (form + 16, data + 4))
    unknown = size >= UNKNOWN_SIZE or rate == 0
    return 0.0 if unknown else size / rate


def _has_xing(source: BinaryIO) -> bool:
    """Look into the first frame, past an ID3 tag, and come back."""
    at = source.tell()
    source.seek(0)
    head = source.read(10)
    tag = 10 + sum(byte << 7 * (3 - n) for n, byte in enumerate(head[6:10])) if head[:3] == b"ID3" else 0
    source.seek(tag)
    first = source.read(4096)
    source.seek(at)
    return b"Xing" in first or b"Info" in first


def _samples(opened: Any, stream: Any) -> Iterator[Samples]:
    """Return the sound in blocks of a second or so: one by one, a decoder's frames would cost three times as much."""
    held: list[Samples] = []
    size = 0
    for frame in _frames(opened, stream):
        held.append(frame)
        size += frame.size
        if size > BLOCK:
            yield _sound(held)
            held, size = [], 0
    if held:
        yield _sound(held)


def _frames(opened: Any, stream: Any) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    good, broken = 0, 0
    for packet in opened.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            broken += 1
            continue
        good += 1
        for frame in frames:
            frame.pts = None
            yield from (block.to_ndarray()[0] for block in resampler.resample(frame))
    if broken > 2 and broken > BROKEN_SHARE * (good + broken):
        raise Refused("damaged")
    yield from (block.to_ndarray()[0] for block in resampler.resample(None))


def _sound(frames: list[Samples]) -> Samples:
    """Return samples that are numbers: files can hold others."""
    samples = np.nan_to_num(np.concatenate(frames), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(samples, -LOUDEST, LOUDEST).astype(np.float32)


def _require_whole(seconds: float, declared_s: float) -> None:
    if seconds == 0:
        raise Refused("unreadable")
    if seconds < declared_s * (1 - MISSING_SHARE) - MISSING_S:
        raise Refused("truncated", got=round(seconds), said=round(declared_s))
