"""What the processes that stay warm share: their limits, and answering line by line until nobody asks any more."""

import gc
import json
import os
import resource
import select
import signal
from collections.abc import Callable
from typing import Any

MOST_BYTES = 2 * 1024**3
FILE_BYTES = 64 * 1024 * 1024
NICENESS = 5
"""The hub itself, and voices for emergencies, come first."""

Answer = Callable[[dict[str, Any]], dict[str, object]]


def take_stdout() -> int:
    """Return where answers go; whatever libraries print goes to stderr from now on."""
    sink = os.dup(1)
    os.dup2(2, 1)
    return sink


def restrict() -> None:
    """Bound what this process may allocate and write; time is bounded for each question."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)


def serve(opened: Callable[[], Answer], keep_s: float, sink: int, source: int = 0) -> None:
    """Answer until nobody has asked for `keep_s` seconds or the hub is gone. `opened` is called for the first question.

    A failure is told, never the text; a question that takes too long ends the process.
    """
    answer: Answer | None = None
    held = b""
    while True:
        ready, _, _ = select.select([source], [], [], keep_s)
        chunk = os.read(source, 1 << 16) if ready else b""
        if not chunk:
            return
        held += chunk
        while b"\n" in held:
            line, held = held.split(b"\n", 1)
            asked = json.loads(line)
            signal.alarm(int(asked["wall_s"]) + 2)  # should the hub die first, nobody else would end us
            try:
                answer = answer or opened()
                said = answer(asked)
            except Exception as failure:  # noqa: BLE001 - whatever broke in there, the hub is told
                said = {"ok": False, "problem": "failed", "detail": repr(failure)[:300]}
            signal.alarm(0)
            os.write(sink, json.dumps(said).encode() + b"\n")
            gc.collect()
