"""Numbers of the loudspeakers for whoever watches the hub."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.core.gauges import Gauge, Gauges, Reading
from hub.speakers.models import Speaker, SpeakerState


def add_gauges(gauges: Gauges) -> None:
    """Add what can be counted of loudspeakers."""
    gauges.add(Gauge("cunxiang_loudspeakers", "Loudspeakers in service, by whether they report.", _by_line, ("line",)))
    gauges.add(Gauge("cunxiang_loudspeakers_faulty", "Loudspeakers in service that report a fault.", _faulty))
    gauges.add(
        Gauge("cunxiang_loudspeakers_clock_off", "Loudspeakers whose clock is off by more than half a second.", _off)
    )


def _by_line(session: Session) -> Iterable[Reading]:
    query = select(Speaker.online, func.count()).where(Speaker.state == SpeakerState.ACTIVE).group_by(Speaker.online)
    counted = {bool(online): count for online, count in session.execute(query)}
    return [Reading(counted.get(state, 0), {"line": "online" if state else "offline"}) for state in (True, False)]


def _faulty(session: Session) -> Iterable[Reading]:
    query = select(func.count()).where(Speaker.state == SpeakerState.ACTIVE, Speaker.fault != "")
    return [Reading(session.scalar(query) or 0)]


OFF_MS = 500


def _off(session: Session) -> Iterable[Reading]:
    query = select(func.count()).where(
        Speaker.state == SpeakerState.ACTIVE, func.abs(Speaker.clock_offset_ms) > OFF_MS, Speaker.online
    )
    return [Reading(session.scalar(query) or 0)]
