"""From a voice to a file for horns: trim, shape, level, put together with tones, encode. numpy and PyAV only.

Everything works on mono float32 at RATE. The words pass once, block by block, through the filters into the one copy
that is kept; the finished file exists only as MP3 frames. The chain is deterministic: the same samples give the same
bytes.
"""

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph

from broadcasts.speech import limiter, mp3
from broadcasts.speech.engine import N_, SpeechFailed
from broadcasts.speech.signals import VERSION as SIGNALS_VERSION
from broadcasts.speech.signals import Samples, Signal, tone

# Goes into the library's keys: raise it with any change to the chain.
CHAIN_VERSION = f"horn2.2+signals.{SIGNALS_VERSION}+mp3.{mp3.VERSION}"
RATE = mp3.RATE
BIT_RATE = mp3.BIT_RATE
TARGET_LUFS = -16.0
TRUE_PEAK_DB = -2.0  # before coding, which adds up to 0.7 dB
BLOCK = 16_384
BITEXACT = 0x400  # AVFMT_FLAG_BITEXACT: no date and no version in the file

Filters = tuple[tuple[str, str], ...]

# A horn plays little below 300 Hz, and its driver suffers from it; consonants at 2-4 kHz carry the words.
# The closing high-pass takes out what the compressor brought back.
HORN2: Filters = (
    ("highpass", "f=320:p=2"),
    ("highpass", "f=320:p=2"),
    ("highpass", "f=320:p=2"),
    ("equalizer", "f=2800:t=q:w=1.2:g=7"),
    ("lowpass", "f=6500:p=2"),
    ("acompressor", "threshold=0.06:ratio=3:attack=4:release=80:knee=4:makeup=1"),
    ("highpass", "f=320:p=2"),
)

Recorded = TypeVar("Recorded", npt.NDArray[np.float32], npt.NDArray[np.int16])


@dataclass(frozen=True, slots=True)
class Words:
    """What an engine spoke, as it wrote it."""

    samples: npt.NDArray[np.int16]
    rate: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of things in a file; lengths in seconds. The lead lets amplifiers wake up.

    Silences come out to the nearest 24 ms, those after a sound are at least 72 ms.
    """

    lead_s: float = 1.0
    signal: Signal | None = Signal.ROUTINE
    after_signal_s: float = 0.6
    repeats: int = 2
    gap_s: float = 1.2
    end_signal: Signal | None = None
    tail_s: float = 0.5


def decode(source: Path, *, longest_s: float = 3600.0) -> Samples:
    """Any sound file as mono samples at RATE. ValueError for what is not sound, or is too long."""
    blocks: list[Samples] = []
    count = 0
    try:
        with av.open(str(source), mode="r", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise ValueError("no sound in it")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            for frame in container.decode(container.streams.audio[0]):
                frame.pts = None
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray()[0])
                    count += blocks[-1].size
                if count > longest_s * RATE:
                    raise ValueError(f"longer than {longest_s:g} s")
            blocks.extend(block.to_ndarray()[0] for block in resampler.resample(None))
    except av.FFmpegError as problem:
        raise ValueError(f"not a sound file: {problem}") from problem
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def read_words(source: Path) -> Words:
    """What an engine wrote: WAV, mono, 16 bits. ValueError when it is not there, or not whole."""
    try:
        with wave.open(str(source), "rb") as recording:
            if (recording.getnchannels(), recording.getsampwidth()) != (1, 2):
                raise ValueError("not mono with 16 bits")
            samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
            if len(samples) != recording.getnframes():
                raise ValueError("not whole")
            return Words(samples, recording.getframerate())
    except (OSError, EOFError, wave.Error) as problem:
        raise ValueError(f"not a recording: {problem!r}") from problem


def heard(words: Words) -> Samples:
    """The recording as it is, at RATE."""
    return _collected((), words.samples, words.rate)


def trim(samples: Recorded, *, threshold_db: float = -45.0, keep_s: float = 0.03, rate: int = RATE) -> Recorded:
    """Without the silence before and after."""
    if not samples.size:
        return samples
    threshold = max(float(samples.max()), -float(samples.min())) * 10 ** (threshold_db / 20)
    loud = np.flatnonzero((samples > threshold) | (samples < -threshold))
    if not loud.size:
        return samples[:0]
    keep = int(keep_s * rate)
    return samples[max(0, int(loud[0]) - keep) : int(loud[-1]) + keep]


def shape(samples: Recorded, rate: int = RATE) -> Samples:
    """As a horn speaker needs it (HORN2), at RATE."""
    return _collected(HORN2, samples, rate)


def level(samples: Samples) -> Samples:
    """A copy at TARGET_LUFS, true peak at most TRUE_PEAK_DB; what the limiter takes is given back as gain."""
    made = samples.copy()
    limiter.level(made, RATE, lufs=TARGET_LUFS, peak_db=TRUE_PEAK_DB)
    return made


@lru_cache(maxsize=len(Signal))
def levelled_tone(signal: Signal) -> Samples:
    """The attention tone as it goes into a file; read-only."""
    made = level(tone(signal, RATE))
    made.flags.writeable = False
    return made


def prepare_voice(samples: Samples) -> Samples:
    """One pass of the words, ready for the horn."""
    return _prepared(samples, RATE, 0.0)


def prepare_words(words: Words, gain_db: float = 0.0) -> Samples:
    """The same from an engine's recording, so much louder or softer than usual."""
    return _prepared(words.samples, words.rate, gain_db)


