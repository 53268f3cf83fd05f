"""What announcements need of the timetable, which stands above them and plugs itself in here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement


@dataclass(frozen=True, slots=True)
class Busy:
    """Something already planned: local minutes of the day, and what it is."""

    start_minute: int
    end_minute: int
    title: str
    path: str


@dataclass(frozen=True, slots=True)
class Noise:
    """What the village that hears most would hear on a day and in its week with one thing more, in minutes."""

    village: str
    day_minutes: int
    week_minutes: int
    day_limit: int
    week_limit: int

    @property
    def is_over(self) -> bool:
        """Whether it would be too much."""
        return self.day_minutes > self.day_limit or self.week_minutes > self.week_limit


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something that would sound: below which paths, from when, how long, how loud (None: as usual)."""

    paths: tuple[str, ...]
    start: datetime
    ms: int
    volume: int | None


@dataclass(frozen=True)
class Timetable:
    """The doors of the timetable.

    `book` plans an approved announcement (ONCE or DAILY), `unbook` takes it out again and returns whether anything was
    still planned, `next_of` says when it comes next, `busy_on` lists what is planned on a local day below some paths.
    """

    book: Callable[[Session, Announcement, datetime], None]
    unbook: Callable[[Session, UUID, datetime], bool]
    next_of: Callable[[Session, UUID, datetime], datetime | None]
    busy_on: Callable[[Session, tuple[str, ...], date], list[Busy]]
    noise_with: Callable[[Session, Wanted], Noise | None]
    """None where no village hears it."""
