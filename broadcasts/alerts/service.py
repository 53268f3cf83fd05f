"""Call an emergency, cancel it in the countdown, stop it, look at it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.alerts import parts
from broadcasts.alerts.hazards import Words, slot_of, wording
from broadcasts.alerts.incidents import service as incidents
from broadcasts.alerts.incidents.models import SourceKind
from broadcasts.alerts.incidents.service import Event, Heard
from broadcasts.alerts.issuing import check_issuer
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.plans.service import InForce
from broadcasts.alerts.wishes import Spoken, Wish
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act, Colour, Mode
from broadcasts.loudspeaker import orders
from broadcasts.sms.sending import outbox
from hub.audit import log
from hub.core.actor import Actor, Permission, Scope
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import common
from hub.speakers.wire import WAKES, Severity

REPEATS = 3


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
        actor.require(permission_for(wish.mode), path)
    if wish.own_words:
        _check_own_words(wish, rules)
    silent = hushed(wish.colour, rules, now)
    reach = 0 if silent else orders.meant(session, audience.paths, drill=wish.mode is Mode.DRILL)
    if reach != wish.speakers_typed:
        raise WrongState("alert_reach_differs", typed=wish.speakers_typed, reach=reach)
    if not reach and not (audience.sms and wish.mode is Mode.LIVE and outbox.reach(session, audience).emergency):
        raise BadInput("alert_reaches_nobody", field="area")
    return reach


def permission_for(mode: Mode) -> Permission:
    """Return the right it takes to call one."""
    return Permission.DRILL if mode is Mode.DRILL else Permission.EMERGENCY


def _check_own_words(wish: Wish, rules: Rules) -> None:
    wrong = wish.words.mistakes(rules.sms.signature)
    mine = [problem for problem in wrong if problem.code != "warning_needs_issuer"]
    mine += check_issuer([wish.words.speech, wish.words.sms], issuer=wish.issuer, reference=wish.issuer_ref)
    if mine:
        raise Problems(mine)


def arm(session: Session, actor: Actor, wish: Wish, spoken: Spoken, *, rules: Rules, now: datetime) -> Alert:
    """Start the countdown, or ask for a second person where no plan in force says these very words.

    The same form sent twice arms once; a reach that changed meanwhile arms nothing.
    """
    existing = armed_before(session, actor, wish.form_key)
    if existing is not None:
        return existing
    reach = check(session, actor, wish, rules=rules, now=now)
    if actor.id is None:
        raise NotFound("alert_unknown")
    plan = None if wish.own_words else plan_behind(session, wish)
    alert = _row(actor, actor.id, wish, spoken, reach=reach, rules=rules, now=now)
    _authorise(alert, wish, plan, rules, now)
    if spoken.stand_in and says_the_pack(alert):
        give_sound(alert, Spoken(None, spoken.engine))
    try:
        with session.begin_nested():
            session.add(alert)
    except IntegrityError:  # the other press of the same button was quicker
        return session.scalars(select(Alert).where(Alert.form_key == wish.form_key, Alert.armed_by == actor.id)).one()
    event, heard = event_of(alert), heard_of(alert)
    alert.incident_id = incidents.open_or_join(session, event, heard, by_name=actor.name, now=now).id
    record(session, actor, "alert.propose" if alert.state is AlertState.PROPOSED else "alert.arm", alert, now)
    return alert


def plan_behind(session: Session, wish: Wish) -> InForce | None:
    """Return the plan whose very words these are, if there is one in force."""
    found = plans.in_force(session, wish.hazard.key, wish.colour, wish.audience.checked().paths)
    return found if found is not None and found.words.at(wish.place) == wish.words else None


def _authorise(alert: Alert, wish: Wish, plan: InForce | None, rules: Rules, now: datetime) -> None:
    """Say by what right it may sound; without one it waits for a second person."""
    if wish.mode is Mode.DRILL:
        alert.authority = Authority.DRILL
        return
    if plan is not None:
        alert.authority, alert.plan_id, alert.plan_version = Authority.PLAN, plan.plan.id, plan.version.version
        return
    alert.authority, alert.state = Authority.SECOND_PERSON, AlertState.PROPOSED
    alert.fires_at = now + rules.proposal_valid
    alert.expires_at = alert.fires_at


def _row(actor: Actor, actor_id: UUID, wish: Wish, spoken: Spoken, *, reach: int, rules: Rules, now: datetime) -> Alert:
    drill = wish.mode is Mode.DRILL
    sounding = not hushed(wish.colour, rules, now)
    audience = replace(wish.audience, speakers=sounding, sms=wish.audience.sms and not drill).checked()
    alert = Alert(
        form_key=wish.form_key,
        hazard=wish.hazard.key,
        colour=wish.colour,
        title=wording().title_of(wish.hazard, wish.colour),
        text=wish.words.speech,
        sms_text=wish.words.sms,
        audience=audience.as_json(),
        home_path=common(list(audience.paths)),
        speakers_confirmed=reach,
        engine=spoken.engine,
        state=AlertState.ARMED,
        mode=wish.mode,
        act=Act.UPDATE if wish.follows else Act.ALERT,
        follows_id=UUID(wish.follows) if wish.follows else None,
        issuer=wish.issuer,
        issuer_ref=wish.issuer_ref,
        correction=prepared(wish.words.correction),
        all_clear=prepared(wish.words.all_clear),
        opened_at=wish.opened_at,
        mistyped=wish.mistyped,
        armed_at=now,
        fires_at=now + rules.countdown,
        expires_at=now + rules.countdown + rules.emergency_valid,
        armed_by=actor_id,
        armed_by_name=actor.name,
    )
    give_sound(alert, spoken)
    return alert


def prepared(words: Words) -> dict[str, Any]:
    """Return words as an alert keeps them for its end."""
    return {"speech": words.speech, "sms": words.sms}


def give_sound(alert: Alert, spoken: Spoken) -> None:
    """Note the recording of an alert."""
    sound = spoken.sound
    alert.engine = spoken.engine
    alert.audio_sha256 = sound.sha256 if sound else ""
    alert.audio_ms, alert.audio_bytes = (sound.ms, sound.bytes) if sound else (0, 0)


def says_the_pack(alert: Alert) -> bool:
    """Return whether loudspeakers keep words for it: those of a plan, which two people signed.

    When no voice works they are told to say them; a bare tone tells nobody what to do. Words that somebody wrote just
    now are not what loudspeakers keep.
    """
    return alert.authority is Authority.PLAN and bool(slot_of(alert.hazard, alert.colour))


def event_of(alert: Alert) -> Event:
    """Return what an alert is about, as its incident has it."""
    regions = Audience.from_json(alert.audience).regions
    return Event(alert.hazard, alert.colour, alert.title, regions, alert.mode)


def heard_of(alert: Alert) -> Heard:
    """Return how the hub learned of it: by an officer of its own, who may pass on an authority's warning."""
    return Heard(SourceKind.OWN, alert.issuer, alert.issuer_ref, alert.title)


