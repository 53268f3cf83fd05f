"""What a village's page shows: what really sounded there these days, what is true of it now, and nothing else.

Never drills, relays and shouts: nobody has read the words of a voice, and they may name people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.announcements.models import Announcement
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.progress import HEARD
from broadcasts.kinds import Act, Mode, Theme
from broadcasts.loudspeaker.models import SpeakerDelivery
from hub.core.db import like_below

LASTS = timedelta(days=3)
MOST = 30
IN_WORDS = (Kind.ROUTINE, Kind.EMERGENCY)
ENDS = (Act.CORRECTION, Act.ALL_CLEAR)


class Standing(StrEnum):
    """What is true of it now."""

    PLAIN = "plain"
    ACTIVE = "active"
    """An emergency that holds."""
    PAST = "past"
    CLEARED = "cleared"
    WITHDRAWN = "withdrawn"
    """It was wrong. Its own words are shown to nobody any more, only those that took it back."""
    STOPPED = "stopped"


Followers = Mapping[UUID, Sequence[Alert]]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that sounded. `ending` are the words that took it back or ended it."""

    id: UUID
    at: datetime
    title: str
    text: str
    audio: str
    standing: Standing
    ending: str = ""
    ending_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything on the page, the newest first; emergencies that hold stand apart."""

    active: Sequence[Item]
    items: Sequence[Item]

    @property
    def all(self) -> Sequence[Item]:
        """Both."""
        return [*self.active, *self.items]


def shown(session: Session, path: str, *, now: datetime) -> Shown:
    """Return what the page of the village at `path` shows."""
    sounded = _sounded(session, path, now)
    alerts = _alerts_of(session, [broadcast for broadcast, _ in sounded])
    endings = _endings_of(session, alerts)
    heard = {alert.id for alert in alerts.values()}
    items = []
    for broadcast, at in sounded:
        alert = alerts.get(broadcast.id)
        if alert is not None and alert.act in ENDS and alert.follows_id in heard:
            continue  # stands beside what it ends
        item = _item(broadcast, at, alert, endings, now)
        if item is not None:
            items.append(item)
    return Shown(
        [item for item in items if item.standing is Standing.ACTIVE],
        [item for item in items if item.standing is not Standing.ACTIVE],
    )


def _sounded(session: Session, path: str, now: datetime) -> list[tuple[Broadcast, datetime]]:
    first = func.min(func.coalesce(SpeakerDelivery.started_at, SpeakerDelivery.changed_at))
    lately = select(Broadcast.id).where(
        Broadcast.kind.in_(IN_WORDS), Broadcast.starts_at > now - LASTS, Broadcast.starts_at <= now
    )
    there = (
        select(SpeakerDelivery.broadcast_id, first.label("at"))
        .where(SpeakerDelivery.broadcast_id.in_(lately))  # a few out of millions, by the first part of the key
        .where(SpeakerDelivery.region_path.like(like_below(path)), HEARD)
        .group_by(SpeakerDelivery.broadcast_id)
        .subquery()
    )
    query = (
        select(Broadcast, there.c.at)
        .join(there, there.c.broadcast_id == Broadcast.id)
        .outerjoin(Announcement, Announcement.id == Broadcast.announcement_id)
        .where(or_(Announcement.id.is_(None), Announcement.theme != Theme.DRILL))
        .order_by(Broadcast.starts_at.desc(), Broadcast.id.desc())
        .limit(MOST)
    )
    return [(broadcast, at) for broadcast, at in session.execute(query)]


def _item(broadcast: Broadcast, at: datetime, alert: Alert | None, endings: Followers, now: datetime) -> Item | None:
    if broadcast.kind is Kind.ROUTINE:
        if broadcast.state is BroadcastState.STOPPED:
            return None  # somebody took it off the air: what was wrong with it is not repeated
        return Item(broadcast.id, at, broadcast.title, broadcast.text, broadcast.audio_sha256, Standing.PLAIN)
    standing, ending = _standing(broadcast, alert, endings, now)
    silent = standing in (Standing.WITHDRAWN, Standing.STOPPED)
    return Item(
        id=broadcast.id,
        at=at,
        title=broadcast.title,
        text="" if silent else broadcast.text,
        audio="" if silent else broadcast.audio_sha256,
        standing=standing,
        ending=ending.text if ending else "",
        ending_at=ending.fired_at if ending else None,
    )


def _standing(
    broadcast: Broadcast, alert: Alert | None, endings: Followers, now: datetime
) -> tuple[Standing, Alert | None]:
    if alert is None:
        over = broadcast.state is BroadcastState.STOPPED
        return (Standing.STOPPED if over else _while_valid(broadcast.expires_at, now)), None
    taken_back = _followed_by(alert, Act.CORRECTION, endings)
    if taken_back is not None:
        return Standing.WITHDRAWN, taken_back
    cleared = _followed_by(alert, Act.ALL_CLEAR, endings)
    if cleared is not None:
        return Standing.CLEARED, cleared
    if alert.act in ENDS or any(one.act is Act.UPDATE for one in endings.get(alert.id, [])):
        return Standing.PAST, None
    if broadcast.state is BroadcastState.STOPPED or alert.state is AlertState.STOPPED:
        return Standing.STOPPED, None
    return _while_valid(alert.expires_at, now), None


def _while_valid(until: datetime, now: datetime) -> Standing:
    return Standing.ACTIVE if until > now else Standing.PAST


def _followed_by(alert: Alert, act: Act, endings: Followers) -> Alert | None:
    """Return what took an alert back or ended it: the alert itself, or what brought it up to date."""
    for one in endings.get(alert.id, []):
        found = one if one.act is act else _followed_by(one, act, endings) if one.act is Act.UPDATE else None
        if found is not None:
            return found
    return None


def _alerts_of(session: Session, broadcasts: Sequence[Broadcast]) -> Mapping[UUID, Alert]:
    """Return the alert behind each broadcast of an emergency; `source` names it, also for those that came late."""
    by_alert: dict[UUID, list[UUID]] = {}
    for one in broadcasts:
        name = one.source.removeprefix("alert:")[:36]
        if one.source.startswith("alert:"):
            by_alert.setdefault(UUID(name), []).append(one.id)
    if not by_alert:
        return {}
    rows = session.scalars(select(Alert).where(Alert.id.in_(by_alert), Alert.mode == Mode.LIVE))
    return {broadcast_id: alert for alert in rows for broadcast_id in by_alert[alert.id]}


def _endings_of(session: Session, alerts: Mapping[UUID, Alert]) -> Followers:
    """Return what followed each alert, and what followed that: it was taken back, ended, or brought up to date."""
    found: dict[UUID, list[Alert]] = {}
    ids = {alert.id for alert in alerts.values()}
    while ids:
        rows = session.scalars(select(Alert).where(Alert.follows_id.in_(ids), Alert.broadcast_id.is_not(None))).all()
        for one in rows:
            if one.follows_id is not None:
                found.setdefault(one.follows_id, []).append(one)
        ids = {one.id for one in rows} - found.keys()
    return found
