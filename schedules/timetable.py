"""The timetable as it is read: what is planned, what will be, what became of what was."""

import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.announcements.timing import Busy, Noise, Timetable, Wanted
from broadcasts.audience.selection import Audience
from broadcasts.delivery.visibility import may_see, near, touches
from hub.core.actor import SYSTEM, Actor
from hub.regions.tree import codes_in
from schedules import almanac, noise
from schedules.booking import book, rule_of, unbook
from schedules.calendar import Rhythm, occurrences
from schedules.models import Occurrence, OccurrenceState, Slot, SlotKind
from schedules.noise import Limits, Outlook, Sounding

SECOND = timedelta(seconds=1)
MINUTE_MS = 60_000
MOST_LINES = 100_000
LIMITS = Limits(a_day=60, a_week=300)
CAMPAIGN_NEAR = timedelta(minutes=20)
OUTLOOK_LASTS = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timetable as people see it. `id` with `due_at` is a key; it may change once it is planned.

    It belongs to an announcement with a time of its own, or to a sheet.
    """

    id: UUID
    slot_id: UUID
    due_at: datetime
    kind: SlotKind
    announcement_id: UUID | None
    sheet_id: UUID | None
    title: str
    home_path: str
    audience: Audience
    written_by: UUID | None
    audio_ms: int
    volume: int | None
    rhythm: Rhythm
    state: OccurrenceState
    note: str
    fired_at: datetime | None
    broadcast_id: UUID | None

    @property
    def gone(self) -> bool:
        """Whether it will not sound, or did not."""
        return self.state not in (OccurrenceState.PLANNED, OccurrenceState.FIRED)


def lines(
    session: Session,
    actor: Actor,
    *,
    since: datetime,
    until: datetime,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 1000,
) -> list[Line]:
    """Return what is planned, went out or was missed in that time and touches what the actor may see, in order.

    `after` is the key of the last line of the page before. Beyond what has been planned ahead, the same arithmetic that
    plans says what will be.
    """
    found = [*_planned(session, actor, since, until), *_beyond(session, actor, since, until)]
    seen = sorted(
        (line for line in found if may_see(actor, line.home_path, line.audience)), key=lambda x: (x.due_at, x.id)
    )
    return [line for line in seen if after is None or (line.due_at, line.id) > after][:limit]


def _planned(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Line]:
    rows = session.execute(
        select(Occurrence, Slot, Announcement)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
        .where(Occurrence.due_at >= since, Occurrence.due_at < until, near(actor, Slot.home_path))
    )
    return [line_of(slot, announcement, o.due_at, o) for o, slot, announcement in rows]


def _beyond(session: Session, actor: Actor, since: datetime, until: datetime) -> list[Line]:
    rows = session.execute(
        select(Slot, Announcement)
        .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
        .where(Slot.enabled, Slot.planned_until < until, near(actor, Slot.home_path))
    ).all()
    days = almanac.load(session) if rows else almanac.Almanac()
    return [
        line_of(slot, announcement, due)
        for slot, announcement in rows
        for due in occurrences(rule_of(slot), max(slot.planned_until, since - SECOND), until, days.of(slot.home_path))
        if since <= due < until
    ]


def line_of(slot: Slot, a: Announcement | None, due_at: datetime, occurrence: Occurrence | None = None) -> Line:
    """Return a slot's occurrence as people see it; without a row of its own it is still to be planned."""
    ours = Occurrence(id=slot.id, state=OccurrenceState.PLANNED, note="", title="", audio_ms=0)
    o = occurrence or ours
    return Line(
        id=o.id,
        slot_id=slot.id,
        due_at=due_at,
        kind=slot.kind,
        announcement_id=slot.announcement_id,
        sheet_id=slot.sheet_id,
        title=a.title if a else o.title or slot.title,
        home_path=a.home_path if a else slot.home_path,
        audience=Audience.from_json(a.audience) if a else Audience((codes_in(slot.home_path)[-1],)),
        written_by=a.written_by if a else None,
        audio_ms=a.airtime_ms if a else o.audio_ms or slot.length_ms,
        volume=a.volume if a else slot.volume,
        rhythm=slot.rhythm,
        state=o.state,
        note=o.note,
        fired_at=o.fired_at,
        broadcast_id=o.broadcast_id if o.state is OccurrenceState.FIRED else None,
    )


