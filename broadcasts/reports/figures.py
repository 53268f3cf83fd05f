"""Figures village by village, counted from receipts and alarms in a few queries; a test recounts them by plain SQL."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.quiet import QuietHours
from broadcasts.loudspeaker import summing
from broadcasts.loudspeaker.models import SpeakerDelivery, VillageSum
from broadcasts.reports import sums
from broadcasts.reports.counted import Figures, Places, Window, below
from hub.speakers.care.alarms import OFFLINE
from hub.speakers.care.models import SpeakerAlarm
from hub.speakers.models import Speaker, SpeakerState


def gather(session: Session, paths: Sequence[str], window: Window, quiet: QuietHours) -> Places:
    """Return figures by region path as rows carry them: villages and groups below one of `paths`."""
    found: Places = defaultdict(Figures)
    _speakers(session, paths, window, found)
    _plays(session, paths, window, quiet, found)
    return found


def _speakers(session: Session, paths: Sequence[str], window: Window, found: Places) -> None:
    places = dict(
        session.execute(
            select(Speaker.id, Speaker.region_path).where(
                Speaker.state == SpeakerState.ACTIVE,
                below(Speaker.region_path, paths),
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
        below(SpeakerAlarm.region_path, paths),
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
    """Count what was added up days ago, and beside it every receipt of what is younger."""
    sums.count(session, paths, window, quiet, found)
    young = select(Broadcast.id).where(
        Broadcast.released_at >= window.start,
        Broadcast.released_at < window.end,
        Broadcast.kind != Kind.DRILL,
        ~exists().where(VillageSum.broadcast_id == Broadcast.id),
    )
    about = (Broadcast.kind, Announcement.theme)
    # By the key of what is young: the database must not walk through years of receipts to find it.
    query = (
        select(*about, SpeakerDelivery.region_path, *summing.COUNTS)
        .join(Broadcast, Broadcast.id == SpeakerDelivery.broadcast_id)
        .outerjoin(Announcement, Announcement.id == Broadcast.announcement_id)
        .where(SpeakerDelivery.broadcast_id.in_(young), below(SpeakerDelivery.region_path, paths))
        .group_by(Broadcast.id, *about, SpeakerDelivery.region_path)
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
        below(Announcement.home_path, paths),
    )
    for home, submitted_at, approved_at in session.execute(query):
        if submitted_at is not None and approved_at is not None:
            waits[home].append((approved_at - submitted_at).total_seconds() / 60)
    return waits
