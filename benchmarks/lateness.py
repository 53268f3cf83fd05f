"""How late the timetable is: three schedulers at rest, killed one after the other, by wrong clocks, and back again.

Every figure is the moment the item was committed, by the database's own clock, against the moment of its trigger. The
bare peer are as many Python processes with one table and an UPDATE, treated the same (`bare_timer.py`).
Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/lateness.py [idle] [killed] [clocks] [restart] [run]
Needs PostgreSQL and mosquitto.
"""

import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from roleslab import SeveralProcesses, several_processes
from sqlalchemy import make_url, text

from benchmarks import bare_timer, skewed
from benchmarks.databases import running_database
from benchmarks.roles import begin, wait
from benchmarks.timetable import SPEAKERS, a_hub, fill, furnish

NODES: Final = 3
SCHEDULES: Final = 300
A_SECOND: Final = 7.5
KILL_EVERY_S: Final = 3.0
AHEAD: Final = timedelta(seconds=3)
"""Of roleslab's hubs: so long before its own time an item is sent out."""
SKEWS: Final = (timedelta(seconds=-120), timedelta(seconds=120), timedelta(seconds=35))
ROUNDS: Final = 3
SKEW: Final = "SKEW"
NO_SKEWS: Final[tuple[Mapping[str, str], ...]] = ({},) * NODES


class Peer:
    """What is measured: how a process of it is started and is ready, how work is laid, and when that was done."""

    name: str
    table: str
    ahead: timedelta
    schedules = SCHEDULES

    def __init__(self, hub: SeveralProcesses) -> None:
        self.hub = hub
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a process; `more` is added to its environment."""
        self.started.append(self._start(more))
        return self.started[-1]

    def _start(self, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        raise NotImplementedError

    def ready(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether it works."""
        raise NotImplementedError

    def lay(self, due: Sequence[datetime]) -> None:
        """Lay work; `due` are the moments of the triggers."""
        raise NotImplementedError

    def once(self, due: Sequence[datetime]) -> str:
        """Say whether all that was laid went out once and whole."""
        raise NotImplementedError

    def late(self, due: Sequence[datetime]) -> list[float]:
        """Return how late each was that is done, in seconds."""
        query = f"""
            SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - (due_at - :ahead))::float8 FROM {self.table}
            WHERE due_at BETWEEN :first AND :last AND state = 'fired'
        """  # noqa: S608 - the table is one of two
        first, last = min(due) + self.ahead, max(due) + self.ahead
        return [float(row[0]) for row in self.hub.ask(query, first=first, last=last, ahead=self.ahead)]

    def end(self) -> None:
        """Kill all that still run."""
        for process in self.started:
            with process:
                process.kill()
        self.started.clear()


