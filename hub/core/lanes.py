"""Work by lanes: by threads of this process, or by tickets that an engine hands out to whichever process is free.

A ticket says "look what waits in this lane", never what it is: the tables say that. So a ticket that is lost or comes
twice does no harm, and an engine that is away costs seconds.
"""

import threading
import time
from collections import defaultdict
from typing import Final, Literal, Protocol

from pydantic import Field, SecretStr

from hub.core.background import Loop
from hub.core.config import Section
from hub.core.roles import WorkLane

MOST_S: Final = 5.0
"""So long one ticket is worked at; then the next one, for another process perhaps, goes on."""


class WorkSettings(Section):
    """Who hands out the work of workers, in a hub of several processes."""

    table = "work"

    engine: Literal["local", "celery"] = Field(
        "local",
        description="local = each worker looks by itself; celery = tickets by RabbitMQ (pip install cunxiang[celery])",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="RabbitMQ for `celery`: amqp://user:password@host:5672//. Better: CUNXIANG_WORK_BROKER_URL",
    )


class Engine(Protocol):
    """Tells workers that something waits, and is told by others."""

    def kick(self, *lanes: WorkLane) -> None:
        """Something waits in these lanes. It never fails and never waits."""
        ...

    def serve(self, work: "LaneWork") -> None:
        """From the start on, work at these lanes whenever a ticket comes."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """Take no more tickets, and wait for those in hand."""
        ...


class LaneWork:
    """The loops of some lanes, made to go round by tickets instead of by threads of their own."""

    def __init__(self) -> None:
        self._loops: dict[WorkLane, list[Loop]] = defaultdict(list)
        self._due: dict[str, float] = {}
        self._busy: dict[WorkLane, threading.Lock] = {lane: threading.Lock() for lane in WorkLane}
        self.pumped_at = time.monotonic()
        """When a lane was last worked at, for whatever reason."""

    def add(self, lane: WorkLane, loop: Loop) -> None:
        """Add a loop, which nobody may start."""
        self._loops[lane].append(loop)

    @property
    def lanes(self) -> tuple[WorkLane, ...]:
        """The lanes that have any."""
        return tuple(lane for lane in WorkLane if self._loops[lane])

    def pump(self, lane: WorkLane, most_s: float = MOST_S) -> bool:
        """Let every loop of a lane go round until none has anything to do; return whether time ran out before.

        Somebody else at the same lane in this process is enough.
        """
        if not self._busy[lane].acquire(blocking=False):
            return False
        try:
            end = time.monotonic() + most_s
            while self._round(lane):
                if time.monotonic() > end:
                    return True
            return False
        finally:
            self._busy[lane].release()

    def _round(self, lane: WorkLane) -> bool:
        self.pumped_at = time.monotonic()
        again = False
        for loop in self._loops[lane]:
            if loop.halted or not (loop.take_kick() or self._due.get(loop.name, 0.0) <= time.monotonic()):
                continue
            rest = loop.once()
            self._due[loop.name] = time.monotonic() + rest
            again = again or rest == 0
        return again

    def kick(self) -> None:
        """Let every loop look, whatever rest it has asked for."""
        for loops in self._loops.values():
            for loop in loops:
                loop.kick()
