"""Which broker a device tries next, and how long it waits before."""

import random
from collections.abc import Sequence
from typing import Final

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 60.0
REFUSED_S: Final = (15.0, 60.0)
QUICK_REFUSALS: Final = 3
"""A broker may hear of a device a moment after the device itself: so often it asks again soon."""

Address = tuple[str, int]


def wait_s(tries: int) -> float:
    """Seconds before the next attempt after so many in vain: doubling from one to sixty, a random part of it.

    After a power cut a whole valley is back in one second; it must not be at the broker's door in one.
    """
    most = min(LONGEST_S, SHORTEST_S * 2 ** min(tries, 6))
    return random.uniform(most / 4, most)  # noqa: S311 - nothing secret about it


class Brokers:
    """The nodes of one broker, in turn: a lost node costs one attempt."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses)
        self._at = 0
        self._tries = 0
        self._refusals: int | None = 0
        """How often it was refused since it was switched on; None once it was let in."""

    @property
    def address(self) -> Address:
        """Where to connect."""
        return self._addresses[self._at % len(self._addresses)]

    def came(self) -> None:
        """The broker has let the device in."""
        self._tries = 0
        self._refusals = None

    def went(self) -> float:
        """A connection that held was lost: seconds to wait; the same node is tried first."""
        self._tries = max(self._tries, 1)
        return wait_s(0)

    def failed(self) -> float:
        """An attempt was in vain: the next node it is, after so many seconds."""
        self._at += 1
        self._tries += 1
        return wait_s(self._tries // len(self._addresses))

    def refused(self) -> float:
        """A broker does not know the device: seconds to wait, few for one that has just been claimed.

        One that was let in before is in no hurry: if a broker has lost its accounts, all are refused at once.
        """
        self._at += 1
        self._tries += 1
        if self._refusals is not None and self._refusals < QUICK_REFUSALS:
            self._refusals += 1
            return wait_s(self._refusals - 1)
        return random.uniform(*REFUSED_S)  # noqa: S311 - nothing secret about it
