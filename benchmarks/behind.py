"""An emergency behind 100,000 routine messages that are going out: from its release to the provider's first call.

Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/behind.py [sqlite|postgresql] [together] [worn] [apart] [batches]

`together`: both lanes in one process, as in `cunxiang run`; `worn`: the same on a database with the unvacuumed leavings
of earlier runs; `apart`: each lane in a process of its own, as `cunxiang worker --lanes`, on PostgreSQL. The provider
takes one person a call, 50 ms, fifty calls open; with `batches` a hundred, 150 ms, eight open.

Beside it, at the same moment of the same load, the same rows by hand-written statements on one open connection: no run,
no list of residents, no routes. Target: p99 100 ms.
"""

import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from smslab import (
    LabGateway,
    accept,
    crowd,
    fill_small_county,
    lab_context,
    lab_routes,
    lab_run,
    lab_safe,
    lab_settings,
)
from sqlalchemy import Engine, text
from uuid6 import uuid7

from benchmarks.databases import running_database
from benchmarks.texting import ALL_DAY, CONNECTIONS, DELAY_S, carrier, ours_claims, queue
from broadcasts.pumps import DUE, Pumps
from broadcasts.sms.gateway import Caps, SmsGateway, Submission, SubmitResult
from broadcasts.sms.gateways.sections import HttpSettings
from broadcasts.sms.gateways.sms_http import HttpGateway
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, Priority
from hub.core.bell import Bell
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine
from hub.core.memory import settle_down
from hub.core.way import RightOfWay
from hub.core.writing import in_a_hurry

WAITING: Final = 100_000
EMERGENCIES: Final = 100
REST_S, BATCH_REST_S = 1.0, 0.6
BATCH_S: Final = 0.15
BATCHES_AT_ONCE: Final = 8


Calls = SimpleQueue[tuple[str, float]]


@dataclass
class Batches(LabGateway):
    """A provider that takes a hundred people a call, for 150 ms; it says when the first call of an emergency came."""

    say: Callable[[str, float], object] = lambda *_: None

    def submit(self, submission: Submission) -> SubmitResult:
        """Answer after its time."""
        if submission.urgent:
            self.say(submission.people[0].ref[:32], time.perf_counter())
        time.sleep(BATCH_S)
        return accept(submission)


def provider(address: str, say: Callable[[str, float], object]) -> SmsGateway:
    """Return the provider that is asked for: by an address one person a call, without one a hundred."""
    if address:
        return Watched(address, say)
    return Batches(caps=Caps(max_per_call=100, receipts=True, inbound=True, query=False), say=say)


class Watched(HttpGateway):
    """Says when the first call of each emergency is made."""

    def __init__(self, address: str, say: Callable[[str, float], object]) -> None:
        section = HttpSettings.model_validate({"url": f"{address}/send", "reference": '"id": "([^"]+)"'})
        super().__init__(lab_context(None, lab_settings(calls_at_once=CONNECTIONS), section))
        self._say, self._said = say, set[str]()

    def submit(self, submission: Submission) -> SubmitResult:
        """Call, and note the time if it is one."""
        run = submission.people[0].ref[:32]
        if submission.urgent and run not in self._said:
            self._said.add(run)
            self._say(run, time.perf_counter())
        return super().submit(submission)


def pump_of(sessions: Sessions, gateway: SmsGateway, lane: Lane, way: RightOfWay) -> SmsPump:
    """Return the pump of a lane."""
    at_once = CONNECTIONS if gateway.caps.max_per_call == 1 else BATCHES_AT_ONCE
    settings = lab_settings(calls_at_once=at_once, **ALL_DAY)
    routes = lab_routes(gateway, calls_at_once=at_once)
    zone = ZoneInfo("Asia/Shanghai")
    return SmsPump(sessions, lab_safe(), routes, utc_now, settings, zone=zone, lane=lane, way=way)


def add(pumps: Pumps, sessions: Sessions, gateway: SmsGateway, lane: Lane) -> SmsPump:
    """Add the pump of a lane as the hub does."""
    pump = pump_of(sessions, gateway, lane, pumps.way)
    pumps.add(f"sms-{lane.value}", pump.step, urgent=True, patient=lane is not Lane.EMERGENCY)
    return pump


