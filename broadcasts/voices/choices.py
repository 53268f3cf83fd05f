"""What was chosen, at hand for everyone who is about to speak."""

import threading
import time
from collections.abc import Callable

from broadcasts.speech.engine import Language, VoiceSpec
from broadcasts.voices import service
from hub.core.db import Sessions

FRESH_S = 2.0
"""So long another process may not notice a choice; this one does at once."""


class Choices:
    """The choices as they were a moment ago. Safe for threads; asks the database on its own connection."""

    def __init__(self, sessions: Sessions, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._sessions, self._monotonic = sessions, monotonic
        self._lock = threading.Lock()
        self._known: dict[Language, VoiceSpec] = {}
        self._until = float("-inf")

    def __call__(self, language: Language) -> VoiceSpec | None:
        """Return the voice that was chosen for it; None when nobody has chosen."""
        with self._lock:
            if self._monotonic() >= self._until:
                with self._sessions.read() as session:
                    self._known = service.all_chosen(session)
                self._until = self._monotonic() + FRESH_S
            return self._known.get(language)

    def forget(self) -> None:
        """Ask again next time: somebody has just chosen."""
        with self._lock:
            self._until = float("-inf")
