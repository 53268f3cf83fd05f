"""Work by tickets: a lane goes round while there is work, one thread at a time; without RabbitMQ workers look alone."""

import errno
import threading
import time
from collections.abc import Callable

import pytest
from brokerlab import free_port
from livehub import until
from sqlalchemy.exc import OperationalError

from hub.core import celery_engine
from hub.core.background import Loop
from hub.core.celery_engine import CeleryEngine, NoCelery
from hub.core.lanes import LaneWork
from hub.core.roles import WorkLane

pytestmark = pytest.mark.slow


def seconds_of(deed: Callable[[], None]) -> float:
    began = time.monotonic()
    deed()
    return time.monotonic() - began


def test_a_ticket_is_worked_at_until_there_is_nothing_to_do() -> None:
    work, left = LaneWork(), [3]

    def step() -> float:
        left[0] -= 1
        return 0.0 if left[0] > 0 else 60.0

    work.add(WorkLane.NORMAL, Loop("texts", step))
    work.add(WorkLane.BULK, Loop("sums", lambda: pytest.fail("another lane's")))
    assert not work.pump(WorkLane.NORMAL)
    assert left == [0]
    assert not work.pump(WorkLane.NORMAL), "it has asked for a rest"
    assert left == [0]
    work.kick()
    work.pump(WorkLane.NORMAL)
    assert left == [-1], "but whoever kicks knows better"
    assert work.lanes == (WorkLane.NORMAL, WorkLane.BULK)


def test_time_runs_out_and_a_busy_lane_is_left_alone() -> None:
    work, inside, go = LaneWork(), threading.Event(), threading.Event()

    def step() -> float:
        inside.set()
        go.wait(30)
        return 0.0

    work.add(WorkLane.NORMAL, Loop("texts", step))
    more: list[bool] = []
    thread = threading.Thread(target=lambda: more.append(work.pump(WorkLane.NORMAL, most_s=0.0)))
    thread.start()
    assert inside.wait(30)
    assert not work.pump(WorkLane.NORMAL), "somebody is at it"
    go.set()
    thread.join(5)
    assert more == [True]


def test_a_step_that_fails_rests_and_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    work, done = LaneWork(), []
    failing = Loop("failing", lambda: 1 / 0)
    work.add(WorkLane.NORMAL, failing)

    def other() -> float:
        done.append(1)
        return 60.0

    work.add(WorkLane.NORMAL, Loop("other", other))
    for _ in range(2):
        work.pump(WorkLane.NORMAL)
    assert (failing.failures, done) == (1, [1])


def test_without_rabbitmq_a_worker_looks_by_itself_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_engine, "ALONE_S", 0.3)
    engine, work, looked = CeleryEngine(f"amqp://127.0.0.1:{free_port()}//", ticks=True), LaneWork(), threading.Event()

    def look() -> float:
        looked.set()
        return 60.0

    work.add(WorkLane.EMERGENCY, Loop("texts", look))
    engine.serve(work)
    engine.start()
    assert min(seconds_of(lambda: engine.kick(WorkLane.EMERGENCY)) for _ in range(3)) < 0.1
    try:
        until(looked.is_set)
    finally:
        begin = time.monotonic()
        engine.stop()
    assert time.monotonic() - begin < 20


def test_without_celery_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_engine, "Celery", None)
    with pytest.raises(NoCelery, match="pip install"):
        CeleryEngine("amqp://nowhere//", ticks=False)


@pytest.mark.parametrize(
    "trouble",
    [OperationalError("SELECT", {}, Exception("connection refused")), OSError(errno.ENOSPC, "No space left on device")],
)
def test_what_a_missing_database_or_a_full_disk_hinders_is_tried_again_soon(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of ours rests longer and longer; what may pass does not, and says where only once."""

    def away() -> float:
        raise trouble

    loop, faulty = Loop("texts", away), Loop("faulty", lambda: 1 / 0)
    rests = [loop.once() for _ in range(8)]
    assert max(rests) == 2.0
    assert [bool(record.exc_info) for record in caplog.records] == [True, *[False] * 7]
    assert max(faulty.once() for _ in range(8)) == 30.0
