"""What the emergency desk has to say on the overview."""

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts import service
from broadcasts.alerts.calling import answering
from broadcasts.alerts.calling.models import Errand
from broadcasts.alerts.incidents.models import Incident
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.delivery.desk import Countdown, Press, Pressing
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in, level_of

REPORTED_FOR = timedelta(hours=48)
"""So long the county sees on its overview that somebody went alone."""


def countdowns(session: Session, actor: Actor) -> list[Countdown]:
    """Return the emergencies that will sound in a moment where the actor may see them."""
    return [
        Countdown(alert.id, alert.title, alert.fires_at, alert.speakers_confirmed)
        for alert in service.live(session, actor)
        if alert.state is AlertState.ARMED
    ]


def pressing(session: Session, actor: Actor, now: datetime) -> list[Pressing]:
    """Return what emergencies ask of this person: a second pair of eyes, an answer, errands, a look afterwards."""
    return [
        *_waiting(session, actor),
        *_calls(session, actor),
        *_errands(session, actor),
        *_gone_alone(session, actor, now),
    ]


def _waiting(session: Session, actor: Actor) -> list[Pressing]:
    return [
        Pressing(Press.SECOND, alert.title, alert.armed_by_name, since=alert.armed_at, target=alert.id)
        for alert in service.live(session, actor)
        if alert.state is AlertState.PROPOSED
        and alert.armed_by != actor.id
        and service.may(actor, Permission.EMERGENCY, alert)
    ]


def _calls(session: Session, actor: Actor) -> list[Pressing]:
    found = answering.unanswered(session, actor)
    names = regions.names(session, {call.region_code for call, _ in found})
    return [
        Pressing(Press.ANSWER, alert.title, names.get(call.region_code, ""), since=call.opened_at, target=call.id)
        for call, alert in found
    ]


def _errands(session: Session, actor: Actor) -> list[Pressing]:
    paths = actor.paths(Permission.STOP)
    if not paths:
        return []
    rows = session.execute(
        select(Incident.id, Incident.title, func.count(), func.min(Errand.opened_at))
        .join(Errand, Errand.incident_id == Incident.id)
        .where(Errand.closed_at.is_(None), or_(*(Errand.region_path.like(like_below(path)) for path in paths)))
        .group_by(Incident.id, Incident.title)
    ).all()
    return [Pressing(Press.ERRANDS, title, count=n, since=since, target=key) for key, title, n, since in rows]


def _gone_alone(session: Session, actor: Actor, now: datetime) -> list[Pressing]:
    counties = [path for path in actor.paths(Permission.SEE_AUDIT) if level_of(codes_in(path)[-1]) is Level.COUNTY]
    if not counties:
        return []
    alerts = session.scalars(
        select(Alert).where(
            Alert.authority == Authority.BREAK_GLASS,
            Alert.confirmed_at > now - REPORTED_FOR,
            or_(*(Alert.home_path.like(like_below(path)) for path in counties)),
        )
    )
    return [
        Pressing(Press.ALONE, alert.title, alert.armed_by_name, since=alert.confirmed_at, target=alert.id)
        for alert in alerts
    ]
