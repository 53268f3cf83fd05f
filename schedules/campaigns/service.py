"""Draft, submit, approve, pause, stop: the life of a campaign. Nothing of it is heard before a second person agreed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from uuid import UUID

from sqlalchemy import false, or_, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements.calling import Author, stand_ready
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement
from broadcasts.approvals import rounds
from broadcasts.approvals.lifecycle import State as AnnouncementState
from broadcasts.approvals.lifecycle import step as announcement_step
from broadcasts.approvals.models import Review
from broadcasts.approvals.rounds import Subject
from broadcasts.approvals.rules import Matter
from broadcasts.audience.selection import Audience
from broadcasts.delivery.visibility import may_see
from broadcasts.lexicon import service as lexicon
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import common
from schedules.campaigns import booking
from schedules.campaigns.drafting import CampaignDraft, as_draft, content_hash
from schedules.campaigns.models import Campaign, CampaignState, CampaignText, step
from schedules.campaigns.outlook import Desk, outlook, shortfall
from schedules.campaigns.plan import texting_days


def create(
    session: Session,
    actor: Actor,
    draft: CampaignDraft,
    *,
    now: datetime,
    campaign_id: UUID | None = None,
    occasion: str | None = None,
) -> Campaign:
    """Start a draft."""
    if actor.id is None or not actor.may_somewhere(Permission.COMPOSE):
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    campaign = Campaign(
        id=campaign_id or uuid7(),
        occasion=occasion,
        written_by=actor.id,
        written_by_name=actor.name,
        written_at=now,
        changed_at=now,
    )
    _fill(session, actor, campaign, draft)
    session.add(campaign)
    session.flush()
    _note(session, actor, "campaign.create", campaign, now)
    return campaign


def save(session: Session, actor: Actor, campaign_id: UUID, draft: CampaignDraft, *, now: datetime) -> Campaign:
    """Change one's own before it runs. What was submitted or returned becomes a draft again."""
    campaign = own(session, actor, campaign_id)
    if campaign.state not in (CampaignState.DRAFT, CampaignState.SUBMITTED, CampaignState.RETURNED):
        raise WrongState(f"campaign_{campaign.state.value}")
    campaign.written_by, campaign.written_by_name = actor.id or campaign.written_by, actor.name
    if draft.settled == as_draft(campaign):
        return campaign
    if campaign.state is not CampaignState.DRAFT:
        campaign.state = step(campaign.state, CampaignState.DRAFT)
    campaign.submitted_by = campaign.submitted_at = None
    campaign.submitted_by_name = campaign.content_hash = ""
    _fill(session, actor, campaign, draft)
    campaign.changed_at = now
    session.flush()
    return campaign


def submit(
    session: Session, actor: Actor, campaign_id: UUID, spoken: Mapping[UUID, Spoken], *, desk: Desk, now: datetime
) -> Campaign:
    """Hand it in with the recording of each text. Everything that would keep it from running is said now."""
    campaign = own(session, actor, campaign_id)
    check_draft(session, as_draft(campaign), desk, now)
    for text in campaign.texts:
        if text.id not in spoken:
            raise WrongState("campaign_changed_meanwhile")
        _take(text, spoken[text.id])
    campaign.state = step(campaign.state, CampaignState.SUBMITTED)
    foreseen = outlook(session, campaign, desk, now)
    if short := shortfall(as_draft(campaign), foreseen, desk.rules):
        raise short
    campaign.written_by, campaign.written_by_name = actor.id or campaign.written_by, actor.name
    campaign.submitted_by, campaign.submitted_by_name = actor.id, actor.name
    campaign.submitted_at = campaign.changed_at = now
    campaign.return_reason = ""
    campaign.content_hash = content_hash(campaign)
    rounds.begin(session, actor, subject_of(session, campaign), now=now)
    _note(session, actor, "campaign.submit", campaign, now)
    return campaign


def check_draft(session: Session, draft: CampaignDraft, desk: Desk, now: datetime) -> None:
    """Raise Problems with everything that keeps it from being submitted."""
    rules = desk.rules
    problems = draft.problems(
        today=now.astimezone(rules.zone).date(),
        quiet=rules.quiet,
        sms=rules.sms,
        watched=tuple(lexicon.watched_of(session)),
    )
    if not problems and not orders.meant(session, draft.audience.paths):
        problems = [BadInput("no_speaker_there", field="region")]
    if problems:
        raise Problems(problems)


