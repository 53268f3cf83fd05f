"""The threads that send: loudspeakers, emergencies, text messages, and the closing of what is over."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from hub.core.background import Background, Loop, Step
from hub.core.bell import Bell
from hub.core.checks import Finding, Level
from hub.core.lanes import Engine, LaneWork
from hub.core.roles import WHOLE, Duties, Post, WorkLane
from hub.core.turns import Turns, in_turn
from hub.core.way import RightOfWay
from hub.core.writing import in_a_hurry

MANY_FAILURES = 3
MAKE_WAY_S = 8.0
"""As long as a countdown and the first sound take, and a little more."""
RELEASE_S = 0.5
"""As long as a release takes, and its first text messages."""
LOOK_AGAIN_S = 0.25
SEND: Final = "send"
"""What is rung for when something waits to be sent."""
PRESSED: Final = "make-way"
DUE: Final = "make-way-now"
MAKE_WAY: Final = {PRESSED: MAKE_WAY_S, DUE: RELEASE_S}
"""What is rung so that the other processes make way too, and for how long they do."""
EVERYWHERE: Final[tuple[Post, ...]] = ()


class _Elsewhere(Loop):
    """A loop that another process of this hub runs: it is never started here."""

    def __init__(self, name: str, bell: Bell | None) -> None:
        super().__init__(name, lambda: LOOK_AGAIN_S)
        self._bell = bell

    def kick(self) -> None:
        """Ring for it."""
        if self._bell is not None:
            self._bell.ring(self.name)


class Pumps:
    """All sending loops of a process; `kick` wakes those that deliver, right after something was released.

    The urgent loop that was added first goes first: it wakes the others after its own round. What is not pressing
    stands still while an emergency is on its way: there is one writer at a time on SQLite, and it must not be them; the
    urgent that are not patient write before all who wait.

    In a hub of several processes a loop is added only where its post is served, kicks are rung to the others, and what
    has no claims of its own runs only in the process whose turn it is.
    """

    def __init__(
        self,
        duties: Duties = WHOLE,
        bell: Bell | None = None,
        turns: Turns | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.duties = duties
        self._engine = engine
        self._work = LaneWork()
        if engine is not None:
            engine.serve(self._work)
        self._bell = bell
        self._turns = turns
        self._urgent: list[Loop] = []
        self._others: list[Loop] = []
        self._tickets: list[Loop] = []
        """Those that go round by tickets of an engine."""
        self._kicked = threading.Event()
        self.way = RightOfWay()
        if bell is not None:
            bell.hear(SEND, self._kick_here)
            for word, seconds in MAKE_WAY.items():
                bell.hear(word, partial(self.way.ask, seconds), missed=False)

    def make_way(self, word: str = PRESSED) -> None:
        """Let what is not pressing stand still for a moment, here and in the other processes: an emergency comes.

        Whoever calls one does not wait until the others have heard of it.
        """
        seconds = MAKE_WAY[word]
        known = self.way.asked > seconds / 2
        self.way.ask(seconds)
        if self._bell is not None and not known:
            threading.Thread(target=self._bell.ring, args=(word,), name="make-way", daemon=True).start()

    def add(
        self,
        name: str,
        step: Callable[[], float],
        *,
        at: Post | tuple[Post, ...] = EVERYWHERE,
        alone: bool = False,
        urgent: bool = False,
        patient: bool = False,
    ) -> Loop:
        """Add a loop where its post is served; one that is `patient` stands still while an emergency is on its way.

        `alone`: only one process at a time may run it.
        """
        posts = at if isinstance(at, tuple) else (at,)
        if posts and not self.duties.has(*posts):
            return _Elsewhere(name, self._bell)
        if alone and posts and self._turns is not None:
            step = in_turn(step, self._turns, posts[0])
        if patient:
            step = self._in_its_time(step)
        elif urgent:
            step = in_a_hurry()(step)
        lane = next((post for post in posts if isinstance(post, WorkLane) and self.duties.has(post)), None)
        if lane is not None and self._engine is not None:
            return self._by_ticket(lane, Loop(name, step))
        loop = Loop(name, self._before_others(step) if urgent and not self._urgent else step)
        (self._urgent if urgent else self._others).append(loop)
        if self._bell is not None:
            self._bell.hear(name, loop.kick)
        return loop

    def _by_ticket(self, lane: WorkLane, loop: Loop) -> Loop:
        self._work.add(lane, loop)
        self._tickets.append(loop)
        if self._bell is not None:
            self._bell.hear(loop.name, loop.kick)
        return loop

    def kick(self) -> None:
        """Wake the loops that send, here and in the other processes."""
        self._kick_here()
        if self._engine is not None:
            self._engine.kick(WorkLane.EMERGENCY, WorkLane.NORMAL)
        if self._bell is not None:
            self._bell.ring(SEND)

    def _kick_here(self) -> None:
        self._kicked.set()
        self._work.kick()
        for loop in self._urgent[:1]:
            loop.kick()

    def _in_its_time(self, step: Step) -> Step:
        def step_or_wait() -> float:
            return min(self.way.asked, LOOK_AGAIN_S) or step()

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

    def failing(self) -> list[str]:
        """Return the loops that have ended, or fail again and again; nothing before they are started."""
        loops = (*self._urgent, *self._others)
        by_ticket = [loop.name for loop in self._tickets if loop.failures >= MANY_FAILURES]
        if not any(loop.alive for loop in loops):
            return by_ticket
        return by_ticket + [loop.name for loop in loops if not loop.alive or loop.failures >= MANY_FAILURES]

    def look(self) -> Iterable[Finding]:
        """Say which loops have ended or fail again and again; nothing before they are started."""
        failing = set(self.failing())
        for loop in (*self._urgent, *self._others):
            if loop.name not in failing:
                continue
            if not loop.alive:
                yield Finding("check_loop_ended", Level.BAD, {"name": loop.name})
            else:
                yield Finding("check_loop_fails", Level.BAD, {"name": loop.name, "times": loop.failures})

    @property
    def loops(self) -> Sequence[Background]:
        """All of them, and the engine that makes the others go round."""
        engine = (self._engine,) if self._engine is not None else ()
        return (*self._urgent, *self._others, *engine)
