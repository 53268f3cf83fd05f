"""What a telephone sends piece by piece, read like a file: in order, each piece once, and never waited for too long."""

import threading
import time
from collections.abc import Callable

MISSING_S = 2.0
"""How long a missing piece is waited for while later ones are there; then it is left out."""
SILENCE_S = 5.0
"""So long without any piece, and the telephone is gone."""
MOST_AHEAD = 30
PIECE_BYTES = 128 * 1024
"""No honest second of speech is larger."""


class Pieces:
    """One end takes numbered pieces from any thread, the other reads bytes. `b""` is the end."""

    def __init__(self, on_dry: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_dry = on_dry
        self._clock = clock
        self._there = threading.Condition()
        self._waiting: dict[int, bytes] = {}
        self._next = 0
        self._count: int | None = None
        self._rest = b""
        self._heard_at = clock()
        self._gap_since: float | None = None
        self.lost = 0

    def put(self, number: int, data: bytes) -> bool:
        """Take a piece; one that was there already is taken and forgotten. False when no more are taken."""
        with self._there:
            if self._count is not None and number >= self._count:
                return False
            if number < self._next or number in self._waiting:
                return True
            if number > self._next + MOST_AHEAD or len(data) > PIECE_BYTES:
                return False
            self._waiting[number] = data
            self._heard_at = self._clock()
            self._there.notify_all()
            return True

    def end(self, count: int | None = None) -> None:
        """Say that there are `count` pieces in all; None: what has come is all. The first word counts."""
        with self._there:
            if self._count is None:
                top = max(self._waiting, default=self._next - 1) + 1
                self._count = top if count is None else count
                self._heard_at = self._clock()
            self._there.notify_all()

    def cut(self) -> None:
        """End at once, whatever is waiting."""
        with self._there:
            self._count, self._waiting, self._rest = self._next, {}, b""
            self._there.notify_all()

    def peek(self, size: int) -> bytes:
        """Wait for the first bytes and leave them to be read."""
        while len(self._rest) < size:
            more = self._more()
            if not more:
                break
            self._rest += more
        return self._rest[:size]

    def read(self, size: int) -> bytes:
        """Return at least one byte, waiting for it; nothing at the end."""
        if not self._rest:
            self._rest = self._more()
        given, self._rest = self._rest[:size], self._rest[size:]
        return given

    def _more(self) -> bytes:
        if self._next not in self._waiting:
            self._on_dry()
        with self._there:
            while not self._is_over():
                found = self._waiting.pop(self._next, None)
                if found is not None:
                    self._next += 1
                    self._gap_since = None
                    if found:
                        return found
                elif self._give_up():
                    self._next += 1
                    self.lost += 1
                    self._gap_since = None
                else:
                    self._there.wait(0.1)
        return b""

    def _is_over(self) -> bool:
        if self._count is not None and self._next >= self._count:
            return True
        return not self._waiting and self._clock() - self._heard_at > self._patience()

    def _patience(self) -> float:
        # Once the end was announced only pieces on their way are missing.
        return SILENCE_S if self._count is None else MISSING_S

    def _give_up(self) -> bool:
        if not self._waiting:
            return False
        if self._gap_since is None:
            self._gap_since = self._clock()
        return self._clock() - self._gap_since > MISSING_S
