"""The result sheet of a drill: how long each step took, what sounded, and what it comes to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts import ending, service
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.kinds import Act, Mode
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import NotFound

LATEST: Final = 50
BEGUN: Final = (Act.ALERT, Act.UPDATE)
# What a drill is worth: 40 for deciding quickly, 20 for the number at first try, 20 for loudspeakers that sounded in
# half a minute, 20 for ending it. Quickly is a minute from opening the desk to the press; after three there is none.
QUICK, SLOW = timedelta(seconds=60), timedelta(seconds=180)
FOR_DECIDING, FOR_NUMBER, FOR_SOUND, FOR_ENDING = 40, 20, 20, 20
EACH_MISTAKE: Final = 10
IN_TIME: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its key, when it happened, how long after the one before."""

    key: str
    at: datetime
    took: timedelta | None


@dataclass(frozen=True, slots=True)
class Points:
    """What the officer gets, part by part."""

    deciding: int
    number: int
    sound: int
    ending: int

    @property
    def all(self) -> int:
        """Of a hundred."""
        return self.deciding + self.number + self.sound + self.ending


@dataclass(frozen=True, slots=True)
class Sheet:
    """One drill and what it came to."""

    alert: Alert
    steps: tuple[Step, ...]
    meant: int
    sounded: int
    in_time: int
    points: Points | None
    """None while it has not been fired."""


def latest(session: Session, actor: Actor) -> list[Sheet]:
    """Return the drills the actor may see, the newest first."""
    paths = actor.paths(Permission.DRILL)
    if not paths:
        return []
    query = (
        select(Alert)
        .where(
            Alert.mode == Mode.DRILL,
            Alert.act.in_(BEGUN),
            or_(*(Alert.home_path.like(like_below(path)) for path in paths)),
        )
        .order_by(Alert.armed_at.desc())
        .limit(LATEST)
    )
    return [_sheet(session, alert) for alert in session.scalars(query)]


def between(session: Session, path: str, start: datetime, end: datetime) -> list[Sheet]:
    """Return the drills below a path that were begun in a period, oldest first. The caller has checked who asks."""
    query = (
        select(Alert)
        .where(
            Alert.mode == Mode.DRILL,
            Alert.act.in_(BEGUN),
            Alert.fired_at >= start,
            Alert.fired_at < end,
            Alert.home_path.like(like_below(path)),
        )
        .order_by(Alert.fired_at)
    )
    return [_sheet(session, alert) for alert in session.scalars(query)]


def sheet(session: Session, actor: Actor, alert_id: UUID) -> Sheet:
    """Return the result sheet of one drill."""
    alert = service.get(session, actor, alert_id)
    if alert.mode is not Mode.DRILL or alert.act not in BEGUN or not service.may(actor, Permission.DRILL, alert):
        raise NotFound("alert_unknown")
    return _sheet(session, alert)


def _sheet(session: Session, alert: Alert) -> Sheet:
    deliveries = SpeakerDelivery.broadcast_id == alert.broadcast_id
    sounded = SpeakerDelivery.started_at.is_not(None)
    in_time = SpeakerDelivery.started_at <= (alert.fired_at or alert.fires_at) + IN_TIME
    row = session.execute(
        select(
            func.count(),
            func.count().filter(sounded),
            func.count().filter(sounded, in_time),
            func.min(SpeakerDelivery.received_at),
            func.min(SpeakerDelivery.started_at),
            func.max(SpeakerDelivery.started_at),
        ).where(deliveries)
    ).one()
    sent_at = session.scalar(select(PlayOrder.sent_at).where(PlayOrder.broadcast_id == alert.broadcast_id))
    ended = _ended(session, alert)
    moments = [
        ("opened", alert.opened_at),
        ("pressed", alert.armed_at),
        ("fired", alert.fired_at),
        ("sent", sent_at),
        ("received", row[3]),
        ("first_sound", row[4]),
        ("last_sound", row[5]),
        (ended[0], ended[1]),
    ]
    points = _points(alert, row[0], row[2], ended=ended[0] in ("correction", "all_clear")) if alert.fired_at else None
    return Sheet(alert, _steps(moments), row[0], row[1], row[2], points)


def _ended(session: Session, alert: Alert) -> tuple[str, datetime | None]:
    for act, key in ending.TITLES.items():
        found = ending.ending_of(session, alert.id, act)
        if found is not None:
            return key, found.fired_at
    if alert.state in (AlertState.STOPPED, AlertState.CANCELLED):
        return alert.state.value, alert.ended_at
    return "", None


def _steps(moments: list[tuple[str, datetime | None]]) -> tuple[Step, ...]:
    found: list[Step] = []
    before: datetime | None = None
    for key, noted in moments:
        if noted is not None:
            # A loudspeaker's clock may run behind the hub's; no step comes before the one it waited for.
            at = max(noted, before or noted)
            found.append(Step(key, at, at - before if before is not None else None))
            before = at
    return tuple(found)


def _points(alert: Alert, meant: int, in_time: int, *, ended: bool) -> Points:
    took = alert.armed_at - alert.opened_at if alert.opened_at else SLOW
    quick = min(1.0, max(0.0, (SLOW - took) / (SLOW - QUICK)))
    return Points(
        deciding=round(FOR_DECIDING * quick),
        number=max(0, FOR_NUMBER - EACH_MISTAKE * alert.mistyped),
        sound=round(FOR_SOUND * in_time / meant) if meant else 0,
        ending=FOR_ENDING if ended else 0,
    )