def cancel(session: Session, actor: Actor, alert_id: UUID, *, now: datetime) -> Alert:
    """Call it off before it fires: nothing has been sent. Too late is said plainly; then it has to be stopped."""
    alert = get(session, actor, alert_id)
    require(actor, Permission.STOP, alert)
    won = session.scalar(
        update(Alert)
        .where(Alert.id == alert.id, Alert.state.in_([AlertState.ARMED, AlertState.PROPOSED]))
        .values(state=AlertState.CANCELLED, ended_at=now, ended_by_name=actor.name)
        .returning(Alert.id)
    )
    session.refresh(alert)
    if won is not None:
        record(session, actor, "alert.cancel", alert, now)
    elif alert.state in (AlertState.FIRED, AlertState.STOPPED):
        raise WrongState("alert_fired_already")
    return alert


def stop(session: Session, actor: Actor, alert_id: UUID, *, now: datetime) -> Alert:
    """Silence it, before it fires or on air. What is over or called off stays as it is."""
    alert = get(session, actor, alert_id)
    require(actor, Permission.STOP, alert)
    if alert.state in (AlertState.ARMED, AlertState.PROPOSED):
        alert = session.get_one(Alert, alert_id, with_for_update=True, populate_existing=True)
        if alert.state in (AlertState.ARMED, AlertState.PROPOSED):
            return cancel(session, actor, alert_id, now=now)
    if alert.state not in (AlertState.FIRED, AlertState.STOPPED):
        return alert
    on_air = parts.going(session, alert.id)
    if not on_air:
        return alert
    # Whoever may stop it in every place of it may stop it as a whole, also when no single right covers them all.
    stopper = officer(actor.id, actor.name, alert, actor.via, actor.origin)
    for broadcast in on_air:
        delivery.stop(session, stopper, broadcast.id, now=now)
    alert.state = AlertState.STOPPED
    alert.ended_at, alert.ended_by_name = now, actor.name
    record(session, actor, "alert.stop", alert, now)
    return alert


def get(session: Session, actor: Actor, alert_id: UUID) -> Alert:
    """Return an alert the actor may see; to a stranger it does not exist."""
    alert = session.get(Alert, alert_id)
    if alert is None or not may(actor, Permission.SEE, alert):
        raise NotFound("alert_unknown")
    return alert


def may(actor: Actor, permission: Permission, alert: Alert) -> bool:
    """Return whether the actor holds a permission in every place that is meant."""
    paths = _places(alert)
    return all(actor.may(permission, path) for path in paths)


def require(actor: Actor, permission: Permission, alert: Alert) -> None:
    """Raise NotAllowed unless the actor holds a permission in every place that is meant."""
    for path in _places(alert):
        actor.require(permission, path)


def _places(alert: Alert) -> tuple[str, ...]:
    """Return every place that is meant; an alert that names none is its home's, and nobody else's."""
    return Audience.from_json(alert.audience).paths or (alert.home_path,)


def live(session: Session, actor: Actor, *, mode: Mode = Mode.LIVE) -> list[Alert]:
    """Return alerts that wait for somebody, are in countdown or on air where the actor may see them."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return []
    query = (
        select(Alert)
        .where(
            Alert.mode == mode,
            or_(*(Alert.home_path.like(like_below(p)) for p in paths)),
            or_(
                Alert.state.in_([AlertState.ARMED, AlertState.PROPOSED]),
                Alert.id.in_(parts.on_air(session)),
            ),
        )
        .order_by(Alert.armed_at.desc())
    )
    return list(session.scalars(query))


def officer(actor_id: UUID | None, name: str, alert: Alert, via: str, origin: str = "") -> Actor:
    """Return the person behind an alert, with no more rights than it takes for this one."""
    scope = Scope(alert.home_path, frozenset({Permission.SEE, Permission.STOP, Permission.EMERGENCY}))
    return Actor(id=actor_id, name=name, scopes=(scope,), origin=origin, via=via)


def record(session: Session, actor: Actor, deed: str, alert: Alert, now: datetime, **details: Any) -> None:
    """Write it into the log."""
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
        authority=alert.authority.value if alert.authority else "",
        **details,
    )


def validity(rules: Rules) -> timedelta:
    """Return how long after its countdown an alert may still be begun."""
    return rules.countdown + rules.emergency_valid