def approve(
    session: Session,
    actor: Actor,
    campaign_id: UUID,
    *,
    seen_hash: str,
    desk: Desk,
    now: datetime,
    seen_step: int | None = None,
) -> Campaign:
    """Pass it on to the next reviewer, or let it run, as it was seen.

    Then every text becomes an approved announcement, with the verdicts of all, and its times stand in the timetable.
    """
    campaign = _for_review(session, actor, campaign_id)
    if seen_hash != campaign.content_hash or content_hash(campaign) != campaign.content_hash:
        raise WrongState("campaign_changed_meanwhile")
    verdicts = rounds.take_step(session, actor, subject_of(session, campaign), seen_step=seen_step, now=now)
    if not verdicts:
        return campaign
    campaign.state = step(campaign.state, CampaignState.RUNNING)
    campaign.approved_by, campaign.approved_by_name = actor.id, actor.name
    campaign.approved_at = campaign.changed_at = now
    _make_ready(session, actor, campaign, verdicts, now)
    if not _book(session, campaign, desk, now):
        raise WrongState("campaign_nothing_left")
    _note(session, actor, "campaign.approve", campaign, now)
    return campaign


def give_back(session: Session, actor: Actor, campaign_id: UUID, reason: str, *, now: datetime) -> Campaign:
    """Return it to its author, saying why."""
    campaign = _for_review(session, actor, campaign_id)
    reason = rounds.refuse(session, actor, subject_of(session, campaign), reason, now=now)
    campaign.state = step(campaign.state, CampaignState.RETURNED)
    campaign.return_reason = reason
    campaign.changed_at = now
    _note(session, actor, "campaign.return", campaign, now, reason=reason)
    return campaign


def pause(session: Session, actor: Actor, campaign_id: UUID, *, desk: Desk, now: datetime) -> Campaign:
    """Take what is still to come out of the timetable; it may go on later as it was approved."""
    campaign = _for_stopping(session, actor, campaign_id)
    campaign.state = step(campaign.state, CampaignState.PAUSED)
    campaign.changed_at = now
    booking.unbook(session, campaign, desk.timetable, now)
    _note(session, actor, "campaign.pause", campaign, now)
    return campaign


def resume(session: Session, actor: Actor, campaign_id: UUID, *, desk: Desk, now: datetime) -> Campaign:
    """Let a paused one go on with what is left of its period. Nothing in it has changed since it was approved."""
    campaign = _for_stopping(session, actor, campaign_id)
    if content_hash(campaign) != campaign.content_hash:
        raise WrongState("campaign_changed_meanwhile")
    rounds.require_passed(session, subject_of(session, campaign), "campaign_changed_meanwhile")
    campaign.state = step(campaign.state, CampaignState.RUNNING)
    campaign.changed_at = now
    if not _book(session, campaign, desk, now):
        raise WrongState("campaign_nothing_to_go_on")
    _note(session, actor, "campaign.resume", campaign, now)
    return campaign


def stop(session: Session, actor: Actor, campaign_id: UUID, *, desk: Desk, now: datetime) -> Campaign:
    """End it for good; its announcements are withdrawn. To be heard again it has to be approved again, as a copy."""
    campaign = _for_stopping(session, actor, campaign_id)
    campaign.state = step(campaign.state, CampaignState.STOPPED)
    campaign.stopped_at = campaign.changed_at = now
    for announcement_id in booking.announcements_of(campaign):
        announcement = session.get(Announcement, announcement_id, with_for_update=True)
        if announcement is not None and announcement.state is AnnouncementState.APPROVED:
            announcement.state = announcement_step(announcement.state, AnnouncementState.WITHDRAWN, what="announcement")
            announcement.changed_at = now
    booking.unbook(session, campaign, desk.timetable, now)
    _note(session, actor, "campaign.stop", campaign, now)
    return campaign


