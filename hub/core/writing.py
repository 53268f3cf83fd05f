"""Whose turn it is to write to SQLite: one at a time, who is in a hurry first, and the next is woken at once.

SQLite itself lets those who wait sleep and look again, up to a tenth of a second later each time, and takes whoever
happens to come by: beside a thread that writes all the time an emergency may so wait for long.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

PATIENCE_S: Final = 30.0
"""After that SQLite is asked without a turn; it waits as long again, for a writer in another process perhaps."""
_HURRY: ContextVar[bool] = ContextVar("hurry", default=False)


@contextmanager
def in_a_hurry() -> Iterator[None]:
    """Whatever this thread writes inside goes before everything that waits without being in a hurry."""
    before = _HURRY.set(True)
    try:
        yield
    finally:
        _HURRY.reset(before)


class WriteTurns:
    """The turns of one database. Who has entered leaves, in whichever thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._holder: int | None = None
        self._hurried: deque[_Ticket] = deque()
        self._others: deque[_Ticket] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        with self._guard:
            return len(self._hurried) + len(self._others)

    def enter(self) -> bool:
        """Wait for a turn. False when there was none: then nobody needs to leave."""
        me = threading.get_ident()
        with self._guard:
            if self._holder is None:
                self._holder = me
                return True
            if self._holder == me:
                return False  # a second unit of work inside the first: SQLite says what is wrong with that
            ticket = _Ticket(me)
            queue = self._hurried if _HURRY.get() else self._others
            queue.append(ticket)
        if ticket.called.wait(PATIENCE_S):
            return True
        with self._guard:
            if ticket in queue:
                queue.remove(ticket)
                return False
        return True

    def leave(self) -> None:
        """Give the turn to whoever is next."""
        with self._guard:
            queue = self._hurried or self._others
            if not queue:
                self._holder = None
                return
            ticket = queue.popleft()
            self._holder = ticket.thread
        ticket.called.set()


class _Ticket:
    """Somebody who waits."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.called = threading.Event()
