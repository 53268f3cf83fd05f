"""What the campaign pages show, read in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session, selectinload

from broadcasts.announcements import choosing
from broadcasts.announcements.choosing import Branch
from broadcasts.announcements.sounding import order_for
from broadcasts.approvals import rounds
from broadcasts.approvals.rounds import Standing
from broadcasts.audience.selection import Audience
from broadcasts.delivery import records
from broadcasts.delivery.records import Places
from broadcasts.delivery.visibility import may_see, near
from broadcasts.sms.segments import Length, measure, signed
from broadcasts.studio import Studio
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput
from hub.regions import service as regions
from hub.residents.reach import Reach, reach_of
from schedules.calendar import Rhythm
from schedules.campaigns import progress, service
from schedules.campaigns.drafting import CampaignDraft, as_draft
from schedules.campaigns.models import Campaign, CampaignState
from schedules.campaigns.outlook import Desk, foresee, shortfall
from schedules.campaigns.outlook import outlook as foreseen
from schedules.campaigns.plan import Plan, Play
from schedules.campaigns.progress import Progress
from schedules.models import OccurrenceState, SlotKind
from schedules.timetable import Line

MOST = 200
BEFORE = (CampaignState.DRAFT, CampaignState.RETURNED, CampaignState.SUBMITTED)


class Tab(StrEnum):
    """Which campaigns a list shows."""

    NOW = "now"
    WAITING = "waiting"
    MINE = "mine"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class Row:
    """One campaign in a list."""

    campaign: Campaign
    over: bool
    own: bool
    places: Places
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a campaign would add, before it is agreed to. Minutes are for a village that hears all of it."""

    plan: Plan
    lengths_ms: tuple[int, ...]
    exact: bool
    most_minutes: float
    total_minutes: float
    budget: int
    texts: tuple[Length, ...]
    reach: Reach | None
    short: BadInput | None
    """Why it is heard less often than wanted; None while it is incomplete, or when it is not."""

    @property
    def moved(self) -> int:
        """Plays that wait some minutes because something else sounds."""
        return sum(play.moved for play in self.plan.plays)


@dataclass(frozen=True, slots=True)
class Detail:
    """One campaign with what may be done with it."""

    campaign: Campaign
    home: str
    places: Places
    over: bool
    own: bool
    standing: Standing
    may_edit: bool
    may_approve: bool
    may_stop: bool
    may_copy: bool
    outlook: Outlook | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form offers."""

    tree: tuple[Branch, ...]
    groups: list[str]


def rows(session: Session, actor: Actor, tab: Tab, *, today: date) -> list[Row]:
    """Return the campaigns of one list that touch the actor's part, those that end last first."""
    found = [c for c in _found(session, actor, tab, today) if _shown(actor, c)]
    places = records.places_of(session, [Audience.from_json(c.audience).regions for c in found])
    return [
        Row(
            campaign=c,
            over=is_over(c, today),
            own=c.written_by == actor.id,
            places=place,
            progress=progress.of(session, actor, c) if c.approved_at else None,
        )
        for c, place in zip(found, places, strict=True)
    ]


def page(
    session: Session, actor: Actor, *, states: Sequence[CampaignState], after: tuple[date, UUID] | None, limit: int
) -> list[Campaign]:
    """Return campaigns for programs, newest first."""
    query = select(Campaign).where(near(actor, Campaign.home_path), _not_others_drafts(actor))
    if states:
        query = query.where(Campaign.state.in_(states))
    query = query.order_by(Campaign.written_at.desc(), Campaign.id.desc()).options(selectinload(Campaign.texts))
    seen = [c for c in session.scalars(query) if _shown(actor, c)]
    start = next((n + 1 for n, c in enumerate(seen) if after and c.id == after[1]), 0)
    return seen[start : start + limit]


def is_over(campaign: Campaign, today: date) -> bool:
    """Whether its last day has gone by."""
    return campaign.last_day is not None and campaign.last_day < today


def detail(session: Session, actor: Actor, campaign_id: UUID, studio: Studio, *, desk: Desk, now: datetime) -> Detail:
    """Return one campaign."""
    c = service.get(session, actor, campaign_id)
    own = c.written_by == actor.id
    writes = service.may_write(actor, c)
    today = now.astimezone(desk.rules.zone).date()
    before = c.approved_at is None and c.state is not CampaignState.STOPPED
    places = records.places_of(session, [Audience.from_json(c.audience).regions])[0]
    standing = rounds.standing(session, actor, service.subject_of(session, c))
    return Detail(
        campaign=c,
        home=regions.full_name(session, c.home_path),
        places=places,
        over=is_over(c, today),
        own=own,
        may_edit=writes and c.state in (CampaignState.DRAFT, CampaignState.SUBMITTED, CampaignState.RETURNED),
        standing=standing,
        may_approve=c.state is CampaignState.SUBMITTED and not standing.refusal,
        may_stop=own or actor.may(Permission.STOP, c.home_path),
        may_copy=actor.may_somewhere(Permission.COMPOSE),
        outlook=outlook(session, studio, as_draft(c), desk, now, kept=c) if before else None,
        progress=progress.of(session, actor, c) if c.approved_at else None,
    )


