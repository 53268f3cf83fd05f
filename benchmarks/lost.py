"""One of three machines loses its power in the middle of a unit of work: how late are the items of the other two?

Run as root: PYTHONPATH=tests:. .venv/bin/python benchmarks/lost.py [log]
Machines are network namespaces (`tests/nodelab.py`). With `log` it is lost while it holds the end of the log of deeds,
for which every release waits; without it, holding whatever it just holds.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Final

import builders
import nodelab
from clocklab import lay
from livehub import until

from hub.core.clock import utc_now

ITEMS: Final = 200
EVERY_S: Final = 0.2
AHEAD_S: Final = 3.0
WAIT_S: Final = 12.0
"""So long after the loss something may still be held."""
LOG_HELD: Final = """
    SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
    WHERE a.client_addr = CAST(:address AS inet) AND l.locktype = 'advisory' AND l.objid = 1129862465 AND l.granted
"""
DONE: Final = "SELECT count(*) FROM occurrence WHERE state = 'fired'"
LATE: Final = """
    SELECT extract(epoch FROM due_at)::float8 - :ahead,
           extract(epoch FROM pg_xact_commit_timestamp(xmin) - due_at)::float8 + :ahead
    FROM occurrence WHERE state = 'fired'
"""


def measure(folder: Path) -> None:
    """Lay a plan, lose the bridge's machine a quarter through it, print how late each item was committed."""
    with nodelab.some_machines(folder) as (hub, machines):
        nodelab.started(hub, machines)
        now = utc_now()
        first = now + timedelta(seconds=6)
        wanted = [(f"n{n}", first + timedelta(seconds=EVERY_S * n), 900) for n in range(ITEMS)]
        lay(hub.runtime, wanted, now=now, where=builders.HILL, plan=True)
        until(lambda: hub.ask(DONE)[0][0] > ITEMS // 4, 60, what=hub.said())
        lost = nodelab.bridge_on_duty(hub, machines)
        if lost is None:
            raise SystemExit("nobody is the bridge")
        lost.lose_power_in_the_middle(hub)
        gone = time.time()
        until(lambda: hub.ask(DONE)[0][0] == ITEMS, 90, what=hub.said())
        found = [(at - gone, late) for at, late in hub.ask(LATE, ahead=AHEAD_S)]
    print(f"before: {said([late for at, late in found if at < -1])}")
    print(f"in the {WAIT_S:.0f} s after it: {said([late for at, late in found if -1 <= at < WAIT_S])}")
    print(f"later: {said([late for at, late in found if at >= WAIT_S])}")


def said(seconds: Sequence[float]) -> str:
    """Return the middle, p95, p99 and the last in milliseconds, and of how many."""
    ordered = sorted(seconds)
    high = [ordered[ceil(len(ordered) * share) - 1] for share in (0.95, 0.99, 1)]
    return ", ".join(f"{each * 1000:.0f}" for each in (statistics.median(ordered), *high)) + f" ms of {len(ordered)}"


if __name__ == "__main__":
    if "log" in sys.argv[1:]:
        nodelab.IN_HAND = LOG_HELD  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place))
