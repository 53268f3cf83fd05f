"""Close an incident: only when nothing of it is left to be done."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling.models import Errand
from broadcasts.alerts.incidents import service as incidents
from broadcasts.alerts.incidents.models import Incident
from hub.core.actor import Actor
from hub.core.errors import WrongState


def close(session: Session, actor: Actor, incident_id: UUID, *, now: datetime) -> Incident:
    """Note that it is over. Places nobody has spoken to yet keep it open: only a confirmation closes those."""
    found = incidents.get(session, actor, incident_id)
    query = select(func.count()).select_from(Errand)
    left = session.scalar(query.where(Errand.incident_id == found.id, Errand.closed_at.is_(None))) or 0
    if left:
        raise WrongState("incident_errands_open", n=left)
    return incidents.close(session, actor, incident_id, now=now)
