"""A voice that is speaking now: pieces of Opus put in order, waited for, and decoded as they sound."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

import av
import numpy as np

from hub.speakers.device.actions import ATTENTION_MS
from hub.speakers.device.sounds import BLOCK, RATE, Blocks, Cutter, Ended, Samples, SoundFailed, attention, pcm

log = logging.getLogger(__name__)

READY_PIECES: Final = 1
"""One is enough: the second comes while the tone of attention sounds, which so costs no time."""
MISSING_S: Final = 1.0
LOST_S: Final = 5.0
MAX_PIECES: Final = 30
"""So much of a voice that cannot sound yet is kept: half a minute. What is older is past."""
MAX_PACKET: Final = 1275
PIECE_MS: Final = 1000
STREAM_LOST: Final = "stream_lost"

Clock = Callable[[], float]


class Gap(Enum):
    """Why there is no piece at this moment."""

    WAIT = "wait"
    OVER = "over"
    LOST = "lost"


class Shout:
    """The pieces of one shout, in order. `feed` and `take` may be called from different threads."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pieces: dict[int, bytes] = {}
        self._next = 0
        self._end: int | None = None
        self._fed_at = clock()
        self._missed_since: float | None = None
        self.told = False
        """Whether the rules have been told that it can sound."""

    def feed(self, n: int, data: bytes, *, last: bool) -> None:
        """Take a piece; what has sounded already, or was passed over, is dropped."""
        with self._lock:
            self._fed_at = self._clock()
            if last:
                self._end = n + 1
            if n < self._next:
                return
            self._pieces.setdefault(n, data)
            while len(self._pieces) > MAX_PIECES:
                oldest = min(self._pieces)
                del self._pieces[oldest]
                self._next = oldest + 1

    @property
    def ready(self) -> bool:
        """Whether enough is here to begin."""
        return len(self._pieces) >= READY_PIECES or self._end is not None

    def take(self) -> bytes | Gap:
        """The next piece. A missing one is waited for as long as a second, then passed over."""
        with self._lock:
            now = self._clock()
            if self._next in self._pieces:
                self._missed_since = None
                self._next += 1
                return self._pieces.pop(self._next - 1)
            if self._end is not None and self._next >= self._end:
                return Gap.OVER
            return self._miss(now)

    def _miss(self, now: float) -> bytes | Gap:
        self._missed_since = self._missed_since or now
        if self._pieces and now - self._missed_since >= MISSING_S:
            self._next, self._missed_since = min(self._pieces), None
            self._next += 1
            return self._pieces.pop(self._next - 1)
        if not self._pieces and now - self._fed_at >= LOST_S:
            return Gap.LOST
        return Gap.WAIT


class Voice:
    """A shout as a source: a tone of attention, then decoded piece by piece; while one is missing there is silence."""

    begun = live = True

    def __init__(self, shout: Shout) -> None:
        self.shout = shout
        self._closed = threading.Event()

    def blocks(self) -> Blocks:
        """Until the last piece. Raises SoundFailed when nothing comes any more."""
        ear, quiet = Ear(), np.zeros(BLOCK, dtype=np.int16)
        yield from itertools.takewhile(lambda _block: not self._closed.is_set(), attention().blocks())
        while not self._closed.is_set():
            taken = self.shout.take()
            if isinstance(taken, bytes):
                yield from ear.hear(taken)
            elif taken is Gap.WAIT:
                yield quiet
            elif taken is Gap.LOST:
                raise SoundFailed(STREAM_LOST)
            else:
                break
        yield from ear.rest()

    def close(self) -> None:
        """Hear no more."""
        self._closed.set()


class Ear:
    """Decodes pieces to blocks. A packet that is no Opus is passed over: it costs its own sound alone."""

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("libopus", "r")
        self._decoder.sample_rate = 48_000
        self._decoder.layout = "mono"
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._cutter = Cutter()

    def hear(self, piece: bytes) -> Iterator[Samples]:
        """All whole blocks that this piece completes."""
        for packet in packets(piece):
            try:
                frames = self._decoder.decode(av.Packet(packet))
            except (av.FFmpegError, ValueError):
                log.debug("shout_packet_skipped")
                continue
            for frame in frames:
                frame.pts = None
                for part in self._resampler.resample(frame):
                    yield from self._cutter.cut(pcm(part))

    def rest(self) -> Iterator[Samples]:
        """What is left at the end."""
        for part in self._resampler.resample(None):
            yield from self._cutter.cut(pcm(part))
        yield from self._cutter.rest()


class Following:
    """A shout on a device that only lets time pass: the same order and waiting, nothing decoded."""

    begun = True

    def __init__(self, shout: Shout, clock: Clock, lead_in_ms: int) -> None:
        self._shout = shout
        self._clock = clock
        self._due = clock() + (lead_in_ms + ATTENTION_MS) / 1000
        self._played = 0
        self._ended: Ended | None = None

    def ended(self) -> Ended | None:
        """Take what would have sounded by now."""
        while self._ended is None and self._clock() >= self._due:
            taken = self._shout.take()
            if isinstance(taken, bytes):
                length = piece_ms(taken)
                self._played += length
                self._due += length / 1000
            elif taken is Gap.WAIT:
                self._due = self._clock()
                return None
            else:
                self._ended = Ended(self._played, STREAM_LOST if taken is Gap.LOST else None)
        return self._ended

    def stop(self) -> None:
        """It is over."""
        self._ended = self._ended or Ended(self._played)


def packets(piece: bytes) -> Iterator[bytes]:
    """The Opus packets of a piece, each after two bytes of length; what is cut short is left out."""
    at = 0
    while at + 2 <= len(piece):
        length = int.from_bytes(piece[at : at + 2], "big")
        packet = piece[at + 2 : at + 2 + length]
        if not 0 < length <= MAX_PACKET or len(packet) < length:
            return
        yield packet
        at += 2 + length


def piece_ms(piece: bytes) -> int:
    """How long a piece sounds, by the first byte of each packet (RFC 6716, 3.1)."""
    return sum(itertools.starmap(_packet_ms, ((packet[0], packet[1:2]) for packet in packets(piece))))


def _packet_ms(head: int, count: bytes) -> int:
    kind, code = head >> 3, head & 3
    if kind < 12:
        tenths = (100, 200, 400, 600)[kind & 3]
    elif kind < 16:
        tenths = (100, 200)[kind & 1]
    else:
        tenths = (25, 50, 100, 200)[kind & 3]
    frames = {0: 1, 1: 2, 2: 2}.get(code) or (count[0] & 63 if count else 0)
    return tenths * frames // 10
