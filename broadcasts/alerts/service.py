"""Arm an emergency, cancel it in the countdown, fire it, stop it."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.alerts.hazards import Hazard, Words, slot_of, wording
from broadcasts.alerts.incidents import service as incidents
from broadcasts.alerts.incidents.models import SourceKind
from broadcasts.alerts.incidents.service import Event, Heard
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.orders import Sound
from broadcasts.sms import outbox
from hub.audit import log
from hub.core.actor import SYSTEM, Actor, Permission, Scope
from hub.core.db import Sessions, like_below
from hub.core.errors import BadInput, NotFound, Unavailable, WrongState
from hub.regions import service as regions
from hub.regions.tree import common
from hub.speakers.wire import WAKES, Severity

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


def armed_before(session: Session, actor: Actor, form_key: str) -> Alert | None:
    """Return what this very form has started already, None if it was not sent yet."""
    existing = session.scalar(select(Alert).where(Alert.form_key == form_key))
    if existing is not None and existing.armed_by != actor.id:
        raise NotFound("alert_unknown")
    return existing


def hushed(colour: Colour, rules: Rules, now: datetime) -> bool:
    """Return whether loudspeakers stay silent: in quiet hours only red and orange wake people.

    Loudspeakers themselves hold to the same rule, whatever a hub says.
    """
    return Severity(colour.value) not in WAKES and rules.quiet.holds_at(now + rules.countdown)


def check(session: Session, actor: Actor, wish: Wish, *, rules: Rules, now: datetime) -> int:
    """Return how many loudspeakers will sound; raise if it may not go out like this. Changes nothing."""
    regions.require_known(session, wish.audience.regions)
    audience = wish.audience.checked()
    for path in audience.paths:
        actor.require(Permission.EMERGENCY, path)
    reach = 0 if hushed(wish.colour, rules, now) else orders.meant(session, audience.paths)
    if reach != wish.speakers_typed:
        raise WrongState("alert_reach_differs", typed=wish.speakers_typed, reach=reach)
    if not reach and not (audience.sms and outbox.reach(session, audience).emergency):
        raise BadInput("alert_reaches_nobody", field="area")
    return reach


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
    existing = armed_before(session, actor, wish.form_key)
    if existing is not None:
        return existing
    reach = check(session, actor, wish, rules=rules, now=now)
    if spoken.sound is None and not wish.audience.sms:
        raise Unavailable("alert_has_no_sound")
    if actor.id is None:
        raise NotFound("alert_unknown")
    alert = _row(actor, actor.id, wish, spoken, reach=reach, rules=rules, now=now)
    try:
        with session.begin_nested():
            session.add(alert)
    except IntegrityError:  # the other press of the same button was quicker
        return session.scalars(select(Alert).where(Alert.form_key == wish.form_key, Alert.armed_by == actor.id)).one()
    alert.incident_id = incidents.open_or_join(
        session, event_of(alert), heard_of(alert), by_name=actor.name, now=now
    ).id
    _record(session, actor, "alert.arm", alert, now)
    return alert


def _row(actor: Actor, actor_id: UUID, wish: Wish, spoken: Spoken, *, reach: int, rules: Rules, now: datetime) -> Alert:
    audience = replace(wish.audience, speakers=not hushed(wish.colour, rules, now)).checked()
    return Alert(
        form_key=wish.form_key,
        hazard=wish.hazard.key,
        colour=wish.colour,
        title=wording().title_of(wish.hazard, wish.colour),
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
        armed_by=actor_id,
        armed_by_name=actor.name,
    )


def event_of(alert: Alert) -> Event:
    """Return what an alert is about, as its incident has it."""
    regions = Audience.from_json(alert.audience).regions
    return Event(alert.hazard, alert.colour, alert.title, regions, alert.mode)


def heard_of(alert: Alert) -> Heard:
    """Return how the hub learned of it: by an officer of its own, who may pass on an authority's warning."""
    return Heard(SourceKind.OWN, alert.issuer, alert.issuer_ref, alert.title)


