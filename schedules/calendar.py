"""When a slot comes round: pure arithmetic on days and local times."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Rule:
    """Once at a moment, or every day at a local time between two days (both included)."""

    zone: ZoneInfo
    once_at: datetime | None = None
    daily_at: time | None = None
    first_day: date | None = None
    last_day: date | None = None


def occurrences(rule: Rule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the moments in (after, until], in UTC and in order.

    A local time that a clock change skips is taken at the first valid minute after it; one that comes twice counts
    once, the first time.
    """
    if rule.once_at is not None:
        if after < rule.once_at <= until:
            yield rule.once_at.astimezone(UTC)
        return
    if rule.daily_at is None:
        return
    day = max(after.astimezone(rule.zone).date() - timedelta(days=1), rule.first_day or date.min)
    last = min(until.astimezone(rule.zone).date(), rule.last_day or date.max)
    while day <= last:
        moment = _moment(day, rule.daily_at, rule.zone)
        if after < moment <= until:
            yield moment
        day += timedelta(days=1)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, at, tzinfo=zone)
    for _ in range(24 * 60):
        moment = local.astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return moment
        local += timedelta(minutes=1)
    raise ValueError(f"{day} {at} does not exist in {zone.key}")
