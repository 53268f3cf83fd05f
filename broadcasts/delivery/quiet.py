"""Quiet hours: local times in which nothing routine may sound."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 1440
STEP = 30


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Ranges of minutes of the local day; a range whose end lies before its start runs over midnight."""

    ranges: tuple[tuple[int, int], ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, texts: Sequence[str], zone: ZoneInfo) -> "QuietHours":
        """Read ranges like 21:00-06:30."""
        return cls(tuple((_minute(a), _minute(b)) for a, _, b in (t.partition("-") for t in texts)), zone)

    def holds_at(self, moment: datetime) -> bool:
        """Return whether a moment lies in quiet hours."""
        local = moment.astimezone(self.zone)
        return self.holds_minute(local.hour * 60 + local.minute)

    def holds_minute(self, minute: int) -> bool:
        """Return whether a minute of the local day lies in quiet hours."""
        return any(a <= minute < b if a <= b else minute >= a or minute < b for a, b in self.ranges)

    def touches(self, start: datetime, seconds: float) -> bool:
        """Return whether any part of something that lasts so long would sound in quiet hours."""
        minutes = max(1, math.ceil(seconds / 60))
        return any(self.holds_at(start + timedelta(minutes=m)) for m in range(minutes)) or self.holds_at(
            start + timedelta(seconds=max(0.0, seconds - 1))
        )

    def next_free(self, start: datetime, seconds: float) -> datetime | None:
        """Return the first half hour from `start` on at which it could sound; None if there is none in two days."""
        local = start.astimezone(self.zone).replace(second=0, microsecond=0)
        local += timedelta(minutes=-local.minute % STEP)
        for step in range(2 * MINUTES_A_DAY // STEP):
            candidate = local + timedelta(minutes=step * STEP)
            if candidate >= start and not self.touches(candidate, seconds):
                return candidate
        return None

    def as_day(self) -> list[tuple[int, int]]:
        """Return ranges of minutes within one day, those over midnight cut in two; for drawing."""
        parts: list[tuple[int, int]] = []
        for a, b in self.ranges:
            parts += [(a, b)] if a <= b else [(0, b), (a, MINUTES_A_DAY)]
        return sorted(part for part in parts if part[0] < part[1])


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
