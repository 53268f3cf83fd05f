"""Words of one's own: a second person reads them and types the number again; where it is allowed, one goes alone."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.service import get, give_sound, hushed, record, require, validity
from broadcasts.alerts.wishes import Spoken
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Mode
from broadcasts.loudspeaker import orders
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, WrongState

LEAST_REASON: Final = 6
LONGEST_REASON: Final = 300


def confirm(
    session: Session, actor: Actor, alert_id: UUID, spoken: Spoken, *, typed: int, rules: Rules, now: datetime
) -> Alert:
    """Stand by somebody else's words: the countdown begins. Twice is once; never one's own."""
    alert = get(session, actor, alert_id)
    require(actor, Permission.EMERGENCY, alert)
    if actor.id is None or actor.id == alert.armed_by:
        raise NotAllowed("alert_own")
    if alert.state is AlertState.ARMED and alert.confirmed_by == actor.id:
        return alert
    _begin(session, alert, spoken, typed, rules, now, authority=Authority.SECOND_PERSON, actor=actor)
    record(session, actor, "alert.confirm", alert, now)
    return alert


def go_alone(
    session: Session,
    actor: Actor,
    alert_id: UUID,
    spoken: Spoken,
    *,
    typed: int,
    reason: str,
    rules: Rules,
    now: datetime,
) -> Alert:
    """Send one's own words without a second person: only where the county allows it, after waiting, with a reason."""
    alert = get(session, actor, alert_id)
    require(actor, Permission.EMERGENCY, alert)
    if actor.id is None or actor.id != alert.armed_by or rules.alone_after is None:
        raise NotAllowed("alert_never_alone")
    if now < alert.armed_at + rules.alone_after:
        left = (alert.armed_at + rules.alone_after - now).total_seconds()
        raise WrongState("alert_wait_for_second", seconds=max(1, round(left)))
    words = " ".join(reason.split())
    if len(words) < LEAST_REASON:
        raise BadInput("alert_reason_short", field="reason", least=LEAST_REASON)
    alert.reason = words[:LONGEST_REASON]
    _begin(session, alert, spoken, typed, rules, now, authority=Authority.BREAK_GLASS, actor=actor)
    record(session, actor, "alert.alone", alert, now, reason=alert.reason)
    return alert


def may_go_alone_at(alert: Alert, rules: Rules) -> datetime | None:
    """Return from when its author may send it alone; None: never."""
    if rules.alone_after is None or alert.state is not AlertState.PROPOSED:
        return None
    return alert.armed_at + rules.alone_after


def reach_of(session: Session, alert: Alert, *, rules: Rules, now: datetime) -> int:
    """Return how many loudspeakers an alert that waits would sound on now."""
    if hushed(alert.colour, rules, now):
        return 0
    paths = Audience.from_json(alert.audience).paths
    return orders.meant(session, paths, drill=alert.mode is Mode.DRILL)


def _begin(
    session: Session,
    alert: Alert,
    spoken: Spoken,
    typed: int,
    rules: Rules,
    now: datetime,
    *,
    authority: Authority,
    actor: Actor,
) -> None:
    reach = reach_of(session, alert, rules=rules, now=now)
    if reach != typed:
        raise WrongState("alert_reach_differs", typed=typed, reach=reach)
    won = session.scalar(
        update(Alert)
        .where(Alert.id == alert.id, Alert.state == AlertState.PROPOSED, Alert.fires_at > now)
        .values(state=AlertState.ARMED, fires_at=now + rules.countdown, expires_at=now + validity(rules))
        .returning(Alert.id)
    )
    session.refresh(alert, ["state", "fires_at", "expires_at"])
    if won is None:
        raise WrongState("alert_not_waiting")
    alert.authority, alert.speakers_confirmed = authority, reach
    alert.confirmed_at, alert.confirmed_by, alert.confirmed_by_name = now, actor.id, actor.name
    alert.audience = {**alert.audience, "speakers": not hushed(alert.colour, rules, now)}
    give_sound(alert, spoken)
