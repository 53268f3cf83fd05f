"""China's official days off and the weekends worked instead, from a maintained library. Its only importer.

Asked when the table is filled, never when something is due: what stands in the table holds.
"""

from dataclasses import dataclass
from datetime import date

import holidays

from schedules.models import DayKind

LANGUAGE = "zh_CN"


@dataclass(frozen=True, slots=True)
class Official:
    """One official day."""

    day: date
    kind: DayKind
    name: str


def of_year(year: int) -> list[Official]:
    """Return the days of a year as far as the library knows them."""
    known = holidays.country_holidays("CN", years=[year], language=LANGUAGE)
    off = [Official(day, DayKind.HOLIDAY, name[:40]) for day, name in known.items() if day.year == year]
    worked = [Official(day, DayKind.WORKDAY, "") for day in known.weekend_workdays if day.year == year]
    return sorted(off + worked, key=lambda one: (one.day, one.kind))
