"""Special days as the table has them: public holidays, weekends that are worked, days kept quiet."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.regions.tree import contains
from schedules.calendar import Days
from schedules.models import CalendarDay, DayKind


@dataclass(frozen=True)
class Almanac:
    """Every special day, asked by region."""

    rows: Sequence[CalendarDay] = ()
    _known: dict[str, Days] = field(default_factory=dict)

    def of(self, path: str) -> Days:
        """Return the days as they are in a region."""
        places = {row.region_path for row in self.rows if contains(row.region_path, path)}
        key = "|".join(sorted(places))
        if key not in self._known:
            self._known[key] = self._days(places)
        return self._known[key]

    def _days(self, places: set[str]) -> Days:
        found: dict[DayKind, set[date]] = defaultdict(set)
        for row in self.rows:
            if row.region_path in places:
                found[row.kind].add(row.day)
        return Days(
            holidays=frozenset(found[DayKind.HOLIDAY]),
            workdays=frozenset(found[DayKind.WORKDAY]),
            quiet=frozenset(found[DayKind.QUIET]),
        )

    def names(self, path: str, day: date) -> list[str]:
        """Return what people call a day there."""
        return [row.name for row in self.rows if row.day == day and row.name and contains(row.region_path, path)]

    @property
    def known_until(self) -> int:
        """The last year of which the official days are there; 0 when there are none."""
        return max((row.day.year for row in self.rows if row.official and row.kind is DayKind.HOLIDAY), default=0)


def load(session: Session) -> Almanac:
    """Read the table: some dozens of rows a year."""
    return Almanac(session.scalars(select(CalendarDay).order_by(CalendarDay.day)).all())
