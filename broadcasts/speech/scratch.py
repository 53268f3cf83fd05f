"""Folders for work under way that do not outlive their process, even one that was killed.

Whoever works in such a folder holds a lock on it, which the kernel releases when the process ends, however it ends.
A folder that nobody holds is a leftover and may be swept away at once.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

PREFIX = "cunxiang-speech-"
_UNBORN = ".cunxiang-speech-"
_BIRTH_S = 60.0  # between making a folder and holding it lie microseconds


class Scratch:
    """A folder held until `leave`, below `root` or among the system's temporary files."""

    def __init__(self, root: Path | None = None) -> None:
        base = root or Path(tempfile.gettempdir())
        unborn = Path(tempfile.mkdtemp(prefix=_UNBORN, dir=base))
        self._handle = os.open(unborn, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        self.path = unborn.rename(base / f"{PREFIX}{uuid4().hex[:12]}")

    def leave(self) -> None:
        """Delete it and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._handle)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder among the system's temporary files for as long as the block runs."""
    held = Scratch()
    try:
        yield held.path
    finally:
        held.leave()


def sweep(root: Path | None = None) -> int:
    """Delete the folders that nobody holds any more; how many there were."""
    base = root or Path(tempfile.gettempdir())
    before = time.time() - _BIRTH_S
    found = [*base.glob(f"{PREFIX}*"), *(p for p in base.glob(f"{_UNBORN}*") if _is_older(p, before))]
    return sum(_sweep_one(path) for path in found)


def _sweep_one(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # gone, not a folder, or not ours
        return False
    try:
        if os.fstat(handle).st_uid != os.geteuid():
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def _is_older(path: Path, before: float) -> bool:
    with suppress(OSError):
        return path.lstat().st_mtime < before
    return False
