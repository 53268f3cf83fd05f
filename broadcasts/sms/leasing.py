"""The outbox's claims: who is taken for a call, that a call is about to be made, what it led to.

Every change names the states it may start from, so that a worker that comes late changes nothing it should not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.sms.expansion import in_lane
from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.states import Lane, MessageState, Priority, RunState, SubmissionState


@dataclass(frozen=True, slots=True)
class Person:
    """One message of a call, the number still sealed."""

    message_id: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """People taken together for one call to the provider."""

    id: UUID
    broadcast_id: UUID
    priority: int
    text: str = field(repr=False)
    expires_at: datetime
    attempt: int
    people: tuple[Person, ...]
    provider: str = ""


@dataclass(frozen=True, slots=True)
class LeasePlan:
    """How much to take: at most `calls` calls of at most `per_call` people, for the provider of that name."""

    provider: str
    calls: int
    per_call: int
    lease: timedelta


Choose = Callable[[str], "Sequence[LeasePlan] | None"]
"""By the text of a run: through whom it may go now, the preferred first; None: nobody can carry this text at all."""
NOBODY_CARRIES_IT = "no_gateway_for_text"


def lease(
    session: Session, lane: Lane, choose: Choose, *, now: datetime, least: Priority = Priority.ROUTINE
) -> list[Call]:
    """Take the next people of the most urgent run for calls; nothing has been sent yet."""
    run = _next_run(session, lane, now, least)
    if run is None:
        return []
    plans = choose(run.text)
    if plans is None:
        run.paused_reason, run.paused_code = NOBODY_CARRIES_IT, ""
    run.served_at = now
    calls: list[Call] = []
    for plan in plans or ():
        calls = _calls(session, run, plan, now)
        if calls:
            break
    session.flush()
    return calls


def _calls(session: Session, run: SmsRun, plan: LeasePlan, now: datetime) -> list[Call]:
    due = session.execute(
        select(SmsMessage.id, SmsMessage.sealed, SmsMessage.attempts)
        .where(
            SmsMessage.broadcast_id == run.broadcast_id,
            SmsMessage.state == MessageState.CREATED,
            SmsMessage.next_try_at <= now,
            ~SmsMessage.shun.contains(bar(plan.provider), autoescape=True),
        )
        .order_by(SmsMessage.id)
        .limit(plan.calls * plan.per_call)
        .with_for_update(skip_locked=True)
    ).all()
    calls = []
    for start in range(0, len(due), plan.per_call):
        chunk = due[start : start + plan.per_call]
        call = Call(
            id=uuid7(),
            broadcast_id=run.broadcast_id,
            priority=run.priority,
            text=run.text,
            expires_at=run.expires_at,
            attempt=max(row.attempts for row in chunk) + 1,
            people=tuple(Person(row.id, row.sealed) for row in chunk),
            provider=plan.provider,
        )
        calls.append(call)
    if calls:
        _note_leases(session, calls, plan, now)
    return calls


def bar(provider: str) -> str:
    """Return a gateway's name as it stands in SmsMessage.shun."""
    return f"|{provider}|"


def let_go(session: Session, ids: Collection[UUID], *, now: datetime) -> None:
    """Give back people who were taken for calls that will not be made after all."""
    session.execute(
        update(SmsMessage)
        .where(SmsMessage.submission_id.in_(ids), SmsMessage.state == MessageState.LEASED)
        .values(state=MessageState.CREATED, changed_at=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(SmsSubmission)
        .where(SmsSubmission.id.in_(ids), SmsSubmission.state == SubmissionState.LEASED)
        .values(state=SubmissionState.DROPPED)
        .execution_options(synchronize_session=False)
    )


def announce(session: Session, calls: Sequence[Call], *, lease_until: datetime, now: datetime) -> list[Call]:
    """Note that these calls are about to be made; to be committed BEFORE the network is touched.

    Return them without the people who were called off in between; calls nobody is left in are dropped.
    """
    standing = _standing(session, {call.broadcast_id for call in calls}, now)
    if standing:
        let_go(session, [call.id for call in calls if call.broadcast_id in standing], now=now)
        calls = [call for call in calls if call.broadcast_id not in standing]
    ids = [call.id for call in calls]
    kept = set(
        session.scalars(
            update(SmsMessage)
            .where(SmsMessage.submission_id.in_(ids), SmsMessage.state == MessageState.LEASED)
            .values(state=MessageState.SUBMITTING, attempts=SmsMessage.attempts + 1, changed_at=now)
            .returning(SmsMessage.id)
            .execution_options(synchronize_session=False)
        )
    )
    ready = []
    for call in calls:
        people = tuple(person for person in call.people if person.message_id in kept)
        if people:
            ready.append(replace(call, people=people))
    going = {call.id for call in ready}
    for state, these in ((SubmissionState.SUBMITTING, going), (SubmissionState.DROPPED, set(ids) - going)):
        if these:
            session.execute(
                update(SmsSubmission)
                .where(SmsSubmission.id.in_(these))
                .values(state=state, submitted_at=now if these is going else None, lease_until=lease_until)
                .execution_options(synchronize_session=False)
            )
    return ready


def _standing(session: Session, runs: Collection[UUID], now: datetime) -> set[UUID]:
    """Return which of these runs must not go on: paused, called off, or expired since their people were taken."""
    going = session.scalars(
        select(SmsRun.broadcast_id).where(
            SmsRun.broadcast_id.in_(runs),
            SmsRun.state == RunState.GOING,
            SmsRun.paused_reason == "",
            SmsRun.expires_at > now,
        )
    )
    return set(runs) - set(going)


def anything_due(session: Session, lane: Lane, *, now: datetime, least: Priority) -> bool:
    """Return whether somebody waits in a run of at least that urgency."""
    return _next_run(session, lane, now, least) is not None


def _next_run(session: Session, lane: Lane, now: datetime, least: Priority) -> SmsRun | None:
    due = exists().where(
        SmsMessage.broadcast_id == SmsRun.broadcast_id,
        SmsMessage.state == MessageState.CREATED,
        SmsMessage.next_try_at <= now,
    )
    return session.scalar(
        select(SmsRun)
        .where(SmsRun.state == RunState.GOING, SmsRun.paused_reason == "", SmsRun.expires_at > now)
        .where(in_lane(lane), due, SmsRun.priority <= int(least))
        .order_by(SmsRun.priority, SmsRun.served_at)
        .limit(1)
    )


def _note_leases(session: Session, calls: Sequence[Call], plan: LeasePlan, now: datetime) -> None:
    submissions = [
        {
            "id": call.id,
            "broadcast_id": call.broadcast_id,
            "priority": call.priority,
            "state": SubmissionState.LEASED,
            "provider": plan.provider,
            "attempt": call.attempt,
            "people": len(call.people),
            "lease_until": now + plan.lease,
            "looks": 0,
            "cause": "",
        }
        for call in calls
    ]
    session.execute(insert(SmsSubmission), submissions)
    table = SmsMessage.__table__
    session.connection().execute(
        update(SmsMessage)
        .where(table.c.id == bindparam("m"), table.c.state == MessageState.CREATED.value)
        .values(state=MessageState.LEASED, submission_id=bindparam("s"), provider=plan.provider, changed_at=now),
        [{"m": person.message_id, "s": call.id} for call in calls for person in call.people],
    )
