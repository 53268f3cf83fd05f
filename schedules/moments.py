"""What time it is, for everything that fires: the database's time where there is a server, else this machine's."""

from datetime import datetime

from hub.core.clock import Clock
from hub.core.db import Sessions, moment


class DatabaseClock:
    """Asks PostgreSQL. With SQLite, or a clock that is not this machine's own, that clock holds."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock

    def __call__(self) -> datetime:
        """Return the present moment."""
        with self._sessions.glance() as session:
            return moment(session, self._clock)
