"""What time it is, for everything that fires: the database's time where there is a server, else this machine's."""

from datetime import UTC, datetime

from sqlalchemy import func, select

from hub.core.clock import Clock, utc_now
from hub.core.db import Sessions


class DatabaseClock:
    """Asks PostgreSQL. With SQLite, or a clock that is not this machine's own, that clock holds."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions, self._clock = sessions, clock
        self._asks = sessions.engine.dialect.name == "postgresql" and clock is utc_now

    def __call__(self) -> datetime:
        """Return the present moment."""
        if not self._asks:
            return self._clock()
        with self._sessions.read() as session:
            found: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
            return found.astimezone(UTC)
