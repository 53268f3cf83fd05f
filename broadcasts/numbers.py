"""Numbers of what goes out, for whoever watches the hub."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from broadcasts.delivery.models import Broadcast, BroadcastState
from broadcasts.feedback.kinds import ComplaintState
from broadcasts.feedback.models import Complaint
from broadcasts.loudspeaker.models import OrderState, PlayOrder
from broadcasts.sms.models import SmsRun, SmsSubmission
from broadcasts.sms.states import RunState, SubmissionState
from hub.core.clock import Clock
from hub.core.gauges import Gauge, Gauges, Reading

OPEN_CALLS = (SubmissionState.LEASED, SubmissionState.SUBMITTING, SubmissionState.UNKNOWN)


def add_gauges(gauges: Gauges, clock: Clock) -> None:
    """Add what can be counted of broadcasts, orders and text messages."""
    for gauge in (
        Gauge("cunxiang_broadcasts_going", "Broadcasts under way.", _going, ("kind",)),
        Gauge("cunxiang_sms_calls", "Calls to SMS providers that are open or unknown.", _calls, ("state",)),
        Gauge("cunxiang_sms_runs_open", "Broadcasts whose text messages are not all sent.", _runs),
        Gauge(
            "cunxiang_complaints_open",
            "Complaints of residents that are not dealt with.",
            _complaints(clock),
            ("late",),
        ),
        Gauge("cunxiang_oldest_order_seconds", "Age of the oldest order not yet published.", _oldest_order(clock)),
        Gauge("cunxiang_oldest_call_seconds", "How long ago the longest open SMS call began.", _oldest_call(clock)),
    ):
        gauges.add(gauge)


def _going(session: Session) -> Iterable[Reading]:
    query = select(Broadcast.kind, func.count()).where(Broadcast.state == BroadcastState.GOING).group_by(Broadcast.kind)
    return [Reading(count, {"kind": kind.value}) for kind, count in session.execute(query)]


def _calls(session: Session) -> Iterable[Reading]:
    query = (
        select(SmsSubmission.state, func.count().label("calls"))
        .where(SmsSubmission.state.in_(OPEN_CALLS))
        .group_by(SmsSubmission.state)
    )
    counted = {row.state: row.calls for row in session.execute(query)}
    return [Reading(counted.get(state, 0), {"state": state.value}) for state in OPEN_CALLS]


def _runs(session: Session) -> Iterable[Reading]:
    query = select(func.count()).where(SmsRun.state.in_((RunState.EXPANDING, RunState.GOING)))
    return [Reading(session.scalar(query) or 0)]


def _complaints(clock: Clock) -> Callable[[Session], Iterable[Reading]]:
    def read(session: Session) -> Iterable[Reading]:
        is_open = Complaint.state != ComplaintState.DONE
        all_ = session.scalar(select(func.count()).where(is_open)) or 0
        late = session.scalar(select(func.count()).where(is_open, Complaint.due_at < clock())) or 0
        return [Reading(all_ - late, {"late": "no"}), Reading(late, {"late": "yes"})]

    return read


def _oldest_order(clock: Clock) -> Callable[[Session], Iterable[Reading]]:
    def read(session: Session) -> Iterable[Reading]:
        since = session.scalar(select(func.min(PlayOrder.created_at)).where(PlayOrder.state == OrderState.QUEUED))
        return [Reading(_age(since, clock()))]

    return read


def _oldest_call(clock: Clock) -> Callable[[Session], Iterable[Reading]]:
    def read(session: Session) -> Iterable[Reading]:
        query = select(func.min(SmsSubmission.submitted_at)).where(SmsSubmission.state == SubmissionState.SUBMITTING)
        return [Reading(_age(session.scalar(query), clock()))]

    return read


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
