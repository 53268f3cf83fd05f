"""Arm an emergency, cancel it in the countdown, fire it, stop it."""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import Hazard, Words
from broadcasts.alerts.models import Alert, AlertState, Colour
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from hub.audit import log
from hub.core.actor import Actor, Permission, Scope
from hub.core.db import Sessions, like_below
from hub.core.errors import NotFound, WrongState
from hub.regions import service as regions
from hub.regions.tree import common

logger = logging.getLogger(__name__)
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What the officer chose and confirmed. `speakers_typed` is the number they typed after reading it."""

    form_key: str
    hazard: Hazard
    colour: Colour
    words: Words
    audience: Audience
    speakers_typed: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """The recording, or none when every speech engine failed: then the text messages go alone."""

    sound: Sound | None
    engine: str


def arm(
    session: Session,
    actor: Actor,
    wish: Wish,
    spoken: Spoken,
    *,
    rules: Rules,
    now: datetime,
) -> Alert:
    """Start the countdown. The same form sent twice arms once; a reach that changed meanwhile arms nothing."""
    existing = session.scalar(select(Alert).where(Alert.form_key == wish.form_key))
    if existing is not None:
        if existing.armed_by != actor.id:
            raise NotFound("alert_unknown")
        return existing
    regions.require_known(session, wish.audience.regions)
    audience = wish.audience.checked()
    for path in audience.paths:
        actor.require(Permission.EMERGENCY, path)
    reach = orders.meant(session, audience.paths)
    if reach != wish.speakers_typed:
        raise WrongState("alert_reach_differs", typed=wish.speakers_typed, reach=reach)
    if actor.id is None:
        raise NotFound("alert_unknown")
    alert = Alert(
        form_key=wish.form_key,
        hazard=wish.hazard.key,
        colour=wish.colour,
        title=f"{wish.hazard.name}·{_COLOUR_WORD[wish.colour]}",
        text=wish.words.speech,
        sms_text=wish.words.sms,
        audience=audience.as_json(),
        home_path=common(list(audience.paths)),
        speakers_confirmed=reach,
        audio_sha256=spoken.sound.sha256 if spoken.sound else "",
        audio_ms=spoken.sound.ms if spoken.sound else 0,
        audio_bytes=spoken.sound.bytes if spoken.sound else 0,
        engine=spoken.engine,
        armed_at=now,
        fires_at=now + rules.countdown,
        expires_at=now + rules.countdown + rules.emergency_valid,
        armed_by=actor.id,
        armed_by_name=actor.name,
    )
    session.add(alert)
    session.flush()
    _record(session, actor, "alert.arm", alert, now)
    return alert


_COLOUR_WORD = {Colour.RED: "红色", Colour.ORANGE: "橙色", Colour.YELLOW: "黄色", Colour.BLUE: "蓝色"}


def cancel(session: Session, actor: Actor, alert_id: UUID, *, now: datetime) -> Alert:
    """Call it off in the countdown: nothing has been sent. Too late is said plainly; then it has to be stopped."""
    alert = get(session, actor, alert_id)
    actor.require(Permission.EMERGENCY, alert.home_path)
    won = session.scalar(
        update(Alert)
        .where(Alert.id == alert.id, Alert.state == AlertState.ARMED)
        .values(state=AlertState.CANCELLED, ended_at=now, ended_by_name=actor.name)
        .returning(Alert.id)
    )
    if won is None:
        if alert.state is AlertState.CANCELLED:
            return alert
        raise WrongState("alert_fired_already")
    session.refresh(alert)
    _record(session, actor, "alert.cancel", alert, now)
    return alert


def fire_due(sessions: Sessions, *, rules: Rules, now: datetime) -> int:
    """Fire every armed alert whose countdown is over, each in a unit of work of its own; return how many."""
    with sessions.read() as session:
        due = session.scalars(
            select(Alert.id).where(Alert.state == AlertState.ARMED, Alert.fires_at <= now).order_by(Alert.fires_at)
        ).all()
    fired = 0
    for alert_id in due:
        with sessions.begin() as session:
            fired += _fire(session, alert_id, rules, now)
    return fired


def _fire(session: Session, alert_id: UUID, rules: Rules, now: datetime) -> bool:
    claimed = session.scalar(
        update(Alert)
        .where(Alert.id == alert_id, Alert.state == AlertState.ARMED)
        .values(state=AlertState.FIRED, fired_at=now)
        .returning(Alert.id)
    )
    if claimed is None:
        return False
    alert = session.get_one(Alert, alert_id, populate_existing=True)
    # The person who armed it is who released it, whoever's thread counts down.
    scope = Scope(alert.home_path, frozenset({Permission.EMERGENCY}))
    officer = Actor(id=alert.armed_by, name=alert.armed_by_name, scopes=(scope,), via="system")
    broadcast = delivery.release(
        session,
        officer,
        delivery.Order(
            source=f"alert:{alert.id}",
            kind=Kind.EMERGENCY,
            title=alert.title,
            text=alert.text,
            sms_text=alert.sms_text,
            audience=Audience.from_json(alert.audience),
            home_path=alert.home_path,
            sound=Sound(alert.audio_sha256, alert.audio_ms, alert.audio_bytes) if alert.audio_sha256 else None,
            repeats=REPEATS,
            volume=100,
            starts_at=now,
            expires_at=alert.expires_at,
        ),
        rules=rules,
        now=now,
    )
    alert.broadcast_id = broadcast.id
    return True


def stop(session: Session, actor: Actor, alert_id: UUID, *, now: datetime) -> Alert:
    """Silence it, in the countdown or on air."""
    alert = get(session, actor, alert_id)
    actor.require(Permission.STOP, alert.home_path)
    if alert.state is AlertState.ARMED:
        return cancel(session, actor, alert_id, now=now)
    if alert.state is not AlertState.FIRED or alert.broadcast_id is None:
        return alert
    broadcast = session.get_one(Broadcast, alert.broadcast_id)
    if broadcast.state is BroadcastState.GOING:
        delivery.stop(session, actor, broadcast.id, now=now)
    alert.state = AlertState.STOPPED
    alert.ended_at, alert.ended_by_name = now, actor.name
    _record(session, actor, "alert.stop", alert, now)
    return alert


def get(session: Session, actor: Actor, alert_id: UUID) -> Alert:
    """Return an alert the actor may see; to a stranger it does not exist."""
    alert = session.get(Alert, alert_id)
    if alert is None or not actor.may(Permission.SEE, alert.home_path):
        raise NotFound("alert_unknown")
    return alert


def live(session: Session, actor: Actor) -> list[Alert]:
    """Return alerts in countdown or on air where the actor may see them."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return []
    query = (
        select(Alert)
        .outerjoin(Broadcast, Broadcast.id == Alert.broadcast_id)
        .where(
            or_(*(Alert.home_path.like(like_below(p)) for p in paths)),
            or_(Alert.state == AlertState.ARMED, Broadcast.state == BroadcastState.GOING),
        )
        .order_by(Alert.armed_at.desc())
    )
    return list(session.scalars(query))


def _record(session: Session, actor: Actor, deed: str, alert: Alert, now: datetime) -> None:
    log.record(
        session,
        actor,
        deed,
        f"alert:{alert.id}",
        alert.home_path,
        now,
        title=alert.title,
        speakers=alert.speakers_confirmed,
        engine=alert.engine,
    )
