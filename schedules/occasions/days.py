"""When the awareness days of a year are: by date, by the Spring Festival and 清明, by the weeks of a month."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import holidays

FILE = Path(__file__).resolve().parents[2] / "templates" / "messages" / "occasions.toml"
FEASTS = {"spring": "春节", "qingming": "清明"}
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Occasion:
    """One awareness day or time of the year."""

    key: str
    name: str
    on: str
    days: int
    lead: int
    departments: tuple[str, ...]
    texts: tuple[str, ...]
    times: tuple[str, ...]
    quiet: bool
    certain: bool

    def first_day(self, year: int) -> date:
        """Return when it begins."""
        return begins(self.on, year)


@dataclass(frozen=True, slots=True)
class Span:
    """An occasion of one year. `year` is the one its rule counts in, even if it begins in the year before."""

    occasion: Occasion
    year: int
    first_day: date
    last_day: date

    @property
    def ref(self) -> str:
        """Name it for good: one draft of it a place."""
        return f"{self.occasion.key}:{self.year}"

    @property
    def draft_from(self) -> date:
        """The day from which a draft of it is made."""
        return self.first_day - timedelta(days=self.occasion.lead)


@cache
def occasions() -> Mapping[str, Occasion]:
    """Return them all, as the file has them."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {key: _occasion(key, item) for key, item in raw.items()}


def span(occasion: Occasion, year: int) -> Span:
    """Return an occasion of one year, by its rule."""
    first = occasion.first_day(year)
    return Span(occasion, year, first, first + timedelta(days=occasion.days - 1))


@lru_cache(maxsize=400)
def begins(on: str, year: int) -> date:
    """Return the day a rule of the file means in a year."""
    for name, feast in FEASTS.items():
        if on.startswith(name):
            return _feast(feast, year) + timedelta(days=int(on.removeprefix(name) or 0))
    month, _, rest = on.partition("-")
    if rest == "last":
        return _last_week(year, int(month))
    if rest.startswith("w"):
        return _monday(year, int(month), int(rest[1:]))
    return date(year, int(month), int(rest))


def _feast(name: str, year: int) -> date:
    found = holidays.country_holidays("CN", years=year, language="zh_CN")
    return min(day for day, called in found.items() if name in called and "休" not in called)


def _last_week(year: int, month: int) -> date:
    """Return the Monday of the last week that lies in the month whole."""
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=last.isoweekday() % 7 + 6)


def _monday(year: int, month: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=-first.weekday() % 7) + (number - 1) * WEEK


def _occasion(key: str, item: Mapping[str, Any]) -> Occasion:
    return Occasion(
        key=key,
        name=item["name"],
        on=item["on"],
        days=item["days"],
        lead=item["lead"],
        departments=tuple(item["departments"]),
        texts=tuple(item["texts"]),
        times=tuple(item["times"]),
        quiet=item.get("quiet", False),
        certain=item.get("certain", True),
    )
