"""Draft, submit, approve, return, withdraw: the life of an announcement."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.announcements import filling, horns, playing, review, wording
from broadcasts.announcements.drafting import Draft, content_hash
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.fitting import first_time
from broadcasts.announcements.models import Announcement, When
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals.lifecycle import State, step
from broadcasts.approvals.models import Opinion
from broadcasts.approvals.rounds import Subject
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.lexicon import service as lexicon
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from broadcasts.relay.addresses import Relay
from broadcasts.speech.engine import Language
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import common


def create(
    session: Session, actor: Actor, draft: Draft, *, now: datetime, announcement_id: UUID | None = None
) -> Announcement:
    """Start a draft."""
    if actor.id is None or not actor.may_somewhere(Permission.COMPOSE):
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    announcement = Announcement(
        id=announcement_id or uuid7(),
        home_path=actor.paths(Permission.COMPOSE)[0],
        written_by=actor.id,
        written_by_name=actor.name,
        written_at=now,
        changed_at=now,
    )
    _fill(session, announcement, draft, actor)
    session.add(announcement)
    session.flush()
    _note(session, actor, "announcement.create", announcement, now)
    return announcement


def save(session: Session, actor: Actor, announcement_id: UUID, draft: Draft, *, now: datetime) -> Announcement:
    """Change a draft. Changing something submitted or returned makes it a draft again and voids what went before."""
    announcement = _own(session, actor, announcement_id)
    if draft.settled == as_draft(announcement):
        return announcement
    if announcement.state is State.APPROVED:
        raise WrongState("announcement_approved")  # taken back first, by `review.reopen`
    if announcement.state is not State.DRAFT:
        review.void(announcement)
    _fill(session, announcement, draft, actor)
    announcement.version += 1
    announcement.changed_at = now
    return announcement


def submit(
    session: Session, actor: Actor, announcement_id: UUID, spoken: Spoken | None, *, rules: Rules, now: datetime
) -> Announcement:
    """Hand it in for approval, together with the recording people will hear."""
    announcement = _own(session, actor, announcement_id)
    draft = as_draft(announcement)
    problems = draft.problems(now=now, today=now.astimezone(rules.zone).date())
    problems += playing.in_time(session, draft, rules.zone)
    problems += wording.unfit(draft, lexicon.watched_of(session))
    if problems:
        raise Problems(problems)
    if first_time(draft, rules.zone, now) is None:
        raise BadInput("daily_over", field="last_day")
    if draft.speaks and spoken is None:
        raise BadInput("sound_missing", field="text")
    if draft.audience.speakers and not _reach(session, draft.audience) and not draft.audience.sms:
        raise BadInput("no_speaker_there", field="region")
    playing.require_playable(session, announcement, now, rules.zone)
    announcement.state = step(announcement.state, State.SUBMITTED, what="announcement")
    announcement.audience = draft.audience.checked().as_json()
    filling.take_sound(announcement, spoken)
    _check_quiet(announcement, rules, announcement.at or now)
    announcement.submitted_by, announcement.submitted_by_name = actor.id, actor.name
    announcement.submitted_at = announcement.changed_at = now
    announcement.return_reason = ""
    announcement.content_hash = content_hash(announcement)
    review.begin(session, actor, announcement, now=now)
    _note(
        session,
        actor,
        "announcement.submit",
        announcement,
        now,
        title=announcement.title,
        content=announcement.content_hash,
    )
    return announcement


def approve(
    session: Session,
    actor: Actor,
    announcement_id: UUID,
    *,
    rules: Rules,
    timetable: Timetable,
    now: datetime,
    seen_hash: str = "",
    seen_step: int | None = None,
) -> Broadcast | None:
    """Pass it on to the next reviewer, or let it go out, now or at its time. Never by who wrote or submitted it.

    `seen_hash` is the content the approver was looking at, `seen_step` how many had passed it then; if either changed
    meanwhile, nothing is approved. Returns the broadcast when it goes out at once.
    """
    announcement = get(session, actor, announcement_id)
    review.require_reviewer(actor, announcement)
    if seen_hash and seen_hash != announcement.content_hash:
        raise WrongState("announcement_changed_meanwhile")
    playing.require_playable(session, announcement, now, rules.zone)
    if not review.take_step(session, actor, announcement, seen_step=seen_step, now=now):
        return None
    announcement.state = step(announcement.state, State.APPROVED, what="announcement")
    announcement.approved_by, announcement.approved_by_name = actor.id, actor.name
    announcement.approved_at = announcement.changed_at = now
    _note(
        session,
        actor,
        "announcement.approve",
        announcement,
        now,
        title=announcement.title,
        content=announcement.content_hash,
    )
    if announcement.when is When.NOW:
        return release(session, actor, announcement, source="now", starts_at=now, rules=rules, now=now)
    first = first_time(as_draft(announcement), rules.zone, now)
    if first is None or first <= now:
        raise WrongState("time_past_approval")
    _check_quiet(announcement, rules, first)
    timetable.book(session, announcement, now)
    return None


def _reach(session: Session, audience: Audience) -> int:
    return orders.meant(session, audience.paths, only=audience.only, without=audience.without)


def give_back(session: Session, actor: Actor, announcement_id: UUID, reason: str, *, now: datetime) -> Announcement:
    """Return it to its author, saying why."""
    announcement = get(session, actor, announcement_id)
    review.require_reviewer(actor, announcement)
    reason = review.checked_reason(reason)
    review.refuse(session, actor, announcement, Opinion.RETURNED, reason, now=now)
    announcement.state = step(announcement.state, State.RETURNED, what="announcement")
    announcement.return_reason = reason
    announcement.changed_at = now
    _note(session, actor, "announcement.return", announcement, now, reason=reason)
    return announcement


def withdraw(
    session: Session, actor: Actor, announcement_id: UUID, *, timetable: Timetable, now: datetime
) -> Announcement:
    """Take it back for good; what is already sounding is stopped with `delivery.stop`, not with this."""
    announcement = get(session, actor, announcement_id)
    if announcement.written_by != actor.id and not actor.may(Permission.STOP, announcement.home_path):
        raise NotAllowed("not_allowed", permission=Permission.STOP.value)
    announcement.state = step(announcement.state, State.WITHDRAWN, what="announcement")
    announcement.changed_at = now
    timetable.unbook(session, announcement.id, now)
    _note(
        session,
        actor,
        "announcement.withdraw",
        announcement,
        now,
        title=announcement.title,
    )
    return announcement


def release(
    session: Session,
    actor: Actor,
    announcement: Announcement,
    *,
    source: str,
    starts_at: datetime,
    rules: Rules,
    now: datetime,
    broadcast_id: UUID | None = None,
    texts: bool = True,
) -> Broadcast:
    """Send an approved announcement out once; `source` names the occasion and can be used once only.

    `broadcast_id` is the id under which it was sent ahead. Without `texts` nobody gets a text message: it is too late.
    """
    order = order_for(
        session, announcement, source=source, starts_at=starts_at, rules=rules, now=now, broadcast_id=broadcast_id,
        texts=texts,
    )  # fmt: skip
    return delivery.release(session, actor, order, rules=rules, now=now)


def order_for(
    session: Session,
    announcement: Announcement,
    *,
    source: str,
    starts_at: datetime,
    rules: Rules,
    now: datetime,
    broadcast_id: UUID | None = None,
    texts: bool = True,
) -> delivery.Order:
    """Return what `release` sends out, if everybody who had to has passed exactly this; it counts as played."""
    if announcement.state is not State.APPROVED:
        raise WrongState(f"announcement_{announcement.state.value}")
    review.require_untouched(session, announcement)
    playing.require_playable(session, announcement, starts_at, rules.zone)
    playing.went_out(session, announcement, now)
    audience = Audience.from_json(announcement.audience)
    audience = replace(audience, sms=audience.sms and texts)
    has_sound = bool(announcement.audio_sha256)
    return delivery.Order(
        source=f"announcement:{announcement.id}:{source}",
        kind=Kind.RELAY if announcement.relay_url else Kind.ROUTINE,
        title=announcement.title,
        text=announcement.text,
        sms_text=as_draft(announcement).message,
        audience=audience,
        home_path=announcement.home_path,
        sound=Sound(announcement.audio_sha256, announcement.audio_ms, announcement.audio_bytes) if has_sound else None,
        repeats=announcement.repeats,
        volume=announcement.volume,
        starts_at=starts_at,
        expires_at=starts_at + rules.valid,
        approved_by_name=announcement.approved_by_name,
        announcement_id=announcement.id,
        topic=announcement.theme.value,
        texts_until=announcement.sms_until,
        broadcast_id=broadcast_id,
        stream_url=announcement.relay_url,
        length_ms=announcement.airtime_ms if announcement.relay_url else 0,
    )


def get(session: Session, actor: Actor, announcement_id: UUID) -> Announcement:
    """Return an announcement the actor may see; to a stranger it does not exist."""
    announcement = session.get(Announcement, announcement_id, with_for_update=True)
    if announcement is None or not actor.may(Permission.SEE, announcement.home_path):
        raise NotFound("announcement_unknown")
    return announcement


def waiting(session: Session, actor: Actor) -> list[Announcement]:
    """Return what waits for approval where the actor may approve, the most pressing first."""
    query = select(Announcement).where(Announcement.state == State.SUBMITTED, _within(actor, Permission.APPROVE))
    return list(session.scalars(query.order_by(func.coalesce(Announcement.at, Announcement.submitted_at))))


def subjects_waiting(session: Session, actor: Actor) -> list[Subject]:
    """Return the same as what a verdict is about."""
    return [review.subject_of(one) for one in waiting(session, actor)]


def count_waiting(session: Session, actor: Actor) -> int:
    """Return how many wait for this person's approval; what others have to look at does not count."""
    return review.count_open(session, actor, waiting(session, actor))


