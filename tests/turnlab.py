"""Who waits to write to SQLite."""

import threading
from collections.abc import Callable
from functools import partial

from speakerlab import soon

from hub.core.db import Sessions
from hub.core.writing import WriteTurns


def waiting(sessions: Sessions) -> int:
    """How many stand in the queue for a turn."""
    with sessions.engine.connect() as connection:
        turns = connection.info["turns"]
        assert isinstance(turns, WriteTurns)
        return turns.waiting


def begin_one_by_one(sessions: Sessions, *works: Callable[[], None]) -> list[threading.Thread]:
    """Start each when the one before waits for a turn already; somebody has it for as long as this takes."""
    threads = []
    for wanted, work in enumerate(works, waiting(sessions) + 1):
        threads.append(threading.Thread(target=work))
        threads[-1].start()
        assert soon(partial(_wait, sessions, wanted)), "it stands in the queue"
    return threads


def _wait(sessions: Sessions, wanted: int) -> bool:
    return waiting(sessions) >= wanted
