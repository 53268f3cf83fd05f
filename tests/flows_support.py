"""A real hub as a process of its own."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class RunningDemo:
    """`cunxiang demo` in a folder of its own, on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.address = ""

    @property
    def log(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.log"

    def start(self, within_s: float = 90) -> float:
        """Start it; return the seconds until its first page answers."""
        begin = time.monotonic()
        # The tests' own word is none of the hub's, which refuses what it does not know.
        environ = {name: value for name, value in os.environ.items() if name != "CUNXIANG_LONG"}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cunxiang", "demo", "--port", "0", "--data-dir", str(self.folder)],
                cwd=ROOT,
                # The quick voice, whatever else this machine has: these tests time other things.
                env={**environ, "CUNXIANG_SPEECH_WEIGHTS_DIR": str(self.folder / "no-voices")},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

        def said() -> bool:
            found = ADDRESS.search(self.log.read_text(encoding="utf-8", errors="replace"))
            self.address = found[0] if found else ""
            return bool(found)

        self.wait(said, within_s)
        return time.monotonic() - begin

    def kill(self) -> None:
        """SIGKILL: no time for anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the database from outside."""
        with sqlite3.connect(f"file:{self.folder / 'cunxiang.db'}?mode=ro", uri=True, timeout=30) as connection:
            rows = connection.execute(query, values).fetchall()
        connection.close()
        return rows

    def online(self) -> int:
        """How many loudspeakers of the villages are there; those for drills are counted nowhere."""
        return int(str(self.ask("SELECT count(*) FROM speaker WHERE online AND NOT drill")[0][0]))

    def wait(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        """Wait until it holds; fail with the end of the hub's log when it does not."""
        deadline = time.monotonic() + within_s
        while not condition():
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
            assert self.process is None or self.process.poll() is None, f"the hub ended by itself:\n{tail}"
            assert time.monotonic() < deadline, f"waited {within_s} s in vain:\n{tail}"
            time.sleep(0.2)