@contextmanager
def one_process(sessions: Sessions, address: str) -> Iterator[tuple[Pumps, Calls]]:
    """Both lanes in this process, as in `cunxiang run`: yield what wakes them, and when calls were made."""
    calls: Calls = SimpleQueue()
    gateway, pumps = provider(address, lambda run, at: calls.put((run, at))), Pumps()
    lanes = [add(pumps, sessions, gateway, lane) for lane in (Lane.EMERGENCY, Lane.ORDINARY)]
    pumps.add("database", lambda: 1.0 if sessions.tidy_up() else 10.0)
    settle_down()
    for loop in pumps.loops:
        loop.start()
    yield pumps, calls
    for loop in pumps.loops:
        loop.stop()
    for pump in lanes:
        pump.close()


@contextmanager
def own_process(url: str, address: str) -> Iterator[tuple[Pumps, Calls]]:
    """Each lane in a process of its own, as `cunxiang worker --lanes`, woken by PostgreSQL's NOTIFY from this one."""
    calls: Calls = SimpleQueue()
    forks = multiprocessing.get_context("forkserver")
    hears, says = forks.Pipe(duplex=False)
    workers = [forks.Process(target=work_at, args=(url, address, lane, says), daemon=True) for lane in Lane]
    for worker in workers:
        worker.start()

    def listen() -> None:
        with suppress(EOFError, OSError):
            while True:
                calls.put(hears.recv())

    threading.Thread(target=listen, daemon=True).start()
    time.sleep(3)
    settle_down()
    yield Pumps(bell=Bell(make_engine(url), active=True)), calls
    for worker in workers:
        worker.kill()
        worker.join(5)


def work_at(url: str, address: str, lane: Lane, says: Connection) -> None:
    """What a worker process of one lane does."""
    sessions = Sessions(make_engine(url))
    bell = Bell(sessions.engine, active=True)
    pumps = Pumps(bell=bell)
    add(pumps, sessions, provider(address, lambda run, at: says.send((run, at))), lane)
    settle_down()
    bell.start()
    for loop in pumps.loops:
        loop.start()
    threading.Event().wait()


def emergencies(sessions: Sessions, pumps: Pumps, calls: Calls, rest_s: float) -> tuple[list[float], list[float]]:
    """Seconds of ours and of the bare peer, in turns, while 100,000 routine messages go out."""
    queue(sessions, WAITING)
    pumps.kick()
    time.sleep(2)
    bare = Bare(sessions.engine)
    both = [(one_emergency(sessions, pumps, calls, rest_s), bare.one(rest_s / 2)) for _ in range(EMERGENCIES)]
    with sessions.read() as session:
        left = session.scalar(text("SELECT count(*) FROM sms_message WHERE state = 'created'"))
    print(f"  routine messages still waiting at the end: {left:,}")
    return [ours for ours, _ in both], [peer for _, peer in both]


def one_emergency(sessions: Sessions, pumps: Pumps, calls: Calls, rest_s: float) -> float:
    """Release one and wait for its first call; the next one comes when the routine messages have gone on for a while.

    What is routine makes way from that moment on, and no earlier; in the hub a press or a countdown lies before it.
    """
    begin = time.perf_counter()
    pumps.make_way(DUE)
    with in_a_hurry(), sessions.begin() as session:
        run = lab_run(session, priority=Priority.EMERGENCY, now=utc_now())
    pumps.kick()
    while True:
        try:
            called, at = calls.get(timeout=60)
        except Empty:
            raise SystemExit("no emergency went out") from None
        if called == run.broadcast_id.hex:
            time.sleep(rest_s)
            return at - begin


