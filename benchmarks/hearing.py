"""From the press to the sound, and from the correction to its sound, in a running demo: several rounds.

The demo's own 30 simulated loudspeakers of one township; times are those the hub and the devices note.
Targets: first sound at most 3 s after the countdown; correction sounding at most 5 s after its press.
Run: .venv/bin/python benchmarks/hearing.py [rounds=20]
"""

import math
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import requests

ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
TOKEN: Final = re.compile(r'name="csrf-token" content="([^"]+)"')
AREA, SPEAKERS = "990101001000", 30
FORM: Final = {"hazard": "flash_flood", "colour": "red", "area": AREA, "sms": "0", "speakers": str(SPEAKERS)}
PATIENCE_S: Final = 90.0
COUNTDOWN_S: Final = 3.0


def until(found: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.1)


class Demo:
    """A demo and the duty officer's browser."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.browser = folder, requests.Session()
        self.address = ""
        out = (folder / "log").open("wb")
        command = [sys.executable, "-m", "cunxiang", "demo", "--port", "0", "--data-dir", str(folder / "data")]
        self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        until(self._said)
        until(lambda: self.ask("SELECT count(*) FROM speaker WHERE online AND NOT drill")[0][0] == 120)
        self._token("/sign-in")
        self.post("/sign-in", {"login": "duty", "password": "cunxiang-demo"})
        self._token("/emergency")

    def _said(self) -> bool:
        found = ADDRESS.search((self.folder / "log").read_text(encoding="utf-8", errors="replace"))
        self.address = found[0] if found else ""
        return bool(found)

    def _token(self, path: str) -> None:
        found = TOKEN.search(self.browser.get(self.address + path, timeout=30).text)
        if found is None:
            raise SystemExit("no token")
        self.browser.headers["X-CSRFToken"] = found[1]

    def post(self, path: str, data: dict[str, str]) -> str:
        """Press a button; return where it leads."""
        answer = self.browser.post(self.address + path, data=data, timeout=30, allow_redirects=False)
        return answer.headers.get("Location", "").rpartition("/")[2]

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the database."""
        path = self.folder / "data" / "cunxiang.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query, values).fetchall()

    def sounded(self, alert: str) -> list[float]:
        """When each loudspeaker began to sound it."""
        rows = self.ask(
            "SELECT d.started_at FROM speaker_delivery d JOIN alert a ON a.broadcast_id = d.broadcast_id "
            "WHERE a.id = ? AND d.started_at IS NOT NULL ORDER BY 1",
            alert.replace("-", ""),
        )
        return [datetime.fromisoformat(str(at)).replace(tzinfo=UTC).timestamp() for (at,) in rows]


def p95(found: Sequence[float]) -> float:
    """A value that was measured: the one that 95 of 100 do not exceed."""
    return sorted(found)[math.ceil(0.95 * len(found)) - 1]


def show(name: str, found: Sequence[float]) -> None:
    """Print a line."""
    print(f"  {name:48} median {statistics.median(found):.2f}  p95 {p95(found):.2f}  last {max(found):.2f} s")


def main() -> None:
    """Measure."""
    number = next((int(w.removeprefix("rounds=")) for w in sys.argv[1:] if w.startswith("rounds=")), 20)
    kept: dict[str, list[float]] = {"first": [], "last": [], "back": [], "back_last": []}
    with tempfile.TemporaryDirectory(prefix="cunxiang-bench-") as name:
        demo = Demo(Path(name))
        try:
            for _ in range(number):
                over = time.time() + COUNTDOWN_S
                alert = demo.post("/emergency", FORM | {"form_key": str(uuid4())})
                until(lambda alert=alert: len(demo.sounded(alert)) == SPEAKERS)  # type: ignore[misc]
                heard = demo.sounded(alert)
                kept["first"].append(heard[0] - over)
                kept["last"].append(heard[-1] - over)
                pressed = time.time()
                back = demo.post(f"/emergency/{alert}/take-back", {})
                until(lambda back=back: len(demo.sounded(back)) == SPEAKERS)  # type: ignore[misc]
                heard = demo.sounded(back)
                kept["back"].append(heard[0] - pressed)
                kept["back_last"].append(heard[-1] - pressed)
                demo.post(f"/emergency/{back}/stop", {})
                time.sleep(0.5)
        finally:
            demo.process.terminate()
            demo.process.wait(30)
    print(f"{SPEAKERS} loudspeakers, {number} rounds")
    show("countdown over to the first sound", kept["first"])
    show("countdown over to the last first sound", kept["last"])
    show("correction pressed to its first sound", kept["back"])
    show("correction pressed to its last first sound", kept["back_last"])


if __name__ == "__main__":
    main()
