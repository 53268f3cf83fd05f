"""What somebody should do something about, the greatest danger to life first."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.delivery.desk import Complaints, Countdown, Pressing, Programme, Waiting
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.progress import HEARD, numbers_of
from broadcasts.delivery.visibility import below, first_seen
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.sms.letters import inbox
from broadcasts.sms.models import SmsRun
from broadcasts.sms.states import RunState
from hub.core.actor import Actor, Permission
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.care import alarms, attention
from hub.speakers.models import Speaker, SpeakerState

RECENT = timedelta(hours=24)
OF_EACH = 3
"""So many villages and programmes are named one by one; the rest is counted."""


class Topic(StrEnum):
    """What it is about. The order of this list is the order on the page: what endangers life stands first.

    A hub that cannot reach loudspeakers or phones stands above approvals: nobody could be warned.
    """

    DANGER = "danger"
    DANGER_TAKEN = "danger_taken"
    """Somebody takes care of it, and it is not over."""
    CRY = "cry"
    """Words of danger that came by a village's page or over the counter."""
    CRY_TAKEN = "cry_taken"
    COUNTDOWN = "countdown"
    SECOND = "second"
    ANSWER = "answer"
    ERRANDS = "errands"
    ALONE = "alone"
    EMERGENCY = "emergency"
    REVIEW_LATE = "review_late"
    BROKER = "broker"
    TEXTS_PAUSED = "texts_paused"
    REVIEW_DUE = "review_due"
    WAITING = "waiting"
    COMPLAINTS = "complaints"
    BLACKOUT = "blackout"
    OFFLINE = "offline"
    OFFLINE_MORE = "offline_more"
    FAULT = "fault"
    FAULT_MORE = "fault_more"
    UNHEARD = "unheard"
    FIGURES = "figures"
    GAPS = "gaps"
    MISSED = "missed"
    MISSED_MORE = "missed_more"


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to do something about; what each field means depends on the topic, the template has the words."""

    topic: Topic
    name: str = ""
    place: str = ""
    count: int = 0
    total: int = 0
    since: datetime | None = None
    until: datetime | None = None
    note: str = ""
    target: UUID | str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What is already known and may need something to be done."""

    connected: bool
    waiting: Waiting
    countdowns: Sequence[Countdown]
    pressing: Sequence[Pressing]
    failed: Sequence[Programme]
    complaints: Complaints | None = None


def all_matters(session: Session, actor: Actor, source: Source, *, now: datetime) -> list[Matter]:
    """Return everything that concerns the actor's part of the tree, the most pressing first."""
    found = [
        *_danger(session, actor),
        *_complaints(source.complaints),
        *(
            Matter(Topic.COUNTDOWN, c.title, count=c.speakers, until=c.fires_at, target=c.alert_id)
            for c in source.countdowns
        ),
        *(
            Matter(
                Topic(p.press.value), p.name, count=p.count, note=p.who, since=p.since, until=p.until, target=p.target
            )
            for p in source.pressing
        ),
        *_unheard(session, actor, now),
        *_texts_paused(session, actor),
        *_waiting(source.waiting),
        *_loudspeakers(session, actor, now),
        *_missed(source.failed),
    ]
    if not source.connected:
        found.append(Matter(Topic.BROKER))
    order = list(Topic)
    return sorted(found, key=lambda matter: order.index(matter.topic))


def _complaints(complaints: Complaints | None) -> Iterator[Matter]:
    if complaints is None:
        return
    for cry in complaints.cries:
        topic = Topic.CRY_TAKEN if cry.taken_by else Topic.CRY
        yield Matter(topic, cry.text, cry.place, since=cry.at, note=cry.taken_by, target=cry.id)
    if complaints.new or complaints.late:
        yield Matter(Topic.COMPLAINTS, count=complaints.new, total=complaints.late)


def _danger(session: Session, actor: Actor) -> Iterator[Matter]:
    replies = inbox.inbox(session, actor, urgent=True)
    names = regions.names(session, {code for r in replies for code in codes_in(r.region_path)[-1:]})
    said = inbox.said(session, replies)
    for reply in replies:
        place = " ".join(names.get(code, code) for code in codes_in(reply.region_path)[-1:])
        if reply.acknowledged_at is None:
            yield Matter(
                Topic.DANGER, said[reply.id][:60], place, since=reply.received_at, note=reply.masked, target=reply.id
            )
        else:
            taken = reply.acknowledged_by_name
            yield Matter(
                Topic.DANGER_TAKEN, said[reply.id][:60], place, since=reply.acknowledged_at, note=taken, target=reply.id
            )


