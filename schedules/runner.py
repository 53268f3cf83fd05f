"""The clock: APScheduler's timers in memory over the hub's own tables, which alone decide what fires.

The only importer of apscheduler. No job store: a timer that is lost is made again by the sweep, and a timer that fires
twice finds the occurrence taken. What time it is says the database, where it can: processes on machines whose clocks
differ then agree, and a step of one clock neither starts nor delays anything. Timers go by this machine's clock; when
that is set back, as the network's time does it, they are called at once instead of resting until the old time returns.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from hub.core.background import Loop
from hub.core.clock import Clock, utc_now
from hub.core.db import Sessions
from schedules import booking, timetable
from schedules.firing import Firing
from schedules.laying import Laying
from schedules.moments import DatabaseClock
from schedules.preparing import Preparing

log = logging.getLogger(__name__)
SWEEP_S = 1
ARM_S = 2
PLAN_S = 30
LAY_S = 5
PREPARE_S = 60
SET_BACK_S = 0.5
"""A clock that lost so much within a second was set back; what it is slowed down by is far less."""
ARMED_AHEAD = timedelta(seconds=ARM_S + 3)


class Runner:
    """Plans ahead every half minute, sets timers for what is due in seconds, sweeps up what is due every second."""

    def __init__(
        self,
        sessions: Sessions,
        firing: Firing,
        *,
        clock: Clock,
        fired: Callable[[], None],
        laying: Laying | None = None,
        preparing: Preparing | None = None,
        beat: Callable[[], None] | None = None,
        may_prepare: Callable[[], bool] = lambda: True,
    ) -> None:
        self._sessions = sessions
        self._beat = beat
        self._laying = laying
        self._preparing = preparing
        self._may_prepare = may_prepare
        self._firing = firing
        self._clock = DatabaseClock(sessions, clock)
        self._fired = fired
        # The defaults would drop a run that is a second late and run at most ten at a time; a sweep that was late is
        # simply the next sweep.
        self._timers = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(5)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._jobs = (
            (self.plan, PLAN_S),
            (self.sweep, SWEEP_S),
            (self.arm, ARM_S),
            (self.lay, LAY_S),
            (self.prepare, PREPARE_S),
        )
        for job, seconds in self._jobs:
            self._timers.add_job(self._guarded(job), "interval", seconds=seconds, id=job.__name__)
        self._wall = _since_start()
        self._watch = Loop("timers", self._watch_the_clock)

    def start(self) -> None:
        """Plan once, then let the timers run."""
        self._guarded(self.plan)()
        self._timers.start()
        self._watch.start()

    def stop(self) -> None:
        """Stop the timers and wait for a run in progress."""
        self._watch.stop()
        self._timers.shutdown(wait=True)

    @property
    def running(self) -> bool:
        """Whether the timers run."""
        return bool(self._timers.running)

    def plan(self) -> None:
        """Write occurrences ahead, and look what the week will bring before a campaign is due."""
        now = self._clock()
        while True:
            with self._sessions.begin() as session:
                if booking.plan_ahead(session, now=now) < booking.AT_ONCE:
                    break
        with self._sessions.read() as session:
            timetable.look_ahead(session, self._firing.outlook, now=now, zone=self._firing.rules.zone)

    def lay(self) -> None:
        """Send ahead what is near."""
        if self._laying is not None:
            self._laying.lay_near(now=self._clock())

    def prepare(self) -> None:
        """Make sounds that the coming hours need."""
        if self._preparing is not None and self._may_prepare():
            self._preparing.prepare_near(now=self._clock())

    def arm(self) -> None:
        """Set a timer for each moment of the next seconds, so that nothing waits for the next sweep."""
        now = self._clock()
        local = utc_now()
        for due in self._firing.moments(now=now, until=now + ARMED_AHEAD):
            # How long until then is the database's answer; only the waiting is done by this machine's clock.
            run_at: datetime = local + (due - now)
            self._timers.add_job(
                self._guarded(self.sweep), "date", run_date=run_at, id=f"at-{due.isoformat()}", replace_existing=True
            )

    def sweep(self) -> None:
        """Fire what is due. Whoever watches this process hears a beat before: only a sweep that hangs goes unheard."""
        if self._beat is not None:
            self._beat()
        if self._firing.fire_due(now=self._clock()):
            self._fired()

    def _watch_the_clock(self) -> float:
        """Call every timer at once when this machine's clock was set back; return how long to rest."""
        before, self._wall = self._wall, _since_start()
        if before - self._wall > SET_BACK_S:
            log.warning("the clock was set back by %.0f s; the timetable goes on by the new time", before - self._wall)
            for job, _ in self._jobs:
                self._timers.modify_job(job.__name__, next_run_time=utc_now())
        return SWEEP_S

    @staticmethod
    def _guarded(job: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                job()
            except Exception:
                log.exception("the timetable could not %s; it tries again", job.__name__)

        return run


def _since_start() -> float:
    """Return how far this machine's clock is ahead of the one that is never set."""
    return utc_now().timestamp() - time.monotonic()
