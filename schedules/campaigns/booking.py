"""A campaign in the timetable: its plays are occurrences, sent ahead, sounded or missed like any other."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements.models import Announcement
from broadcasts.announcements.timing import Timetable
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.visibility import touches
from hub.core.actor import Actor, Permission, Scope
from schedules import almanac, noise, timetable
from schedules.calendar import Rhythm
from schedules.campaigns.models import Campaign, CampaignState, CampaignText
from schedules.campaigns.plan import Budget, Stretch, Taken
from schedules.models import Occurrence, OccurrenceState, Slot, SlotKind
from schedules.noise import Sounding

LATE_TOLERANCE = timedelta(minutes=15)
SMS_TOLERANCE = timedelta(hours=6)
"""A text message may come later in the day; a voice may not."""


def book(
    session: Session, announcement: Announcement, moments: Iterable[datetime], *, zone: ZoneInfo, now: datetime
) -> None:
    """Let an announcement go out at these moments, each once."""
    due = sorted(moments)
    if not due:
        return
    slot = _slot(session, announcement, due[-1], zone, now)
    known = set(session.scalars(select(Occurrence.due_at).where(Occurrence.slot_id == slot.id)))
    session.add_all(Occurrence(id=uuid7(), slot_id=slot.id, due_at=at) for at in due if at not in known)
    session.flush()


def _slot(session: Session, announcement: Announcement, last: datetime, zone: ZoneInfo, now: datetime) -> Slot:
    slot = session.scalar(select(Slot).where(Slot.announcement_id == announcement.id))
    if slot is None:
        tolerance = LATE_TOLERANCE if Audience.from_json(announcement.audience).speakers else SMS_TOLERANCE
        slot = Slot(
            announcement_id=announcement.id,
            kind=SlotKind.CAMPAIGN,
            home_path=announcement.home_path,
            rhythm=Rhythm.ONCE,
            zone=zone.key,
            late_tolerance_s=int(tolerance.total_seconds()),
            enabled=False,  # nothing is planned by a rule: all its moments are written at once
            planned_until=last,
            created_at=now,
        )
        session.add(slot)
        session.flush()
    slot.planned_until = max(slot.planned_until, last)
    return slot


def unbook(session: Session, campaign: Campaign, door: Timetable, now: datetime) -> None:
    """Take everything that is still to come out of the timetable."""
    for announcement_id in announcements_of(campaign):
        door.unbook(session, announcement_id, now)


def announcements_of(campaign: Campaign) -> list[UUID]:
    """Return the announcements that stand for its texts."""
    both = (key for text in campaign.texts for key in (text.announcement_id, text.sms_announcement_id))
    return [key for key in both if key is not None]


def taken(
    session: Session, paths: Sequence[str], *, first: date, last: date, rules: Rules, apart_from: UUID | None = None
) -> Taken:
    """Return what sounds already on loudspeakers below these paths in that time, and how much that is."""
    zone = rules.zone
    monday, sunday = noise.week_of(first)[0], noise.week_of(last)[1]
    since, until = (datetime.combine(day, time(), tzinfo=zone) for day in (monday, sunday + timedelta(days=1)))
    others = _texts_of_others(session, apart_from)
    stretches: list[Stretch] = []
    counts: dict[date, int] = {}
    soundings = noise.heard(session, since, until)
    for line in timetable.lines(session, _looking_at(paths), since=since, until=until, limit=timetable.MOST_LINES):
        if line.gone or not line.audience.speakers or not touches(line.audience.paths, paths):
            continue
        if line.state is OccurrenceState.PLANNED and line.kind is not SlotKind.SILENCE:
            soundings.append(Sounding(line.audience.paths, line.due_at, line.audio_ms, line.volume))
        stretches.append((line.due_at, line.due_at + timedelta(milliseconds=line.audio_ms)))
        if line.announcement_id in others:
            day = line.due_at.astimezone(zone).date()
            counts[day] = counts.get(day, 0) + 1
    days = almanac.load(session)
    hushed = frozenset(day for path in paths for day in days.of(path).quiet)
    return Taken(stretches, counts, hushed, _budget(session, soundings, paths, rules))


def _budget(session: Session, soundings: Sequence[Sounding], paths: Sequence[str], rules: Rules) -> Budget:
    """What is added sounds in every one of these villages alike, so the one that hears most says how much is left."""
    villages = [village.path for village in noise.villages(session, paths)]
    tally = noise.tally(soundings, villages, rules.zone)
    on_days: dict[date, float] = {}
    in_weeks: dict[date, float] = {}
    for village, day in tally.by_day:
        monday = noise.week_of(day)[0]
        on_days[day] = max(on_days.get(day, 0), tally.day(village, day))
        in_weeks[monday] = max(in_weeks.get(monday, 0), tally.week(village, day))
    return Budget(rules.daily_minutes, rules.weekly_minutes, on_days, in_weeks)


def _looking_at(paths: Sequence[str]) -> Actor:
    """Return somebody who sees these places alone: the rest of the county is not read."""
    sees = frozenset({Permission.SEE})
    return Actor(id=None, name="system", scopes=tuple(Scope(path, sees) for path in paths), via="system")


def _texts_of_others(session: Session, apart_from: UUID | None) -> set[UUID | None]:
    query = (
        select(CampaignText.announcement_id)
        .join(Campaign, Campaign.id == CampaignText.campaign_id)
        .where(CampaignText.announcement_id.is_not(None), Campaign.state == CampaignState.RUNNING)
    )
    if apart_from is not None:
        query = query.where(Campaign.id != apart_from)
    return set(session.scalars(query))
