"""`cunxiang` on a machine whose clock is wrong by so many seconds: the hub's clock and that of its timers.

libfaketime would do it from outside, but under it `time.sleep` raises EINVAL: what is then measured is partly its own.
Run by lateness.py: .venv/bin/python benchmarks/skewed.py SECONDS scheduler
"""

import sys
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar, Self

import apscheduler.executors.base
import apscheduler.schedulers.base

import cunxiang
import hub.core.clock


class Skewed(datetime):
    """Tells a wrong time when asked for now."""

    by: ClassVar[timedelta] = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """Return the present moment, wrong."""
        return super().now(tz) + cls.by


def main(seconds: str, *command: str) -> None:
    """Set the clock wrong, then do what is asked."""
    Skewed.by = timedelta(seconds=float(seconds))
    for module in (hub.core.clock, apscheduler.schedulers.base, apscheduler.executors.base):
        setattr(module, "datetime", Skewed)  # noqa: B010 - mypy knows that a module has none
    if abs(hub.core.clock.utc_now() - datetime.now(UTC) - Skewed.by) > timedelta(seconds=1):
        raise SystemExit("the clock could not be set wrong")
    cunxiang.main([*command])


if __name__ == "__main__":
    main(*sys.argv[1:])
