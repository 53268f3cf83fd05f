"""The threads that send: loudspeakers, emergencies, text messages, and the closing of what is over."""

import threading
from collections.abc import Callable, Iterable, Sequence

from hub.core.background import Background, Loop, Step
from hub.core.checks import Finding, Level

MANY_FAILURES = 3


class Pumps:
    """All sending loops of a hub; `kick` wakes those that deliver, right after something was released.

    The urgent loop that was added first goes first: it wakes the others after its own round.
    """

    def __init__(self) -> None:
        self._urgent: list[Loop] = []
        self._others: list[Loop] = []
        self._kicked = threading.Event()

    def add(self, name: str, step: Callable[[], float], *, urgent: bool = False) -> Loop:
        """Add a loop."""
        loop = Loop(name, self._before_others(step) if urgent and not self._urgent else step)
        (self._urgent if urgent else self._others).append(loop)
        return loop

    def kick(self) -> None:
        """Wake the loops that send."""
        self._kicked.set()
        for loop in self._urgent[:1]:
            loop.kick()

    def _before_others(self, step: Step) -> Step:
        def step_and_pass_on() -> float:
            try:
                return step()
            finally:
                if self._kicked.is_set():
                    self._kicked.clear()
                    for loop in self._urgent[1:]:
                        loop.kick()

        return step_and_pass_on

    def look(self) -> Iterable[Finding]:
        """Say which loops have ended or fail again and again; nothing before they are started."""
        loops = (*self._urgent, *self._others)
        if not any(loop.alive for loop in loops):
            return
        for loop in loops:
            if not loop.alive:
                yield Finding("check_loop_ended", Level.BAD, {"name": loop.name})
            elif loop.failures >= MANY_FAILURES:
                yield Finding("check_loop_fails", Level.BAD, {"name": loop.name, "times": loop.failures})

    @property
    def loops(self) -> Sequence[Background]:
        """All of them."""
        return (*self._urgent, *self._others)