def _unheard(session: Session, actor: Actor, now: datetime) -> Iterator[Matter]:
    """Emergencies that some loudspeakers still owe, and anything of the last day that nobody heard at all."""
    somebody = exists().where(SpeakerDelivery.broadcast_id == Broadcast.id, below(actor, SpeakerDelivery.region_path))
    owing = (Broadcast.kind == Kind.EMERGENCY) & (Broadcast.state == BroadcastState.GOING)
    in_vain = (Broadcast.state == BroadcastState.DONE) & ~somebody.where(HEARD)
    query = (
        select(Broadcast)
        .where(Broadcast.starts_at > now - RECENT, Broadcast.starts_at <= now, Broadcast.speakers_meant > 0)
        .where(or_(owing, in_vain), somebody)
        .order_by(Broadcast.starts_at.desc())
    )
    recent = first_seen(session, actor, query, None)
    numbers = numbers_of(session, actor, [b.id for b in recent])
    for b in recent:
        n = numbers[b.id]
        if b.kind is Kind.EMERGENCY and b.state is BroadcastState.GOING:
            yield Matter(Topic.EMERGENCY, b.title, count=n.unheard, total=n.meant, until=b.expires_at, target=b.id)
        else:
            yield Matter(Topic.UNHEARD, b.title, count=n.meant, since=b.starts_at, target=b.id)


def _texts_paused(session: Session, actor: Actor) -> Iterator[Matter]:
    query = (
        select(Broadcast)
        .join(SmsRun, SmsRun.broadcast_id == Broadcast.id)
        .where(SmsRun.paused_reason != "", SmsRun.state.in_((RunState.EXPANDING, RunState.GOING)))
        .order_by(Broadcast.released_at.desc())
    )
    for b in first_seen(session, actor, query, None):
        if actor.may(Permission.STOP, b.home_path):
            yield Matter(Topic.TEXTS_PAUSED, b.title, since=b.released_at, target=b.id)


def _waiting(waiting: Waiting) -> Iterator[Matter]:
    if waiting.mine and waiting.count:
        yield Matter(
            Topic.WAITING, waiting.next_title, count=waiting.count, since=waiting.oldest_at, until=waiting.next_at
        )


def _loudspeakers(session: Session, actor: Actor, now: datetime) -> Iterator[Matter]:
    """What is wrong with loudspeakers, except what somebody knows of or has put off."""
    found = attention.lines(session, actor, now=now, all_=True)
    waiting = [line for line in found if not line.handled]
    together = [line for line in waiting if line.many]
    names = attention.names_of(session, waiting)
    for line in together:
        yield Matter(Topic.BLACKOUT, names[line.place], count=line.count, since=line.since, target=line.place)
    said = {speaker for line in (*together, *(line for line in found if line.handled)) for speaker in line.speakers}
    yield from _offline(session, actor, said)
    faults = [line for line in waiting if line.code != alarms.OFFLINE]
    for line in faults[:OF_EACH]:
        yield Matter(
            Topic.FAULT, line.name, names[line.place], since=line.since, note=line.code, target=line.speaker_id
        )
    if faults[OF_EACH:]:
        yield Matter(Topic.FAULT_MORE, count=len(faults) - OF_EACH)


def _offline(session: Session, actor: Actor, said: set[str]) -> Iterator[Matter]:
    """Villages with silent loudspeakers, apart from those of which something was said already."""
    seen = Speaker.state == SpeakerState.ACTIVE, ~Speaker.drill, below(actor, Speaker.region_path)
    totals: defaultdict[str, int] = defaultdict(int)
    for path, number in session.execute(
        select(Speaker.region_path, func.count()).where(*seen).group_by(Speaker.region_path)
    ):
        totals[codes_in(path)[:3][-1]] += number
    rows = session.execute(select(Speaker.id, Speaker.region_path, Speaker.online_since).where(*seen, ~Speaker.online))
    offline: defaultdict[str, int] = defaultdict(int)
    oldest: dict[str, datetime] = {}
    for speaker_id, path, since in rows:
        code = codes_in(path)[:3][-1]
        if speaker_id not in said:
            offline[code] += 1
            if since is not None:
                oldest[code] = min(since, oldest.get(code, since))
    worst = sorted(offline, key=lambda code: (-offline[code] / totals[code], -offline[code], code))
    names = regions.names(session, set(worst[:OF_EACH]))
    for code in worst[:OF_EACH]:
        yield Matter(
            Topic.OFFLINE, names[code], count=offline[code], total=totals[code], since=oldest.get(code), target=code
        )
    if worst[OF_EACH:]:
        rest = worst[OF_EACH:]
        yield Matter(Topic.OFFLINE_MORE, count=sum(offline[code] for code in rest), total=len(rest))


def _missed(failed: Sequence[Programme]) -> Iterator[Matter]:
    newest = sorted(failed, key=lambda p: p.due_at, reverse=True)
    for programme in newest[:OF_EACH]:
        yield Matter(Topic.MISSED, programme.title, since=programme.due_at, note=programme.note)
    if newest[OF_EACH:]:
        yield Matter(Topic.MISSED_MORE, count=len(newest) - OF_EACH)
