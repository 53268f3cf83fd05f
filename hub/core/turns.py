"""Whose turn it is: of several processes on one PostgreSQL database, one at a time does what has no claims of its own.

A turn is an advisory lock on a connection of its own. The database lets go of it at the moment the process dies, and
after ten seconds when the cable to its machine is cut (`server_line.SERVER_LINE`), so that another process, which waits
for nothing else, goes on.
On SQLite there is one process, and every turn is its own.
"""

import logging
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from hub.core.server_line import line_settings

log = logging.getLogger(__name__)
SPACE: Final = 0x43584E54
"""Any constant; keeps our locks apart from those of others in the same database."""
LOOK_S: Final = 0.5
STAND_BY_S: Final = 1.0
HOUSE: Final = "house"
"""Held whole by `cunxiang run`, shared by the roles: the two do not go together."""


class Turns:
    """The turns of one process. `mine` costs nothing: a thread of its own keeps them."""

    def __init__(self, engine: Engine, names: Sequence[str] = (), *, shared: bool) -> None:
        self._active = engine.dialect.name == "postgresql"
        self._shared = self._active and shared
        settings = line_settings(engine.url) if self._active else {}
        self._engine = create_engine(
            engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=settings
        )
        self._names = names
        self._house = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
        self._held: frozenset[str] = frozenset()
        self._taken: frozenset[str] = frozenset()
        self._halt = threading.Event()
        self._first = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to ask for them; return when the first answer is there, or five seconds later."""
        if self._active:
            self._thread = threading.Thread(target=self._keep, name="turns", daemon=True)
            self._thread.start()
            self._first.wait(5)

    def stop(self) -> None:
        """Let go of all."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join(5)

    def mine(self, name: str) -> bool:
        """Whether this process may do what has that name."""
        return not self._shared or name in self._held

    def taken(self, name: str) -> bool:
        """Whether the database has said that somebody else has it."""
        return self._active and name in self._taken

    def _keep(self) -> None:
        while not self._halt.is_set():
            with suppress(SQLAlchemyError, OSError), self._engine.connect() as connection:
                self._ask(connection)
            if self._held:
                log.warning("turns_lost", extra={"names": sorted(self._held)})
            self._held = frozenset()
            self._first.set()
            self._halt.wait(LOOK_S)

    def _ask(self, connection: Connection) -> None:
        """Ask again and again, until the connection breaks."""
        held: set[str] = set()
        while not self._halt.is_set():
            taken = set()
            for name in (HOUSE, *self._names):
                if name in held:
                    continue
                ask = self._house if name == HOUSE else "pg_try_advisory_lock"
                if connection.scalar(text(f"SELECT {ask}(:space, :key)"), {"space": SPACE, "key": key_of(name)}):
                    held.add(name)
                else:
                    taken.add(name)
            connection.execute(text("SELECT 1"))  # a broken line shows here
            self._held, self._taken = frozenset(held), frozenset(taken)
            self._first.set()
            self._halt.wait(LOOK_S)


def in_turn(step: Callable[[], float], turns: Turns, name: str) -> Callable[[], float]:
    """Return a step that does nothing while it is another process's turn."""
    return partial(_step_in_turn, step, turns, name)


def _step_in_turn(step: Callable[[], float], turns: Turns, name: str) -> float:
    return step() if turns.mine(name) else STAND_BY_S


def key_of(name: str) -> int:
    """Return the number PostgreSQL knows a turn by."""
    return int.from_bytes(zlib.crc32(name.encode()).to_bytes(4, "big"), "big", signed=True)
