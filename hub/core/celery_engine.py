"""Celery on RabbitMQ as the engine that hands out work: three queues of tickets, and no truth in them.

The only importer of celery, which is an extra. When RabbitMQ is away, workers look by themselves every few seconds.
"""

import logging
import threading
import time
from typing import Any, Final

from hub.core.background import Loop
from hub.core.lanes import LaneWork
from hub.core.roles import WorkLane

try:
    from celery import Celery
    from celery.worker import WorkController
    from celery.worker import state as worker_state
    from kombu.entity import Queue
except ImportError:  # an extra
    Celery = None

log = logging.getLogger(__name__)
PUMP: Final = "cunxiang.pump"
TICK_S: Final = 1.0
"""So often the scheduler sends a ticket for every lane: what was rung for and lost is found then."""
ALIVE_S: Final = 5.0
"""A ticket nobody has taken by then is one too many."""
ALONE_S: Final = 3.0
"""After so long without any ticket a worker looks by itself: RabbitMQ is away, or every scheduler is."""
MOST_WAITING: Final = 50


class NoCelery(Exception):
    """Celery is configured and not installed; the message says what to do."""


def application(url: str) -> Any:
    """Return the Celery application. Raises NoCelery."""
    if Celery is None:
        raise NoCelery('[work] engine = "celery" needs Celery: pip install \'cunxiang[celery]\', or set it to "local".')
    app = Celery("cunxiang", broker=url, set_as_current=False)
    app.conf.update(
        task_queues=[Queue(queue_of(lane), max_length=MOST_WAITING) for lane in WorkLane],  # type: ignore[no-untyped-call]
        task_ignore_result=True,
        task_acks_late=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=10,
    )
    return app


def queue_of(lane: WorkLane) -> str:
    """Return the name of a lane's queue."""
    return f"cunxiang.{lane.value}"


class CeleryEngine:
    """Sends tickets from a thread of its own; where lanes are served, takes them by a Celery worker in this process."""

    def __init__(self, url: str, *, ticks: bool) -> None:
        self._app = application(url)
        self._ticks = ticks
        self._wanted: set[WorkLane] = set()
        self.taken: set[WorkLane] = set()
        """Lanes of which a ticket has come."""
        self._guard = threading.Lock()
        self._sender = Loop("tickets", self._send)
        self._work: LaneWork | None = None
        self._alone = Loop("tickets-missing", self._look_alone)
        self._thread: threading.Thread | None = None

    def kick(self, *lanes: WorkLane) -> None:
        """Send tickets for these lanes soon."""
        with self._guard:
            self._wanted.update(lanes)
        self._sender.kick()

    def serve(self, work: LaneWork) -> None:
        """Take tickets for these lanes."""
        self._work = work

        def pump(lane: str) -> None:
            self._pump(WorkLane(lane))

        self._app.task(pump, name=PUMP, shared=False)

    def start(self) -> None:
        """Begin to send, and to take."""
        self._sender.start()
        if self._work is not None and self._work.lanes:
            self._app.set_default()  # the pool's threads ask for it
            worker_state.should_stop = worker_state.should_terminate = None
            self._thread = threading.Thread(target=self._take, args=(self._work.lanes,), name="celery", daemon=True)
            self._thread.start()
            self._alone.start()

    def stop(self) -> None:
        """Take no more, wait for what is in hand, send no more."""
        self._alone.halt()
        if self._thread is not None:
            worker_state.should_stop = 0  # the worker's own way to end when what it has taken is done
            self._thread.join(8)
        self._alone.stop(1)
        self._sender.stop(3)

    def _take(self, lanes: tuple[WorkLane, ...]) -> None:
        # One thread each and one more: a lane is worked at by one thread at a time, so none waits behind another.
        worker = WorkController(
            app=self._app,
            pool="threads",
            concurrency=len(lanes) + 1,
            queues=[queue_of(lane) for lane in lanes],
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel=logging.WARNING,
        )
        try:
            worker.start()
        except Exception:
            log.exception("celery_worker_ended")

    def _pump(self, lane: WorkLane) -> None:
        if lane not in self.taken:
            self.taken.add(lane)
            log.info("first_ticket", extra={"lane": lane.value})
        if self._work is not None and self._work.pump(lane):
            self.kick(lane)

    def _look_alone(self) -> float:
        work = self._work
        if work is not None and time.monotonic() - work.pumped_at > ALONE_S:
            for lane in work.lanes:
                work.pump(lane)
        return ALONE_S / 3

    def _send(self) -> float:
        with self._guard:
            wanted = self._wanted | set(WorkLane if self._ticks else ())
            self._wanted = set()
        for lane in (lane for lane in WorkLane if lane in wanted):
            try:
                self._app.send_task(
                    PUMP, args=(lane.value,), queue=queue_of(lane), expires=ALIVE_S, retry=False, delivery_mode=1
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, a ticket may be lost
                log.warning("ticket_not_sent", extra={"lane": lane.value, "why": type(error).__name__})
                return TICK_S
        return TICK_S
