"""A voice that is speaking now, decoded outside the hub: one thread puts bytes in, another takes samples out."""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from broadcasts.speech.cage import bare_environment
from broadcasts.speech.signals import Samples

log = logging.getLogger(__name__)
ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = 4
READ: Final = 65_536
HEAR: Final = 8192
"""Bytes of samples at a time: less than a tenth of a second."""
DRY_S: Final = 0.1
"""So long without a sample, and what has gathered goes out."""
END_S: Final = 5.0
"""How long it may take over the last bytes."""
CPU_S: Final = 20
CPU_A_SECOND: Final = 0.2
SPARE_S: Final = 60
MEMORY: Final = 1024 * 1024 * 1024
FILES: Final = 64
Read = Callable[[int], bytes]
"""Returns at least one byte, waiting for it; nothing at the end."""


class LiveDecoding:
    """One process for one voice. It is killed when it takes too long over the end, and ends when nobody listens."""

    def __init__(self, read: Read, *, longest_s: float) -> None:
        self._read = read
        self._ended_at: float | None = None
        limits = {
            "cpu_s": round(CPU_S + CPU_A_SECOND * longest_s),
            "wall_s": round(longest_s) + SPARE_S,
            "memory": MEMORY,
            "file_bytes": 0,
            "files": FILES,
        }
        environment = bare_environment({"OPENBLAS_NUM_THREADS": "1"})
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "broadcasts.uploads.live_worker", json.dumps(limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            cwd=ROOT,
            bufsize=0,
        )
        self._feeder = threading.Thread(target=self._feed, name="shout-feed", daemon=True)
        self._feeder.start()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def samples(self) -> Iterator[Samples | None]:
        """Return what was said, piece by piece; None where nothing has come for a moment."""
        assert self._process.stdout is not None  # noqa: S101 - it was opened with a pipe
        source, rest = self._process.stdout.fileno(), b""
        while True:
            ready, _, _ = select.select([source], [], [], DRY_S)
            if not ready:
                if self._is_late():
                    log.warning("a shout's decoder was killed: it took too long over the end")
                    return
                yield None
                continue
            more = os.read(source, HEAR)
            if not more:
                return
            whole = len(rest + more) // SAMPLE * SAMPLE
            data, rest = (rest + more)[:whole], (rest + more)[whole:]
            # a decoder that was broken into may write anything
            yield np.nan_to_num(np.frombuffer(data, "<f4"), posinf=1.0, neginf=-1.0).clip(-1.0, 1.0)

    def close(self) -> int:
        """End it; return its exit status, negative when it was killed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def _is_late(self) -> bool:
        return self._ended_at is not None and time.monotonic() > self._ended_at + END_S

    def _feed(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - it was opened with a pipe
        try:
            while data := self._read(READ):
                self._process.stdin.write(data)
        except OSError:
            pass  # it has ended: what is still being said is heard by nobody
        finally:
            self._ended_at = time.monotonic()
            with suppress(OSError):
                self._process.stdin.close()
