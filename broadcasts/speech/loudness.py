"""Loudness as ITU-R BS.1770-4 measures it, in numpy, block by block."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Spectrum = npt.NDArray[np.complex64]
Powers = npt.NDArray[np.float64]

BLOCK_S = 0.4
STEP_S = 0.1
BINS_A_STEP = 50  # so fine that a limiter's gain hardly moves within one
ABSOLUTE_GATE = -70.0
RELATIVE_GATE = -10.0
TRANSFORM = 1 << 15


def loudness(samples: npt.NDArray[np.float32], rate: int) -> float:
    """Integrated loudness in LUFS; -inf for silence. Shorter than a block counts as one block."""
    return gated(weighted_energy(samples, rate), rate)


def bin_size(rate: int) -> int:
    """Samples in one bin of `weighted_energy`."""
    return round(STEP_S * rate) // BINS_A_STEP


def weighted_energy(samples: npt.NDArray[np.float32], rate: int) -> Powers:
    """The K-weighted energy of each bin of bin_size(rate) samples; the last one is filled up with silence."""
    size, ring = bin_size(rate), rate // 2
    hop = (TRANSFORM - ring) // size * size
    response = _k_response(TRANSFORM, rate)
    bins = np.zeros(-(-len(samples) // size), np.float64)
    rest: npt.NDArray[np.floating] = np.zeros(ring, np.float32)
    for start in range(0, len(samples), hop):
        weighted = np.fft.irfft(np.fft.rfft(samples[start : start + hop], TRANSFORM) * response, TRANSFORM)
        weighted[:ring] += rest
        rest = weighted[hop : hop + ring]
        ready = min(hop, -(-(len(samples) - start) // size) * size)
        energies = np.square(weighted[:ready]).reshape(-1, size).sum(axis=1, dtype=np.float64)
        bins[start // size : start // size + len(energies)] = energies
    return bins


def gated(energy: Powers, rate: int) -> float:
    """Integrated loudness of what weighted_energy measured, perhaps with a gain on every bin since."""
    block, step = round(BLOCK_S / STEP_S) * BINS_A_STEP, BINS_A_STEP
    padded = np.pad(energy, (0, max(0, block - len(energy))))
    total = np.concatenate([[0.0], np.cumsum(padded)])
    starts = np.arange(0, len(padded) - block + 1, step)
    power = (total[starts + block] - total[starts]) / (block * bin_size(rate))
    loud = power[_lufs(power) > ABSOLUTE_GATE]
    if not loud.size:
        return -math.inf
    threshold = float(_lufs(loud.mean())) + RELATIVE_GATE
    return float(_lufs(loud[_lufs(loud) > threshold].mean()))


def _lufs(power: npt.ArrayLike) -> Powers:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-12)), np.float64)


@lru_cache(maxsize=2)
def _k_response(size: int, rate: int) -> Spectrum:
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    return np.asarray(_shelf(z, rate) * _low_cut(z, rate), np.complex64)


def _shelf(z: npt.NDArray[np.complex128], rate: int) -> npt.NDArray[np.complex128]:
    """Stage 1: the head's acoustic effect, +4 dB above 1.7 kHz."""
    k, q, high = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    over = (high + band * k / q + k * k) + 2 * (k * k - high) * z + (high - band * k / q + k * k) * z * z
    return np.asarray(over / ((1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z))


def _low_cut(z: npt.NDArray[np.complex128], rate: int) -> npt.NDArray[np.complex128]:
    """Stage 2: the ear's deafness to the lowest tones."""
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    under = a0 + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z
    return np.asarray(a0 * (1 - z) ** 2 / under)
