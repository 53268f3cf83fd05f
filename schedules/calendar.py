"""When a slot comes round: pure arithmetic on days and local times."""

import calendar as months
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
LAST_OF_MONTH = -1


class Rhythm(StrEnum):
    """How often a slot comes round."""

    ONCE = "once"
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKS = "weeks"
    """On some weekdays of every n-th week, counted from the week of the first day."""
    MONTH_DAYS = "month_days"
    DATES = "dates"
    WORKDAYS = "workdays"
    HOLIDAYS = "holidays"
    """Weekends and public holidays, without the weekends that are worked instead."""


@dataclass(frozen=True, slots=True)
class Days:
    """What the calendar table says about days: public holidays, weekends that are worked, days kept quiet."""

    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    quiet: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Return whether people work that day; a year the table does not know has plain weekends."""
        return day in self.workdays or (day.weekday() < 5 and day not in self.holidays)


PLAIN = Days()


@dataclass(frozen=True, slots=True)
class Pattern:
    """On which days. Weekdays are 1 (Monday) to 7; a day of the month may be -1, the last.

    A month that has no 31st has no such day. Before `first` and after `last` there is nothing; `apart` are stretches of
    days left out, both ends included.
    """

    rhythm: Rhythm = Rhythm.DAILY
    weekdays: frozenset[int] = frozenset()
    every: int = 1
    anchor: date | None = None
    month_days: frozenset[int] = frozenset()
    dates: frozenset[date] = frozenset()
    first: date | None = None
    last: date | None = None
    apart: tuple[tuple[date, date], ...] = ()
    on_quiet_days: bool = False

    def holds_on(self, day: date, days: Days) -> bool:
        """Return whether that day is one of its days."""
        if day in days.quiet and not self.on_quiet_days:
            return False
        if day < (self.first or day) or day > (self.last or day):
            return False
        if any(first <= day <= last for first, last in self.apart):
            return False
        return self._comes_on(day, days)

    def _comes_on(self, day: date, days: Days) -> bool:
        match self.rhythm:
            case Rhythm.WEEKDAYS:
                return day.isoweekday() in self.weekdays
            case Rhythm.WEEKS:
                return day.isoweekday() in self.weekdays and self._in_its_week(day)
            case Rhythm.MONTH_DAYS:
                return day.day in self.month_days or (LAST_OF_MONTH in self.month_days and _is_last(day))
            case Rhythm.DATES:
                return day in self.dates
            case Rhythm.WORKDAYS:
                return days.works(day)
            case Rhythm.HOLIDAYS:
                return not days.works(day)
            case _:
                return True

    def _in_its_week(self, day: date) -> bool:
        anchor = self.anchor or date.min
        return (_monday(day) - _monday(anchor)) // 7 % max(1, self.every) == 0

    def as_json(self) -> dict[str, Any]:
        """Return what is not told by the rhythm alone, as it is stored; empty lists are left out."""
        stored: dict[str, Any] = {
            "weekdays": sorted(self.weekdays),
            "every": self.every if self.rhythm is Rhythm.WEEKS else 0,
            "anchor": self.anchor.isoformat() if self.anchor else "",
            "first": self.first.isoformat() if self.first else "",
            "last": self.last.isoformat() if self.last else "",
            "month_days": sorted(self.month_days),
            "dates": [day.isoformat() for day in sorted(self.dates)],
            "apart": [[a.isoformat(), b.isoformat()] for a, b in self.apart],
            "on_quiet_days": self.on_quiet_days,
        }
        return {name: value for name, value in stored.items() if value}

    @classmethod
    def from_json(cls, rhythm: Rhythm, stored: Mapping[str, Any]) -> "Pattern":
        """Return it as it was stored."""
        read = date.fromisoformat
        anchor, first, last = (read(stored[n]) if stored.get(n) else None for n in ("anchor", "first", "last"))
        return cls(
            rhythm=rhythm,
            weekdays=frozenset(stored.get("weekdays", ())),
            every=stored.get("every", 1),
            anchor=anchor,
            month_days=frozenset(stored.get("month_days", ())),
            dates=frozenset(read(day) for day in stored.get("dates", ())),
            first=first,
            last=last,
            apart=tuple((read(a), read(b)) for a, b in stored.get("apart", ())),
            on_quiet_days=stored.get("on_quiet_days", False),
        )


EVERY_DAY = Pattern(on_quiet_days=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """Once at a moment, or at a local time on the days of a pattern between two days (both included)."""

    zone: ZoneInfo
    once_at: datetime | None = None
    daily_at: time | None = None
    first_day: date | None = None
    last_day: date | None = None
    pattern: Pattern = field(default=EVERY_DAY)


def occurrences(rule: Rule, after: datetime, until: datetime, days: Days = PLAIN) -> list[datetime]:
    """Return the moments in (after, until], in UTC and in order.

    A local time that a clock change skips is taken at the first valid minute after it; one that comes twice counts
    once, the first time.
    """
    if rule.once_at is not None:
        return [rule.once_at.astimezone(UTC)] if after < rule.once_at <= until else []
    if rule.daily_at is None or until <= after:
        return []
    first = max(after.astimezone(rule.zone).date() - DAY, rule.first_day or date.min)
    last = min(until.astimezone(rule.zone).date(), rule.last_day or date.max)
    at = timedelta(hours=rule.daily_at.hour, minutes=rule.daily_at.minute)
    found: list[datetime] = []
    for year in range(first.year, last.year + 1):
        among, midnights = _of_year(rule.pattern, days, rule.zone, year)
        start, end = bisect_left(among, first), bisect_right(among, last)
        found += [
            midnight + at if midnight else _moment(day, rule.daily_at, rule.zone)
            for day, midnight in zip(among[start:end], midnights[start:end], strict=True)
        ]
    return found[bisect_right(found, after) : bisect_right(found, until)]


@lru_cache(maxsize=4096)
def _of_year(
    pattern: Pattern, days: Days, zone: ZoneInfo, year: int
) -> tuple[tuple[date, ...], tuple[datetime | None, ...]]:
    """Return the days of a year that belong to a pattern, and when each begins; slots of one rhythm share them."""
    known = _midnights(zone, year)
    among = tuple(day for day in _all_days(year) if pattern.holds_on(day, days))
    return among, tuple(known.get(day) for day in among)


@lru_cache(maxsize=64)
def _all_days(year: int) -> tuple[date, ...]:
    start = date(year, 1, 1)
    return tuple(start + DAY * n for n in range(366 if months.isleap(year) else 365))


@lru_cache(maxsize=256)
def _midnights(zone: ZoneInfo, year: int) -> dict[date, datetime]:
    """Return the moment each day of a year begins; a day on which clocks are changed is left out."""
    found = {}
    for day in _all_days(year):
        starts, ends = (datetime.combine(day, t, tzinfo=zone) for t in (time(), time(23, 59, 59)))
        before = starts - DAY
        if before.utcoffset() == starts.utcoffset() == ends.utcoffset():
            found[day] = starts.astimezone(UTC)
    return found


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    local = datetime.combine(day, at, tzinfo=zone)
    for _ in range(24 * 60):
        moment = local.astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return moment
        local += timedelta(minutes=1)
    raise ValueError(f"{day} {at} does not exist in {zone.key}")


def _monday(day: date) -> int:
    return day.toordinal() - day.weekday()


def _is_last(day: date) -> bool:
    return day.day == months.monthrange(day.year, day.month)[1]


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield every day of a stretch, both ends included."""
    while first <= last:
        yield first
        first += DAY
