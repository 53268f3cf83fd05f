"""Who hands out the work: Celery's tickets beside threads of our own, one worker process beside two and four.

Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/workers.py [adapters] [pinned] [growth] [people=N]
Needs PostgreSQL, and RabbitMQ for adapters. A Celery task for each person instead: each.py. A call of the stand-in
provider is for 100 people and takes 20 ms, for the growth 200 ms, as over a network. Each process has four calls open.
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from rabbitlab import Rabbit, running_rabbit
from smslab import LabGateway, accept, fill_small_county, lab_routes, lab_safe, lab_settings
from sqlalchemy import text

from benchmarks.databases import running_database
from benchmarks.texting import ALL_DAY, close, queue
from broadcasts.sms.gateway import Caps, Submission, SubmitResult
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane
from hub.core.background import Loop
from hub.core.celery_engine import CeleryEngine
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine
from hub.core.lanes import LaneWork
from hub.core.roles import WorkLane

CALL_S: Final = {"adapters": 0.02, "growth": 0.2}
PER_CALL: Final = 100
AT_ONCE: Final = 4
ROUNDS: Final = 3
MOST_S: Final = 60.0
Way = Callable[..., float]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cunxiang", "smslab"])


def a_pump(sessions: Sessions, part: str) -> SmsPump:
    """Return the pump of ordinary messages."""

    def slowly(submission: Submission) -> SubmitResult:
        time.sleep(CALL_S[part])
        return accept(submission)

    gateway = LabGateway(answer=slowly, caps=Caps(max_per_call=PER_CALL, receipts=True, inbound=True, query=False))
    settings = lab_settings(calls_at_once=AT_ONCE, **ALL_DAY)
    routes = lab_routes(gateway, calls_at_once=AT_ONCE)
    zone = ZoneInfo("Asia/Shanghai")
    return SmsPump(sessions, lab_safe(), routes, utc_now, settings, zone=zone, lane=Lane.ORDINARY)


def all_sent(sessions: Sessions) -> bool:
    """Whether nobody waits any more."""
    with sessions.read() as session:
        waits = session.scalar(text("SELECT 1 FROM sms_message WHERE state IN ('created', 'submitting') LIMIT 1"))
    return waits is None


def clear(sessions: Sessions) -> None:
    """Throw the messages away; the next round begins anew."""
    with sessions.begin() as session:
        session.execute(text("DELETE FROM sms_message"))
        session.execute(text("UPDATE sms_submission SET state = 'accepted'"))
    close(sessions)


def rate(sessions: Sessions, people: int) -> float:
    """Release a run and wait for its end: people a second, as somebody who waits for it sees."""
    begin = time.perf_counter()
    while not all_sent(sessions):
        if time.perf_counter() > begin + MOST_S:
            raise SystemExit("not all were sent")
        time.sleep(0.02)
    taken = time.perf_counter() - begin
    clear(sessions)
    return people / taken


def local(url: str, people: int, amqp: str) -> float:
    """Threads of our own."""
    sessions = Sessions(make_engine(url))
    pump = a_pump(sessions, "adapters")
    loop = Loop("sms", pump.step)
    loop.start()
    queue(sessions, people)
    loop.kick()
    return rate(sessions, people)


def celery(url: str, people: int, amqp: str) -> float:
    """Tickets by RabbitMQ, with the worker already waiting; one is sent, as a release does."""
    sessions = Sessions(make_engine(url))
    pump, work, engine = a_pump(sessions, "adapters"), LaneWork(), CeleryEngine(amqp, ticks=True)
    work.add(WorkLane.NORMAL, Loop("sms", pump.step))
    engine.serve(work)
    engine.start()
    end = time.monotonic() + MOST_S / 2
    while not engine.taken:  # until then RabbitMQ and the worker are still getting acquainted
        if time.monotonic() > end:
            raise SystemExit("no ticket came")
        time.sleep(0.05)
    queue(sessions, people)
    work.kick()
    engine.kick(WorkLane.NORMAL)
    return rate(sessions, people)


def _measured(way: Way, arguments: tuple[Any, ...], said: Connection) -> None:
    said.send(way(*arguments))
    os._exit(0)  # threads of the engine may still be at it: nobody waits for them


def by_itself(way: Way, *arguments: Any) -> float:
    """Measure in a process of its own, killed when it takes too long: a benchmark that hangs stops everybody."""
    hears, says = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=_measured, args=(way, arguments, says), daemon=True)
    process.start()
    says.close()
    try:
        if not hears.poll(MOST_S):
            raise SystemExit(f"{way.__name__}: not done within {MOST_S:.0f} s")
        return float(hears.recv())
    except EOFError:
        raise SystemExit(f"{way.__name__}: ended without a figure") from None
    finally:
        process.kill()
        process.join(5)


@contextmanager
def ground() -> Iterator[tuple[str, Rabbit]]:
    """Run a small county's database and a work queue of their own: the database's URL, and the queue."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_rabbit(Path(folder) / "rabbit") as rabbit,
        running_database("postgresql", Path(folder)) as url,
    ):
        engine = make_engine(url)
        fill_small_county(Sessions(engine))
        engine.dispose()
        rabbit.wait()
        yield url, rabbit