def outlook(
    session: Session, studio: Studio, draft: CampaignDraft, desk: Desk, now: datetime, *, kept: Campaign | None = None
) -> Outlook:
    """Return what a draft would add; lengths are estimates until its recordings are there."""
    recorded = [t.audio_ms for t in kept.texts] if kept else []
    exact = bool(recorded) and all(recorded)
    lengths = recorded if exact else [studio.estimate_ms(order_for(studio, draft.spoken(w))) for w in draft.texts]
    found = foresee(session, draft, lengths, desk, now, but=kept.id if kept else None)
    minutes = found.minutes_a_day(lengths, desk.rules.zone)
    sms = desk.rules.sms
    texts = tuple(measure(signed(w.sms_text or w.text, sms.signature), sms.usual_counting) for w in draft.texts)
    paths = draft.audience.paths
    reach = reach_of(session, draft.audience.wanted, topic=draft.theme.value) if draft.sms_at and paths else None
    return Outlook(
        plan=found,
        lengths_ms=tuple(lengths),
        exact=exact,
        most_minutes=max(minutes.values(), default=0),
        total_minutes=sum(minutes.values()),
        budget=desk.rules.daily_minutes,
        texts=texts if draft.sms_at else (),
        reach=reach,
        short=shortfall(draft, found, desk.rules) if found.counted else None,
    )


def waiting_lines(
    session: Session, actor: Actor, *, since: datetime, until: datetime, desk: Desk, now: datetime
) -> list[tuple[UUID, Line]]:
    """Return when campaigns that wait for approval would sound, as the timetable shows it, each with its campaign."""
    query = select(Campaign).where(Campaign.state == CampaignState.SUBMITTED, near(actor, Campaign.home_path))
    return [
        (c.id, _line(c, play))
        for c in session.scalars(query.options(selectinload(Campaign.texts)).limit(MOST))
        if _shown(actor, c)
        for play in foreseen(session, c, desk, now).plays
        if since <= play.at < until
    ]


def _line(c: Campaign, play: Play) -> Line:
    text = c.texts[play.text]
    return Line(
        id=text.id,
        slot_id=text.id,
        due_at=play.at,
        kind=SlotKind.CAMPAIGN,
        announcement_id=None,
        sheet_id=None,
        title=text.title,
        home_path=c.home_path,
        audience=Audience.from_json(c.audience),
        written_by=c.written_by,
        audio_ms=text.audio_ms,
        volume=None,
        rhythm=Rhythm.ONCE,
        state=OccurrenceState.PLANNED,
        note="",
        fired_at=None,
        broadcast_id=None,
    )


def choice(session: Session, actor: Actor, draft: CampaignDraft) -> Choice:
    """Return what the form offers."""
    chosen = set(draft.audience.regions)
    return Choice(
        tree=choosing.tree(session, actor, chosen),
        groups=choosing.groups(session, actor, draft.audience.tags),
    )


def _shown(actor: Actor, c: Campaign) -> bool:
    if c.state is CampaignState.DRAFT and not service.may_write(actor, c):
        return False
    return may_see(actor, c.home_path, Audience.from_json(c.audience))


def _not_others_drafts(actor: Actor) -> ColumnElement[bool]:
    prepared = Campaign.occasion.is_not(None) if actor.may_somewhere(Permission.COMPOSE) else false()
    return or_(Campaign.state != CampaignState.DRAFT, Campaign.written_by == actor.id, prepared)


def _found(session: Session, actor: Actor, tab: Tab, today: date) -> list[Campaign]:
    over = and_(Campaign.last_day < today, Campaign.approved_at.is_not(None))
    ended = or_(Campaign.state == CampaignState.STOPPED, over)
    prepared = and_(Campaign.occasion.is_not(None), Campaign.state == CampaignState.DRAFT)
    mine = or_(Campaign.written_by == actor.id, prepared)
    wanted = {
        Tab.NOW: [Campaign.state.in_((CampaignState.RUNNING, CampaignState.PAUSED)), ~ended],
        Tab.WAITING: [Campaign.state == CampaignState.SUBMITTED],
        Tab.MINE: [mine, Campaign.state.in_(BEFORE)],
        Tab.PAST: [ended],
    }[tab]
    query = (
        select(Campaign)
        .where(near(actor, Campaign.home_path), _not_others_drafts(actor), *wanted)
        .options(selectinload(Campaign.texts))
        .order_by(Campaign.last_day.desc(), Campaign.id.desc())
        .limit(MOST)
    )
    return list(session.scalars(query))