def copy(session: Session, actor: Actor, campaign_id: UUID, *, now: datetime) -> Campaign:
    """Start a new draft with its words, places and times; the days are for the writer to choose."""
    campaign = get(session, actor, campaign_id)
    draft = as_draft(campaign)
    mine = tuple(
        code
        for code, path in zip(draft.audience.regions, draft.audience.paths, strict=False)
        if actor.may(Permission.COMPOSE, path)
    )
    audience = replace(draft.audience, regions=mine)
    return create(session, actor, replace(draft, audience=audience, first_day=None, last_day=None), now=now)


def get(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    """Return one the actor may see: of their own part, or one that is heard there. Drafts only one's own."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or not may_see(actor, campaign.home_path, Audience.from_json(campaign.audience)):
        raise NotFound("campaign_unknown")
    if campaign.state is CampaignState.DRAFT and not may_write(actor, campaign):
        raise NotFound("campaign_unknown")
    return campaign


def own(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    """Return the actor's own, to be changed; another's is not theirs to change."""
    campaign = own_seen(session, actor, campaign_id)
    session.refresh(campaign, with_for_update=True)
    return campaign


def own_seen(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    """Return the actor's own, to be looked at."""
    campaign = get(session, actor, campaign_id)
    if not may_write(actor, campaign):
        raise NotAllowed("campaign_of_another")
    return campaign


def may_write(actor: Actor, campaign: Campaign) -> bool:
    """Whether it is the actor's to change: their own, or one the calendar has prepared for whoever takes it up."""
    prepared = campaign.occasion is not None and campaign.state is CampaignState.DRAFT
    return campaign.written_by == actor.id or (prepared and actor.may(Permission.COMPOSE, campaign.home_path))


def waiting(session: Session, actor: Actor) -> list[Subject]:
    """Return what waits for approval where the actor may approve."""
    mine = [Campaign.home_path.like(like_below(path)) for path in actor.paths(Permission.APPROVE)]
    query = select(Campaign).where(Campaign.state == CampaignState.SUBMITTED, or_(false(), *mine))
    return [_standing(one) for one in session.scalars(query)]


def count_waiting(session: Session, actor: Actor) -> int:
    """Return how many wait for this person's approval; one's own do not count."""
    return rounds.count_open(session, actor, waiting(session, actor))


def subject_of(session: Session, campaign: Campaign) -> Subject:
    """Return what a reviewer's verdict is about, with everything that shapes what people hear, for them to compare."""
    c = campaign
    codes = Audience.from_json(c.audience).regions
    names = regions.names(session, set(codes))
    content = {
        "title": c.title,
        "theme": c.theme.value,
        "departments": list(c.departments),
        "regions": [names.get(code, code) for code in codes],
        "audience": {key: value for key, value in c.audience.items() if key != "regions"},
        "first_day": str(c.first_day or ""),
        "last_day": str(c.last_day or ""),
        "times": list(c.times),
        "every_days": c.every_days,
        "most_a_day": c.most_a_day,
        "target": c.target,
        "repeats": c.repeats,
        "speed": c.speed,
        "sms_at": c.sms_at,
        **{f"text-{n}": f"{t.title}：{t.text}" for n, t in enumerate(c.texts, 1)},
        **{f"sms-{n}": t.sms_text for n, t in enumerate(c.texts, 1) if t.sms_text},
    }
    return replace(_standing(c), content=content)


def _standing(campaign: Campaign) -> Subject:
    c = campaign
    authors = frozenset(one for one in (c.written_by, c.submitted_by) if one is not None)
    return Subject(c.id, Matter.CAMPAIGN, c.title, c.home_path, authors, c.content_hash)


def _make_ready(session: Session, actor: Actor, campaign: Campaign, verdicts: Sequence[Review], now: datetime) -> None:
    draft = as_draft(campaign)
    author = Author(campaign.written_by, campaign.written_by_name, campaign.submitted_at or now)
    home = campaign.home_path
    for text, words in zip(campaign.texts, draft.texts, strict=True):
        spoken = draft.spoken(words)
        heard = stand_ready(session, actor, author, spoken, _spoken(text), verdicts=verdicts, home_path=home, now=now)
        text.announcement_id = heard.id
        if campaign.sms_at:
            texted = draft.texted(words)
            read = stand_ready(session, actor, author, texted, None, verdicts=verdicts, home_path=home, now=now)
            text.sms_announcement_id = read.id


def _book(session: Session, campaign: Campaign, desk: Desk, now: datetime) -> bool:
    zone = desk.rules.zone
    plays = outlook(session, campaign, desk, now).plays
    for n, text in enumerate(campaign.texts):
        if announcement := _approved(session, text.announcement_id):
            booking.book(session, announcement, [p.at for p in plays if p.text == n], zone=zone, now=now)
    texts = _book_texts(session, campaign, desk, now)
    return bool(plays) or texts


def _book_texts(session: Session, campaign: Campaign, desk: Desk, now: datetime) -> bool:
    period = as_draft(campaign).period
    if not campaign.sms_at or period is None:
        return False
    zone, booked = desk.rules.zone, False
    for text, day in zip(campaign.texts, texting_days(period, len(campaign.texts)), strict=False):
        at = datetime.combine(day, time.fromisoformat(campaign.sms_at), tzinfo=zone).astimezone(UTC)
        announcement = _approved(session, text.sms_announcement_id)
        if announcement is not None and at > now:
            booking.book(session, announcement, [at], zone=zone, now=now)
            booked = True
    return booked


def _approved(session: Session, announcement_id: UUID | None) -> Announcement | None:
    found = session.get(Announcement, announcement_id) if announcement_id else None
    return found if found is not None and found.state is AnnouncementState.APPROVED else None


def _spoken(text: CampaignText) -> Spoken:
    return Spoken(Sound(text.audio_sha256, text.audio_ms, text.audio_bytes), text.engine, text.spoken)


def _take(text: CampaignText, spoken: Spoken) -> None:
    text.audio_sha256, text.audio_ms, text.audio_bytes = spoken.sound.sha256, spoken.sound.ms, spoken.sound.bytes
    text.engine, text.spoken = spoken.engine, spoken.spoken


def _fill(session: Session, actor: Actor, campaign: Campaign, draft: CampaignDraft) -> None:
    settled = draft.settled
    regions.require_known(session, settled.audience.regions)
    paths = settled.audience.paths
    for path in paths:
        actor.require(Permission.COMPOSE, path)
    campaign.title, campaign.theme = settled.title, settled.theme
    campaign.departments = list(settled.departments)
    campaign.audience = settled.audience.as_json()
    campaign.home_path = common(list(paths)) or actor.paths(Permission.COMPOSE)[0]
    campaign.first_day, campaign.last_day = settled.first_day, settled.last_day
    campaign.times = list(settled.times)
    campaign.every_days, campaign.most_a_day = settled.every_days, settled.most_a_day
    campaign.target, campaign.repeats = settled.target, settled.repeats
    campaign.speed, campaign.sms_at = settled.speed, settled.sms_at
    campaign.texts = [
        CampaignText(
            id=uuid7(), position=n, title=w.title[:60], text=w.text, sms_text=w.sms_text, to_check=w.to_check[:100]
        )
        for n, w in enumerate(settled.texts)
    ]


def _for_review(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    campaign = get(session, actor, campaign_id)
    session.refresh(campaign, with_for_update=True)
    actor.require(Permission.APPROVE, campaign.home_path)
    if campaign.state is not CampaignState.SUBMITTED:
        raise WrongState(f"campaign_{campaign.state.value}")
    if actor.id in (campaign.submitted_by, campaign.written_by):
        raise NotAllowed("own_announcement")
    return campaign


def _for_stopping(session: Session, actor: Actor, campaign_id: UUID) -> Campaign:
    campaign = get(session, actor, campaign_id)
    session.refresh(campaign, with_for_update=True)
    if campaign.written_by != actor.id and not actor.may(Permission.STOP, campaign.home_path):
        raise NotAllowed("not_allowed", permission=Permission.STOP.value)
    return campaign


def _note(session: Session, actor: Actor, deed: str, campaign: Campaign, now: datetime, **details: object) -> None:
    subject = f"campaign:{campaign.id}"
    content = {"title": campaign.title, "content": campaign.content_hash} | details
    log.record(session, actor, deed, subject, campaign.home_path, now, **content)
