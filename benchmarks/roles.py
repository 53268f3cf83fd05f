"""Each role as a process of its own: what it holds in memory, how soon it works, who takes over from a dead bridge.

`county`: the same under a county's load: 5,000 simulated loudspeakers that report every minute, an announcement to all
of them every few seconds, a text message to 20,000 people, somebody at the lists.
Run: PYTHONPATH=tests:. .venv/bin/python benchmarks/roles.py [idle] [county]     needs PostgreSQL and mosquitto
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from roleslab import SeveralProcesses, release, several_processes
from sqlalchemy import insert

from benchmarks.audience import people as fill_people
from benchmarks.databases import running_database
from benchmarks.emergency import Farmhouse
from benchmarks.farm import FarmPlan
from benchmarks.village import REGIONS, VILLAGE, a_row
from hub.speakers import registry
from hub.speakers.broker.accounts import new_secret
from hub.speakers.keys import key_of
from hub.speakers.models import Counter, Speaker

IDLE_S: Final = 20
KILLS: Final = 3
ROLES: Final = (("web",), ("scheduler",), ("worker",), ("bridge",), ("bridge",))
UNDER_LOAD: Final = (
    ("web",),
    ("scheduler",),
    ("worker", "--lanes", "emergency"),
    ("worker", "--lanes", "normal,bulk"),
    ("bridge",),
    ("bridge",),
)
SPEAKERS: Final = 5_000
PEOPLE: Final = 20_000
FIRST: Final = 1_000
HEARTBEAT_S: Final = 60
LOAD_S: Final = 75
EVERY_S: Final = 7.5
KNOWN: Final = "SELECT count(*) FROM hub_process WHERE pid = :pid"


def begin(hub: SeveralProcesses, *command: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a process as systemd would: nothing shared with the others. `more` is added to its environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "cunxiang", *command, "--json-logs"],
        env={**os.environ, **hub.environment, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def megabytes(pid: int) -> tuple[float, float, float]:
    """Return what a process holds, by its share of what others hold too, and alone (RSS, PSS, USS)."""
    sums = {"Rss": 0, "Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in sums:
            sums[name] += int(rest.split()[0])
    return sums["Rss"] / 1024, sums["Pss"] / 1024, (sums["Private_Clean"] + sums["Private_Dirty"]) / 1024


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


Started = list[tuple[str, subprocess.Popen[bytes]]]


def idle(hub: SeveralProcesses) -> None:
    """Start one after the other, let them rest, then kill bridges."""
    processes: Started = []
    try:
        for command in ROLES:
            process = begin(hub, *command)
            took = wait(lambda: hub.ask(KNOWN, pid=process.pid) == [(1,)])  # noqa: B023
            processes.append((" ".join(command), process))
            print(f"{command[0]:9} known after {took:.1f} s", flush=True)
        wait(lambda: hub.ask("SELECT online FROM speaker WHERE id = 'horn-1'") == [(True,)])
        time.sleep(IDLE_S)
        for name, process in processes:
            rss, pss, alone = megabytes(process.pid)
            print(f"{name:32} RSS {rss:4.0f}, PSS {pss:4.0f}, alone {alone:4.0f} MB")
        for _ in range(KILLS):
            dead = bridge_on_duty(hub)
            os.kill(dead, 9)
            heard = "SELECT count(*) FROM hub_process WHERE role = 'bridge' AND on_duty AND pid <> :dead"
            took = wait(lambda: hub.ask(heard, dead=dead) != [(0,)])  # noqa: B023
            print(f"bridge killed: another works after {took:.2f} s")
            with hub.runtime.sessions.begin() as session:
                session.connection().exec_driver_sql("DELETE FROM hub_process WHERE pid = %s", (dead,))
            processes.append(("bridge", begin(hub, "bridge")))
            time.sleep(6)
    finally:
        end(processes)


def end(processes: Started) -> None:
    """Kill all of them."""
    for _, process in processes:
        process.kill()
        process.wait()


def county(hub: SeveralProcesses) -> None:
    """Fill the county, start everything at once, measure at rest, under load and after it."""
    plan = enrol(hub)
    fill_people(hub.runtime.sessions, PEOPLE, hub.runtime.secrets, VILLAGE)
    hub.broker.crash_alone()
    hub.broker.open(hub.runtime, {})  # with the accounts of all
    processes: Started = []
    farm: Farmhouse | None = None
    try:
        processes += [(" ".join(command), begin(hub, *command)) for command in UNDER_LOAD]
        for _, process in processes:
            wait(lambda: hub.ask(KNOWN, pid=process.pid) == [(1,)])  # noqa: B023
        farm = Farmhouse.open(plan, hub.folder)
        wait(lambda: hub.ask("SELECT count(*) FROM speaker WHERE online") >= [(SPEAKERS,)])
        time.sleep(IDLE_S)
        most: dict[str, tuple[float, float, float]] = {}
        note(processes, most, f"{SPEAKERS:,} loudspeakers there")
        most.clear()
        load(hub, processes, most)
        for name, (rss, pss, alone) in most.items():
            print(f"most under load   {name:32} RSS {rss:4.0f}, PSS {pss:4.0f}, alone {alone:4.0f} MB")
        time.sleep(IDLE_S)
        note(processes, most, "after it")
    finally:
        if farm is not None:
            farm.close()
        end(processes)


def enrol(hub: SeveralProcesses) -> FarmPlan:
    """Put 5,000 loudspeakers into one village; return what a farm of them has to know."""
    now, signing = hub.runtime.now(), hub.runtime.secrets.signing
    devices = [(f"d{n:05}", FIRST + n, new_secret()) for n in range(SPEAKERS)]
    with hub.runtime.sessions.begin() as session:
        session.execute(insert(Speaker), [a_row(*device, now) for device in devices])
        counter = session.get_one(Counter, registry.ENROLMENTS)
        counter.value = FIRST + SPEAKERS
    key = key_of(signing.active, signing.active_seed)
    return FarmPlan(
        host=hub.host, port=hub.broker.port, regions=REGIONS, keys={key.kid: key.public()}, devices=devices,
        beat_s=HEARTBEAT_S,
    )  # fmt: skip


def load(hub: SeveralProcesses, processes: Started, most: dict[str, tuple[float, float, float]]) -> None:
    """Let a county work for a while; note the most that each process ever held."""
    end_at, next_release, number = time.monotonic() + LOAD_S, time.monotonic(), 0
    while time.monotonic() < end_at:
        if time.monotonic() >= next_release:
            next_release += EVERY_S
            release(hub.call, sms=number == 0, title=f"通知{number}")
            number += 1
        for path in ("/announcements", "/speakers", "/broadcasts"):
            hub.call("clerk", "GET", path)
        note(processes, most)
        time.sleep(1)
    received = "SELECT count(*) FROM speaker_delivery WHERE state = 'received'"
    texts = "SELECT state, count(*) FROM sms_message GROUP BY state"
    beats = "SELECT count(*) FROM speaker WHERE seen_at > now() - interval '150 seconds'"
    print(
        f"{number} announcements: {hub.ask(received)[0][0]:,} receipts stored of {number * SPEAKERS:,}; "
        f"texts {dict(map(tuple, hub.ask(texts)))}; heard of within 150 s: {hub.ask(beats)[0][0]:,}",
        flush=True,
    )


def note(processes: Started, most: dict[str, tuple[float, float, float]], what: str = "") -> None:
    """Note the most; say what it is now when there is something to call it."""
    for n, (command, process) in enumerate(processes):
        name, now = f"{n} {command}", megabytes(process.pid)
        before = most.get(name, now)
        most[name] = max(before[0], now[0]), max(before[1], now[1]), max(before[2], now[2])
        if what:
            print(f"{what}: {name:32} RSS {now[0]:4.0f}, PSS {now[1]:4.0f}, alone {now[2]:4.0f} MB", flush=True)


def main(given: Sequence[str]) -> None:
    """Measure what is asked for; both by default."""
    for part, heartbeat_s in ((idle, 5), (county, HEARTBEAT_S)):
        if given and part.__name__ not in given:
            continue
        with (
            tempfile.TemporaryDirectory() as folder,
            running_database("postgresql", Path(folder)) as url,
            several_processes(Path(folder) / "hub", url.rpartition("/")[0], heartbeat_s=heartbeat_s) as hub,
        ):
            part(hub)


if __name__ == "__main__":
    main(sys.argv[1:])
