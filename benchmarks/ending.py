"""A hub is told to end (SIGTERM) while many open pages ask it again and again: how long it takes.

Run: PYTHONPATH=tests .venv/bin/python benchmarks/ending.py [rounds=N] [tabs=N]
Target: 10 s, and status 0: it ended by itself.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import requests
from flows_support import RunningDemo

from benchmarks.tabs import signed_in

ROUNDS: Final = 5
TABS: Final = 100
ASKS_S: Final = 0.5


def keeps_asking(person: requests.Session, address: str, stop: threading.Event, answers: list[int]) -> None:
    """Ask for the overview again and again, as an open tab does, on a connection of its own."""
    tab = requests.Session()
    tab.cookies.update(person.cookies)
    while not stop.wait(ASKS_S):
        with suppress(requests.RequestException):
            answers.append(tab.get(address, timeout=20).status_code)


def one(folder: Path, tabs: int) -> tuple[float, int, int]:
    """Return the seconds it took to end, its status, and how many answers were given in the last second before."""
    demo = RunningDemo(folder)
    demo.start()
    demo.wait(lambda: demo.online() == 120)
    people = [signed_in(demo.address, name) for name in ("clerk", "approver", "duty", "county")]
    stop, answers = threading.Event(), list[int]()
    threads = [
        threading.Thread(target=keeps_asking, args=(people[i % 4], demo.address, stop, answers), daemon=True)
        for i in range(tabs)
    ]
    for thread in threads:
        thread.start()
    time.sleep(3)
    before, begin = len(answers), time.monotonic()
    status = demo.stop()
    took = time.monotonic() - begin
    stop.set()
    for thread in threads:
        thread.join(25)
    return took, status, before


def main(given: Sequence[str]) -> None:
    """Measure and print."""
    wished = dict(word.split("=") for word in given)
    rounds, tabs = int(wished.get("rounds", ROUNDS)), int(wished.get("tabs", TABS))
    with tempfile.TemporaryDirectory() as folder:
        found = [one(Path(folder) / "demo", tabs) for _ in range(rounds)]
    took = sorted(seconds for seconds, _, _ in found)
    asked = min(number for _, _, number in found)
    print(
        f"{rounds} times with {tabs} tabs (at least {asked} answers before): median {statistics.median(took):.2f} s, "
        f"slowest {took[-1]:.2f} s, status {[status for _, status, _ in found]}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