def finish(voice: Samples, plan: Plan) -> mp3.Joined:
    """`voice` as prepare_voice left it, with everything around it, as a file. The words are encoded once."""
    return arrange(mp3.piece(voice), plan)


def arrange(words: mp3.Piece, plan: Plan) -> mp3.Joined:
    """The same for words, or any recording, that were encoded before."""
    return mp3.join(_in_order(words, plan))


def around_s(plan: Plan) -> float:
    """Everything in the file but the words, in seconds."""
    length = plan.lead_s + (plan.repeats - 1) * plan.gap_s + plan.tail_s
    for signal in (plan.signal, plan.end_signal):
        if signal:
            length += len(levelled_tone(signal)) / RATE + plan.after_signal_s
    return length


def encode_mp3(samples: Samples) -> bytes:
    """MP3, mono, constant bit rate: what the cheapest players can read."""
    return mp3.encode(samples)


def peaks(samples: Samples, count: int = 96) -> tuple[int, ...]:
    """The outline for drawing: the loudest sample of each of `count` stretches, 0-100 of the loudest of all."""
    level_ = np.abs(samples)
    top = float(level_.max(initial=0.0))
    if top == 0.0:
        return (0,) * count
    edges = np.linspace(0, len(level_), count + 1).astype(int)
    stretches = (level_[a : max(b, a + 1)] for a, b in pairwise(edges))
    return tuple(round(100 * float(s.max(initial=0.0)) / top) for s in stretches)


def _prepared(samples: Recorded, rate: int, gain_db: float) -> Samples:
    spoken = trim(samples, rate=rate)
    shaped = shape(spoken, rate)
    if not limiter.level(shaped, RATE, lufs=TARGET_LUFS + gain_db, peak_db=TRUE_PEAK_DB):
        raise SpeechFailed(N_("读出来没有声音，请换一个声音再试"), retryable=True)
    return shaped


def _collected(filters: Filters, samples: Recorded, rate: int) -> Samples:
    """All that comes out of the filters, in the only copy there is."""
    made = np.zeros(-(-len(samples) * RATE // rate), np.float32)
    at = 0
    for block in _through(filters, samples, rate):
        fits = block[: len(made) - at]
        made[at : at + len(fits)] = fits
        at += len(fits)
    return made


def _in_order(words: mp3.Piece, plan: Plan) -> Iterator[mp3.Piece]:
    yield mp3.silence(plan.lead_s)
    if plan.signal:
        signal = _tone_piece(plan.signal)
        yield from (signal, mp3.silence(plan.after_signal_s, after=signal))
    for _ in range(plan.repeats - 1):
        yield from (words, mp3.silence(plan.gap_s, after=words))
    last = words
    yield last
    if plan.end_signal:
        yield mp3.silence(plan.after_signal_s, after=last)
        last = _tone_piece(plan.end_signal)
        yield last
    yield mp3.silence(plan.tail_s, after=last)


@lru_cache(maxsize=len(Signal))
def _tone_piece(signal: Signal) -> mp3.Piece:
    return mp3.piece(levelled_tone(signal))


def _frame(samples: Recorded, at: int, rate: int) -> av.AudioFrame:
    packed = np.ascontiguousarray(samples)[None, :]
    frame = av.AudioFrame.from_ndarray(packed, format=_format_of(samples), layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
    return frame


def _format_of(samples: npt.NDArray[np.float32] | npt.NDArray[np.int16]) -> str:
    return "s16" if samples.dtype == np.int16 else "flt"


def _through(filters: Filters, samples: Recorded, rate: int) -> Iterator[Samples]:
    """What comes out of FFmpeg's audio filters at RATE, block by block."""
    graph = Graph()
    base = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format=_format_of(samples), layout="mono", time_base=base)
    resampled = graph.add("aformat", f"sample_fmts=flt:sample_rates={RATE}:channel_layouts=mono")
    chain = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(source, resampled, *chain, graph.add("aformat", "sample_fmts=flt"), graph.add("abuffersink"))
    graph.configure()
    for start in range(0, len(samples), BLOCK):
        graph.push(_frame(samples[start : start + BLOCK], start, rate))
        yield from _ready(graph)
    graph.push(None)
    yield from _ready(graph)


def _ready(graph: Graph) -> Iterator[Samples]:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield frame.to_ndarray()[0]
