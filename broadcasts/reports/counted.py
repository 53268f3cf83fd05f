"""What a report counts of one place in one period, and the period itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import mean, median

from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from broadcasts.kinds import Theme
from broadcasts.reports.scoring import Metric
from hub.core.db import like_below


@dataclass(slots=True)
class Figures:
    """One place in one period. Add two to get those of both together."""

    speakers: int = 0
    offline_s: float = 0.0
    """Seconds without a report, over all its loudspeakers."""
    period_s: float = 0.0
    """How many seconds of the period have passed."""
    never_on: int = 0
    """Loudspeakers that did not report once."""
    faulty: int = 0
    meant: int = 0
    """Broadcasts times loudspeakers that should have sounded."""
    answered: int = 0
    finished: int = 0
    played_ms: int = 0
    items: int = 0
    """Broadcasts that sounded on one of its loudspeakers at least."""
    emergencies: int = 0
    quiet: int = 0
    """Routine broadcasts that sounded in quiet hours."""
    waits_min: list[float] = field(default_factory=list)
    """From submission to approval, of what was approved here."""
    themes: dict[Theme, int] = field(default_factory=dict)
    drills: list[int] = field(default_factory=list)
    """Points of the drills it took part in."""
    by_day: dict[date, int] = field(default_factory=dict)
    """Broadcasts that sounded, by local day."""

    def add(self, other: "Figures") -> None:
        """Add those of another place; broadcasts heard in both count in both."""
        for name in (
            "speakers", "offline_s", "never_on", "faulty", "meant", "answered", "finished", "played_ms", "items",
            "emergencies", "quiet",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.period_s = max(self.period_s, other.period_s)
        self.waits_min += other.waits_min
        self.drills += other.drills
        for theme, count in other.themes.items():
            self.themes[theme] = self.themes.get(theme, 0) + count
        for day, count in other.by_day.items():
            self.by_day[day] = self.by_day.get(day, 0) + count

    @property
    def minutes(self) -> float | None:
        """Minutes a loudspeaker sounded on average; None without loudspeakers."""
        return self.played_ms / 60_000 / self.speakers if self.speakers else None

    def values(self, villages: int = 1) -> dict[Metric, float | None]:
        """Return what is scored; None where nothing could be measured. `villages`: how many are added up here."""
        whole = self.speakers * self.period_s
        return {
            Metric.ONLINE: 1 - min(self.offline_s / whole, 1.0) if whole else None,
            Metric.POWERED: 1 - self.never_on / self.speakers if self.speakers else None,
            Metric.PLAYED: self.finished / self.meant if self.meant else None,
            Metric.ANSWERED: self.answered / self.meant if self.meant else None,
            Metric.FAULTY: self.faulty / self.speakers if self.speakers else None,
            Metric.QUIET: float(self.quiet),
            Metric.APPROVAL: median(self.waits_min) if self.waits_min else None,
            Metric.THEMES: sum(self.themes.get(t, 0) for t in CAMPAIGNS) / villages if villages else None,
            Metric.DRILLS: mean(self.drills) if self.drills else None,
        }


CAMPAIGNS = (Theme.SAFETY, Theme.FRAUD, Theme.LAW)
Places = dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Window:
    """The period of a report: from `start` until `end`, or until `now` while it lasts."""

    start: datetime
    end: datetime
    now: datetime

    @property
    def until(self) -> datetime:
        """Its end, as far as it has come."""
        return max(min(self.end, self.now), self.start)

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return (self.until - self.start).total_seconds()


def below(column: InstrumentedAttribute[str], paths: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a path lies below one of these."""
    return or_(*(column.like(like_below(path)) for path in paths))