def adapters(people: int) -> None:
    """Compare both on the same database."""
    with ground() as (url, rabbit):
        pairs: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            pairs.append((by_itself(celery, url, people, rabbit.url), by_itself(local, url, people, rabbit.url)))
            print("celery {:,.0f}, local {:,.0f} people/s".format(*pairs[-1]), flush=True)
    tickets, threads = (statistics.median(column) for column in zip(*pairs, strict=True))
    each = ", ".join(f"{a:,.0f}/{b:,.0f}" for a, b in pairs)
    print(f"celery {tickets:,.0f} people/s, local {threads:,.0f} people/s, ratio {tickets / threads:.2f}  ({each})")


def pinned(people: int) -> None:
    """Compare the pipeline beside somebody's forgotten transaction, which lets nothing be vacuumed, with itself."""
    with tempfile.TemporaryDirectory() as folder, running_database("postgresql", Path(folder)) as url:
        engine = make_engine(url)
        fill_small_county(Sessions(engine))
        free = [by_itself(local, url, people, "") for _ in range(ROUNDS)]
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as forgotten:
            forgotten.execute(text("SELECT count(*) FROM sms_message"))
            held = [by_itself(local, url, people, "") for _ in range(ROUNDS)]
        engine.dispose()
    each = ", ".join(f"{one:,.0f}" for one in (*free, *held))
    a, b = statistics.median(free), statistics.median(held)
    print(f"free {a:,.0f}, beside a forgotten transaction {b:,.0f} people/s, ratio {b / a:.2f}  ({each})")


def work_until(url: str, ready: Event, go: Event, stop: Event) -> None:
    """What one worker process does."""
    sessions = Sessions(make_engine(url))
    pump = a_pump(sessions, "growth")
    ready.set()
    go.wait()
    while not stop.is_set():
        stop.wait(min(pump.step(), 0.05))
    pump.close()


def growth(people: int) -> None:
    """Send the same crowd by one, two and four worker processes."""
    with tempfile.TemporaryDirectory() as folder, running_database("postgresql", Path(folder)) as url:
        engine = make_engine(url)
        sessions = fill_small_county(Sessions(engine))
        first = 0.0
        for count in (1, 2, 4):
            found = [by_processes(sessions, url, people, count) for _ in range(ROUNDS)]
            first = first or statistics.median(found)
            middle, each = statistics.median(found), ", ".join(f"{one:,.0f}" for one in found)
            print(f"{count} processes: {middle:,.0f} people/s, {middle / first:.2f} of one  ({each})", flush=True)
        engine.dispose()


def by_processes(sessions: Sessions, url: str, people: int, count: int) -> float:
    """People a second with that many."""
    queue(sessions, people)
    go, stop = FORKS.Event(), FORKS.Event()
    ready = [FORKS.Event() for _ in range(count)]
    processes = [FORKS.Process(target=work_until, args=(url, one, go, stop), daemon=True) for one in ready]
    for process in processes:
        process.start()
    if not all(one.wait(MOST_S) for one in ready):
        raise SystemExit("a worker process did not come up")
    go.set()
    found = rate(sessions, people)
    stop.set()
    for process in processes:
        process.join(10)
    return found


def main(given: Sequence[str]) -> None:
    """Run what is asked for; both by default."""
    people = next((int(word.removeprefix("people=")) for word in given if word.startswith("people=")), 20_000)
    parts = [part for part in (adapters, pinned, growth) if part.__name__ in given] or [adapters, growth]
    for part in parts:
        part(people)


if __name__ == "__main__":
    main(sys.argv[1:])