class Ours(Peer):
    """`cunxiang scheduler`, started as systemd would start it."""

    name, table, ahead = "cunxiang scheduler", "occurrence", AHEAD

    def __init__(self, hub: SeveralProcesses) -> None:
        super().__init__(hub)
        self._before = 0

    def _start(self, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        if SKEW not in more:
            return begin(self.hub, "scheduler", **more)
        command = [sys.executable, skewed.__file__, more[SKEW], "scheduler"]
        return subprocess.Popen(command, env=os.environ | self.hub.environment)

    def ready(self, process: "subprocess.Popen[bytes]") -> bool:
        return self.hub.ask("SELECT on_duty FROM hub_process WHERE pid = :pid", pid=process.pid) == [(True,)]

    def lay(self, due: Sequence[datetime]) -> None:
        [(self._before,)] = self.hub.ask("SELECT count(*) FROM broadcast")
        fill(self.hub.runtime, [one + AHEAD for one in due])

    def once(self, due: Sequence[datetime]) -> str:
        [(all_now,)] = self.hub.ask("SELECT count(*) FROM broadcast")
        query = """
            SELECT count(DISTINCT o.broadcast_id), count(*)
            FROM occurrence o JOIN speaker_delivery d ON d.broadcast_id = o.broadcast_id
            WHERE o.due_at BETWEEN :first AND :last
        """
        [(items, deliveries)] = self.hub.ask(query, first=min(due) + AHEAD, last=max(due) + AHEAD)
        made = all_now - self._before
        if items == made == len(due) and deliveries == SPEAKERS * len(due):
            return f"each once on {SPEAKERS} loudspeakers"
        return f"NOT each once: {len(due)} laid, {items} items, {made} broadcasts, {deliveries} deliveries"


class Bare(Peer):
    """The bare peer."""

    name, table, ahead = "bare", "bare", timedelta()
    schedules = SCHEDULES // 4

    def __init__(self, hub: SeveralProcesses) -> None:
        super().__init__(hub)
        with hub.runtime.sessions.begin() as session:
            session.execute(text(bare_timer.MAKE))

    def _start(self, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        url = make_url(self.hub.runtime.config.database_url).set(drivername="postgresql")
        command = [sys.executable, bare_timer.__file__, url.render_as_string(hide_password=False)]
        return subprocess.Popen(command, env=os.environ | dict(more))

    def ready(self, process: "subprocess.Popen[bytes]") -> bool:
        return process.poll() is None

    def lay(self, due: Sequence[datetime]) -> None:
        with self.hub.runtime.sessions.begin() as session:
            session.execute(text("INSERT INTO bare (due_at) VALUES (:due)"), [{"due": one} for one in due])

    def once(self, due: Sequence[datetime]) -> str:
        return "a row each"


@dataclass
class Pack:
    """Some processes of a peer, and who kills them."""

    peer: Peer
    skews: Sequence[Mapping[str, str]] = NO_SKEWS
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    killed: int = 0

    def start(self) -> None:
        """Start all at once; return when they work."""
        self.running = [self.peer.start(more) for more in self.skews]
        for process in self.running:
            wait(lambda: self.peer.ready(process))  # noqa: B023

    def kill_one(self) -> None:
        """SIGKILL, and a new one at once; never while only one works, which would measure how long a start takes."""
        at_work = [number for number, process in enumerate(self.running) if self.peer.ready(process)]
        if len(at_work) < NODES - 1:
            return
        number = random.choice(at_work)  # noqa: S311 - whom it hits
        self.running[number].kill()
        self.running[number].wait()
        self.running[number] = self.peer.start(self.skews[number])
        self.killed += 1


def measure(what: str, pack: Pack, *, kill: bool = False) -> None:
    """Lay 300 schedules over forty seconds, let them come, print how late they were."""
    peer = pack.peer
    try:
        pack.start()
        first = datetime.now(UTC) + timedelta(seconds=7)
        due = [first + timedelta(seconds=n / A_SECOND) for n in range(peer.schedules)]
        peer.lay(due)
        margin = (first - datetime.now(UTC)).total_seconds()
        if margin < 1:
            raise SystemExit(f"laying took too long ({margin:.1f} s left)")
        time.sleep(margin)
        end, next_kill = time.monotonic() + len(due) / A_SECOND + 20, time.monotonic() + KILL_EVERY_S / 2
        while len(found := peer.late(due)) < len(due) and time.monotonic() < end:
            if kill and time.monotonic() >= next_kill:
                pack.kill_one()
                next_kill += KILL_EVERY_S
            time.sleep(0.25)
        say(f"{peer.name}, {what}", found, len(due), f"{peer.once(due)}, {pack.killed} killed")
    finally:
        peer.end()


def say(what: str, late: Sequence[float], of: int, more: str) -> None:
    """Print the figures of a run."""
    ms = sorted(one * 1000 for one in late)
    p99 = statistics.quantiles(ms, n=100)[98]
    print(
        f"{what}: {len(ms)} of {of}, p50 {statistics.median(ms):.0f} ms, p99 {p99:.0f} ms, max {ms[-1]:.0f} ms; {more}",
        flush=True,
    )


def back_again(peer: Peer) -> None:
    """Nobody is there when an item is due; how long after the start of a process is it committed?"""
    taken = []
    for _ in range(ROUNDS):
        due = datetime.now(UTC) + timedelta(seconds=1)
        peer.lay([due])
        time.sleep(1.5)
        began = datetime.now(UTC)
        peer.start({})
        wait(lambda: bool(peer.late([due])))  # noqa: B023
        taken.append(peer.late([due])[0] - (began - due).total_seconds())
        peer.end()
    each = ", ".join(f"{one:.2f}" for one in taken)
    print(f"{peer.name}, from its start to the late item: median {statistics.median(taken):.2f} s ({each})", flush=True)


def whole_hub_back_again(folder: Path) -> None:
    """The same for `cunxiang run` on SQLite, killed before."""
    hub = a_hub(folder / "var")
    config = folder / "config.toml"
    config.write_text(
        f'[hub]\ndata_dir = "{folder / "var"}"\nport = 0\n[mqtt]\nport = 0\n[broadcast]\nquiet_hours = []\n'
    )
    command = [sys.executable, "-m", "cunxiang", "run", "--json-logs"]
    environment = os.environ | {"CUNXIANG_CONFIG": str(config)}
    database = Path(str(make_url(hub.config.database_url).database))
    states = "SELECT count(*) FROM occurrence WHERE state = 'fired'"
    taken = []
    for number in range(ROUNDS + 1):  # the first is only there to be killed
        fill(hub, [datetime.now(UTC) + timedelta(seconds=21)])  # sent out 20 s ahead
        time.sleep(1.5)
        began = time.monotonic()
        with (
            sqlite3.connect(database) as look,
            subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        ):
            wait(lambda: look.execute(states).fetchone() == (number + 1,))  # noqa: B023
            taken.append(time.monotonic() - began)
            process.kill()
    taken = taken[1:]
    each = ", ".join(f"{one:.2f}" for one in taken)
    name = "cunxiang run on SQLite, killed before, from its start to the late item"
    print(f"{name}: median {statistics.median(taken):.2f} s ({each})", flush=True)
    hub.sessions.engine.dispose()


@contextmanager
def ground() -> Iterator[SeveralProcesses]:
    """Run a county's database, as installed but that it notes when each transaction was committed, and a broker."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_database("postgresql", Path(folder), "track_commit_timestamp=on") as url,
        several_processes(Path(folder) / "hub", url.rpartition("/")[0]) as hub,
    ):
        furnish(hub.runtime)
        yield hub


def idle(hub: SeveralProcesses) -> None:
    for peer in (Ours(hub), Bare(hub)):
        measure("at rest", Pack(peer))


def killed(hub: SeveralProcesses) -> None:
    for peer in (Ours(hub), Bare(hub)):
        measure("one killed every 3 s", Pack(peer), kill=True)


def clocks(hub: SeveralProcesses) -> None:
    """With each process's clock somewhere else; the bare peer has none."""
    skews = [{SKEW: str(skew.total_seconds())} for skew in SKEWS]
    measure("clocks -120, +120 and +35 s", Pack(Ours(hub), skews))


def restart(hub: SeveralProcesses) -> None:
    for peer in (Ours(hub), Bare(hub)):
        try:
            back_again(peer)
        finally:
            peer.end()


def run(hub: SeveralProcesses) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole_hub_back_again(Path(folder))


PARTS: Final[tuple[Callable[[SeveralProcesses], None], ...]] = (idle, killed, clocks, restart, run)


def main(given: Sequence[str]) -> None:
    """Measure what is asked for; everything by default. `short`: to see whether it works."""
    if "short" in given:
        given = [word for word in given if word != "short"]
        Ours.schedules = Bare.schedules = 30
    with ground() as hub:
        for part in PARTS:
            if not given or part.__name__ in given:
                part(hub)


if __name__ == "__main__":
    main(sys.argv[1:])
