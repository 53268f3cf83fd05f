"""The clock: APScheduler's timers in memory over the hub's own tables, which alone decide what fires.

The only importer of apscheduler. No job store: a timer that is lost is made again by the sweep, and a timer that fires
twice finds the occurrence taken.
"""

import logging
from collections.abc import Callable
from datetime import UTC

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from hub.core.clock import Clock
from hub.core.db import Sessions
from schedules import booking
from schedules.firing import Firing
from schedules.laying import Laying

log = logging.getLogger(__name__)
SWEEP_S = 1
PLAN_S = 30
LAY_S = 5
CALL_BACK_S = 15


class Runner:
    """Plans ahead every half minute and fires what is due every second."""

    def __init__(
        self,
        sessions: Sessions,
        firing: Firing,
        *,
        clock: Clock,
        fired: Callable[[], None],
        laying: Laying | None = None,
    ) -> None:
        self._sessions = sessions
        self._laying = laying
        self._firing = firing
        self._clock = clock
        self._fired = fired
        # The defaults would drop a run that is a second late and run at most ten at a time; a sweep that was late is
        # simply the next sweep.
        self._timers = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(4)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._timers.add_job(self._guarded(self.plan), "interval", seconds=PLAN_S, id="plan")
        self._timers.add_job(self._guarded(self.sweep), "interval", seconds=SWEEP_S, id="sweep")
        self._timers.add_job(self._guarded(self.lay), "interval", seconds=LAY_S, id="lay")
        self._timers.add_job(self._guarded(self.call_back), "interval", seconds=CALL_BACK_S, id="call back")

    def start(self) -> None:
        """Plan once, then let the timers run."""
        self._guarded(self.plan)()
        self._timers.start()

    def stop(self) -> None:
        """Stop the timers and wait for a run in progress."""
        self._timers.shutdown(wait=True)

    @property
    def running(self) -> bool:
        """Whether the timers run."""
        return bool(self._timers.running)

    def plan(self) -> None:
        """Write occurrences ahead."""
        with self._sessions.begin() as session:
            booking.plan_ahead(session, now=self._clock())

    def lay(self) -> None:
        """Send ahead what is near."""
        if self._laying is not None:
            self._laying.lay_near(now=self._clock())

    def call_back(self) -> None:
        """Call back what was sent ahead and may not sound any more."""
        if self._laying is not None:
            self._laying.call_back(now=self._clock())

    def sweep(self) -> None:
        """Fire what is due."""
        if self._firing.fire_due(now=self._clock()):
            self._fired()

    @staticmethod
    def _guarded(job: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                job()
            except Exception:
                log.exception("the timetable could not %s; it tries again", job.__name__)

        return run
