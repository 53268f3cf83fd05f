"""Sound that is longer than memory, through FFmpeg's filters block by block. Mono float32 at the house's rate."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.filter import Graph

from broadcasts.speech.audio import RATE
from broadcasts.speech.signals import Samples

BLOCK: Final = 16_384
Filters = tuple[tuple[str, str], ...]


class Chain:
    """FFmpeg's audio filters in a row, fed block by block."""

    def __init__(self, filters: Filters) -> None:
        self._graph = Graph()
        source = self._graph.add_abuffer(sample_rate=RATE, format="flt", layout="mono", time_base=Fraction(1, RATE))
        nodes = [source, *(self._graph.add(name, arguments) for name, arguments in filters)]
        nodes.append(self._graph.add("aformat", f"sample_fmts=flt:sample_rates={RATE}:channel_layouts=mono"))
        nodes.append(self._graph.add("abuffersink"))
        self._graph.link_nodes(*nodes).configure()
        self._at = 0

    def push(self, samples: Samples) -> Iterator[Samples]:
        """Return what is ready."""
        for start in range(0, len(samples), BLOCK):
            block = samples[start : start + BLOCK]
            self._graph.push(_frame(block, self._at))
            self._at += len(block)
            yield from self._ready()

    def finish(self) -> Iterator[Samples]:
        """Return what was held back."""
        self._graph.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[Samples]:
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            yield frame.to_ndarray()[0]


def through(filters: Filters, blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Return the sound as it comes out of the filters."""
    chain_ = Chain(filters)
    for block in blocks:
        yield from chain_.push(block)
    yield from chain_.finish()


def _frame(samples: Samples, at: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32)[None, :], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
    return frame
