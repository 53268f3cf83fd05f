"""From samples in a scratch file to what loudspeakers play: trimmed, shaped, level, encoded."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from broadcasts.speech import limiter, mp3
from broadcasts.speech.audio import HORN2, RATE, TARGET_LUFS, TRUE_PEAK_DB, peaks
from broadcasts.speech.signals import Samples
from broadcasts.uploads.decoding import OUTLINE, Decoded, Refused
from broadcasts.uploads.graph import BLOCK, Filters, through

MUSIC: Final[Filters] = (("highpass", "f=200:p=2"), ("highpass", "f=200:p=2"))
"""Music keeps its colour; only what harms a horn's driver is taken out."""
FILTERS: Final[dict[str, Filters]] = {"voice": HORN2, "music": MUSIC}
QUIET_DB: Final = {"voice": -45.0, "music": -60.0}
"""Below the loudest by so much counts as silence before and after."""
KEEP: Final = 3
"""Steps of the outline left before and after."""
SHORTEST_S: Final = 0.5


def samples_in(scratch: BinaryIO, start: int, count: int) -> Iterator[Samples]:
    """Read samples back, block by block."""
    scratch.seek(4 * start)
    while count > 0:
        block = np.frombuffer(scratch.read(4 * min(BLOCK, count)), np.float32)
        if not block.size:
            return
        count -= len(block)
        yield block


def extent(decoded: Decoded, kind: str) -> tuple[int, int]:
    """Return where the sound begins, in samples, and how long it is without the silence around it. Refused."""
    outline = np.array(decoded.outline or [0.0])
    loud = np.flatnonzero(outline > max(outline.max() * 10 ** (QUIET_DB[kind] / 20), 1e-5))
    if not loud.size:
        raise Refused("silent")
    start = max(0, int(loud[0]) - KEEP) * OUTLINE
    end = min(decoded.samples, (int(loud[-1]) + 1 + KEEP) * OUTLINE)
    if end - start < SHORTEST_S * RATE:
        raise Refused("too_short")
    return start, end - start


def finish(source: BinaryIO, start: int, count: int, kind: str, scratch: BinaryIO) -> mp3.Piece:
    """Filter as horns need it, bring it to the house's level, encode it. Refused for silence."""
    made = _shaped(source, start, count, kind, scratch)
    # The file is looked at through the system's pages: a quarter of an hour need not lie in memory.
    samples = np.memmap(scratch, np.float32, "r+", shape=(made,))
    if not limiter.level(samples, RATE, lufs=TARGET_LUFS, peak_db=TRUE_PEAK_DB):
        raise Refused("silent")
    return mp3.piece(samples)


def outline(piece: mp3.Piece, stretches: int) -> list[int]:
    """Return the outline for drawing, 0-100 of the loudest."""
    return list(peaks(piece.peaks, stretches))


def _shaped(source: BinaryIO, start: int, count: int, kind: str, scratch: BinaryIO) -> int:
    made = 0
    scratch.seek(0)
    for block in through(FILTERS[kind], samples_in(source, start, count)):
        fits = block[: count - made]
        scratch.write(fits.astype(np.float32).tobytes())
        made += len(fits)
    scratch.flush()
    return made
