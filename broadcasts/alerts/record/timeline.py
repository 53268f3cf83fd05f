"""The time line of an incident: who did what, when, and how long each step took, gathered from everything recorded."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.alerts.calling.models import Call, CallState, CallTry, Errand
from broadcasts.alerts.incidents import service as incidents
from broadcasts.alerts.incidents.models import Incident, IncidentNote, IncidentSource
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.states import MessageState
from hub.core.actor import Actor, Permission
from hub.duty.models import DutyPerson
from hub.regions import service as regions
from hub.regions.tree import Level, level_of

_HANDED_OVER = (MessageState.SENT, MessageState.NO_RECEIPT, MessageState.UNDELIVERED, MessageState.DELIVERED)


@dataclass(frozen=True, slots=True)
class Line:
    """One step. `took` counts from the step it waited for: a press, a first call."""

    at: datetime
    key: str
    who: str = ""
    what: str = ""
    number: int = 0
    of: int = 0
    took: timedelta | None = None
    alert_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An incident with all there is to say about it."""

    incident: Incident
    places: tuple[str, ...]
    lines: tuple[Line, ...]
    alerts: tuple[Alert, ...]
    sources: tuple[IncidentSource, ...]
    calls: tuple[Call, ...] = ()
    errands: tuple[Errand, ...] = ()
    tried: Mapping[UUID, CallTry] = field(default_factory=dict)
    """Who was called last for a place, by its call."""
    people: Mapping[str, Sequence[DutyPerson]] = field(default_factory=dict)
    """Whom to phone for an open errand, by the code of its place."""
    names: dict[str, str] = field(default_factory=dict)
    may_write: bool = False
    may_close: bool = False
    may_export: bool = False

    @property
    def asked(self) -> tuple[Call, ...]:
        """Places where somebody has to answer; the county is only told."""
        return tuple(call for call in self.calls if level_of(call.region_code) is not Level.COUNTY)

    @property
    def open_errands(self) -> tuple[Errand, ...]:
        """What is still to be done."""
        return tuple(errand for errand in self.errands if errand.closed_at is None)


def record_of(session: Session, actor: Actor, incident_id: UUID) -> Record:
    """Return an incident with its time line; to a stranger it does not exist."""
    incident = incidents.get(session, actor, incident_id)
    alerts = session.scalars(select(Alert).where(Alert.incident_id == incident.id).order_by(Alert.armed_at)).all()
    sources = session.scalars(
        select(IncidentSource).where(IncidentSource.incident_id == incident.id).order_by(IncidentSource.received_at)
    ).all()
    calls = session.scalars(select(Call).where(Call.incident_id == incident.id).order_by(Call.region_path)).all()
    errands = session.scalars(
        select(Errand).where(Errand.incident_id == incident.id).order_by(Errand.due_at, Errand.region_path)
    ).all()
    codes = {*incident.regions, *(call.region_code for call in calls), *(e.region_code for e in errands)}
    names = regions.names(session, codes)
    lines = [
        *_of_sources(sources),
        *(line for alert in alerts for line in _of_alert(session, alert)),
        *_of_calls(session, calls, names),
        *_of_errands(errands),
        *_of_notes(session, incident),
    ]
    if incident.closed_at is not None:
        lines.append(Line(incident.closed_at, "closed", incident.closed_by_name))
    return Record(
        incident=incident,
        places=tuple(names.get(code, code) for code in incident.regions),
        lines=tuple(sorted(lines, key=lambda line: line.at)),
        alerts=tuple(alerts),
        sources=tuple(sources),
        calls=tuple(calls),
        errands=tuple(errands),
        tried=_last_tries(session, calls),
        people=_people(session, [errand for errand in errands if errand.closed_at is None]),
        names=names,
        may_write=incidents.may(actor, Permission.STOP, incident) and incident.closed_at is None,
        may_close=incidents.may(actor, Permission.EMERGENCY, incident) and incident.closed_at is None,
        may_export=actor.may_somewhere(Permission.SEE_AUDIT),
    )


def _last_tries(session: Session, calls: Sequence[Call]) -> dict[UUID, CallTry]:
    query = select(CallTry).where(CallTry.call_id.in_([call.id for call in calls])).order_by(CallTry.turn)
    return {one.call_id: one for one in session.scalars(query)}


def _people(session: Session, errands: Sequence[Errand]) -> dict[str, list[DutyPerson]]:
    """Return the people of each place's own roster, in their order: who is nearest to it."""
    paths = {errand.region_path: errand.region_code for errand in errands}
    query = select(DutyPerson).where(DutyPerson.region_path.in_(paths), DutyPerson.removed_at.is_(None))
    found: dict[str, list[DutyPerson]] = {}
    for person in session.scalars(query.order_by(DutyPerson.turn)):
        found.setdefault(paths[person.region_path], []).append(person)
    return found


def _of_sources(sources: Sequence[IncidentSource]) -> Iterator[Line]:
    for source in sources:
        if source.issuer or source.kind.value != "own":
            yield Line(source.received_at, f"heard_{source.kind.value}", source.issuer, source.reference)


