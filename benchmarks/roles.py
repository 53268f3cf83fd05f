"""Each role as a process of its own: what it holds in memory, how soon it works, who takes over from a dead bridge.

Run: PYTHONPATH=tests .venv/bin/python benchmarks/roles.py        needs PostgreSQL and mosquitto; five processes
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from roleslab import SeveralProcesses, several_processes

from benchmarks.databases import running_database

IDLE_S: Final = 20
KILLS: Final = 3
ROLES: Final = (("web",), ("scheduler",), ("worker",), ("bridge",), ("bridge",))


def begin(hub: SeveralProcesses, *command: str) -> subprocess.Popen[bytes]:
    """Start a process as systemd would: nothing shared with the others."""
    return subprocess.Popen(
        [sys.executable, "-m", "cunxiang", *command, "--json-logs"],
        env={**os.environ, **hub.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def megabytes(pid: int) -> tuple[float, float]:
    """Return what a process holds alone and with its share of what others hold too (USS, PSS)."""
    sums = {"Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in sums:
            sums[name] += int(rest.split()[0])
    return (sums["Private_Clean"] + sums["Private_Dirty"]) / 1024, sums["Pss"] / 1024


def wait(found: Callable[[], bool], within_s: float = 60) -> float:
    """Wait until it is so; return the seconds."""
    start = time.perf_counter()
    while not found():
        if time.perf_counter() - start > within_s:
            raise SystemExit("waited in vain")
        time.sleep(0.02)
    return time.perf_counter() - start


def bridge_on_duty(hub: SeveralProcesses) -> int:
    """Return the process id of the bridge that works, by the database's own list of locks; 0: none."""
    rows = hub.ask("SELECT pid FROM hub_process WHERE role = 'bridge' AND on_duty ORDER BY started_at DESC")
    return int(rows[0][0]) if rows else 0


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_database("postgresql", Path(folder)) as url,
        several_processes(Path(folder) / "hub", url.rpartition("/")[0]) as hub,
    ):
        measure(hub)


def measure(hub: SeveralProcesses) -> None:
    """Start one after the other, let them rest, then kill bridges."""
    processes: list[tuple[str, subprocess.Popen[bytes]]] = []
    try:
        for command in ROLES:
            process = begin(hub, *command)
            known = "SELECT count(*) FROM hub_process WHERE pid = :pid"
            took = wait(lambda: hub.ask(known, pid=process.pid) == [(1,)])  # noqa: B023
            processes.append((command[0], process))
            print(f"{command[0]:9} known after {took:.1f} s", flush=True)
        wait(lambda: hub.ask("SELECT online FROM speaker WHERE id = 'horn-1'") == [(True,)])
        time.sleep(IDLE_S)
        for name, process in processes:
            alone, share = megabytes(process.pid)
            print(f"{name:9} {alone:6.0f} MB alone, {share:6.0f} MB with its share")
        for _ in range(KILLS):
            dead = bridge_on_duty(hub)
            os.kill(dead, 9)
            heard = "SELECT count(*) FROM hub_process WHERE role = 'bridge' AND on_duty AND pid <> :dead"
            took = wait(lambda: hub.ask(heard, dead=dead) != [(0,)])  # noqa: B023
            print(f"bridge killed: another works after {took:.2f} s")
            hub.ask("SELECT 1")
            with hub.runtime.sessions.begin() as session:
                session.connection().exec_driver_sql("DELETE FROM hub_process WHERE pid = %s", (dead,))
            processes.append(("bridge", begin(hub, "bridge")))
            time.sleep(6)
    finally:
        for _, process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
