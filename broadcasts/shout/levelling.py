"""A voice that is speaking now, brought to an even level: neither a whisper nor a roar comes out of the horn.

Works on blocks of 20 ms and looks one block ahead. The gain follows the voice slowly upwards and quickly downwards,
rests where nobody speaks, and never lets a peak through: at both ends of a block it is small enough for that block, and
runs straight between.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from broadcasts.speech.audio import RATE
from broadcasts.speech.signals import Samples

BLOCK: Final = RATE // 50
TARGET_DB: Final = -18.0
"""The power of the voice as it goes out."""
GATE_DB: Final = -50.0
"""Below this nobody speaks, and the gain rests."""
LEAST_DB, MOST_DB, FIRST_DB = -18.0, 24.0, 6.0
RISE_DB, FALL_DB = 0.16, 1.5
"""By how much the gain may change in a block: 8 dB a second upwards, 75 downwards."""
PEAK: Final = 10 ** (-1.5 / 20)


class Leveller:
    """Takes samples as they come, gives them back level and 20 ms later."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._ahead: Samples | None = None
        self._wish_db = FIRST_DB
        self._gain = _factor(FIRST_DB)

    def push(self, samples: Samples) -> Iterator[Samples]:
        """Return what is ready."""
        held = np.concatenate([self._rest, samples])
        whole = len(held) // BLOCK * BLOCK
        self._rest = held[whole:]
        for start in range(0, whole, BLOCK):
            ready = self._step(held[start : start + BLOCK])
            if ready is not None:
                yield ready

    def finish(self) -> Iterator[Samples]:
        """Return what was held back, the last block filled up with silence."""
        if len(self._rest):
            yield from self.push(np.zeros(BLOCK - len(self._rest), np.float32))
        ready = self._step(np.zeros(BLOCK, np.float32))
        if ready is not None:
            yield ready
        self._ahead = None

    def _step(self, block: Samples) -> Samples | None:
        present, self._ahead = self._ahead, block
        self._listen(block)
        if present is None:
            self._gain = min(self._gain, _allowed(block))
            return None
        end = min(_factor(self._wish_db), _allowed(present), _allowed(block))
        ramp = np.linspace(self._gain, end, len(present), dtype=np.float32)
        self._gain = end
        return (present * ramp).astype(np.float32)

    def _listen(self, block: Samples) -> None:
        power = float(np.mean(np.square(block, dtype=np.float64)))
        level = 10 * np.log10(max(power, 1e-12))
        if level < GATE_DB:
            return
        wanted = min(MOST_DB, max(LEAST_DB, TARGET_DB - level))
        self._wish_db += min(RISE_DB, max(-FALL_DB, wanted - self._wish_db))


def _allowed(block: Samples) -> float:
    return PEAK / max(float(np.abs(block).max(initial=0.0)), 1e-6)


def _factor(db: float) -> float:
    return float(10 ** (db / 20))
