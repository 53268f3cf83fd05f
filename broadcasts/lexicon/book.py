"""The lexicon and the words to watch for, at hand for everyone who reads a text."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from broadcasts.lexicon import service
from broadcasts.lexicon.service import Stamp
from broadcasts.speech.findings import Finding, Watched
from broadcasts.speech.lint import lint
from broadcasts.speech.pronunciation import Lexicon
from hub.core.db import Sessions

FRESH_S = 2.0
"""So long another process may not notice a change; this one does at once."""


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: Stamp
    lexicon: Lexicon
    watched: tuple[Watched, ...]


class WordBook:
    """What staff entered, as it was a moment ago; rebuilt only when it changed. Safe for threads."""

    def __init__(self, sessions: Sessions, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sessions, self._monotonic = sessions, monotonic
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._until = float("-inf")

    def lexicon(self) -> Lexicon:
        """Return how words are read here."""
        return self._now().lexicon

    def watched(self) -> tuple[Watched, ...]:
        """Return the words that are not to be broadcast."""
        return self._now().watched

    def lint(self, text: str, *, drill: bool = False) -> tuple[Finding, ...]:
        """Return what a text would better say otherwise."""
        known = self._now()
        return lint(text, lexicon=known.lexicon, watched=known.watched, drill=drill)

    def forget(self) -> None:
        """Look again next time: somebody has just changed it."""
        with self._lock:
            self._until, self._known = float("-inf"), None

    def _now(self) -> _Known:
        with self._lock:
            if self._known is None or self._monotonic() >= self._until:
                self._known = self._looked_up()
                self._until = self._monotonic() + FRESH_S
            return self._known

    def _looked_up(self) -> _Known:
        with self._sessions.read() as session:
            stamp = service.stamp(session)
            if self._known is not None and self._known.stamp == stamp:
                return self._known
            lexicon = service.lexicon_of(session)
            same = self._known is not None and self._known.lexicon == lexicon
            return _Known(stamp, self._known.lexicon if same and self._known else lexicon, service.watched_of(session))
