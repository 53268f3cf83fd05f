"""Somebody is speaking: what the telephone sends is decoded, levelled, encoded and said, second by second."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final, Protocol
from uuid import UUID

import numpy as np

from broadcasts.shout.levelling import Leveller
from broadcasts.shout.models import Ended
from broadcasts.shout.packing import Packer
from broadcasts.shout.pieces import Pieces
from broadcasts.speech.audio import RATE
from broadcasts.speech.signals import Samples
from broadcasts.uploads.live import LiveDecoding

log = logging.getLogger(__name__)
CHUNK_MS: Final = 1600
"""What the telephone sends in one piece goes out in one; only more than this is not held back for it."""
SCALE: Final = 32767.0


class Saying(Protocol):
    """Where a voice goes."""

    def say(self, packets: bytes, *, last: bool = False) -> None:
        """Say a piece."""
        ...


Done = Callable[["LiveShout", Ended, Samples], None]
"""Called once, on the worker's thread, with everything that was said."""


class LiveShout:
    """One person speaking: a thread that says what the decoder hears, until there is no more.

    The decoder is a process of its own: what a telephone sends, or somebody in its place, is not decoded in the hub.
    """

    def __init__(self, shout_id: UUID, by_id: UUID, voice: Saying, *, length_ms: int, done: Done) -> None:
        self.id = shout_id
        self.by_id = by_id
        self.pieces = Pieces(lambda: None)
        self._voice = voice
        self._most = length_ms * RATE // 1000
        self._done = done
        self._packer = Packer()
        self._leveller = Leveller()
        self._said: list[np.ndarray[tuple[int, ...], np.dtype[np.int16]]] = []
        self._count = 0
        self._why = Ended.LOST
        self._thread = threading.Thread(target=self._run, name=f"shout-{shout_id}", daemon=True)

    @property
    def said_ms(self) -> int:
        """How much has been said so far."""
        return self._count * 1000 // RATE

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def release(self, count: int | None) -> None:
        """The button was let go after `count` pieces."""
        self._why = Ended.RELEASED
        self.pieces.end(count)

    def halt(self, why: Ended) -> None:
        """Say nothing more."""
        self._why = why
        self.pieces.cut()

    def join(self, timeout_s: float) -> None:
        """Wait until everything is written down."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            for block in self._heard():
                self._take(block)
        except Exception:
            log.exception("shout failed", extra={"shout": str(self.id)})
        self._end()

    def _heard(self) -> Iterator[Samples]:
        decoding = LiveDecoding(self.pieces.read, longest_s=self._most / RATE)
        try:
            for samples in decoding.samples():
                if samples is None:
                    self._flush()
                    continue
                yield samples
                if self._count >= self._most:
                    self._why = Ended.FULL
                    return
        finally:
            self.pieces.cut()
            status = decoding.close()
            if status and self._why is not Ended.FULL:
                log.warning("shout broke off", extra={"shout": str(self.id), "status": status})

    def _take(self, block: Samples) -> None:
        for level in self._leveller.push(block):
            self._say(level)

    def _say(self, level: Samples) -> None:
        self._said.append(np.rint(level * SCALE).astype(np.int16))
        self._count += len(level)
        self._packer.push(level)
        if self._packer.waiting_ms >= CHUNK_MS:
            self._flush()

    def _flush(self) -> None:
        for packets in self._packer.take():
            self._voice.say(packets)

    def _end(self) -> None:
        self.pieces.cut()
        try:
            for level in self._leveller.finish():
                self._say(level)
            self._packer.finish()
            pieces = self._packer.take() or [b""]
            for packets in pieces[:-1]:
                self._voice.say(packets)
            self._voice.say(pieces[-1], last=True)
        except Exception:
            log.exception("shout could not be closed", extra={"shout": str(self.id)})
        said = np.concatenate(self._said).astype(np.float32) / SCALE if self._said else np.zeros(0, np.float32)
        heard = self._why if len(said) else Ended.UNHEARD
        self._done(self, heard, said.astype(np.float32))
