"""Fire what is due: interrupt whatever sounds there, and let it be said until its end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.alerts import parts
from broadcasts.alerts.hazards import slot_of
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.alerts.service import REPEATS, officer, record
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act, Colour, Mode
from broadcasts.loudspeaker import stopping
from broadcasts.loudspeaker.orders import Sound
from broadcasts.sms.sending import following
from hub.core.actor import SYSTEM
from hub.core.db import Sessions
from hub.regions.tree import outermost

MOST_ROUNDS: Final = 99
AHEAD: Final = timedelta(seconds=0.3)
"""So long before its moment what is not pressing makes way for it: work in hand has come to its end then."""
GRAVE: Final = (Colour.RED, Colour.ORANGE)
STAND_IN: Final = Sound("0" * 64, 20_000, 1)
"""A recording nobody can fetch: loudspeakers then sound what they keep for this emergency, speak its text, or at least
the alarm tone. For the night on which not even the tone could be made here."""
ENDINGS: Final = (Act.CORRECTION, Act.ALL_CLEAR)


def nobody_waits() -> None:
    """Do nothing."""


def fire_due(sessions: Sessions, *, rules: Rules, now: datetime, make_way: Callable[[], object] = nobody_waits) -> int:
    """Fire every armed alert whose countdown is over, each in a unit of work of its own; return how many.

    What waited too long for a second person lapses. Shortly before one is due, and with it, `make_way` is called.
    """
    with sessions.read() as session:
        found = session.execute(
            select(Alert.id, Alert.fires_at)
            .where(Alert.state.in_([AlertState.ARMED, AlertState.PROPOSED]), Alert.fires_at <= now + AHEAD)
            .order_by(Alert.fires_at)
        ).all()
    if found:
        make_way()
    fired, trouble = 0, None
    for alert_id in [alert_id for alert_id, at in found if at <= now]:
        try:
            with sessions.begin() as session:
                fired += _fire(session, alert_id, rules, now)
        except Exception as error:  # noqa: BLE001 - one that cannot be fired must not keep back the others
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    return fired


def _fire(session: Session, alert_id: UUID, rules: Rules, now: datetime) -> bool:
    before = session.get_one(Alert, alert_id)
    in_time = before.state is AlertState.ARMED and before.expires_at > now
    end = {"state": AlertState.FIRED, "fired_at": now} if in_time else {"state": AlertState.MISSED, "ended_at": now}
    claimed = session.scalar(
        update(Alert).where(Alert.id == alert_id, Alert.state == before.state).values(**end).returning(Alert.id)
    )
    if claimed is None:
        return False
    alert = session.get_one(Alert, alert_id, populate_existing=True)
    if not in_time:
        record(session, SYSTEM, "alert.missed" if alert.confirmed_at or alert.plan_id else "alert.lapsed", alert, now)
        return False
    send_out(session, alert, rules=rules, now=now)
    return True


def send_out(
    session: Session, alert: Alert, *, rules: Rules, now: datetime, to: Audience | None = None, part: int = 0
) -> Broadcast:
    """Make the broadcast of an alert that was just claimed; `part` counts further ones, to others."""
    audience = to or Audience.from_json(alert.audience)
    if alert.act not in ENDINGS and audience.speakers:
        _clear_the_air(session, alert, audience, now)
    rounds, pause = rounds_of(alert, rules)
    broadcast = delivery.release(
        session,
        officer(alert.armed_by, alert.armed_by_name, alert, "system"),
        delivery.Order(
            source=parts.source_of(alert.id, part),
            kind=Kind.DRILL if alert.mode is Mode.DRILL else Kind.EMERGENCY,
            title=alert.title,
            text=alert.text,
            sms_text=alert.sms_text,
            audience=audience,
            home_path=alert.home_path,
            sound=Sound(alert.audio_sha256, alert.audio_ms, alert.audio_bytes) if alert.audio_sha256 else STAND_IN,
            repeats=REPEATS,
            volume=100,
            starts_at=now,
            expires_at=alert.expires_at,
            severity=alert.colour.value,
            by_name=alert.armed_by_name,
            pack="" if alert.act in ENDINGS else slot_of(alert.hazard, alert.colour),
            spoken=alert.text,
            mode=alert.mode.value,
            repeat=rounds,
            gap_ms=pause,
        ),
        rules=rules,
        now=now,
    )
    if part:
        return broadcast
    alert.broadcast_id = broadcast.id
    if alert.act in ENDINGS and alert.sms_text:
        _write_to_the_same_people(session, alert, broadcast, rules, now)
    return broadcast


def rounds_of(alert: Alert, rules: Rules) -> tuple[int, int]:
    """Return how often it is played, and the pause between in ms: red and orange go on until their end."""
    goes_on = alert.colour in GRAVE and alert.act not in ENDINGS and alert.mode is Mode.LIVE
    if not goes_on or not rules.repeat_for:
        return 1, 0
    once = (alert.audio_ms or STAND_IN.ms) + rules.repeat_pause_ms
    lasts = rules.repeat_for / timedelta(milliseconds=1)
    return max(1, min(MOST_ROUNDS, round(lasts // once))), rules.repeat_pause_ms


def _clear_the_air(session: Session, alert: Alert, audience: Audience, now: datetime) -> None:
    """End what is as urgent and sounds in the same places: two emergencies must not wait for each other.

    Where the new one covers the old one whole, that ends; else everything falls silent where they meet, and the old one
    goes on elsewhere. Text messages of the old one are not touched. A drill silences no place: what is real may sound.
    """
    kind = Kind.DRILL if alert.mode is Mode.DRILL else Kind.EMERGENCY
    query = select(Broadcast).where(Broadcast.state == BroadcastState.GOING, Broadcast.kind == kind)
    meeting: list[str] = []
    for other in session.scalars(query).all():
        theirs = Audience.from_json(other.audience)
        shared = _shared(audience.paths, theirs.paths) if theirs.speakers else []
        if set(shared) == set(theirs.paths):
            _supersede(session, other, alert, now)
        elif alert.mode is Mode.LIVE:
            meeting += shared
    for path in outermost(meeting):
        stopping.stop_region(session, SYSTEM, path, now=now)


def _supersede(session: Session, other: Broadcast, alert: Alert, now: datetime) -> None:
    delivery.supersede(session, other.id, by_name=alert.armed_by_name, now=now)
    former = session.scalar(select(Alert).where(Alert.broadcast_id == other.id, Alert.state == AlertState.FIRED))
    if former is not None:
        former.state, former.ended_at, former.ended_by_name = AlertState.STOPPED, now, alert.armed_by_name
        if former.incident_id == alert.incident_id and alert.follows_id is None:
            alert.follows_id, alert.act = former.id, Act.UPDATE


def _shared(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[str]:
    """Return the paths that lie in both."""
    return [max(a, b, key=len) for a in ours for b in theirs if a.startswith(b) or b.startswith(a)]


def _write_to_the_same_people(
    session: Session, alert: Alert, broadcast: Broadcast, rules: Rules, now: datetime
) -> None:
    first = session.get(Alert, alert.follows_id) if alert.follows_id else None
    if first is None or first.broadcast_id is None or alert.mode is Mode.DRILL:
        return
    following.plan_after(
        session,
        broadcast_id=broadcast.id,
        after_id=first.broadcast_id,
        text=alert.sms_text,
        expires_at=now + timedelta(hours=6),
        settings=rules.sms,
        now=now,
    )