def next_of(session: Session, announcement_id: UUID, now: datetime) -> datetime | None:
    """Return when an announcement comes next."""
    return session.scalar(
        select(Occurrence.due_at)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .where(
            Slot.announcement_id == announcement_id,
            Occurrence.state == OccurrenceState.PLANNED,
            Occurrence.due_at >= now,
        )
        .order_by(Occurrence.due_at)
        .limit(1)
    )


def busy_on(session: Session, paths: tuple[str, ...], day: date, *, zone: ZoneInfo) -> list[Busy]:
    """Return what is planned on a local day, however far ahead, on loudspeakers that also hang below one of `paths`."""
    start = datetime.combine(day, time(), tzinfo=zone)
    found = []
    for line in lines(session, SYSTEM, since=start, until=start + timedelta(days=1)):
        if line.gone or not line.audience.speakers or not touches(line.audience.paths, paths):
            continue
        local = line.due_at.astimezone(zone)
        minute = local.hour * 60 + local.minute
        found.append(Busy(minute, minute + max(1, round(line.audio_ms / 60000 + 0.5)), line.title, line.home_path))
    return found


def noise_with(session: Session, wanted: Wanted, *, zone: ZoneInfo, limits: Limits) -> Noise | None:
    """Return what the village that hears most would hear with something more; None where no village hears it."""
    day = wanted.start.astimezone(zone).date()
    monday = datetime.combine(day - timedelta(days=day.weekday()), time(), tzinfo=zone)
    sunday = monday + timedelta(days=7)
    places = noise.villages(session, wanted.paths)
    if not places:
        return None
    sound = noise.heard(session, monday, sunday)
    for line in lines(session, SYSTEM, since=monday, until=sunday, limit=MOST_LINES):
        if line.state is OccurrenceState.PLANNED and line.audience.speakers and line.kind is not SlotKind.SILENCE:
            sound.append(Sounding(line.audience.paths, line.due_at, line.audio_ms, line.volume))
    sound.append(Sounding(wanted.paths, wanted.start, wanted.ms, wanted.volume))
    tally = noise.tally(sound, [place.path for place in places], zone)
    worst = max(places, key=lambda p: (tally.day(p.path, day) > limits.a_day, tally.week(p.path, day)))
    return Noise(
        village=worst.name,
        day_minutes=math.ceil(tally.day(worst.path, day)),
        week_minutes=math.ceil(tally.week(worst.path, day)),
        day_limit=limits.a_day,
        week_limit=limits.a_week,
    )


def to_come(session: Session, since: datetime, until: datetime) -> list[Sounding]:
    """Return what is still to sound in that time, planned or not yet; campaigns left out, for they step back."""
    return [
        Sounding(line.audience.paths, line.due_at, line.audio_ms, line.volume)
        for line in lines(session, SYSTEM, since=since, until=until, limit=MOST_LINES)
        if line.state is OccurrenceState.PLANNED
        and line.audience.speakers
        and line.kind not in (SlotKind.SILENCE, SlotKind.CAMPAIGN)
    ]


def look_ahead(session: Session, outlook: Outlook, *, now: datetime, zone: ZoneInfo) -> bool:
    """Renew what the rest of the week will bring, if a campaign comes soon and it is old; return whether it was."""
    if not outlook.is_older_than(now - OUTLOOK_LASTS):
        return False
    near_ = (
        select(Occurrence.id)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .where(Occurrence.state == OccurrenceState.PLANNED, Slot.kind == SlotKind.CAMPAIGN)
        .where(Occurrence.due_at > now - OUTLOOK_LASTS, Occurrence.due_at <= now + CAMPAIGN_NEAR)
    )
    if session.scalar(near_.limit(1)) is None:
        return False
    outlook.renew(to_come(session, now, week_end(now + CAMPAIGN_NEAR, zone)), now)
    return True


def week_end(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return when the local week of a moment is over."""
    sunday = noise.week_of(moment.astimezone(zone).date())[1]
    return datetime.combine(sunday + timedelta(days=1), time(), tzinfo=zone)


def doors(zone: ZoneInfo, limits: Limits = LIMITS) -> Timetable:
    """Return the timetable as announcements know it."""

    def book_(session: Session, announcement: Announcement, now: datetime) -> None:
        book(session, announcement, now, zone=zone)

    def busy(session: Session, paths: tuple[str, ...], day: date) -> list[Busy]:
        return busy_on(session, paths, day, zone=zone)

    def noise_(session: Session, wanted: Wanted) -> Noise | None:
        return noise_with(session, wanted, zone=zone, limits=limits)

    return Timetable(book=book_, unbook=unbook, next_of=next_of, busy_on=busy, noise_with=noise_)
