"""From a voice to a file for horns: trim, shape, level, put together with tones, encode. numpy and PyAV only.

Everything works on mono float32 at RATE. The chain is deterministic: the same samples give the same bytes.
"""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph

from broadcasts.speech.engine import N_, SpeechFailed
from broadcasts.speech.loudness import loudness
from broadcasts.speech.signals import VERSION as SIGNALS_VERSION
from broadcasts.speech.signals import Samples, Signal, tone

CHAIN_VERSION = f"horn2.1+signals.{SIGNALS_VERSION}"  # goes into the library's keys: raise it with any change here
RATE = 24_000
BIT_RATE = 48_000
TARGET_LUFS = -16.0
TRUE_PEAK_DB = -1.5
BLOCK = 16_384
BITEXACT = 0x400  # AVFMT_FLAG_BITEXACT: no date and no version in the file

# A horn plays little below 300 Hz, and its driver suffers from it; consonants at 2-4 kHz carry the words.
# The closing high-pass takes out what the compressor brought back.
HORN2: tuple[tuple[str, str], ...] = (
    ("highpass", "f=320:p=2"),
    ("highpass", "f=320:p=2"),
    ("highpass", "f=320:p=2"),
    ("equalizer", "f=2800:t=q:w=1.2:g=7"),
    ("lowpass", "f=6500:p=2"),
    ("acompressor", "threshold=0.06:ratio=3:attack=4:release=80:knee=4:makeup=1"),
    ("highpass", "f=320:p=2"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of things in a file; lengths in seconds. The lead lets amplifiers wake up."""

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
    return _joined(blocks)


def trim(samples: Samples, *, threshold_db: float = -45.0, keep_s: float = 0.03) -> Samples:
    """Without the silence before and after."""
    if not samples.size:
        return samples
    level = np.abs(samples)
    loud = np.flatnonzero(level > level.max() * 10 ** (threshold_db / 20))
    if not loud.size:
        return samples[:0]
    keep = int(keep_s * RATE)
    return samples[max(0, int(loud[0]) - keep) : int(loud[-1]) + keep]


def shape(samples: Samples) -> Samples:
    """As a horn speaker needs it (HORN2)."""
    return _filtered(samples, HORN2)


def level(samples: Samples) -> Samples:
    """At TARGET_LUFS, true peak at most TRUE_PEAK_DB; what the limiter takes is given back as gain."""
    limit = 10 ** (TRUE_PEAK_DB / 20)
    limiter = (
        ("aresample", str(4 * RATE)),
        ("alimiter", f"limit={limit:.5f}:attack=3:release=40:level=disabled:latency=1"),
        ("aresample", str(RATE)),
    )
    gain_db, levelled = 0.0, samples
    for _ in range(3):
        missing = TARGET_LUFS - loudness(levelled, RATE)
        if not math.isfinite(missing) or (levelled is not samples and abs(missing) < 0.2):
            break
        gain_db += missing
        louder = (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)
        levelled = _filtered(louder, limiter)[: len(samples)]
    return levelled


def true_peak_db(samples: Samples) -> float:
    """dBTP, by fourfold oversampling."""
    peak = float(np.abs(_filtered(samples, (), 4 * RATE)).max(initial=0.0))
    return 20 * math.log10(max(peak, 1e-9))


@lru_cache(maxsize=len(Signal))
def levelled_tone(signal: Signal) -> Samples:
    return level(tone(signal, RATE))


def prepare_voice(samples: Samples) -> Samples:
    """One pass of the words, ready for the horn."""
    spoken = trim(samples)
    if not spoken.size or loudness(spoken, RATE) == -math.inf:
        raise SpeechFailed(N_("读出来没有声音，请换一个声音再试"), retryable=True)
    return level(shape(spoken))


def assemble(voice: Samples, plan: Plan) -> Samples:
    """`voice` as prepare_voice left it, with everything around it."""
    parts = [_silence(plan.lead_s)]
    if plan.signal:
        parts += [levelled_tone(plan.signal), _silence(plan.after_signal_s)]
    for repeat in range(plan.repeats):
        parts += [_silence(plan.gap_s), voice] if repeat else [voice]
    if plan.end_signal:
        parts += [_silence(plan.after_signal_s), levelled_tone(plan.end_signal)]
    return np.concatenate([*parts, _silence(plan.tail_s)])


def around_s(plan: Plan) -> float:
    """Everything in the file but the words, in seconds."""
    return len(assemble(np.zeros(0, np.float32), plan)) / RATE


def encode_mp3(samples: Samples) -> bytes:
    """MP3, mono, constant bit rate: what the cheapest players can read."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        container.flags |= BITEXACT
        options = {"flags": "+bitexact", "compression_level": "7"}
        stream = container.add_stream("libmp3lame", rate=RATE, options=options)
        stream.layout = "mono"
        stream.bit_rate = BIT_RATE
        stream.format = "fltp"
        size = 576  # one frame of MPEG-2 layer III
        for start in range(0, len(samples), size):
            frame = _frame(samples[start : start + size], start, "fltp")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def peaks(samples: Samples, count: int = 96) -> tuple[int, ...]:
    """The outline for drawing: the loudest sample of each of `count` stretches, 0-100 of the loudest of all."""
    level_ = np.abs(samples)
    top = float(level_.max(initial=0.0))
    if top == 0.0:
        return (0,) * count
    edges = np.linspace(0, len(level_), count + 1).astype(int)
    stretches = (level_[a : max(b, a + 1)] for a, b in pairwise(edges))
    return tuple(round(100 * float(s.max(initial=0.0)) / top) for s in stretches)


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def _joined(blocks: Iterable[npt.NDArray[np.float32]]) -> Samples:
    listed = list(blocks)
    return np.concatenate(listed) if listed else np.zeros(0, np.float32)


def _frame(samples: Samples, at: int, sample_format: str) -> av.AudioFrame:
    block = np.ascontiguousarray(samples, np.float32)[None, :]
    frame = av.AudioFrame.from_ndarray(block, format=sample_format, layout="mono")
    frame.sample_rate = RATE
    frame.pts = at
    frame.time_base = Fraction(1, RATE)
    return frame


def _filtered(samples: Samples, filters: tuple[tuple[str, str], ...], rate: int = RATE) -> Samples:
    """Through a chain of FFmpeg's audio filters."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="flt", layout="mono", time_base=Fraction(1, RATE))
    chain = [source, *(graph.add(name, arguments) for name, arguments in filters)]
    chain.append(graph.add("aformat", f"sample_fmts=flt:sample_rates={rate}:channel_layouts=mono"))
    chain.append(graph.add("abuffersink"))
    graph.link_nodes(*chain).configure()
    blocks: list[Samples] = []
    for start in range(0, len(samples), BLOCK):
        graph.push(_frame(samples[start : start + BLOCK], start, "flt"))
        _drain(graph, blocks)
    graph.push(None)
    _drain(graph, blocks)
    return _joined(blocks)


def _drain(graph: Graph, blocks: list[Samples]) -> None:
    while True:
        try:
            frame = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        blocks.append(frame.to_ndarray()[0])
