"""How often somebody may come: so many times in each minute of the clock, counted in memory."""

import threading
from datetime import datetime

from hub.core.errors import TooMany

MINUTE_S = 60


class PerMinute:
    """A fixed window. Every minute begins empty, so nothing is kept of whoever no longer comes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._minute = -1
        self._counts: dict[bytes, int] = {}
        self._guard = threading.Lock()

    def take(self, who: bytes, now: datetime) -> None:
        """Count one visit. TooMany, with the seconds until the next minute, when it is one too many."""
        seconds = int(now.timestamp())
        with self._guard:
            if seconds // MINUTE_S != self._minute:
                self._minute = seconds // MINUTE_S
                self._counts.clear()
            count = self._counts.get(who, 0) + 1
            if count > self.most:
                raise TooMany("too_many_requests", most=self.most, retry_after_s=MINUTE_S - seconds % MINUTE_S)
            self._counts[who] = count


class JoinsPerMinute(PerMinute):
    """How often devices behind one address may ask for their papers."""


class SignInsPerMinute(PerMinute):
    """How often one address may try name and password. Checking a password costs the hub a good deal of work."""
