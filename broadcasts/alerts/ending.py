"""Take an alert back, or say that it is over: to exactly those who got it or may have, in words prepared before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from broadcasts.alerts import parts, service
from broadcasts.alerts.firing import send_out
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.service import get, may, record, require
from broadcasts.alerts.wishes import Spoken
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act, Mode
from broadcasts.loudspeaker import heard, listing
from broadcasts.loudspeaker.targets import MOST_EXCLUDED
from broadcasts.sms.sending import following
from hub.core.actor import Actor, Permission
from hub.core.db import Sessions
from hub.core.errors import NotFound, WrongState
from hub.speakers.models import Speaker, SpeakerState

VALID: Final = timedelta(hours=2)
"""How long a loudspeaker that was away may still tell people about it."""
TITLES: Final = {Act.CORRECTION: "correction", Act.ALL_CLEAR: "all_clear"}


@dataclass(frozen=True, slots=True)
class Ending:
    """What taking back or ending an alert would do, or did."""

    surely: int
    perhaps: int
    phones: int


def outlook(session: Session, alert: Alert) -> Ending:
    """Return whom a correction or an all-clear would go to now."""
    if alert.broadcast_id is None:
        return Ending(0, 0, 0)
    found = heard.who_heard(session, alert.broadcast_id)
    phones = following.people_who_got_it(session, alert.broadcast_id) if alert.mode is Mode.LIVE else 0
    return Ending(len(found.surely), len(found.perhaps), phones)


def end(
    session: Session, actor: Actor, alert_id: UUID, act: Act, spoken: Spoken, *, rules: Rules, now: datetime
) -> Alert:
    """Stop it and say the prepared words, in this transaction: one press. Twice is once.

    A correction says that it was wrong, an all-clear that it is over; after a correction there is nothing to clear.
    """
    alert = get(session, actor, alert_id)
    permission = Permission.DRILL if alert.mode is Mode.DRILL else Permission.STOP
    require(actor, permission, alert)
    known = ending_of(session, alert.id, act)
    if known is not None:
        return known
    if alert.broadcast_id is None or alert.state not in (AlertState.FIRED, AlertState.STOPPED):
        raise WrongState("alert_nothing_to_end")
    if alert.act in TITLES or ending_of(session, alert.id, Act.CORRECTION) is not None:
        raise WrongState("alert_taken_back")
    if actor.id is None:
        raise NotFound("alert_unknown")
    listing.write(session, alert.broadcast_id, now=now)
    service.stop(session, actor, alert.id, now=now)
    ending = _row(session, actor, actor.id, alert, act, now)
    service.give_sound(ending, spoken)
    try:
        with session.begin_nested():
            session.add(ending)
    except IntegrityError:  # two officers pressed at once
        return session.scalars(select(Alert).where(Alert.form_key == ending.form_key)).one()
    send_out(session, ending, rules=rules, now=now)
    record(session, actor, f"alert.{TITLES[act]}", alert, now)
    return ending


def said_by(alert: Alert, act: Act) -> str:
    """Return what would be said to take it back or to end it."""
    said = alert.correction if act is Act.CORRECTION else alert.all_clear
    return str(said.get("speech", ""))


def ending_of(session: Session, alert_id: UUID, act: Act) -> Alert | None:
    """Return the correction or the all-clear of an alert, if there was one."""
    return session.scalar(select(Alert).where(Alert.form_key == _key(alert_id, act)))


def may_end(actor: Actor, alert: Alert) -> bool:
    """Return whether the actor may take it back or end it."""
    return may(actor, Permission.DRILL if alert.mode is Mode.DRILL else Permission.STOP, alert)


def _key(alert_id: UUID, act: Act) -> str:
    return f"{'c' if act is Act.CORRECTION else 'e'}:{alert_id}"


def _row(session: Session, actor: Actor, actor_id: UUID, alert: Alert, act: Act, now: datetime) -> Alert:
    said: dict[str, Any] = alert.correction if act is Act.CORRECTION else alert.all_clear
    first = Audience.from_json(alert.audience)
    hearers = heard.who_heard(session, alert.broadcast_id).all if alert.broadcast_id else ()
    exactly = _exactly(session, first, hearers, drill=alert.mode is Mode.DRILL)
    return Alert(
        form_key=_key(alert.id, act),
        hazard=alert.hazard,
        colour=alert.colour,
        title=alert.title,
        text=said["speech"],
        sms_text=said["sms"] if first.sms else "",
        audience=exactly.as_json(),
        home_path=alert.home_path,
        speakers_confirmed=len(hearers),
        state=AlertState.FIRED,
        mode=alert.mode,
        act=act,
        authority=Authority.DRILL if alert.mode is Mode.DRILL else Authority.PREPARED,
        incident_id=alert.incident_id,
        follows_id=alert.id,
        issuer=alert.issuer,
        issuer_ref=alert.issuer_ref,
        armed_at=now,
        fires_at=now,
        fired_at=now,
        expires_at=now + VALID,
        armed_by=actor_id,
        armed_by_name=actor.name,
    )


def _exactly(session: Session, first: Audience, hearers: Sequence[str], *, drill: bool) -> Audience:
    """Return an audience that means these loudspeakers and no other: by exception where few are left out."""
    if not hearers:
        return Audience(first.regions, speakers=False, sms=False)
    if drill:
        return Audience(first.regions, only=tuple(hearers))
    chosen = set(hearers)
    left_out: list[str] = []
    for path in first.paths:
        here = session.scalars(
            select(Speaker.id).where(
                Speaker.state == SpeakerState.ACTIVE, Speaker.drill.is_(False), Speaker.region_path.startswith(path)
            )
        ).all()
        others = [speaker for speaker in here if speaker not in chosen]
        if len(others) > MOST_EXCLUDED:
            return Audience(first.regions, only=tuple(sorted(chosen)))
        left_out += others
    return Audience(first.regions, without=tuple(sorted(left_out)))


def reach_late_hearers(sessions: Sessions, *, rules: Rules, now: datetime) -> int:
    """Tell those whose receipt came after the correction: they did hear the alert after all. Return how many.

    A loudspeaker that was cut off when the alert was taken back, and sounds it from its own memory or reports late, is
    told then; each once. Nobody is told any more when somebody has stopped the correction itself.
    """
    with sessions.read() as session:
        endings = session.scalars(
            select(Alert).where(
                Alert.act.in_(list(TITLES)),
                Alert.state == AlertState.FIRED,
                Alert.expires_at > now,
                Alert.follows_id.is_not(None),
            )
        ).all()
        owed = {ending.id: late for ending in endings if (late := _late(session, ending))}
    told = 0
    for ending_id, speaker_ids in owed.items():
        with sessions.begin() as session:
            ending = session.get_one(Alert, ending_id, with_for_update=True)
            late = _late(session, ending)
            if late:
                _tell_too(session, ending, late, rules=rules, now=now)
            told += len(set(late) & set(speaker_ids))
    return told


def _late(session: Session, ending: Alert) -> list[str]:
    first = session.get(Alert, ending.follows_id) if ending.follows_id else None
    if first is None or first.broadcast_id is None:
        return []
    told = [broadcast.id for broadcast in parts.of(session, ending.id)]
    if ending.state is not AlertState.FIRED or listing.owed(session, told):
        return []  # who was told is not written down yet: they would all be told a second time
    return heard.late_hearers(session, first.broadcast_id, told)


def _tell_too(session: Session, ending: Alert, late: Sequence[str], *, rules: Rules, now: datetime) -> None:
    number = len(parts.of(session, ending.id))
    audience = Audience(Audience.from_json(ending.audience).regions, only=tuple(late))
    send_out(session, ending, rules=rules, now=now, to=audience, part=number)
