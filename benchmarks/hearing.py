"""From the press to the sound, and from the correction to its sound, in a running demo: several rounds.

The demo's own 30 simulated loudspeakers of one township; times are those the hub and the devices note.
Targets: first sound at most 3 s after the countdown; correction sounding at most 5 s after its press.
Run: .venv/bin/python benchmarks/hearing.py [rounds=20]

With the word `pack`: no voice works any more, and loudspeakers say what they keep. First `prepare` lets a healthy demo
make its pack and its loudspeakers fetch it; then that demo starts again with a voice whose program fails.
Run: .venv/bin/python benchmarks/hearing.py prepare folder=F
     .venv/bin/python benchmarks/hearing.py pack folder=F [rounds=15]
"""

import itertools
import math
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import requests

ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
TOKEN: Final = re.compile(r'name="csrf-token" content="([^"]+)"')
AREA, SPEAKERS = "990101001000", 30
FORM: Final = {"hazard": "flash_flood", "colour": "red", "area": AREA, "sms": "0", "speakers": str(SPEAKERS)}
PATIENCE_S: Final = 150.0
COUNTDOWN_S: Final = 3.0
VILLAGES, OF_A_VILLAGE, IN_ALL = [f"990101001{n:03}" for n in range(1, 7)], 5, 120
PACKED: Final = 16
BROKEN: Final = (
    "import broadcasts.speech.pyttsx3_engine as voice; voice.WORKER = ('/bin/false',); import cunxiang; cunxiang.main()"
)
ONE_VOICE: Final = '[speech]\nengines = ["pyttsx3"]\n'


def until(found: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + patience_s
    while not found():
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.1)


class Demo:
    """A demo and the duty officer's browser."""

    def __init__(self, folder: Path, *, broken: bool = False, configuration: str = "") -> None:
        self.folder, self.browser = folder, requests.Session()
        self.address = ""
        out = (folder / "log").open("wb")
        program = ["-c", BROKEN] if broken else ["-m", "cunxiang"]
        command = [sys.executable, *program, "demo", "--port", "0", "--data-dir", str(folder / "data")]
        settings = folder / "config.toml"
        settings.write_text(configuration, encoding="utf-8")
        around = {**os.environ, "CUNXIANG_CONFIG": str(settings)}
        self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=around)
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

    def post(self, path: str, data: Mapping[str, str | Sequence[str]]) -> str:
        """Press a button; return where it leads."""
        answer = self.browser.post(self.address + path, data=data, timeout=30, allow_redirects=False)
        return answer.headers.get("Location", "").rpartition("/")[2]

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the database."""
        path = self.folder / "data" / "cunxiang.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(30)

    def sounded(self, alert: str) -> list[float]:
        """When each loudspeaker began to sound it."""
        rows = self.ask(
            "SELECT d.started_at FROM speaker_delivery d JOIN alert a ON a.broadcast_id = d.broadcast_id "
            "WHERE a.id = ? AND d.started_at IS NOT NULL ORDER BY 1",
            alert.replace("-", ""),
        )
        return [datetime.fromisoformat(str(at)).replace(tzinfo=UTC).timestamp() for (at,) in rows]

    def used(self, alert: str) -> list[str]:
        """What each loudspeaker sounded: the recording, its pack, its own voice, or the tone."""
        rows = self.ask(
            "SELECT d.used FROM speaker_delivery d JOIN alert a ON a.broadcast_id = d.broadcast_id WHERE a.id = ?",
            alert.replace("-", ""),
        )
        return [str(used) for (used,) in rows]


def p95(found: Sequence[float]) -> float:
    """A value that was measured: the one that 95 of 100 do not exceed."""
    return sorted(found)[math.ceil(0.95 * len(found)) - 1]


def show(name: str, found: Sequence[float]) -> None:
    """Print a line."""
    print(f"  {name:48} median {statistics.median(found):.2f}  p95 {p95(found):.2f}  last {max(found):.2f} s")


def prepare(folder: Path) -> None:
    """Let a healthy demo make its pack, and wait until every loudspeaker has fetched it."""
    demo = Demo(folder, configuration=ONE_VOICE)
    try:
        ready = "SELECT count(*) FROM speaker WHERE NOT drill AND pack_count >= ?"
        until(lambda: demo.ask(ready, PACKED)[0][0] == IN_ALL, patience_s=540)
    finally:
        demo.close()
    print(f"{IN_ALL} loudspeakers keep {PACKED} recordings")


def with_the_pack(folder: Path, number: int) -> None:
    """Measure with a voice that fails: each time other villages, whose words nobody has spoken before."""
    pairs = itertools.combinations(VILLAGES, 2)
    kept: dict[str, list[float]] = {"first": [], "last": []}
    used: list[str] = []
    demo = Demo(folder, broken=True, configuration=ONE_VOICE)
    try:
        for pair in itertools.islice(pairs, number):
            wanted = OF_A_VILLAGE * len(pair)
            form = FORM | {"form_key": str(uuid4()), "area": "own", "village": pair, "speakers": str(wanted)}
            over = time.time() + COUNTDOWN_S
            alert = demo.post("/emergency", form)
            until(lambda alert=alert, wanted=wanted: len(demo.sounded(alert)) == wanted)  # type: ignore[misc]
            heard = demo.sounded(alert)
            kept["first"].append(heard[0] - over)
            kept["last"].append(heard[-1] - over)
            used += demo.used(alert)
            demo.post(f"/emergency/{alert}/stop", {})
            time.sleep(0.5)
    finally:
        demo.close()
    print(f"no voice works: {len(kept['first'])} rounds, 10 loudspeakers each; what they sounded: {sorted(set(used))}")
    show("countdown over to the first sound", kept["first"])
    show("countdown over to the last first sound", kept["last"])


def main() -> None:
    """Do what the words say."""
    folder = next((Path(w.removeprefix("folder=")) for w in sys.argv[1:] if w.startswith("folder=")), None)
    number = next((int(w.removeprefix("rounds=")) for w in sys.argv[1:] if w.startswith("rounds=")), 20)
    if folder is not None and "prepare" in sys.argv:
        prepare(folder)
    elif folder is not None and "pack" in sys.argv:
        with_the_pack(folder, min(number, 15))
    else:
        as_usual(number)


def as_usual(number: int) -> None:
    """Measure with everything well."""
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
            demo.close()
    print(f"{SPEAKERS} loudspeakers, {number} rounds")
    show("countdown over to the first sound", kept["first"])
    show("countdown over to the last first sound", kept["last"])
    show("correction pressed to its first sound", kept["back"])
    show("correction pressed to its last first sound", kept["back_last"])


if __name__ == "__main__":
    main()
