"""Now, as something a test can set, and the zone villages live in."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment in UTC. Called by the runtime only; everything else is handed `now`."""
    return datetime.now(UTC)