class Bare:
    """A thread that waits, and hand-written statements: the rows of 120 people, and twenty of them in a call."""

    def __init__(self, engine: Engine) -> None:
        self._lite = engine.dialect.name == "sqlite"
        self._raw: Any = engine.raw_connection()
        self._asked: SimpleQueue[UUID] = SimpleQueue()
        self._called: SimpleQueue[float] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def one(self, rest_s: float) -> float:
        """Write who is meant, wake the thread, wait until it calls."""
        run, begin = uuid7(), time.perf_counter()
        self._commit([self._people(run)])
        self._asked.put(run)
        took = self._called.get(timeout=60) - begin
        time.sleep(rest_s)
        return took

    def _people(self, run: UUID) -> tuple[str, dict[str, object]]:
        given: dict[str, object] = {"run": run.hex if self._lite else run, "call": ""}
        make = (
            "INSERT INTO bare_message (run, phone, state) SELECT :run, p.\"index\", 'created' "
            'FROM phone p ORDER BY p."index" LIMIT 120'
        )
        return make, given

    def _commit(self, statements: Sequence[tuple[str, dict[str, object]]]) -> None:
        cursor = self._raw.cursor()
        if self._lite:
            cursor.execute("BEGIN IMMEDIATE")
        for words, given in statements:
            cursor.execute(
                words if self._lite else words.replace(":run", "%(run)s").replace(":call", "%(call)s"), given
            )
        self._raw.commit()

    def _work(self) -> None:
        while True:
            run = self._asked.get()
            take = (
                "UPDATE bare_message SET state = 'submitting', call = :call WHERE id IN (SELECT id FROM bare_message "
            )
            take += "WHERE run = :run AND state = 'created' ORDER BY id LIMIT 20)"
            known: dict[str, object] = {"run": run.hex if self._lite else run, "call": run.hex}
            self._commit([(take, known)])
            self._called.put(time.perf_counter())


def wear_out(sessions: Sessions, engine: Engine) -> None:
    """Leave 80,000 messages of earlier runs behind, written three times each and most of them deleted, unvacuumed."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE sms_message SET (autovacuum_enabled = off)"))
    for turn in range(4):
        ours_claims(sessions)
        if turn == 2:
            with sessions.begin() as session:
                session.execute(text("DELETE FROM sms_message"))


def measure(kind: str, part: str, folder: Path, *, batches: bool) -> None:
    """Run one part on a database of its own, so that no part stumbles over what another left behind."""
    with running_database(kind, folder) as url, carrier(DELAY_S) as running:
        address = "" if batches else running
        engine = make_engine(url)
        sessions = fill_small_county(Sessions(engine))
        crowd(sessions, 120)
        number = "INTEGER PRIMARY KEY" if kind == "sqlite" else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        kinds = ("TEXT", "BLOB") if kind == "sqlite" else ("UUID", "BYTEA")
        with sessions.begin() as session:
            columns = f"id {number}, run {kinds[0]}, phone {kinds[1]}, state TEXT, call TEXT"
            session.execute(text(f"CREATE TABLE bare_message ({columns})"))
            session.execute(text("CREATE INDEX bare_waiting ON bare_message (run, state, id)"))
        if part == "worn":
            wear_out(sessions, engine)
        with own_process(url, address) if part == "apart" else one_process(sessions, address) as (pumps, calls):
            ours, bare = emergencies(sessions, pumps, calls, BATCH_REST_S if batches else REST_S)
        how = "a hundred a call" if batches else "one a call"
        print(f"{kind}, {part}, {how}: ours {said(ours)}; bare {said(bare)}; {len(ours)} rounds", flush=True)
        engine.dispose()


def said(seconds: Sequence[float]) -> str:
    """Return the middle, p95, p99 and the last in milliseconds."""
    found = sorted(seconds)
    p95, p99 = (found[ceil(len(found) * share) - 1] for share in (0.95, 0.99))
    return ", ".join(f"{each * 1000:.0f}" for each in (statistics.median(found), p95, p99, found[-1])) + " ms"


def main(given: Sequence[str]) -> None:
    """Run what is asked for; all of it by default."""
    kinds, parts = ("sqlite", "postgresql"), ("together", "worn", "apart")
    for kind in [kind for kind in kinds if kind in given] or kinds:
        for part in [part for part in parts if part in given] or parts:
            if (kind, part) != ("sqlite", "apart"):
                with tempfile.TemporaryDirectory() as folder:
                    measure(kind, part, Path(folder), batches="batches" in given)


if __name__ == "__main__":
    main(sys.argv[1:])