def as_draft(announcement: Announcement) -> Draft:
    """Return its fields as the form has them."""
    a = announcement
    origin, recording = playing.kept(a)
    return Draft(
        title=a.title,
        text=a.text,
        sms_text=a.sms_text,
        sms_until=a.sms_until,
        theme=a.theme,
        audience=Audience.from_json(a.audience),
        language=Language(a.voice or Language.MANDARIN),
        speed=a.speed,
        repeats=a.repeats,
        volume=a.volume,
        when=a.when,
        at=a.at,
        daily_at=a.daily_at,
        first_day=a.first_day,
        last_day=a.last_day,
        relay=Relay(a.relay_url, a.relay_minutes) if a.relay_url or a.relay_minutes else None,
        origin=origin,
        recording=recording,
        issuer=a.issuer,
        issuer_ref=a.issuer_ref,
    )


def _own(session: Session, actor: Actor, announcement_id: UUID) -> Announcement:
    announcement = get(session, actor, announcement_id)
    if announcement.written_by != actor.id:
        raise NotAllowed("announcement_of_another")
    return announcement


def _fill(session: Session, announcement: Announcement, draft: Draft, actor: Actor) -> None:
    regions.require_known(session, draft.audience.regions)
    audience = horns.settle(session, actor, draft.audience)
    paths = audience.paths
    for path in paths:
        actor.require(Permission.COMPOSE, path)
    home = common(list(paths)) or actor.paths(Permission.COMPOSE)[0]
    filling.fill(announcement, replace(draft, audience=audience).settled, home)


def _check_quiet(announcement: Announcement, rules: Rules, start: datetime) -> None:
    # For NOW the hour of approval counts, not that of submission; the release asks again in every case.
    if announcement.when is When.NOW or not announcement.airtime_ms:
        return
    if announcement.when is When.DAILY:
        hour, minute = (int(part) for part in announcement.daily_at.split(":"))
        start = start.astimezone(rules.zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    seconds = announcement.airtime_ms / 1000
    if rules.quiet.touches(start, seconds):
        free = rules.quiet.next_free(start, seconds)
        shown = free.astimezone(rules.zone).strftime("%H:%M") if free else ""
        raise BadInput("time_in_quiet_hours", field="at", free=shown)


def _within(actor: Actor, permission: Permission) -> ColumnElement[bool]:
    paths = actor.paths(permission)
    if not paths:
        return Announcement.id.is_(None)
    return or_(*(Announcement.home_path.like(like_below(path)) for path in paths))


def _note(session: Session, actor: Actor, deed: str, announcement: Announcement, now: datetime, **details: str) -> None:
    log.record(session, actor, deed, f"announcement:{announcement.id}", announcement.home_path, now, **details)
