"""The calendar of awareness days: look at it, check and move days, and make drafts in time."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.quiet import QuietHours
from broadcasts.kinds import Theme
from broadcasts.texts import shelf
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import Sessions
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound
from hub.regions import service as regions
from hub.regions.tree import codes_in, contains
from schedules.campaigns import forms
from schedules.campaigns import service as campaigns
from schedules.campaigns.drafting import CampaignDraft
from schedules.campaigns.models import Campaign
from schedules.models import CalendarDay, DayKind
from schedules.occasions.days import Occasion, Span, occasions, span
from schedules.occasions.models import OccasionChange, OccasionDesk

logger = logging.getLogger(__name__)
BACK, AHEAD = timedelta(days=3), timedelta(days=366)
LONGEST = timedelta(days=120)
PER_DAY = 0.7
"""The target of a draft, as a share of what its times would give: some loudspeaker is always away."""


@dataclass(frozen=True, slots=True)
class Line:
    """One occasion as it is in the reader's place. `checked_by` says who has settled its days there."""

    span: Span
    first_day: date
    last_day: date
    off: bool
    checked_by: str
    draft_id: UUID | None
    hushed: bool = False
    """Its days are kept as quiet days there."""

    @property
    def occasion(self) -> Occasion:
        """What it is."""
        return self.span.occasion

    @property
    def uncertain(self) -> bool:
        """Whether its days should be checked."""
        return not self.occasion.certain and not self.checked_by

    @property
    def draft_from(self) -> date:
        """The day from which a draft is made."""
        return self.first_day - timedelta(days=self.occasion.lead)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The page. `home` is the place it is shown for, `desk` who has drafts made there."""

    home_path: str
    home: str
    desk: OccasionDesk | None
    lines: tuple[Line, ...]


def calendar(session: Session, actor: Actor, *, today: date) -> Calendar:
    """Return the coming year's occasions as they are in the actor's place."""
    home = home_of(actor)
    return Calendar(
        home_path=home,
        home=regions.full_name(session, home, without_county=True) or regions.full_name(session, home),
        desk=session.get(OccasionDesk, home),
        lines=tuple(_lines(session, home, today)),
    )


def home_of(actor: Actor) -> str:
    """Return the place whose calendar somebody sees."""
    paths = actor.paths(Permission.COMPOSE) or actor.paths(Permission.SEE)
    if not paths:
        raise NotAllowed("not_allowed", permission=Permission.SEE.value)
    return paths[0]


def settle(
    session: Session, actor: Actor, ref: str, *, first_day: date | None, last_day: date | None, off: bool, now: datetime
) -> OccasionChange:
    """Note that its days are right there, or what they are, or that it is left out. Holds below the actor's place."""
    home = _writes_at(actor)
    found = find(ref)
    if first_day is None or last_day is None:
        raise BadInput("day_malformed", field="first_day")
    if last_day < first_day:
        raise BadInput("campaign_days_order", field="last_day")
    if last_day - first_day > LONGEST or abs(first_day - found.first_day) > LONGEST:
        raise BadInput("occasion_far", field="first_day", days=LONGEST.days)
    change = session.get(OccasionChange, (ref, home)) or OccasionChange(ref=ref, home_path=home)
    change.first_day, change.last_day, change.off = first_day, last_day, off
    change.changed_by_name, change.changed_at = actor.name, now
    session.add(change)
    session.flush()
    days = f"{first_day}..{last_day}"
    log.record(session, actor, "occasion.settle", f"occasion:{ref}", home, now, title=found.occasion.name, days=days)
    return change


def keep_drafts(session: Session, actor: Actor, *, on: bool, now: datetime) -> None:
    """Have drafts made ahead of every occasion in one's own place and name, or no longer."""
    home = _writes_at(actor)
    desk = session.get(OccasionDesk, home)
    if not on:
        if desk is not None:
            session.delete(desk)
            log.record(session, actor, "occasion.desk_off", f"region:{codes_in(home)[-1]}", home, now)
        return
    if actor.id is None:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    desk = desk or OccasionDesk(home_path=home)
    desk.account_id, desk.account_name, desk.since = actor.id, actor.name, now
    session.add(desk)
    session.flush()
    log.record(session, actor, "occasion.desk_on", f"region:{codes_in(home)[-1]}", home, now)


def hush(session: Session, actor: Actor, ref: str, *, today: date, now: datetime) -> int:
    """Keep the days of a quiet occasion as quiet days of the timetable; return how many are new."""
    home = _writes_at(actor)
    line = next((found for found in _lines(session, home, today) if found.span.ref == ref), None)
    if line is None or not line.occasion.quiet:
        raise NotFound("occasion_unknown")
    days = [line.first_day + timedelta(days=n) for n in range((line.last_day - line.first_day).days + 1)]
    known = set(session.scalars(_quiet_days(home)))
    new = [day for day in days if day not in known]
    name = line.occasion.name
    session.add_all(CalendarDay(day=day, kind=DayKind.QUIET, region_path=home, name=name) for day in new)
    session.flush()
    log.record(session, actor, "occasion.hush", f"occasion:{ref}", home, now, title=name, days=len(new))
    return len(new)


