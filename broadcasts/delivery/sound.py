"""The recordings that loudspeakers fetch: only what was released, found by hash, quick for a whole county at once."""

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select

from broadcasts.delivery.models import Broadcast
from broadcasts.loudspeaker import sheet
from broadcasts.speech import audio
from broadcasts.speech.library import PEAKS, Library
from hub.core.db import Sessions

REMEMBERED = 4096


def _none(_digest: str) -> bool:
    return False


class ReleasedSound:
    """Finds released recordings. What was released once stays released, so the table is asked once for each."""

    def __init__(self, sessions: Sessions, library: Library, kept: Callable[[str], bool] = _none) -> None:
        self._sessions = sessions
        self._library = library
        self._kept = kept
        self._released: dict[str, None] = {}
        self._guard = threading.Lock()

    def path(self, digest: str) -> Path | None:
        """Return the file of that SHA-256 if it was released, sent ahead, or is `kept`; None for everything else."""
        if digest not in self._released and not self._kept(digest) and not self._ask(digest):
            return None
        return self._library.path_of(digest)

    def peaks(self, digest: str) -> tuple[int, ...]:
        """Return how loud the recording is from beginning to end, 0 to 100; nothing when it is not there."""
        path = self.path(digest)
        return _peaks(path) if path else ()

    def _ask(self, digest: str) -> bool:
        with self._sessions.read() as session:
            if not digest:
                return False
            found = session.scalar(select(Broadcast.id).where(Broadcast.audio_sha256 == digest).limit(1))
            if found is None:  # what was sent ahead may still be withdrawn: it is asked for every time
                return sheet.holds(session, digest)
        with self._guard:
            self._released[digest] = None
            while len(self._released) > REMEMBERED:
                del self._released[next(iter(self._released))]
        return True


@lru_cache(maxsize=64)
def _peaks(path: Path) -> tuple[int, ...]:
    try:
        return audio.peaks(audio.decode(path), PEAKS)
    except ValueError:
        return ()
