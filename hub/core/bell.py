"""A bell between the processes of one hub: something waits, look now. PostgreSQL's NOTIFY; only ever a hint.

Whoever misses it finds the work at its next look, a second later. In one process nothing needs to be said.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from hub.core.server_line import line_settings

log = logging.getLogger(__name__)
CHANNEL: Final = "cunxiang"
AGAIN_S: Final = 1.0


class Bell:
    """`ring` tells the other processes, `hear` says what to do when they ring."""

    def __init__(self, engine: Engine, *, active: bool) -> None:
        self._engine = engine
        self._active = active and engine.dialect.name == "postgresql"
        self._hears: dict[str, list[Callable[[], None]]] = {}
        self._past: set[str] = set()
        self._me = uuid4().hex
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None

    def hear(self, what: str, callback: Callable[[], None], *, missed: bool = True) -> None:
        """Call it when somebody else rings for `what`, and after every new connection. It must not take long.

        Not `missed`: only when it rings; that it may have rung while nobody listened is no matter.
        """
        self._hears.setdefault(what, []).append(callback)
        if not missed:
            self._past.add(what)

    def ring(self, what: str) -> None:
        """Tell the others. It never fails: they look by themselves too."""
        if not self._active:
            return
        try:
            with self._engine.connect() as connection:
                spoken = connection.execution_options(isolation_level="AUTOCOMMIT")
                spoken.execute(text("SELECT pg_notify(:channel, :what)"), self._words(what))
        except SQLAlchemyError as error:
            log.warning("bell_not_rung", extra={"why": type(error).__name__})

    def _words(self, what: str) -> dict[str, str]:
        return {"channel": CHANNEL, "what": f"{what} {self._me}"}

    def start(self) -> None:
        """Begin to listen."""
        if self._active and self._hears:
            self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._halt.set()
        if self._thread is not None:
            self._thread.join(3)

    def _listen(self) -> None:
        _, address = self._engine.dialect.create_connect_args(self._engine.url)  # several hosts in it, too
        settings: dict[str, Any] = {**address, **line_settings(self._engine.url)}
        while not self._halt.is_set():
            with suppress(psycopg.Error, OSError), psycopg.connect(autocommit=True, **settings) as line:
                line.execute(f"LISTEN {CHANNEL}")
                for what in self._hears.keys() - self._past:  # what was rung while nobody listened
                    self._call(what)
                while not self._halt.is_set():
                    for note in line.notifies(timeout=1.0):
                        what, _, who = note.payload.partition(" ")
                        if who != self._me:
                            self._call(what)
            self._halt.wait(AGAIN_S)

    def _call(self, what: str) -> None:
        for callback in self._hears.get(what, ()):
            try:
                callback()
            except Exception:
                log.exception("bell_callback_failed", extra={"what": what})
