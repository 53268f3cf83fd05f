"""What one document does to earlier ones: take back, replace, tell the same event again."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from broadcasts.alerts import service as alerts
from broadcasts.alerts.incidents import service as incidents
from broadcasts.alerts.incidents.models import Incident, IncidentState, SourceKind
from broadcasts.alerts.incidents.service import Event, Heard
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.bulletins.models import OPEN, Bulletin, BulletinState, Door, Envelope
from broadcasts.bulletins.policy import MOST_REFERENCES
from broadcasts.bulletins.reach import within
from broadcasts.cap.document import CapAlert
from broadcasts.cap.findings import Finding, Stage
from broadcasts.kinds import Colour, Mode
from hub.core.actor import SYSTEM

TOLD_FOR: Final = timedelta(hours=2)
"""So long people count as told. What comes later is put before somebody again."""
TELLING: Final = (AlertState.PROPOSED, AlertState.ARMED, AlertState.FIRED)
NOTHING_SENT: Final = (AlertState.CANCELLED, AlertState.MISSED)
_GRAVEST = tuple(Colour)
_WHERE = "/alert/references"


def named(session: Session, alert: CapAlert) -> list[Bulletin]:
    """Return every warning that a document names, in the order they came."""
    if not alert.references:
        return []
    one_of = or_(
        *(
            and_(Bulletin.sender == r.sender, Bulletin.identifier == r.identifier, Bulletin.sent == r.sent)
            for r in alert.references[:MOST_REFERENCES]
        )
    )
    return list(session.scalars(select(Bulletin).where(one_of).order_by(Bulletin.received_at)))


def of_cancel(session: Session, alert: CapAlert) -> list[Finding]:
    """Return what speaks against calling off."""
    found = named(session, alert)
    if not found:
        return [Finding(Stage.POLICY, "policy_cancel_unknown", _WHERE)]
    if any(bulletin.sender != alert.sender for bulletin in found):
        return [Finding(Stage.POLICY, "policy_reference_foreign", _WHERE)]
    going = [bulletin for bulletin in found if bulletin.state in OPEN]
    if not going and any(bulletin.state is BulletinState.WITHDRAWN for bulletin in found):
        return [Finding(Stage.POLICY, "policy_cancel_twice", _WHERE)]
    if not going and any(bulletin.state is BulletinState.REPLACED for bulletin in found):
        return [Finding(Stage.POLICY, "policy_cancel_replaced", _WHERE)]
    if len({b.document_id for b in going}) > 1 and len({b.incident_id for b in going}) > 1:
        return [Finding(Stage.POLICY, "policy_cancel_ambiguous", _WHERE)]
    return []


def of_update(session: Session, alert: CapAlert) -> list[Finding]:
    """Return what speaks against an update. One to something unknown is taken as news: people must hear it."""
    found = named(session, alert)
    if not found:
        return [Finding(Stage.POLICY, "policy_update_unknown", _WHERE, warning=True)]
    if any(bulletin.sender != alert.sender for bulletin in found):
        return [Finding(Stage.POLICY, "policy_reference_foreign", _WHERE)]
    if all(bulletin.state is BulletinState.WITHDRAWN for bulletin in found):
        return [Finding(Stage.POLICY, "policy_update_of_withdrawn", _WHERE, warning=True)]
    return []


def cancel(session: Session, alert: CapAlert, *, now: datetime) -> list[Bulletin]:
    """Take back what a document names: what waits is gone, what sounds is stopped, unless others say the same."""
    found = [bulletin for bulletin in named(session, alert) if bulletin.state in OPEN]
    for bulletin in found:
        bulletin.state, bulletin.decided_at = BulletinState.WITHDRAWN, now
        bulletin.decided_by_name = bulletin.issuer
        session.flush()
        if not _backed(session, bulletin):
            _silence(session, bulletin, now)
    close_empty(session, [bulletin.incident_id for bulletin in found], now=now)
    return found


def replace_older(session: Session, alert: CapAlert, *, now: datetime) -> list[Bulletin]:
    """Put what a document names aside: what it says counts from now on. What sounds goes on until somebody decides."""
    found = [bulletin for bulletin in named(session, alert) if bulletin.state in OPEN]
    for bulletin in found:
        bulletin.state = BulletinState.REPLACED
        bulletin.decided_at = bulletin.decided_at or now
    session.flush()
    return found


def join(session: Session, bulletin: Bulletin, document: Envelope, *, now: datetime) -> Incident:
    """Put a warning to its event: the one that goes on there, or a new one. Who was told already is not told twice."""
    event = Event(bulletin.hazard, bulletin.colour or Colour.YELLOW, bulletin.title, tuple(bulletin.regions))
    kind = SourceKind.NATIONAL if document.door is Door.NATIONAL else SourceKind.CAP
    heard = Heard(
        kind, bulletin.issuer, bulletin.identifier[:120], bulletin.title, document.id, {"bulletin": str(bulletin.id)}
    )
    incident = incidents.open_or_join(session, event, heard, by_name=bulletin.issuer, now=now)
    bulletin.incident_id = incident.id
    told = told_by(session, bulletin, bulletin.regions, now=now)
    if bulletin.state is BulletinState.PROPOSED and told is not None:
        bulletin.state, bulletin.alert_id, bulletin.decided_at = BulletinState.JOINED, told.id, now
    session.flush()
    return incident


def told_by(session: Session, bulletin: Bulletin, codes: Sequence[str], *, now: datetime) -> Alert | None:
    """Return the emergency that tells these places of this event at least as gravely, None if there is none."""
    rows = session.scalars(
        select(Alert).where(
            Alert.incident_id == bulletin.incident_id,
            Alert.state.in_(TELLING),
            Alert.mode == Mode.LIVE,
            Alert.armed_at > now - TOLD_FOR,
        )
    )
    return next((alert for alert in rows if covers(alert, bulletin.colour, codes)), None)


def covers(alert: Alert, colour: Colour | None, codes: Sequence[str]) -> bool:
    """Return whether an emergency is as grave as a colour, or graver, and reaches all of some places."""
    if colour is None or _GRAVEST.index(alert.colour) > _GRAVEST.index(colour):
        return False
    return within(codes, alert.audience["regions"])


def made_from(session: Session, bulletin: Bulletin) -> list[Alert]:
    """Return the emergencies that pass a warning on, one for each place whose officer did."""
    query = select(Alert).where(
        Alert.incident_id == bulletin.incident_id, Alert.issuer_ref == bulletin.identifier[:120]
    )
    return list(session.scalars(query.order_by(Alert.armed_at)))


def told_of(session: Session, bulletin: Bulletin) -> list[Alert]:
    """Return those emergencies made of it that were sent, or are about to be."""
    return [alert for alert in made_from(session, bulletin) if alert.state not in NOTHING_SENT]


def close_empty(session: Session, incident_ids: Iterable[UUID | None], *, now: datetime) -> None:
    """Close incidents of which nothing is left: no warning that counts, nothing that was sent."""
    for incident_id in {i for i in incident_ids if i is not None}:
        incident = session.get(Incident, incident_id)
        sent = session.scalar(select(Alert.id).where(Alert.incident_id == incident_id).limit(1))
        if incident is None or sent is not None or others(session, incident_id):
            continue
        if incident.state is IncidentState.OPEN:
            incident.state, incident.closed_at, incident.closed_by_name = IncidentState.CLOSED, now, SYSTEM.name


def others(session: Session, incident_id: UUID | None) -> Sequence[Bulletin]:
    """Return the warnings of an event that still count."""
    query = select(Bulletin).where(Bulletin.incident_id == incident_id, Bulletin.state.in_(OPEN))
    return list(session.scalars(query.order_by(Bulletin.received_at)))


def _backed(session: Session, bulletin: Bulletin) -> bool:
    """Return whether another authority still says the same."""
    return any(other.sender != bulletin.sender for other in others(session, bulletin.incident_id))


def _silence(session: Session, bulletin: Bulletin, now: datetime) -> None:
    for alert in made_from(session, bulletin):
        if alert.state in TELLING:
            alerts.stop(session, SYSTEM, alert.id, now=now)
