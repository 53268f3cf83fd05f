"""A day, week, month, quarter or year of the local calendar. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Span(StrEnum):
    """How long a report reaches."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Period:
    """From the first local day to the last, both included."""

    span: Span
    first: date
    last: date

    @classmethod
    def around(cls, span: Span, day: date) -> "Period":
        """Return the period of that kind in which a day lies; weeks begin on Monday."""
        match span:
            case Span.DAY:
                return cls(span, day, day)
            case Span.WEEK:
                first = day - timedelta(days=day.weekday())
                return cls(span, first, first + timedelta(days=6))
            case Span.MONTH:
                first = day.replace(day=1)
                return cls(span, first, _months_on(first, 1) - timedelta(days=1))
            case Span.QUARTER:
                first = day.replace(month=day.month - (day.month - 1) % 3, day=1)
                return cls(span, first, _months_on(first, 3) - timedelta(days=1))
            case Span.YEAR:
                return cls(span, date(day.year, 1, 1), date(day.year, 12, 31))

    def before(self) -> "Period":
        """Return the one before."""
        return Period.around(self.span, self.first - timedelta(days=1))

    def after(self) -> "Period":
        """Return the one after."""
        return Period.around(self.span, self.last + timedelta(days=1))

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its first moment, and the first moment after it."""
        start = datetime.combine(self.first, time(), tzinfo=zone)
        return start, datetime.combine(self.last + timedelta(days=1), time(), tzinfo=zone)

    def days(self) -> list[date]:
        """Return every day of it."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def parts(self) -> list["Period"]:
        """Return what a chart of it is made of: its days; the weeks of a quarter and the months of a year."""
        kind = {Span.QUARTER: Span.WEEK, Span.YEAR: Span.MONTH}.get(self.span, Span.DAY)
        found, day = [], self.first
        while day <= self.last:
            part = Period.around(kind, day)
            part = Period(kind, max(part.first, self.first), min(part.last, self.last))
            found.append(part)
            day = part.last + timedelta(days=1)
        return found


def _months_on(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)
