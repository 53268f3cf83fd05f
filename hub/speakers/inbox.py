"""What loudspeakers have said and nobody has read yet: bounded, and heartbeats never push out a receipt."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

MAX_KEPT: Final = 100_000
MAX_BEATS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it came, and when (monotonic). `mid` is 0 where the broker waits for no acknowledgement.

    `line` is the number of the connection that brought it.
    """

    topic: str
    payload: bytes
    mid: int
    line: int
    at: float


class Inbox:
    """Two lanes: what the broker keeps until it is acknowledged, and what is lost when it is not heard."""

    def __init__(self, max_kept: int = MAX_KEPT, max_beats: int = MAX_BEATS) -> None:
        self._kept: deque[Said] = deque()
        self._beats: deque[Said] = deque()
        self._max_kept = max_kept
        self._max_beats = max_beats
        self._change = threading.Condition()

    def put(self, said: Said) -> bool:
        """Keep it; False when its lane is full. Never waits for the reader."""
        with self._change:
            lane, most = (self._kept, self._max_kept) if said.mid else (self._beats, self._max_beats)
            if len(lane) >= most:
                return False
            lane.append(said)
            if len(lane) == 1:
                self._change.notify()
            return True

    def wait(self, timeout_s: float) -> bool:
        """Wait until there is something; whether there is."""
        with self._change:
            return self._change.wait_for(lambda: bool(self._kept or self._beats), timeout_s)

    def take(self, most: int) -> list[Said]:
        """The oldest of each lane, at most so many of each; empty when there is nothing."""
        with self._change:
            return [lane.popleft() for lane in (self._kept, self._beats) for _ in range(min(most, len(lane)))]

    @property
    def is_roomy(self) -> bool:
        """Whether what the broker would bring again finds room."""
        return 2 * len(self._kept) <= self._max_kept

    @property
    def beats(self) -> int:
        """How many of them may be lost, and want to be answered soon."""
        return len(self._beats)

    def __len__(self) -> int:
        return len(self._kept) + len(self._beats)