def cancel(session: Session, actor: Actor, alert_id: UUID, *, now: datetime) -> Alert:
    """Call it off in the countdown: nothing has been sent. Too late is said plainly; then it has to be stopped."""
    alert = get(session, actor, alert_id)
    _require(actor, Permission.STOP, alert)
    won = session.scalar(
        update(Alert)
        .where(Alert.id == alert.id, Alert.state == AlertState.ARMED)
        .values(state=AlertState.CANCELLED, ended_at=now, ended_by_name=actor.name)
        .returning(Alert.id)
    )
    session.refresh(alert)
    if won is not None:
        _record(session, actor, "alert.cancel", alert, now)
    elif alert.state in (AlertState.FIRED, AlertState.STOPPED):
        raise WrongState("alert_fired_already")
    return alert


def fire_due(sessions: Sessions, *, rules: Rules, now: datetime) -> int:
    """Fire every armed alert whose countdown is over, each in a unit of work of its own; return how many."""
    with sessions.read() as session:
        due = session.scalars(
            select(Alert.id).where(Alert.state == AlertState.ARMED, Alert.fires_at <= now).order_by(Alert.fires_at)
        ).all()
    fired, trouble = 0, None
    for alert_id in due:
        try:
            with sessions.begin() as session:
                fired += _fire(session, alert_id, rules, now)
        except Exception as error:  # noqa: BLE001 - one that cannot be fired must not keep back the others
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return fired


def _fire(session: Session, alert_id: UUID, rules: Rules, now: datetime) -> bool:
    in_time = session.get_one(Alert, alert_id).expires_at > now
    end = {"state": AlertState.FIRED, "fired_at": now} if in_time else {"state": AlertState.MISSED, "ended_at": now}
    claimed = session.scalar(
        update(Alert).where(Alert.id == alert_id, Alert.state == AlertState.ARMED).values(**end).returning(Alert.id)
    )
    if claimed is None:
        return False
    alert = session.get_one(Alert, alert_id, populate_existing=True)
    if not in_time:
        _record(session, SYSTEM, "alert.missed", alert, now)
        return False
    broadcast = delivery.release(
        session,
        _officer(alert.armed_by, alert.armed_by_name, alert, "system"),
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
            severity=alert.colour.value,
            by_name=alert.armed_by_name,
            pack=slot_of(alert.hazard, alert.colour),
            spoken=alert.text,
        ),
        rules=rules,
        now=now,
    )
    alert.broadcast_id = broadcast.id
    return True


def stop(session: Session, actor: Actor, alert_id: UUID, *, now: datetime) -> Alert:
    """Silence it, in the countdown or on air. What is over or called off stays as it is."""
    alert = get(session, actor, alert_id)
    _require(actor, Permission.STOP, alert)
    if alert.state is AlertState.ARMED:
        alert = session.get_one(Alert, alert_id, with_for_update=True, populate_existing=True)
        if alert.state is AlertState.ARMED:
            return cancel(session, actor, alert_id, now=now)
    if alert.state is not AlertState.FIRED or alert.broadcast_id is None:
        return alert
    broadcast = session.get_one(Broadcast, alert.broadcast_id)
    if broadcast.state is not BroadcastState.GOING:
        return alert
    # Whoever may stop it in every place of it may stop it as a whole, also when no single right covers them all.
    delivery.stop(session, _officer(actor.id, actor.name, alert, actor.via, actor.origin), broadcast.id, now=now)
    alert.state = AlertState.STOPPED
    alert.ended_at, alert.ended_by_name = now, actor.name
    _record(session, actor, "alert.stop", alert, now)
    return alert


def get(session: Session, actor: Actor, alert_id: UUID) -> Alert:
    """Return an alert the actor may see; to a stranger it does not exist."""
    alert = session.get(Alert, alert_id)
    if alert is None or not may(actor, Permission.SEE, alert):
        raise NotFound("alert_unknown")
    return alert


def may(actor: Actor, permission: Permission, alert: Alert) -> bool:
    """Return whether the actor holds a permission in every place that is meant."""
    return all(actor.may(permission, path) for path in Audience.from_json(alert.audience).paths)


def _require(actor: Actor, permission: Permission, alert: Alert) -> None:
    for path in Audience.from_json(alert.audience).paths:
        actor.require(permission, path)


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


def _officer(actor_id: UUID | None, name: str, alert: Alert, via: str, origin: str = "") -> Actor:
    """Return the person behind an alert, with no more rights than it takes for this one."""
    scope = Scope(alert.home_path, frozenset({Permission.SEE, Permission.STOP, Permission.EMERGENCY}))
    return Actor(id=actor_id, name=name, scopes=(scope,), origin=origin, via=via)


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
