"""What somebody who was called gets to see."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling.models import Call, CallTry, Errand
from broadcasts.alerts.models import Alert
from hub.core.actor import Actor, Permission
from hub.core.errors import NotFound
from hub.regions import service as regions

COUNTY_ENDS: Final = "000000"
"""How the codes of counties end."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One call as its link shows it: nothing that is not in the message anyway."""

    one: CallTry
    call: Call
    alert: Alert
    place: str
    own: bool


def of_try(session: Session, try_id: UUID) -> Shown:
    """Return what a link is about."""
    one = session.get(CallTry, try_id)
    if one is None:
        raise NotFound("call_unknown")
    call = session.get_one(Call, one.call_id)
    alert = session.get_one(Alert, call.alert_id)
    place = regions.names(session, {call.region_code}).get(call.region_code, "")
    return Shown(one, call, alert, place, one.region_path == call.region_path)


def incident_of(session: Session, actor: Actor, errand_id: UUID) -> UUID | None:
    """Return the incident an errand belongs to; to a stranger it does not exist."""
    errand = session.get(Errand, errand_id)
    if errand is None or not actor.may(Permission.SEE, errand.region_path):
        raise NotFound("errand_unknown")
    return errand.incident_id


def answered(session: Session, alert_id: UUID) -> tuple[int, int]:
    """Return in how many places people are called because of an alert, and where somebody has said that they know.

    The county is told and asked for nothing: it does not count.
    """
    query = select(func.count(), func.count(Call.confirmed_at)).where(
        Call.alert_id == alert_id, Call.region_code.not_like(f"%{COUNTY_ENDS}")
    )
    called, confirmed = session.execute(query).one()
    return called, confirmed
