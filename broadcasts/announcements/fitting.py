"""Whether a wished time fits: quiet hours, what else is planned, and which time would be free."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.models import When
from broadcasts.announcements.timing import Busy, Noise
from broadcasts.delivery.quiet import MINUTES_A_DAY, QuietHours

STEP = 5
"""Free times are looked for every so many minutes."""


class Verdict(StrEnum):
    """What is to be said about a time."""

    FREE = "free"
    QUIET = "quiet"
    CLASH = "clash"
    PAST = "past"
    OVER = "over"
    """A daily item whose last day is over before it ever comes."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Fit:
    """A wished time and what stands against it; `mark` is its minute of the local day `day`."""

    verdict: Verdict
    start: datetime | None
    day: date
    days_ahead: int
    mark: int | None
    quiet: tuple[tuple[int, int], ...]
    busy: tuple[Busy, ...]
    hushed: tuple[int, int] | None = None
    """The quiet hours it touches, as minutes of the day."""
    clash: Busy | None = None
    free: datetime | None = None
    free_days_ahead: int = 0
    noise: Noise | None = None
    """How much the loudest village would hear with it; None for text messages."""
    calm: datetime | None = None
    """A time on another day that would keep to the limits, where this one does not."""
    calm_days_ahead: int = 0


def first_time(draft: Draft, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Return when it is heard first, were it approved at once; None when no time is chosen or none is left."""
    match draft.when:
        case When.NOW:
            return now
        case When.ONCE:
            return draft.at
        case When.DAILY:
            return _first_daily(draft, zone, now)
        case When.CALLED:
            return None


def _first_daily(draft: Draft, zone: ZoneInfo, now: datetime) -> datetime | None:
    if not draft.daily_at:
        return None
    today = now.astimezone(zone).date()
    day = max(today, draft.first_day or today)
    first = datetime.combine(day, time.fromisoformat(draft.daily_at), tzinfo=zone)
    if first <= now:
        first += timedelta(days=1)
    over = draft.last_day is not None and first.date() > draft.last_day
    return None if over else first.astimezone(UTC)


def day_of(draft: Draft, zone: ZoneInfo, now: datetime) -> date:
    """Return the local day that the time bar shows."""
    start = first_time(draft, zone, now)
    return (start or now).astimezone(zone).date()


def fit(draft: Draft, busy: Sequence[Busy], ms: int, *, quiet: QuietHours, now: datetime) -> Fit:
    """Judge a wished time. `busy` is what is planned on `day_of` it; `ms` is how long it sounds."""
    zone = quiet.zone
    start = first_time(draft, zone, now)
    day = day_of(draft, zone, now)
    seconds = ms / 1000
    found = Fit(
        verdict=_verdict(draft, start, now),
        start=start,
        day=day,
        days_ahead=_ahead(start, zone, now),
        mark=_minute(start, zone) if start else None,
        quiet=tuple(quiet.as_day()),
        busy=tuple(busy),
    )
    if start is None or found.verdict is not Verdict.FREE or not draft.audience.speakers:
        return found
    free = _free(start, seconds, day, busy, quiet)
    free_ahead = _ahead(free, zone, now)
    if quiet.touches(start, seconds):
        hushed = _hushed(start, seconds, quiet)
        return replace(found, verdict=Verdict.QUIET, hushed=hushed, free=free, free_days_ahead=free_ahead)
    clash = _clash(_minute(start, zone), seconds, busy)
    if clash is not None and draft.when is not When.NOW:
        return replace(found, verdict=Verdict.CLASH, clash=clash, free=free, free_days_ahead=free_ahead)
    return found


def calmer(found: Fit, draft: Draft, ms: int, day: date, busy: Sequence[Busy], quiet: QuietHours) -> datetime | None:
    """Return the same time of another day, or the next free one after it, without asking about noise."""
    if found.start is None:
        return None
    local = found.start.astimezone(quiet.zone)
    start = datetime.combine(day, local.time(), tzinfo=quiet.zone)
    free = _free(start, ms / 1000, day, busy, quiet)
    return free if free is not None and free.astimezone(quiet.zone).date() == day else None


def _verdict(draft: Draft, start: datetime | None, now: datetime) -> Verdict:
    if start is None:
        return Verdict.OVER if draft.when is When.DAILY and draft.daily_at else Verdict.MISSING
    return Verdict.PAST if start < now else Verdict.FREE


def _ahead(moment: datetime | None, zone: ZoneInfo, now: datetime) -> int:
    return (moment.astimezone(zone).date() - now.astimezone(zone).date()).days if moment else 0


def _minute(moment: datetime, zone: ZoneInfo) -> int:
    local = moment.astimezone(zone)
    return local.hour * 60 + local.minute


def _hushed(start: datetime, seconds: float, quiet: QuietHours) -> tuple[int, int] | None:
    first = _minute(start, quiet.zone)
    for minute in (m % MINUTES_A_DAY for m in range(first, first + int(seconds // 60) + 2)):
        for a, b in quiet.ranges:
            if a <= minute < b if a <= b else minute >= a or minute < b:
                return a, b
    return None


def _clash(minute: int, seconds: float, busy: Sequence[Busy]) -> Busy | None:
    end = minute + max(1, -int(-seconds // 60))
    return next((b for b in busy if b.start_minute < end and minute < b.end_minute), None)


def _free(start: datetime, seconds: float, day: date, busy: Sequence[Busy], quiet: QuietHours) -> datetime | None:
    """Return the first time from `start` on that is neither quiet nor taken; beyond `day` only quiet is known."""
    local = start.astimezone(quiet.zone).replace(second=0, microsecond=0)
    local += timedelta(minutes=-local.minute % STEP)
    while local.date() == day:
        if not quiet.touches(local, seconds) and _clash(_minute(local, quiet.zone), seconds, busy) is None:
            return local.astimezone(UTC)
        local += timedelta(minutes=STEP)
    return quiet.next_free(local, seconds)