def draft(session: Session, actor: Actor, ref: str, *, today: date, now: datetime, quiet: QuietHours) -> Campaign:
    """Make the draft of an occasion now; the one that was made before if there is one of the actor's."""
    home = _writes_at(actor)
    line = next((found for found in _lines(session, home, today) if found.span.ref == ref), None)
    if line is None or not line.occasion.texts:
        raise NotFound("occasion_unknown")
    if line.draft_id is not None:
        return campaigns.get(session, actor, line.draft_id)
    return campaigns.create(session, actor, _draft(line, home, today, quiet), now=now, occasion=ref)


def prepare(sessions: Sessions, *, now: datetime, quiet: QuietHours) -> int:
    """Make every draft that is due in every place that wants them, each in a unit of work of its own."""
    today = now.astimezone(quiet.zone).date()
    with sessions.read() as session:
        homes = session.scalars(select(OccasionDesk.home_path).order_by(OccasionDesk.home_path)).all()
    return sum(_prepare(sessions, home, today, now, quiet) for home in homes)


def _prepare(sessions: Sessions, home: str, today: date, now: datetime, quiet: QuietHours) -> int:
    with sessions.read() as session:
        due = [line.span.ref for line in _lines(session, home, today) if _is_due(line, today)]
    made = 0
    for ref in due:
        try:
            with sessions.begin() as session:
                made += _make(session, home, ref, today, now, quiet)
        except IntegrityError:
            logger.info("another hub made the draft of %s", ref)
        except HubError as error:
            logger.warning("no draft of %s: %s", ref, error.code)
    return made


def _make(session: Session, home: str, ref: str, today: date, now: datetime, quiet: QuietHours) -> bool:
    desk = session.get(OccasionDesk, home, with_for_update=True)
    account = session.get(Account, desk.account_id) if desk else None
    if account is None or not account.active:
        return False
    actor = actor_for(session, account, origin="", via="calendar", now=now)
    line = next(found for found in _lines(session, home, today) if found.span.ref == ref)
    if line.draft_id is not None or not actor.may(Permission.COMPOSE, home):
        return False
    campaigns.create(session, actor, _draft(line, home, today, quiet), now=now, occasion=ref)
    return True


def _is_due(line: Line, today: date) -> bool:
    wanted = bool(line.occasion.texts) and not line.off and line.draft_id is None
    return wanted and line.draft_from <= today <= line.last_day


def _draft(line: Line, home: str, today: date, quiet: QuietHours) -> CampaignDraft:
    occasion = line.occasion
    texts = [text for key in occasion.texts if (text := shelf.find(key))]
    first = max(line.first_day, today)
    times = tuple(t for t in occasion.times if not quiet.holds_minute(int(t[:2]) * 60 + int(t[3:])))
    possible = ((line.last_day - first).days + 1) * max(1, len(times))
    return CampaignDraft(
        title=occasion.name,
        theme=texts[0].theme if texts else Theme.SAFETY,
        departments=occasion.departments,
        audience=Audience((codes_in(home)[-1],)),
        first_day=first,
        last_day=line.last_day,
        times=times,
        most_a_day=max(1, len(times)),
        target=max(1, round(possible * PER_DAY)),
        texts=tuple(forms.ready(text) for text in texts),
    )


def find(ref: str) -> Span:
    """Return an occasion of a year by its name."""
    key, _, year = ref.partition(":")
    known = occasions().get(key)
    if known is None or not year.isdigit() or len(year) != 4:
        raise NotFound("occasion_unknown")
    return span(known, int(year))


def _writes_at(actor: Actor) -> str:
    paths = actor.paths(Permission.COMPOSE)
    if not paths:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    return paths[0]


def _lines(session: Session, home: str, today: date) -> list[Line]:
    spans = [span(one, year) for one in occasions().values() for year in range(today.year - 1, today.year + 3)]
    changes = _changes(session, home)
    rows = session.execute(select(Campaign.occasion, Campaign.id).where(Campaign.home_path == home))
    drafts = {ref: campaign_id for ref, campaign_id in rows if ref}
    quiet = set(session.scalars(_quiet_days(home)))
    lines = [_line(one, changes.get(one.ref), drafts.get(one.ref), quiet) for one in spans]
    near = [line for line in lines if today - BACK <= line.last_day and line.first_day <= today + AHEAD]
    return sorted(near, key=lambda line: (line.first_day, line.occasion.key))


def _line(one: Span, change: OccasionChange | None, draft_id: UUID | None, quiet: set[date]) -> Line:
    first, last = (change.first_day, change.last_day) if change else (one.first_day, one.last_day)
    return Line(
        span=one,
        first_day=first,
        last_day=last,
        off=change.off if change else False,
        checked_by=change.changed_by_name if change else "",
        draft_id=draft_id,
        hushed=one.occasion.quiet and first in quiet,
    )


def _changes(session: Session, home: str) -> dict[str, OccasionChange]:
    """Return what was settled there or above; the nearest place decides."""
    rows = session.scalars(select(OccasionChange).where(_at_or_above(home))).all()
    return {row.ref: row for row in sorted(rows, key=lambda row: len(row.home_path)) if contains(row.home_path, home)}


def _at_or_above(home: str) -> ColumnElement[bool]:
    codes = codes_in(home)
    return OccasionChange.home_path.in_(["".join(f"{code}/" for code in codes[: n + 1]) for n in range(len(codes))])


def _quiet_days(home: str) -> Select[date]:
    codes = codes_in(home)
    above = ["", *("".join(f"{code}/" for code in codes[: n + 1]) for n in range(len(codes)))]
    return select(CalendarDay.day).where(
        CalendarDay.kind == DayKind.QUIET, or_(*(CalendarDay.region_path == path for path in above))
    )
