"""Which text sounds when: pure arithmetic on a period, times of day and what is planned already."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from broadcasts.delivery.quiet import QuietHours

STEP = timedelta(minutes=5)
FURTHEST = timedelta(minutes=30)
"""A text whose time is taken waits at most so long for a free one; else it is left out that time."""
Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Period:
    """On which days, at which local times, and never more than so many a day."""

    first_day: date
    last_day: date
    times: tuple[str, ...]
    every_days: int = 1
    most_a_day: int = 2

    @property
    def days(self) -> list[date]:
        """Return the days on which something sounds."""
        length = (self.last_day - self.first_day).days
        return [self.first_day + timedelta(days=n) for n in range(0, length + 1, self.every_days)]


@dataclass(frozen=True, slots=True)
class Play:
    """One time one text sounds. `text` counts the texts from 0; `wanted` is when it would have, had that been free."""

    text: int
    at: datetime
    wanted: datetime

    @property
    def moved(self) -> bool:
        """Whether it had to wait for something else."""
        return self.at != self.wanted


class Cause(StrEnum):
    """Why a campaign is heard less often than somebody wants."""

    LOUD = "campaign_over_budget"
    FULL = "campaign_days_full"
    CROWDED = "campaign_times_taken"
    HUSHED = "campaign_days_hushed"
    PAST = "campaign_times_past"
    FEW = "campaign_too_few"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a campaign's times.

    Left out were: `crowded` because nothing was free, `full` because the day has enough of campaigns, `loud` because a
    village would hear more than it should in that day or week, `past` because the moment was over.
    """

    plays: tuple[Play, ...]
    crowded: tuple[datetime, ...] = ()
    full: tuple[datetime, ...] = ()
    quiet_days: tuple[date, ...] = ()
    loud: tuple[datetime, ...] = ()
    past: tuple[datetime, ...] = ()

    @property
    def counted(self) -> bool:
        """Whether it has any times at all, heard or left out; it has none while days, times or texts are missing."""
        return bool(self.plays or self.crowded or self.full or self.quiet_days or self.loud or self.past)

    @property
    def cause(self) -> Cause:
        """Return what took most of its times away; FEW when nothing did and it has only so many."""
        counts = {
            Cause.LOUD: len(self.loud),
            Cause.FULL: len(self.full),
            Cause.CROWDED: len(self.crowded),
            Cause.HUSHED: len(self.quiet_days),
            Cause.PAST: len(self.past),
        }
        most = max(counts, key=lambda cause: counts[cause])
        if counts[most]:
            return most
        return Cause.FEW if self.plays else Cause.PAST

    def minutes_a_day(self, lengths_ms: Sequence[int], zone: ZoneInfo) -> Mapping[date, float]:
        """Return how many minutes it adds on each day."""
        found: dict[date, float] = {}
        for play in self.plays:
            day = play.at.astimezone(zone).date()
            found[day] = found.get(day, 0) + lengths_ms[play.text] / 60_000
        return found


@dataclass(frozen=True, slots=True)
class Budget:
    """How many minutes a village may hear, and what the one that hears most hears already, from every source."""

    a_day: float = math.inf
    a_week: float = math.inf
    on_days: Mapping[date, float] = field(default_factory=dict)
    in_weeks: Mapping[date, float] = field(default_factory=dict)
    """By their Mondays."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What stands in the way: stretches in which something else sounds, how many texts of campaigns a day has already.

    `hushed` are days on which nothing of the kind sounds at all: exams, mourning.
    """

    stretches: Sequence[Stretch] = ()
    campaigns_on: Mapping[date, int] = field(default_factory=dict)
    hushed: frozenset[date] = frozenset()
    budget: Budget = Budget()


def plan(
    period: Period, lengths_ms: Sequence[int], *, quiet: QuietHours, taken: Taken | None = None, after: datetime
) -> Plan:
    """Lay the texts out one after the other over all times of the period that lie after a moment.

    The turn follows the calendar, not what was left out: planned anew after a pause, each day has the same text.
    """
    found = _Laying(quiet, taken or Taken(), period.most_a_day)
    turn = 0
    for day in period.days:
        for at in sorted(period.times):
            wanted = datetime.combine(day, time.fromisoformat(at), tzinfo=quiet.zone).astimezone(UTC)
            text = turn % len(lengths_ms)
            turn += 1
            found.lay(text, wanted, day, timedelta(milliseconds=lengths_ms[text]), gone=wanted <= after)
    return found.plan()


