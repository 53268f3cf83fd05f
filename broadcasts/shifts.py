"""What broadcasts have to tell of a shift: emergencies, calls, cries for help, complaints, late reviews, failures."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.afterwards import service as afterwards
from broadcasts.afterwards.settings import ApprovalSettings
from broadcasts.alerts.calling.models import Call, CallState
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.audience.selection import Audience
from broadcasts.delivery.desk import Stage, Upcoming
from broadcasts.delivery.models import Broadcast
from broadcasts.delivery.progress import numbers_of
from broadcasts.delivery.visibility import below, first_seen, may_see, near
from broadcasts.feedback import listing
from broadcasts.feedback.kinds import ComplaintState
from broadcasts.feedback.listing import Wanted
from broadcasts.kinds import Mode
from broadcasts.sms.letters import inbox, readable
from hub.core.actor import Actor
from hub.core.runtime import Runtime
from hub.duty.shift import ShiftEvent, ShiftSources, ShiftTopic
from hub.regions import service as regions

MOST = 60


def provide(runtime: Runtime) -> None:
    """Tell the page of a shift whom to ask."""
    sources = runtime.get(ShiftSources)
    for source in (danger, emergencies, calls, complaints, silent):
        sources.add(source)
    within = runtime.config.section(ApprovalSettings).within

    def reviews(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
        for one in afterwards.due(session, actor, within=within, now=until):
            if one.late:
                yield ShiftEvent(
                    one.due_at,
                    ShiftTopic.REVIEW,
                    one.alert.title,
                    place=one.place,
                    endpoint="afterwards.every",
                    open=True,
                )

    def missed(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
        timetable = runtime.find(Upcoming)
        for one in timetable.between(session, actor, since, until) if timetable else ():
            if one.stage in (Stage.MISSED, Stage.SKIPPED):
                yield ShiftEvent(one.due_at, ShiftTopic.FAILURE, one.title, code="missed", endpoint="timetable.week")

    sources.add(reviews)
    sources.add(missed)


def danger(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
    """Return text messages with words of danger."""
    for letter in readable.letters(session, inbox.inbox(session, actor, open_only=False, urgent=True, limit=MOST)):
        message = letter.message
        if message.handled_at is None or since <= message.received_at < until:
            yield ShiftEvent(
                message.received_at,
                ShiftTopic.DANGER,
                letter.said,
                note=message.acknowledged_by_name,
                place=letter.place,
                endpoint="inbox.one",
                values=(("inbound_id", str(message.id)),),
                open=message.handled_at is None,
            )


def emergencies(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
    """Return what was sent, taken back or ended, and what still holds."""
    holds = (Alert.state == AlertState.FIRED) & (Alert.expires_at > until)
    query = select(Alert).where(Alert.mode == Mode.LIVE, Alert.armed_at < until, or_(Alert.armed_at >= since, holds))
    for alert in session.scalars(query.where(near(actor, Alert.home_path)).order_by(Alert.armed_at).limit(MOST)):
        if may_see(actor, alert.home_path, Audience.from_json(alert.audience)):
            yield ShiftEvent(
                alert.armed_at,
                ShiftTopic.EMERGENCY,
                alert.title,
                note=alert.armed_by_name,
                code=alert.state.value,
                endpoint="alerts.show",
                values=(("alert_id", str(alert.id)),),
                open=alert.state in (AlertState.ARMED, AlertState.PROPOSED),
            )


def calls(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
    """Return calls that nobody has answered."""
    unanswered = (CallState.CALLING, CallState.NOBODY)
    query = select(Call, Alert.title).join(Alert, Alert.id == Call.alert_id)
    query = query.where(Call.state.in_(unanswered), Call.opened_at >= since, Call.opened_at < until)
    rows = session.execute(query.where(below(actor, Call.region_path)).order_by(Call.opened_at).limit(MOST)).all()
    names = regions.names(session, {call.region_code for call, _ in rows})
    for call, title in rows:
        where = ("incidents.show", "incident_id", call.incident_id) if call.incident_id else None
        endpoint, name, key = where or ("alerts.show", "alert_id", call.alert_id)
        yield ShiftEvent(
            call.opened_at,
            ShiftTopic.CALL,
            title,
            code=call.state.value,
            place=names.get(call.region_code, ""),
            endpoint=endpoint,
            values=((name, str(key)),),
            open=True,
        )


def complaints(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
    """Return what residents complained of, and what is overdue. Words of danger among them are danger."""
    for line in listing.lines(session, actor, Wanted("all"), now=until, limit=MOST):
        c = line.complaint
        is_open = c.state is not ComplaintState.DONE
        if since <= c.received_at < until or (is_open and (c.urgent or c.due_at < until)):
            yield ShiftEvent(
                c.received_at,
                ShiftTopic.DANGER if c.urgent else ShiftTopic.COMPLAINT,
                c.text,
                note=c.assigned_name,
                code=c.kind.value,
                place=line.place,
                endpoint="feedback.one",
                values=(("complaint_id", str(c.id)),),
                open=is_open,
            )


def silent(session: Session, actor: Actor, since: datetime, until: datetime) -> Iterator[ShiftEvent]:
    """Return broadcasts that sounded nowhere where the actor sees."""
    query = select(Broadcast).where(Broadcast.starts_at >= since, Broadcast.starts_at < until)
    query = query.where(Broadcast.speakers_meant > 0).order_by(Broadcast.starts_at)
    found = first_seen(session, actor, query, MOST)
    numbers = numbers_of(session, actor, [one.id for one in found])
    for one in found:
        counted = numbers[one.id]
        if counted.meant and counted.unheard == counted.meant and not counted.open:
            yield ShiftEvent(
                one.starts_at,
                ShiftTopic.FAILURE,
                one.title,
                code="silent",
                endpoint="delivery.broadcast",
                values=(("broadcast_id", str(one.id)),),
            )
