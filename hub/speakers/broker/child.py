"""What every broker process does: open many files, and end when its parent ends."""

import os
import sys

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]


def raise_file_limit() -> int:
    """Allow as many connections as the system lets us; the number of files that may be open."""
    if resource is None:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def stdin_closed() -> None:
    """Wait until the parent has closed our input: it does so when it stops us, and when it dies."""
    stdin = sys.stdin.fileno()
    while os.read(stdin, 1024):  # unbuffered: a buffer's lock would trouble the interpreter at its end
        pass
