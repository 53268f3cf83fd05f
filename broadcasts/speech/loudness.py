"""Loudness as ITU-R BS.1770-4 measures it, in numpy."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Spectrum = npt.NDArray[np.complex128]

BLOCK_S = 0.4
STEP_S = 0.1
ABSOLUTE_GATE = -70.0
RELATIVE_GATE = -10.0


def loudness(samples: npt.NDArray[np.float32], rate: int) -> float:
    """Integrated loudness in LUFS; -inf for silence. Shorter than a block counts as one block."""
    block, step = int(BLOCK_S * rate), int(STEP_S * rate)
    padded = np.pad(samples, (0, max(0, block - len(samples))))
    energy = np.concatenate([[0.0], np.cumsum(_weighted(padded, rate) ** 2)])
    starts = np.arange(0, len(padded) - block + 1, step)
    power = (energy[starts + block] - energy[starts]) / block
    loud = power[_lufs(power) > ABSOLUTE_GATE]
    if not loud.size:
        return -math.inf
    threshold = float(_lufs(loud.mean())) + RELATIVE_GATE
    return float(_lufs(loud[_lufs(loud) > threshold].mean()))


def _lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-12)), np.float64)


def _weighted(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float64]:
    """K-weighted, by one transform; the padding holds the tail of the filters."""
    size = _fast_size(len(samples) + rate // 2)
    spectrum = np.fft.rfft(samples.astype(np.float64), size) * _k_response(size, rate)
    return np.fft.irfft(spectrum, size)[: len(samples)]


def _fast_size(at_least: int) -> int:
    """The next 2^n, 3*2^n or 5*2^n: sizes that transform quickly."""
    return min(m << max(0, math.ceil(math.log2(at_least / m))) for m in (1, 3, 5))


@lru_cache(maxsize=1)  # several MB each
def _k_response(size: int, rate: int) -> Spectrum:
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    return _shelf(z, rate) * _low_cut(z, rate)


def _shelf(z: Spectrum, rate: int) -> Spectrum:
    """Stage 1: the head's acoustic effect, +4 dB above 1.7 kHz."""
    k, q, high = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    over = (high + band * k / q + k * k) + 2 * (k * k - high) * z + (high - band * k / q + k * k) * z * z
    return np.asarray(over / ((1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z))


def _low_cut(z: Spectrum, rate: int) -> Spectrum:
    """Stage 2: the ear's deafness to the lowest tones."""
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    under = a0 + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z * z
    return np.asarray(a0 * (1 - z) ** 2 / under)
