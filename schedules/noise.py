"""How much villages have to hear: minutes times volume, over every source, each day and each week.

A minute at the usual volume counts one; at half the volume half. Announcements, relays, shouts and emergencies count.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from hub.regions.models import Region
from hub.regions.tree import Level, contains

USUAL_VOLUME = 80


@dataclass(frozen=True, slots=True)
class Sounding:
    """Something heard below some paths."""

    paths: tuple[str, ...]
    start: datetime
    ms: int
    volume: int | None = None

    @property
    def minutes(self) -> float:
        """What it counts."""
        return self.ms / 60_000 * (USUAL_VOLUME if self.volume is None else self.volume) / USUAL_VOLUME


@dataclass(frozen=True, slots=True)
class Limits:
    """What a village should not exceed."""

    a_day: int
    a_week: int


@dataclass(frozen=True)
class Tally:
    """Minutes by village and day."""

    by_day: dict[tuple[str, date], float]

    def day(self, village: str, day: date) -> float:
        """Return the minutes of a day."""
        return self.by_day.get((village, day), 0.0)

    def week(self, village: str, day: date) -> float:
        """Return the minutes of the week, from Monday, that holds a day."""
        monday, _ = week_of(day)
        return sum(self.day(village, monday + timedelta(days=n)) for n in range(7))

    def over(self, limits: Limits) -> list[tuple[str, date]]:
        """Return the villages and days over the limit of a day."""
        return sorted(key for key, minutes in self.by_day.items() if minutes > limits.a_day)

    def weeks_over(self, limits: Limits) -> list[tuple[str, date]]:
        """Return the villages and Mondays over the limit of a week."""
        weeks: dict[tuple[str, date], float] = defaultdict(float)
        for (village, day), minutes in self.by_day.items():
            weeks[village, week_of(day)[0]] += minutes
        return sorted(key for key, minutes in weeks.items() if minutes > limits.a_week)


def tally(soundings: Iterable[Sounding], villages: Sequence[str], zone: ZoneInfo) -> Tally:
    """Add up. What reaches over midnight counts on the day it began."""
    per_path: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for one in soundings:
        day, minutes = one.start.astimezone(zone).date(), one.minutes
        for path in one.paths:
            per_path[path][day] += minutes
    found: dict[tuple[str, date], float] = defaultdict(float)
    for village in villages:
        for path, days in per_path.items():
            # What is aimed at one group of a village is heard in the village.
            if contains(path, village) or contains(village, path):
                for day, minutes in days.items():
                    found[village, day] += minutes
    return Tally(dict(found))


def week_of(day: date) -> tuple[date, date]:
    """Return Monday and Sunday of the week that holds a day."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def villages(session: Session, paths: Sequence[str] = ()) -> list[Region]:
    """Return the villages below some paths, and those that hold them; all of them when no path is given."""
    found = session.scalars(select(Region).where(Region.level == Level.VILLAGE).order_by(Region.path)).all()
    return [v for v in found if not paths or any(contains(p, v.path) or contains(v.path, p) for p in paths)]


def heard(session: Session, since: datetime, until: datetime) -> list[Sounding]:
    """Return what went out and began in that time, from every source; what was stopped counts as far as it came."""
    rows = session.execute(
        select(
            Broadcast.audience, Broadcast.starts_at, Broadcast.audio_ms, Broadcast.volume, Broadcast.stopped_at
        ).where(Broadcast.starts_at >= since, Broadcast.starts_at < until)
    )
    found = []
    for stored, start, ms, volume, stopped_at in rows:
        audience = Audience.from_json(stored)
        if not audience.speakers:
            continue
        lasted = ms if stopped_at is None else max(0, min(ms, round((stopped_at - start).total_seconds() * 1000)))
        found.append(Sounding(audience.paths, start, lasted, volume))
    return found


class Ears:
    """What villages have heard in the week of a moment, to ask before a campaign adds to it; read once it is asked."""

    def __init__(self, session: Session, limits: Limits, zone: ZoneInfo) -> None:
        self._session, self._limits, self._zone = session, limits, zone
        self._heard: dict[date, list[Sounding]] = {}
        self._villages: list[str] | None = None

    def are_full(self, wanted: Sounding) -> bool:
        """Return whether some village would hear more than it should with that."""
        day = wanted.start.astimezone(self._zone).date()
        monday, sunday = week_of(day)
        places = [v for v in self._places() if any(contains(p, v) or contains(v, p) for p in wanted.paths)]
        tally_ = tally([*self._week(monday, sunday), wanted], places, self._zone)
        return any(
            tally_.day(place, day) > self._limits.a_day or tally_.week(place, day) > self._limits.a_week
            for place in places
        )

    def hear(self, sounding: Sounding) -> None:
        """Note what goes out meanwhile."""
        monday, sunday = week_of(sounding.start.astimezone(self._zone).date())
        self._week(monday, sunday).append(sounding)

    def _places(self) -> list[str]:
        if self._villages is None:
            self._villages = [village.path for village in villages(self._session)]
        return self._villages

    def _week(self, monday: date, sunday: date) -> list[Sounding]:
        if monday not in self._heard:
            since, until = (
                datetime.combine(day, time(), tzinfo=self._zone) for day in (monday, sunday + timedelta(days=1))
            )
            self._heard[monday] = heard(self._session, since, until)
        return self._heard[monday]
