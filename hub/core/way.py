"""Right of way: while an emergency is on its way, what is not pressing stands still."""

import threading
import time
from typing import Final

SHORT_S: Final = 0.5
"""The longest that whoever has work in hand, and not only ahead, stands still."""


class RightOfWay:
    """Asked for by whoever calls an emergency, given by whoever may wait. It ends by itself: nobody has to say so."""

    def __init__(self) -> None:
        self._until = 0.0
        self._guard = threading.Lock()

    def ask(self, seconds: float) -> None:
        """Ask for it from now on; asking for less does not cut short what was asked before."""
        with self._guard:
            self._until = max(self._until, time.monotonic() + seconds)

    @property
    def asked(self) -> float:
        """The seconds it is asked for from now on; 0 when it is not."""
        return max(0.0, self._until - time.monotonic())

    def give(self) -> None:
        """Stand still as long as it is asked for, half a second at most."""
        rest = min(SHORT_S, self.asked)
        if rest:
            time.sleep(rest)
