"""What can sound: recordings decoded, and two patterns of tones that every device has built in."""

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import av
import numpy as np
import numpy.typing as npt

from hub.speakers.device.actions import ATTENTION_MS

log = logging.getLogger(__name__)

RATE: Final = 24_000
BLOCK: Final = RATE // 10
BLOCK_MS: Final = 100
TRIAL_MS: Final = 3_000
ALARM_MS: Final = 30_000
SHORTEST_ALARM_MS: Final = 4_000

Samples = npt.NDArray[np.int16]
Blocks = Generator[Samples, None, None]


@dataclass(frozen=True, slots=True)
class Ended:
    """A sound is over: how much was heard, and what went wrong if it did not reach its end."""

    played_ms: int
    error: str | None = None


class SoundFailed(Exception):
    """A sound cannot go on; `reason` is a code of the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Source(Protocol):
    """Something to sound. `blocks` may raise SoundFailed, OSError, ValueError or av.FFmpegError."""

    @property
    def begun(self) -> bool:
        """Whether its first sound is here: True from the start for all but a stream."""
        ...

    @property
    def live(self) -> bool:
        """Whether it comes as it sounds, and cannot be had before."""
        ...

    def blocks(self) -> Blocks:
        """The sound as 24 kHz mono blocks of at most 100 ms."""
        ...

    def close(self) -> None:
        """No more is wanted; `blocks` ends soon. May be called from another thread, and twice."""
        ...


class Recorded:
    """A recording in a file."""

    begun, live = True, False

    def __init__(self, path: Path) -> None:
        self._path = path

    def blocks(self) -> Blocks:
        """Decode it as it is needed."""
        return decoded(self._path)

    def close(self) -> None:
        """Nothing is held."""


class Pattern:
    """A built-in pattern of tones, over and over for so long."""

    begun, live = True, False

    def __init__(self, figure: Callable[[], Samples], duration_ms: int) -> None:
        self.duration_ms = duration_ms
        self._figure = figure
        self._length = duration_ms * RATE // 1000

    def blocks(self) -> Blocks:
        """Repeat the figure; what is cut off at the end fades."""
        figure, at = self._figure(), 0
        while at < self._length:
            places = np.arange(at, min(at + BLOCK, self._length))
            left = np.minimum(1.0, (self._length - places) / (0.02 * RATE))
            yield (figure[places % len(figure)] * left).astype(np.int16)
            at += BLOCK

    def close(self) -> None:
        """Nothing is held."""


def alarm(duration_ms: int) -> Pattern:
    """What stands in for an emergency's words: as long as they would be, within 4 and 30 s."""
    return Pattern(alarm_figure, max(SHORTEST_ALARM_MS, min(duration_ms, ALARM_MS)))


def attention() -> Pattern:
    """What makes people look up before a live voice speaks."""
    return Pattern(attention_figure, ATTENTION_MS)


def trial_tone() -> Pattern:
    """Three seconds by which somebody under the horn hears that it works."""
    return Pattern(trial_figure, TRIAL_MS)


@lru_cache(maxsize=1)
def alarm_figure() -> Samples:
    """Four quick raps high, two slow ones low, a rest: 2.4 s.

    It neither sweeps nor holds a tone nor sounds two at once, so that nobody takes it for an air-raid siren, the
    earthquake warning or a fire engine.
    """
    raps = [(at * 0.18, 1175.0, 0.12) for at in range(4)]
    return _figure([*raps, (0.9, 784.0, 0.32), (1.35, 784.0, 0.32)], 2.4, brightness=0.7)


@lru_cache(maxsize=1)
def attention_figure() -> Samples:
    """Two steps down, mild, and a short rest: 1 s. Neither the alarm nor the test."""
    return _figure([(0.0, 659.0, 0.4), (0.4, 523.0, 0.48)], ATTENTION_MS / 1000, brightness=0.3)


@lru_cache(maxsize=1)
def trial_figure() -> Samples:
    """Three steps up, a rest: 1.5 s, mild."""
    return _figure([(0.0, 523.0, 0.3), (0.36, 659.0, 0.3), (0.72, 784.0, 0.42)], 1.5, brightness=0.2)


def _figure(notes: list[tuple[float, float, float]], length: float, brightness: float) -> Samples:
    """Notes as (start s, pitch Hz, length s), each with soft edges and some overtones, so that a horn carries it."""
    sound = np.zeros(int(length * RATE))
    strengths = ((1, 1.0), (2, brightness), (3, brightness / 2))
    for start, pitch, lasts in notes:
        t = np.arange(int(lasts * RATE)) / RATE
        tone = sum(
            (share * np.sin(2 * np.pi * pitch * k * t) for k, share in strengths),
            np.zeros_like(t),
        )
        at = int(start * RATE)
        sound[at : at + len(t)] += tone * np.minimum(1.0, np.minimum(t, lasts - t) / 0.012)
    made: Samples = (sound / np.abs(sound).max() * 0.8 * 32_767).astype(np.int16)
    made.flags.writeable = False
    return made


def decoded(audio: Path) -> Blocks:
    """The sound as blocks of 100 ms. Raises OSError, ValueError or av.FFmpegError."""
    with av.open(str(audio), metadata_errors="ignore") as container:
        yield from blocks_of(container)


def blocks_of(container: av.container.InputContainer) -> Blocks:
    """The first sound of an open container as blocks of 100 ms."""
    cutter, resampler = Cutter(), av.AudioResampler(format="s16", layout="mono", rate=RATE)
    for frame in container.decode(audio=0):
        frame.pts = None
        for part in resampler.resample(frame):
            yield from cutter.cut(pcm(part))
    for part in resampler.resample(None):
        yield from cutter.cut(pcm(part))
    yield from cutter.rest()


def pcm(frame: av.AudioFrame) -> Samples:
    """The samples of a resampled frame."""
    return frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)


class Cutter:
    """Cuts samples that come as they come into blocks of 100 ms."""

    def __init__(self) -> None:
        self._kept: Samples = np.zeros(0, dtype=np.int16)

    def cut(self, samples: Samples) -> Iterator[Samples]:
        """Whole blocks; what is left waits for more."""
        self._kept = np.concatenate([self._kept, samples])
        while len(self._kept) >= BLOCK:
            yield self._kept[:BLOCK]
            self._kept = self._kept[BLOCK:]

    def rest(self) -> Iterator[Samples]:
        """What is left, shorter than a block."""
        kept, self._kept = self._kept, self._kept[:0]
        if len(kept):
            yield kept
