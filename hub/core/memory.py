"""Looking for rubbish in all that a hub keeps would make every thread stand still, an emergency's too."""

import gc
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

AFTER_S: Final = (20.0, 600.0)
"""The start is over; the first pages have been made."""
DAY_S: Final = 86_400.0


def settle_down() -> None:
    """Take all that is there now for what stays: later looks pass it over.

    With a hub's 150,000 objects Python's own look takes 0.1 to 0.4 s on a busy machine, and comes when it likes.
    """
    gc.collect()
    gc.freeze()


def settling() -> Callable[[], float]:
    """Return a step for `hub.core.background.Loop` that does it some time after the start, and once a day."""
    rests = _rests()
    return lambda: next(rests)


def _rests() -> Iterator[float]:
    for rest in chain(AFTER_S, repeat(DAY_S)):
        yield rest
        settle_down()
