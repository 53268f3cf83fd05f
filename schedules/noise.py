"""How much villages have to hear: minutes times volume, over every source, each day and each week.

A minute at the usual volume counts one; at half the volume half. Announcements, relays, shouts and emergencies count.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast
from hub.regions.models import Region
from hub.regions.tree import Level, contains
from schedules.models import Occurrence, OccurrenceState, Slot, SlotKind

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


def planned(session: Session, since: datetime, until: datetime) -> list[Sounding]:
    """Return what is still to sound after a moment, campaigns left out: they step back for all the others."""
    rows = session.execute(
        select(Occurrence.due_at, Slot, Announcement)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
        .where(
            Occurrence.state == OccurrenceState.PLANNED,
            Occurrence.due_at > since,
            Occurrence.due_at < until,
            Slot.kind.not_in([SlotKind.CAMPAIGN, SlotKind.SILENCE]),
        )
    )
    found = []
    for due, slot, announcement in rows:
        audience = Audience.from_json(announcement.audience) if announcement else None
        if audience is None:
            found.append(Sounding((slot.home_path,), due, slot.length_ms, slot.volume))
        elif audience.speakers:
            found.append(Sounding(audience.paths, due, announcement.airtime_ms, announcement.volume))
    return found


Key = TypeVar("Key")


def stepping_back(
    campaigns: Iterable[tuple[Key, Sounding]], others: Tally, villages: Sequence[str], limits: Limits, zone: ZoneInfo
) -> set[Key]:
    """Return which plays of campaigns step back, taken in the order of time.

    A play does when some village would hear more than it should with it, with everything else of its day and of its
    week, and with the plays of campaigns before it.
    """
    added: dict[tuple[str, date], float] = defaultdict(float)
    back: set[Key] = set()
    for key, one in sorted(campaigns, key=lambda pair: pair[1].start):
        day, minutes = one.start.astimezone(zone).date(), one.minutes
        week = [week_of(day)[0] + timedelta(days=n) for n in range(7)]
        places = [v for v in villages if any(contains(p, v) or contains(v, p) for p in one.paths)]
        if any(
            others.day(v, day) + added[v, day] + minutes > limits.a_day
            or sum(others.day(v, d) + added[v, d] for d in week) + minutes > limits.a_week
            for v in places
        ):
            back.add(key)
            continue
        for village in places:
            added[village, day] += minutes
    return back


class Outlook:
    """What the days to come will bring, campaigns left out. Somebody renews it now and then, beside what fires.

    A new one knows nothing: then only what has been heard and the rest of the day count.
    """

    def __init__(self) -> None:
        self._kept: tuple[datetime | None, tuple[Sounding, ...]] = (None, ())

    def is_older_than(self, moment: datetime) -> bool:
        """Return whether it was made before a moment, or never."""
        made_at = self._kept[0]
        return made_at is None or made_at < moment

    def renew(self, soundings: Sequence[Sounding], now: datetime) -> None:
        """Keep what was found."""
        self._kept = (now, tuple(soundings))

    def after(self, day: date, zone: ZoneInfo) -> list[Sounding]:
        """Return what comes on later days of the week of a day."""
        sunday = week_of(day)[1]
        return [one for one in self._kept[1] if day < one.start.astimezone(zone).date() <= sunday]


class Ears:
    """What villages have heard and will hear in the week of a moment, to ask before a campaign adds to it.

    Read once it is asked. `after`: what is planned until then is being decided on just now. The rest of the day stands
    in the tables, the rest of the week in an outlook that is some minutes old at most: what fires does not wait for it.
    """

    def __init__(self, session: Session, limits: Limits, zone: ZoneInfo, after: datetime, outlook: Outlook) -> None:
        self._session, self._limits, self._zone, self._after = session, limits, zone, after
        self._outlook = outlook
        self._heard: dict[date, list[Sounding]] = {}
        self._planned: dict[date, list[Sounding]] = {}
        self._villages: list[str] | None = None

    def are_full(self, wanted: Sounding) -> bool:
        """Return whether some village would hear more than it should with that."""
        day = wanted.start.astimezone(self._zone).date()
        monday, sunday = week_of(day)
        places = [v for v in self._places() if any(contains(p, v) or contains(v, p) for p in wanted.paths)]
        others = tally([*self._week(monday, sunday), *self._rest_of(day)], places, self._zone)
        return bool(stepping_back([(0, wanted)], others, places, self._limits, self._zone))

    def hear(self, sounding: Sounding) -> None:
        """Note what goes out meanwhile."""
        monday, sunday = week_of(sounding.start.astimezone(self._zone).date())
        self._week(monday, sunday).append(sounding)

    def _places(self) -> list[str]:
        if self._villages is None:
            self._villages = [village.path for village in villages(self._session)]
        return self._villages

    def _rest_of(self, day: date) -> list[Sounding]:
        if day not in self._planned:
            over = datetime.combine(day + timedelta(days=1), time(), tzinfo=self._zone)
            later = self._outlook.after(day, self._zone)
            self._planned[day] = [*planned(self._session, self._after, over), *later]
        return self._planned[day]

    def _week(self, monday: date, sunday: date) -> list[Sounding]:
        if monday not in self._heard:
            since, until = (
                datetime.combine(day, time(), tzinfo=self._zone) for day in (monday, sunday + timedelta(days=1))
            )
            self._heard[monday] = heard(self._session, since, until)
        return self._heard[monday]
