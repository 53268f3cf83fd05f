"""What can be counted, read when somebody looks. Rooms add gauges; `/metrics` and the page 系统状态 show them."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """One number with its labels. Labels never hold personal data."""

    value: float
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that goes up and down. `name` in Prometheus's style, with its unit at the end; `help` in English."""

    name: str
    help: str
    read: Callable[[Session], Iterable[Reading]]
    labels: tuple[str, ...] = ()


class Gauges:
    """All of them; each is read in one session that only reads."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}

    def add(self, gauge: Gauge) -> None:
        """Add one."""
        self._gauges[gauge.name] = gauge

    def read(self, session: Session) -> list[tuple[Gauge, list[Reading]]]:
        """Return every gauge with its present readings. One that cannot be read is left out and said in the log."""
        found = []
        for gauge in self._gauges.values():
            try:
                found.append((gauge, list(gauge.read(session))))
            except Exception:
                log.exception("gauge_failed", extra={"gauge": gauge.name})
                session.rollback()
        return found
