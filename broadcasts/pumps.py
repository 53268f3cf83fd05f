"""The threads that send: loudspeakers, emergencies, text messages, and the closing of what is over."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from hub.core.background import Background, Loop, Step
from hub.core.checks import Finding, Level

MANY_FAILURES = 3


MAKE_WAY_S = 8.0
"""As long as a countdown and the first sound take, and a little more."""
LOOK_AGAIN_S = 0.25


class Pumps:
    """All sending loops of a hub; `kick` wakes those that deliver, right after something was released.

    The urgent loop that was added first goes first: it wakes the others after its own round. What is not pressing
    stands still while an emergency is on its way: there is one writer at a time on SQLite, and it must not be them.
    """

    def __init__(self) -> None:
        self._urgent: list[Loop] = []
        self._others: list[Loop] = []
        self._kicked = threading.Event()
        self._make_way_until = 0.0

    def make_way(self, seconds: float = MAKE_WAY_S) -> None:
        """Let what is not pressing stand still for a moment: somebody has called an emergency."""
        self._make_way_until = max(self._make_way_until, time.monotonic() + seconds)

    def add(self, name: str, step: Callable[[], float], *, urgent: bool = False, patient: bool = False) -> Loop:
        """Add a loop; one that is `patient` stands still while an emergency is on its way."""
        step = self._in_its_time(step) if patient else step
        loop = Loop(name, self._before_others(step) if urgent and not self._urgent else step)
        (self._urgent if urgent else self._others).append(loop)
        return loop

    def kick(self) -> None:
        """Wake the loops that send."""
        self._kicked.set()
        for loop in self._urgent[:1]:
            loop.kick()

    def _in_its_time(self, step: Step) -> Step:
        def step_or_wait() -> float:
            return step() if time.monotonic() >= self._make_way_until else LOOK_AGAIN_S

        return step_or_wait

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
