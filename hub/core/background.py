"""Threads that repeat one step, can be woken early, survive errors and stop when asked."""

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from hub.core.db import may_pass

log = logging.getLogger(__name__)
SOON_S: Final = 2.0

Step = Callable[[], float]
"""One round of work; returns how many seconds to rest before the next (0 = go on at once)."""


class Background(Protocol):
    """Something that runs beside the web server: started last, stopped first."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> object:
        """Finish what is being done, then end."""
        ...


class Loop:
    """One thread that repeats a step. An exception is logged and followed by a pause that doubles up to 30 s.

    While the database is away it is asked again every few seconds: an emergency may wait behind it.
    """

    def __init__(self, name: str, step: Step) -> None:
        self.name = name
        self._step = step
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def kick(self) -> None:
        """Wake it: there is something to do."""
        self._wake.set()

    def halt(self) -> None:
        """Ask it to end after the present step; `stop` then waits for it."""
        self._stopping.set()
        self._wake.set()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Ask it to end after the present step; return whether it did in time."""
        self.halt()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def once(self) -> float:
        """Do one round; return the seconds to rest. A failure is logged and followed by a pause that doubles."""
        try:
            rest = self._step()
            self.failures = 0
        except Exception as error:
            self.failures += 1
            passing = may_pass(error)
            rest = min(SOON_S if passing else 30.0, 0.5 * 2 ** min(self.failures, 6))
            # A database that is away for an hour shall not fill the disk with traces that all say the same.
            told = not passing or self.failures == 1
            log.exception("%s failed (%d in a row), next try in %.1f s", self.name, self.failures, rest, exc_info=told)
        return rest

    def take_kick(self) -> bool:
        """Whether it was woken since the last time somebody asked, for who makes it go round without its thread."""
        kicked = self._wake.is_set()
        self._wake.clear()
        return kicked

    @property
    def halted(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            rest = self.once()
            if self.failures:
                self._stopping.wait(rest)  # not to be woken early: whoever kicks knows nothing of the failure
            elif rest > 0:
                self._wake.wait(rest)
            self._wake.clear()
