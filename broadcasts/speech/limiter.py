"""One gain that brings a voice to its loudness and keeps every true peak below a limit.

Loudness and peaks are measured once, in bins of two milliseconds. What the limiter takes from the loudness is worked
out on the bins and given back, and only then are the samples touched, once. The gain runs straight from one edge of a
bin to the next and is rounded down to steps far below hearing, so that the last digit of a sum decides nothing.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from broadcasts.speech.loudness import bin_size, gated, weighted_energy
from broadcasts.speech.signals import Samples

Curve = npt.NDArray[np.float64]

ATTACK, RELEASE = 0.2, 0.025  # by how much the gain may fall and rise in a bin: by half in 5 ms, and back in 40 ms
MOST_LIMITED_DB = 20.0  # a sound of clicks alone stays quieter than asked
OVERSAMPLED = 4
REACH = 16  # samples on either side that decide how high the curve runs between two samples
BETWEEN = 0.5  # speech below 8 kHz rises at most to twice its samples between them
ROUNDS = 12
CLOSE_DB = 0.02
GAIN_STEP, GAIN_STEP_DB = 1 / 4096, 0.005


def level(samples: Samples, rate: int, *, lufs: float, peak_db: float) -> bool:
    """Bring it, in place, to that loudness with that limit (dBTP). False for silence, which no gain makes audible."""
    energy = weighted_energy(samples, rate)
    measured = gated(energy, rate)
    if measured == -math.inf:
        return False
    size = bin_size(rate)
    outline = _outline(samples, size)
    gain_db, curve, sure = lufs - measured, np.ones(len(energy) + 1), math.inf
    for _ in range(ROUNDS):
        limit = 10 ** ((peak_db - gain_db) / 20)
        if limit * BETWEEN < sure:
            sure = limit * BETWEEN / 2
            outline = _true_outline(samples, outline, size, sure)
        curve = _limiting(outline, limit)
        missing = lufs - gain_db - gated(energy * ((curve[1:] + curve[:-1]) / 2) ** 2, rate)
        if abs(missing) < CLOSE_DB:
            break
        gain_db = min(gain_db + missing, lufs - measured + MOST_LIMITED_DB)
    gain_db = GAIN_STEP_DB * math.floor(gain_db / GAIN_STEP_DB)
    curve = GAIN_STEP * np.floor(curve / GAIN_STEP)
    _apply(samples, (10 ** (gain_db / 20) * curve).astype(np.float32), size)
    return True


def true_peak_db(samples: Samples) -> float:
    """dBTP, by fourfold oversampling."""
    if not samples.size:
        return -180.0
    size = 64
    outline = _outline(samples, size)
    top = _true_outline(samples, outline, size, BETWEEN * float(outline.max())).max()
    return 20 * math.log10(max(float(top), 1e-9))


def _outline(samples: Samples, size: int) -> Curve:
    """The highest sample of each bin."""
    at = np.arange(0, len(samples), size)
    return np.maximum(np.maximum.reduceat(samples, at), -np.minimum.reduceat(samples, at)).astype(np.float64)


def _limiting(outline: Curve, limit: float) -> Curve:
    """The gain at the edges of the bins: never above what a bin on either side may have."""
    allowed = np.minimum(1.0, limit / np.maximum(outline, 1e-9))
    edges = np.minimum(np.append(allowed, 1.0), np.append(1.0, allowed))
    at = np.arange(len(edges))
    after = np.minimum.accumulate(edges - RELEASE * at) + RELEASE * at
    ahead = np.minimum.accumulate((edges + ATTACK * at)[::-1])[::-1] - ATTACK * at
    return np.asarray(np.minimum(after, ahead))


def _true_outline(samples: Samples, outline: Curve, size: int, above: float) -> Curve:
    """`outline` with the curve between the samples counted in, for bins whose samples exceed `above`."""
    between, within = _between(size), np.arange(-REACH, size + REACH)
    found = outline.copy()
    loud = np.flatnonzero(outline > above)
    for some in np.array_split(loud, 1 + len(loud) // 256):
        windows = samples.take(some[:, None] * size + within, mode="clip")
        heights = np.abs(np.einsum("wn,nk->wk", windows, between)).max(axis=1, initial=0.0)
        found[some] = np.maximum(outline[some], heights)
    return found


@lru_cache(maxsize=2)
def _between(size: int) -> npt.NDArray[np.float32]:
    """From a window of samples to the curve at the points between those in its middle: a windowed sinc."""
    fractions = np.arange(1, OVERSAMPLED) / OVERSAMPLED
    points = (REACH + np.arange(size)[:, None] + fractions).reshape(-1)
    distance = np.arange(size + 2 * REACH)[:, None] - points
    window = np.where(np.abs(distance) < REACH, np.cos(np.pi * distance / (2 * REACH)) ** 2, 0.0)
    return (np.sinc(distance) * window).astype(np.float32)


def _apply(samples: Samples, edges: npt.NDArray[np.float32], size: int) -> None:
    """Multiply in place, a few bins at a time."""
    slope = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    for first in range(0, len(edges) - 1, 512):
        part = samples[first * size : (first + 512) * size]
        low, high = edges[first : first + 512, None], edges[first + 1 : first + 513, None]
        gain = low[: len(high)] + (high - low[: len(high)]) * slope
        part *= gain.reshape(-1)[: len(part)]
