"""How far an emergency has come: what the page shows while the villages are being woken."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts import confirming, ending, parts, service
from broadcasts.alerts.calling import listing as calling
from broadcasts.alerts.calling import telling
from broadcasts.alerts.calling.telling import Told
from broadcasts.alerts.ending import Ending
from broadcasts.alerts.forms import Choice, again
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act
from broadcasts.loudspeaker import listing
from broadcasts.loudspeaker.models import SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.outbox import SmsProgress
from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.models import Speaker

PATIENCE = timedelta(seconds=15)
"""A loudspeaker that is connected and makes no sound after that long counts as silent."""
MOST_IN_CHAIN = 20
MOST_NAMED = 4
"""So many places stand behind an emergency in a list."""
MOST_VILLAGES = 40
"""More villages than that are shown by township."""


class Phase(StrEnum):
    """What the page is about."""

    WAITING = "waiting"
    """For a second person."""
    COUNTING = "counting"
    LEAVING = "leaving"
    SOUNDING = "sounding"
    OVER = "over"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    MISSED = "missed"


@dataclass
class Line:
    """One village: loudspeakers meant, heard by now, sounding at this moment, and those no sound can be expected of."""

    name: str
    meant: int = 0
    heard: int = 0
    sounding: int = 0
    silent: int = 0
    offline: int = 0


@dataclass(frozen=True)
class Going:
    """One emergency as it stands."""

    alert: Alert
    phase: Phase
    left_s: float
    """Seconds left to call it off."""
    phones: int
    """Telephones meant; known before the first text message is written."""
    place: str
    villages: tuple[Line, ...]
    sms: SmsProgress | None
    ended_by: str
    ended_at: datetime | None
    choice: Choice
    may_stop: bool
    chain: tuple[Alert, ...]
    """What came before it and what followed, in order, itself included."""
    ending: Ending | None
    """Whom taking it back would reach now; None where that is not to be done."""
    reach: int
    """Loudspeakers it would sound on, while it waits for a second person."""
    alone_at: datetime | None
    """From when its author may send it alone, where that is allowed."""
    asked: tuple[Told, ...] = ()
    """Who was written to, to be the second person."""
    called: int = 0
    """Places whose people are called because of it."""
    answered: int = 0
    """Places of those where somebody has said that they know."""

    @property
    def meant(self) -> int:
        """Loudspeakers that are meant."""
        return sum(line.meant for line in self.villages)

    @property
    def heard(self) -> int:
        """Loudspeakers that have sounded."""
        return sum(line.heard for line in self.villages)

    @property
    def sounding(self) -> int:
        """Loudspeakers that sound right now."""
        return sum(line.sounding for line in self.villages)

    @property
    def offline(self) -> int:
        """Silent loudspeakers that are not connected."""
        return sum(line.offline for line in self.villages)

    @property
    def to_phone(self) -> tuple[Line, ...]:
        """Villages where somebody has to go by foot: they have silent loudspeakers."""
        return tuple(line for line in self.villages if line.silent)


def _asked(session: Session, alert: Alert, now: datetime) -> tuple[Told, ...]:
    if alert.state is not AlertState.PROPOSED:
        return ()
    return tuple(telling.told(session, alert.id, telling.confirmers(session, alert, now=now)))


def of(session: Session, actor: Actor, alert_id: UUID, *, rules: Rules, now: datetime) -> Going:
    """Return how far an alert is; to a stranger it does not exist."""
    alert = service.get(session, actor, alert_id)
    broadcast = session.get(Broadcast, alert.broadcast_id) if alert.broadcast_id else None
    audience = Audience.from_json(alert.audience)
    names = regions.names(session, set(audience.regions))
    by_broadcast = broadcast is not None and broadcast.stopped_at is not None
    called, answered = calling.answered(session, alert.id)
    return Going(
        alert=alert,
        phase=_phase(alert, broadcast, now, on_air=bool(parts.going(session, alert.id))),
        left_s=max(0.0, (alert.fires_at - now).total_seconds()),
        phones=outbox.reach(session, audience).emergency if audience.sms and broadcast is None else 0,
        place=" ".join(names.get(code, code) for code in audience.regions),
        villages=tuple(_lines(session, broadcast, now)) if broadcast else (),
        sms=outbox.progress(session, broadcast.id) if broadcast else None,
        ended_by=broadcast.stopped_by_name if broadcast and by_broadcast else alert.ended_by_name,
        ended_at=broadcast.stopped_at if broadcast and by_broadcast else alert.ended_at,
        choice=again(Choice(alert.hazard, alert.colour, sms=audience.sms), regions=audience.regions),
        may_stop=ending.may_end(actor, alert),
        chain=tuple(_chain(session, alert)),
        ending=_ending(session, actor, alert),
        reach=confirming.reach_of(session, alert, rules=rules, now=now) if alert.state is AlertState.PROPOSED else 0,
        alone_at=confirming.may_go_alone_at(alert, rules),
        asked=_asked(session, alert, now),
        called=called,
        answered=answered,
    )


def going_on(session: Session, actor: Actor) -> list[tuple[Alert, str]]:
    """Return what waits for somebody, counts down or sounds, each with the places it is meant for."""
    alerts = service.live(session, actor)
    meant = {alert.id: Audience.from_json(alert.audience).regions for alert in alerts}
    names = regions.names(session, {code for codes in meant.values() for code in codes})
    return [(alert, " ".join(names.get(code, code) for code in meant[alert.id][:MOST_NAMED])) for alert in alerts]


def _chain(session: Session, alert: Alert) -> list[Alert]:
    """Return the alerts that lead to this one and those that follow it."""
    first = alert
    seen = {alert.id}
    while first.follows_id is not None and first.follows_id not in seen:
        before = session.get(Alert, first.follows_id)
        if before is None:
            break
        first = before
        seen.add(first.id)
    found, heads = [first], [first.id]
    while heads and len(found) < MOST_IN_CHAIN:
        query = select(Alert).where(Alert.follows_id.in_(heads), Alert.id.not_in([a.id for a in found]))
        rows = session.scalars(query.order_by(Alert.armed_at)).all()
        found += rows
        heads = [row.id for row in rows]
    return sorted(found, key=lambda each: each.armed_at)


def _ending(session: Session, actor: Actor, alert: Alert) -> Ending | None:
    """Return whom it would reach to take it back, unless that was done already or may not be done by this person."""
    gone_out = alert.state in (AlertState.FIRED, AlertState.STOPPED) and alert.broadcast_id is not None
    if not gone_out or alert.act in ending.TITLES or not ending.may_end(actor, alert):
        return None
    if ending.ending_of(session, alert.id, Act.CORRECTION) is not None:
        return None
    return ending.outlook(session, alert)


def _phase(alert: Alert, broadcast: Broadcast | None, now: datetime, *, on_air: bool) -> Phase:
    if on_air:
        return Phase.SOUNDING
    match alert.state:
        case AlertState.PROPOSED:
            return Phase.WAITING
        case AlertState.ARMED:
            return Phase.COUNTING if now < alert.fires_at else Phase.LEAVING
        case AlertState.CANCELLED:
            return Phase.CANCELLED
        case AlertState.MISSED:
            return Phase.MISSED
        case AlertState.FIRED | AlertState.STOPPED:
            if broadcast is None:
                return Phase.LEAVING
            return {
                BroadcastState.GOING: Phase.SOUNDING,
                BroadcastState.DONE: Phase.OVER,
                BroadcastState.STOPPED: Phase.STOPPED,
            }[broadcast.state]


class _Row(NamedTuple):
    """So many loudspeakers of a place that are in the same state."""

    region_path: str
    state: PlayState
    online: bool
    started: bool
    number: int


def _lines(session: Session, broadcast: Broadcast, now: datetime) -> list[Line]:
    has_started = or_(SpeakerDelivery.started_at.is_not(None), SpeakerDelivery.state == PlayState.FINISHED)
    rows = session.execute(
        select(
            SpeakerDelivery.region_path,
            SpeakerDelivery.state,
            Speaker.online,
            has_started.label("started"),
            func.count().label("number"),
        )
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(SpeakerDelivery.broadcast_id == broadcast.id)
        .group_by(SpeakerDelivery.region_path, SpeakerDelivery.state, Speaker.online, has_started)
        .order_by(SpeakerDelivery.region_path)
    ).all()
    found = [_Row(*row) for row in rows] or [
        _Row(path, PlayState.QUEUED, online, False, number)
        for path, online, number in listing.foreseen(session, broadcast.id)
    ]
    depth = 3 if len({codes_in(row.region_path)[:3] for row in found}) <= MOST_VILLAGES else 2
    late = now - broadcast.starts_at > PATIENCE
    lines: dict[str, Line] = defaultdict(lambda: Line(""))
    for row in found:
        _add(lines[codes_in(row.region_path)[:depth][-1]], row, late)
    known = regions.names(session, set(lines))
    for code, line in lines.items():
        line.name = known.get(code, code)
    return list(lines.values())


def _add(line: Line, row: _Row, late: bool) -> None:
    heard = row.started or row.state in (PlayState.STARTED, PlayState.INTERRUPTED)
    line.meant += row.number
    line.heard += row.number if heard else 0
    line.sounding += row.number if row.state is PlayState.STARTED and row.online else 0
    if not heard and (late or not row.online or row.state in FINAL):
        line.silent += row.number
        line.offline += 0 if row.online else row.number
