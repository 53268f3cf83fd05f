"""Figures village by village, counted from receipts and alarms in a few queries; a test recounts them by plain SQL."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.quiet import QuietHours
from broadcasts.kinds import Theme
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.reports.scoring import Metric
from hub.core.db import like_below
from hub.speakers.care.alarms import OFFLINE
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker, SpeakerState


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


def gather(session: Session, paths: Sequence[str], window: Window, quiet: QuietHours) -> Places:
    """Return figures by region path as rows carry them: villages and groups below one of `paths`."""
    found: Places = defaultdict(Figures)
    _speakers(session, paths, window, found)
    _plays(session, paths, window, quiet, found)
    return found


def _below(column: InstrumentedAttribute[str], paths: Sequence[str]) -> ColumnElement[bool]:
    return or_(*(column.like(like_below(path)) for path in paths))


def _speakers(session: Session, paths: Sequence[str], window: Window, found: Places) -> None:
    places = dict(
        session.execute(
            select(Speaker.id, Speaker.region_path).where(
                Speaker.state == SpeakerState.ACTIVE,
                _below(Speaker.region_path, paths),
                Speaker.enrolled_at < window.end,
                Speaker.drill.is_(False),
            )
        ).all()
    )
    for path in places.values():
        found[path].speakers += 1
        found[path].period_s = window.seconds
    lasting = and_(
        SpeakerAlarm.since < window.until, or_(SpeakerAlarm.ended_at.is_(None), SpeakerAlarm.ended_at > window.start)
    )
    offline: dict[str, float] = defaultdict(float)
    faulty = set()
    query = select(SpeakerAlarm.speaker_id, SpeakerAlarm.code, SpeakerAlarm.since, SpeakerAlarm.ended_at).where(
        lasting,
        _below(SpeakerAlarm.region_path, paths),
    )
    for speaker_id, code, since, ended_at in session.execute(query):
        if speaker_id not in places:
            continue
        if code == OFFLINE:
            span = min(ended_at or window.until, window.until) - max(since, window.start)
            offline[speaker_id] += max(span.total_seconds(), 0.0)
        else:
            faulty.add(speaker_id)
    for speaker_id, seconds in offline.items():
        figures = found[places[speaker_id]]
        figures.offline_s += min(seconds, window.seconds)
        figures.never_on += seconds >= window.seconds > 0
    for speaker_id in faulty:
        found[places[speaker_id]].faulty += 1


def _plays(session: Session, paths: Sequence[str], window: Window, quiet: QuietHours, found: Places) -> None:
    finished = func.sum(case((SpeakerDelivery.state == PlayState.FINISHED, 1), else_=0))
    heard_of = func.sum(case((SpeakerDelivery.received_at.is_not(None), 1), else_=0))
    query = (
        select(
            Broadcast.kind,
            Announcement.theme,
            SpeakerDelivery.region_path,
            func.count(),
            heard_of,
            finished,
            func.coalesce(func.sum(SpeakerDelivery.played_ms), 0),
            func.min(SpeakerDelivery.started_at),
        )
        .join(Broadcast, Broadcast.id == SpeakerDelivery.broadcast_id)
        .outerjoin(Announcement, Announcement.id == Broadcast.announcement_id)
        .where(
            Broadcast.released_at >= window.start,
            Broadcast.released_at < window.end,
            Broadcast.kind != Kind.DRILL,
            _below(SpeakerDelivery.region_path, paths),
        )
        .group_by(Broadcast.id, Broadcast.kind, Announcement.theme, SpeakerDelivery.region_path)
    )
    for kind, theme, path, meant, answered, done, played_ms, began in session.execute(query):
        figures = found[path]
        figures.meant += meant
        figures.answered += int(answered)
        figures.finished += int(done)
        figures.played_ms += int(played_ms)
        if began is None:
            continue
        figures.items += 1
        day = began.astimezone(quiet.zone).date()
        figures.by_day[day] = figures.by_day.get(day, 0) + 1
        if kind is Kind.EMERGENCY:
            figures.emergencies += 1
        else:
            figures.quiet += quiet.holds_at(began)
        if theme is not None:
            figures.themes[theme] = figures.themes.get(theme, 0) + 1


def approvals(session: Session, paths: Sequence[str], window: Window) -> dict[str, list[float]]:
    """Return the minutes from submission to approval, by the home of what was approved in the period."""
    waits: dict[str, list[float]] = defaultdict(list)
    query = select(Announcement.home_path, Announcement.submitted_at, Announcement.approved_at).where(
        Announcement.approved_at >= window.start,
        Announcement.approved_at < window.end,
        Announcement.submitted_at.is_not(None),
        _below(Announcement.home_path, paths),
    )
    for home, submitted_at, approved_at in session.execute(query):
        if submitted_at is not None and approved_at is not None:
            waits[home].append((approved_at - submitted_at).total_seconds() / 60)
    return waits
