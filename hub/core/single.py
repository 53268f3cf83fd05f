"""One hub for one SQLite file: two would not harm the tables, but each would run its own broker and its own loops."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine


class AlreadyRunning(Exception):
    """Another hub holds this database; the message says what to do."""


class OnlyOne:
    """Holds the lock of a database from `__enter__` to `__exit__`. The system lets go of it when the process dies."""

    def __init__(self, engine: Engine) -> None:
        path = str(engine.url.database or "")
        here = engine.dialect.name == "sqlite" and path not in ("", ":memory:")
        self._path = Path(f"{path}.lock") if here else None
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock. Raises AlreadyRunning. On a database server nothing is locked: many hubs may share it."""
        if self._path is None:
            return self
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"Another hub runs on {self._path.with_suffix('')}. Stop it first, or use PostgreSQL for several."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