class _Laying:
    def __init__(self, quiet: QuietHours, taken: Taken, most_a_day: int) -> None:
        self._quiet, self._taken, self._most = quiet, taken, most_a_day
        self._stretches: dict[date, list[Stretch]] = defaultdict(list)
        for stretch in taken.stretches:
            self._take(stretch)
        self._counts = dict(taken.campaigns_on)
        self._plays: list[Play] = []
        self._crowded: list[datetime] = []
        self._full: list[datetime] = []
        self._hushed: set[date] = set()
        self._loud: list[datetime] = []
        self._past: list[datetime] = []
        self._on_days = dict(self._taken.budget.on_days)
        self._in_weeks = dict(self._taken.budget.in_weeks)

    def lay(self, text: int, wanted: datetime, day: date, length: timedelta, *, gone: bool) -> None:
        if gone:  # it has had its chance, and the day has so much less to give
            self._counts[day] = self._counts.get(day, 0) + 1
            self._past.append(wanted)
            return
        if day in self._taken.hushed:
            self._hushed.add(day)
            return
        if self._counts.get(day, 0) >= self._most:
            self._full.append(wanted)
            return
        if not self._has_ears(day, length):
            self._loud.append(wanted)
            return
        at = self._free(wanted, length)
        if at is None:
            self._crowded.append(wanted)
            return
        self._plays.append(Play(text, at, wanted))
        self._take((at, at + length))
        self._counts[day] = self._counts.get(day, 0) + 1
        self._hear(day, length)

    def _has_ears(self, day: date, length: timedelta) -> bool:
        minutes, budget = length.total_seconds() / 60, self._taken.budget
        in_week = self._in_weeks.get(_monday(day), 0) + minutes
        return self._on_days.get(day, 0) + minutes <= budget.a_day and in_week <= budget.a_week

    def _hear(self, day: date, length: timedelta) -> None:
        minutes = length.total_seconds() / 60
        for heard, key in ((self._on_days, day), (self._in_weeks, _monday(day))):
            heard[key] = heard.get(key, 0) + minutes

    def _free(self, wanted: datetime, length: timedelta) -> datetime | None:
        at = wanted
        while at <= wanted + FURTHEST:
            if not self._hits(at, at + length) and not self._quiet.touches(at, length.total_seconds()):
                return at
            at += STEP
        return None

    def _take(self, stretch: Stretch) -> None:
        for day in _days_of(*stretch):
            self._stretches[day].append(stretch)

    def _hits(self, start: datetime, end: datetime) -> bool:
        return any(a < end and start < b for day in _days_of(start, end) for a, b in self._stretches[day])

    def plan(self) -> Plan:
        return Plan(
            plays=tuple(self._plays),
            crowded=tuple(self._crowded),
            full=tuple(self._full),
            quiet_days=tuple(sorted(self._hushed)),
            loud=tuple(self._loud),
            past=tuple(self._past),
        )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _days_of(start: datetime, end: datetime) -> set[date]:
    return {start.astimezone(UTC).date(), end.astimezone(UTC).date()}


def texting_days(period: Period, texts: int) -> list[date]:
    """Return the day each text goes out as a message: spread evenly over the period, each once, none on the same day.

    A period shorter than there are texts gets as many as it has days.
    """
    length = (period.last_day - period.first_day).days + 1
    count = min(texts, length)
    return [period.first_day + timedelta(days=n * length // count) for n in range(count)]


def too_close(times: Sequence[str], least: timedelta) -> bool:
    """Return whether two times of day lie closer together than that."""
    moments = [datetime.combine(date.min, time.fromisoformat(t), tzinfo=UTC) for t in sorted(times)]
    return any(b - a < least for a, b in pairwise(moments))
