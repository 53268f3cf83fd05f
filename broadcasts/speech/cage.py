"""Child processes that engines speak in: with time limits, killed when they are late, without the hub's secrets."""

import json
import os
import select
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from broadcasts.speech.engine import N_, SpeechFailed

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ANSWER = 64 * 1024
STOPPING_S = 2.0


def too_slow(detail: str) -> SpeechFailed:
    """What is said when somebody was killed for being late."""
    return SpeechFailed(N_("读这段话用的时间太长，已经停下。请再试一次，或把话改短"), retryable=True, detail=detail)


def could_not(detail: str) -> SpeechFailed:
    """What is said when something broke in there."""
    return SpeechFailed(N_("这段话没能读出来，请再试一次"), retryable=True, detail=detail)


def bare_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the hub's own environment: there are passwords and keys in it."""
    return {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "LANG": "C.UTF-8", **(extra or {})}


def run_once(command: Sequence[str], request: bytes, deadline: float) -> "subprocess.CompletedProcess[bytes]":
    """Run it in a session of its own, so that a late one can be killed with all it started. SpeechFailed if late."""
    try:
        process = subprocess.Popen(  # noqa: S603 - our own modules and configured programs; no text on the command line
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=bare_environment(),
            start_new_session=True,
        )
    except OSError as problem:
        raise could_not(repr(problem)) from problem
    with process:
        try:
            out, err = process.communicate(request, timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise too_slow("killed after its time was up") from None
        return subprocess.CompletedProcess(list(command), process.returncode, out, err)


class WarmWorker:
    """One child process that is asked again and again: a line of JSON in, a line of JSON out, one at a time.

    It starts when it is needed, ends by itself when nobody has asked for a while or the hub is gone, and is killed when
    an answer is late; the next question starts another. Safe for threads, which wait for each other.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._farewell: weakref.finalize[[subprocess.Popen[bytes]], WarmWorker] | None = None

    @property
    def pid(self) -> int | None:
        """The process that is there now."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def ask(self, question: Mapping[str, object], deadline: float) -> dict[str, Any]:
        """Its answer. SpeechFailed when it is late, dies, or says what is no answer."""
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise too_slow("somebody else is being spoken for")
        try:
            answer = self._exchange(question, deadline)
        except SpeechFailed:
            self._kill()
            raise
        except (OSError, ValueError, TypeError) as problem:
            status = self._process.poll() if self._process else None
            self._kill()
            raise could_not(f"{problem!r}, exit status {status}") from problem
        finally:
            self._lock.release()
        return answer

    def stop(self) -> None:
        """Let it go: it ends as soon as it has finished, or is killed."""
        with self._lock:
            process = self._process
            if process is None:
                return
            if process.stdin:
                process.stdin.close()
            try:
                process.wait(STOPPING_S)
            except subprocess.TimeoutExpired:
                self._kill()
            self._let_go()

    def _exchange(self, question: Mapping[str, object], deadline: float) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - it was opened with a pipe
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
        return dict(json.loads(_line(process.stdout.fileno(), deadline)))

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process and self._process.poll() is not None:
            self._let_go()  # it left after a while without work
        if self._process is None:
            # Not a fork of this process with its threads, but a fresh program.
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=bare_environment(),
                start_new_session=True,
            )
            self._farewell = weakref.finalize(self, _end, self._process)  # forgotten, or the hub ends without a word
        return self._process

    def _kill(self) -> None:
        if self._process is None:
            return
        _end(self._process)
        self._let_go()

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if self._farewell is not None:
            self._farewell.detach()
        if process is not None:
            _close(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _close(process)


def _close(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was written last was never read
                pipe.close()


def _line(source: int, deadline: float) -> bytes:
    """One line, or SpeechFailed at the deadline; ValueError when the other side is gone or talks too much."""
    got = b""
    while not got.endswith(b"\n"):
        ready, _, _ = select.select([source], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise too_slow("killed after its time was up")
        chunk = os.read(source, LONGEST_ANSWER)
        if not chunk:
            raise ValueError("it ended without an answer")
        got += chunk
        if len(got) > LONGEST_ANSWER:
            raise ValueError("too long an answer")
    return got