def _of_alert(session: Session, alert: Alert) -> Iterator[Line]:
    key = {"alert": "pressed", "update": "pressed", "correction": "corrected", "all_clear": "cleared"}[alert.act.value]
    proposed = alert.authority in (Authority.SECOND_PERSON, Authority.BREAK_GLASS)
    yield Line(
        alert.armed_at,
        "proposed" if proposed else key,
        alert.armed_by_name,
        alert.title,
        number=alert.speakers_confirmed,
        alert_id=alert.id,
    )
    if alert.confirmed_at is not None:
        alone = alert.authority is Authority.BREAK_GLASS
        yield Line(
            alert.confirmed_at,
            "went_alone" if alone else "confirmed",
            alert.confirmed_by_name,
            alert.reason,
            took=alert.confirmed_at - alert.armed_at,
            alert_id=alert.id,
        )
    pressed = alert.confirmed_at or alert.armed_at
    if alert.ended_at is not None and alert.state in (AlertState.CANCELLED, AlertState.STOPPED, AlertState.MISSED):
        took = alert.ended_at - (alert.fired_at or alert.armed_at)
        yield Line(alert.ended_at, alert.state.value, alert.ended_by_name, alert.title, took=took, alert_id=alert.id)
    if alert.broadcast_id is not None:
        if alert.fired_at is not None and alert.fired_at > pressed:
            yield Line(alert.fired_at, "fired", took=alert.fired_at - pressed, alert_id=alert.id)
        yield from _of_sound(session, alert, pressed)
        yield from _of_texts(session, alert, pressed)


def _of_sound(session: Session, alert: Alert, pressed: datetime) -> Iterator[Line]:
    sent_at = session.scalar(select(PlayOrder.sent_at).where(PlayOrder.broadcast_id == alert.broadcast_id))
    row = session.execute(
        select(
            func.count(),
            func.count(SpeakerDelivery.started_at),
            func.min(SpeakerDelivery.received_at),
            func.min(SpeakerDelivery.started_at),
            func.max(SpeakerDelivery.started_at),
        ).where(SpeakerDelivery.broadcast_id == alert.broadcast_id)
    ).one()
    meant, sounded, received, first, last = row
    # A loudspeaker's clock may run behind the hub's: nothing is received before it was sent, nor heard before that.
    begun = [at for at in (alert.fired_at, sent_at) if at is not None]
    sent_at, received, first, last = _in_order(begun, sent_at, received, first, last)
    if sent_at is not None:
        yield Line(sent_at, "sent", number=meant, took=sent_at - pressed, alert_id=alert.id)
    if received is not None:
        yield Line(received, "received", took=received - pressed, alert_id=alert.id)
    if first is not None:
        yield Line(first, "first_sound", took=first - pressed, alert_id=alert.id)
    if last is not None and last != first:
        yield Line(last, "last_sound", number=sounded, of=meant, took=last - pressed, alert_id=alert.id)


def _in_order(begun: Sequence[datetime], *moments: datetime | None) -> list[datetime | None]:
    """Return moments that follow one another, none before what came first."""
    before = min(begun, default=None)
    found: list[datetime | None] = []
    for at in moments:
        before = max(at, before or at) if at is not None else before
        found.append(before if at is not None else None)
    return found


def _of_texts(session: Session, alert: Alert, pressed: datetime) -> Iterator[Line]:
    first, last, handed, delivered = session.execute(
        select(
            func.min(SmsMessage.sent_at),
            func.max(SmsMessage.sent_at),
            func.count().filter(SmsMessage.state.in_(_HANDED_OVER)),
            func.count().filter(SmsMessage.state == MessageState.DELIVERED),
        ).where(SmsMessage.broadcast_id == alert.broadcast_id)
    ).one()
    if first is not None:
        yield Line(first, "first_text", took=first - pressed, alert_id=alert.id)
    if last is not None:
        took = last - pressed
        yield Line(last, "last_text", number=handed, of=delivered, took=took, alert_id=alert.id)


def _of_calls(session: Session, calls: Sequence[Call], names: dict[str, str]) -> Iterator[Line]:
    by_id = {call.id: call for call in calls}
    tries = session.scalars(select(CallTry).where(CallTry.call_id.in_(by_id)).order_by(CallTry.sent_at)).all()
    for one in tries:
        place = names.get(by_id[one.call_id].region_code, "")
        who = f"{one.name} {one.title}".strip()
        yield Line(one.sent_at, "called", who, place, number=one.turn)
        if one.confirmed_at is not None and one.how is not None:
            yield Line(one.confirmed_at, f"answered_{one.how.value}", who, place, took=one.confirmed_at - one.sent_at)
    for call in calls:
        if call.state is CallState.NOBODY:
            yield Line(call.next_at, "nobody", "", names.get(call.region_code, ""), took=call.next_at - call.opened_at)


def _of_errands(errands: Sequence[Errand]) -> Iterator[Line]:
    for errand in errands:
        yield Line(errand.opened_at, f"to_{errand.kind.value}", "", errand.name)
        if errand.closed_at is not None:
            yield Line(
                errand.closed_at,
                f"done_{errand.kind.value}",
                errand.closed_by_name,
                f"{errand.name} {errand.result}".strip(),
                took=errand.closed_at - errand.opened_at,
            )


def _of_notes(session: Session, incident: Incident) -> Iterator[Line]:
    notes = session.scalars(select(IncidentNote).where(IncidentNote.incident_id == incident.id))
    for note in notes:
        yield Line(note.at, "note", note.by_name, note.text)
