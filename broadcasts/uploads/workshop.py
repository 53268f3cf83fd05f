"""Where files from outside are made ready: a process for each, watched from here, of which nothing is left behind.

The scratch files have no names: even a hub that is killed in the middle leaves none.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final

from broadcasts.speech import mp3
from broadcasts.speech.audio import RATE
from broadcasts.uploads.containers import ENOUGH, container_of, what_it_is
from broadcasts.uploads.settings import UploadSettings
from hub.core.errors import BadInput, Unavailable

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
PIECE: Final = 256 * 1024
MOST_ANSWER: Final = 16_384
AT_ONCE: Final = 2
PATIENCE_S: Final = 20.0
"""So long somebody waits while others' files are being decoded."""
FILES: Final = 64
SLACK_S: Final = 10
MEMORY: Final = 1024 * 1024 * 1024
"""Address space; what is really used is a tenth of it."""
PROBLEMS: Final = frozenset(
    ["unreadable", "no_sound", "too_long", "too_short", "silent", "truncated", "damaged", "too_heavy", "no_room"]
)


class Manner(StrEnum):
    """What a recording is."""

    VOICE = "voice"
    MUSIC = "music"


@dataclass(frozen=True, slots=True)
class Made:
    """A recording that was made ready, as a file; the last two figures are the worker's own."""

    encoded: bytes
    ms: int
    peaks: tuple[int, ...]
    cpu_s: float
    peak_kb: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How much work one file may be: seconds of processor and of life for a recording of a given length."""

    cpu_s: int = 15
    cpu_s_a_minute: float = 6.0
    wall_factor: float = 2.5

    def cpu(self, seconds: float) -> int:
        """Return the processor's seconds."""
        return round(self.cpu_s + self.cpu_s_a_minute * seconds / 60)

    def wall(self, seconds: float) -> int:
        """Return the seconds by the clock: other work goes on beside it."""
        return round(self.cpu(seconds) * self.wall_factor)


class Workshop:
    """Makes recordings ready. Safe for threads; two files at a time, the others wait."""

    def __init__(self, folder: Path, settings: UploadSettings, *, pace: Pace = Pace(), memory: int = MEMORY) -> None:
        self.settings = settings
        self._folder = folder
        self._pace = pace
        self._memory = memory
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def take(
        self,
        source: BinaryIO,
        *,
        manner: Manner = Manner.VOICE,
        longest_s: float | None = None,
        most_bytes: int | None = None,
        field: str = "recording",
    ) -> Made:
        """Make an untrusted file ready: one pass, level, as horns need it. Takes seconds: hold no session open.

        BadInput `recording_…` says what is wrong with it and what to do. The first audio stream counts.
        """
        longest_s = longest_s or float(self.settings.longest_s)
        with self._files() as files:
            head = self._copied(source, files[0], most_bytes or self.settings.most_bytes, field)
            container = container_of(head)
            if container is None:
                raise BadInput(f"recording_{what_it_is(head)}", field=field)
            order = {"container": container, "kind": manner.value, "longest_s": longest_s}
            answer = self._asked(order, files, field)
            encoded = _whole(files[3], field)
            return Made(encoded, answer["ms"], tuple(answer["peaks"]), answer["cpu_s"], answer["peak_kb"])

    @contextmanager
    def _files(self) -> Iterator[tuple[BinaryIO, ...]]:
        if not self._slots.acquire(timeout=PATIENCE_S):
            raise Unavailable("upload_busy")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with ExitStack() as stack:
                yield tuple(stack.enter_context(TemporaryFile(dir=self._folder)) for _ in range(4))
        finally:
            self._slots.release()

    @staticmethod
    def _copied(source: BinaryIO, into: BinaryIO, most: int, field: str) -> bytes:
        """Copy it, never more than allowed; return how it begins."""
        head, count = b"", 0
        while piece := source.read(PIECE):
            count += len(piece)
            if count > most:
                raise BadInput("recording_too_big", field=field, most=most // 1024 // 1024)
            head = head or piece[:ENOUGH]
            into.write(piece)
        if not count:
            raise BadInput("recording_missing", field=field)
        into.flush()
        into.seek(0)
        return head

    def _asked(self, order: dict[str, Any], files: tuple[BinaryIO, ...], field: str) -> dict[str, Any]:
        numbers = [file.fileno() for file in files]
        longest_s = order["longest_s"]
        wall_s = self._pace.wall(longest_s)
        request = order | {
            "files": numbers,
            "limits": {
                "cpu_s": self._pace.cpu(longest_s),
                "wall_s": wall_s + 5,
                "memory": self._memory,
                "file_bytes": round((longest_s + SLACK_S) * RATE * 4),
                "files": FILES,
            },
        }
        answer = _run(json.dumps(request).encode() + b"\n", numbers, wall_s)
        if answer.get("ok") is True:
            return _checked(answer)
        problem = str(answer.get("problem"))
        log.info("a recording was refused", extra={"problem": problem, "detail": str(answer.get("detail", ""))[:200]})
        if problem == "no_room":
            raise Unavailable("recording_no_room")
        facts = {name: number for name, number in dict(answer.get("facts", {})).items() if isinstance(number, int)}
        raise BadInput(f"recording_{problem if problem in PROBLEMS else 'unreadable'}", field=field, **facts)


def _run(request: bytes, numbers: list[int], wall_s: float) -> dict[str, Any]:
    """Start the worker in a session of its own and wait; kill it and all it started when its time is up."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "broadcasts.uploads.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        pass_fds=numbers,
        start_new_session=True,
        cwd=ROOT,
    ) as process:
        try:
            out, _ = process.communicate(request, timeout=wall_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {"ok": False, "problem": "too_heavy", "detail": "killed after its time was up"}
    return _answer(out, process.returncode)


def _answer(out: bytes, status: int) -> dict[str, Any]:
    try:
        found = json.loads(out[:MOST_ANSWER])
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    by_limit = status in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGALRM, -signal.SIGXFSZ)
    return {"ok": False, "problem": "too_heavy" if by_limit else "unreadable", "detail": f"exit status {status}"}


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer if it is one: a decoder that was broken into may write anything."""
    numbers = [answer.get("ms"), answer.get("peak_kb"), *answer.get("peaks", [None])]
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise BadInput("recording_unreadable", field="recording")
    return answer


def _whole(file: BinaryIO, field: str) -> bytes:
    """Return what was made; nothing but our own kind of file is taken."""
    file.seek(0)
    encoded = file.read()
    try:
        mp3.taken_apart(encoded)
    except ValueError:
        raise BadInput("recording_unreadable", field=field) from None
    return encoded
