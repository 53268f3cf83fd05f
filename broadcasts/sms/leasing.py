"""The outbox's claims: who is taken for a call, and that a call is about to be made.

Every change names the states it may start from, so that a worker that comes late changes nothing it should not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, insert, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.sms import bulk
from broadcasts.sms.expansion import in_lane
from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.states import Lane, MessageState, Priority, RunState, SubmissionState


class Person(NamedTuple):
    """One message of a call, the number still sealed. A tuple: hundreds are made for every claim."""

    message_id: int
    sealed: bytes


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
    after: tuple[str, ...] = ()
    """Only people whom all of these have refused."""


Choose = Callable[[str], "Sequence[LeasePlan] | None"]
"""By the text of a run: through whom it may go now, the preferred first; None: nobody can carry this text at all."""
NOBODY_CARRIES_IT = "no_gateway_for_text"


_TABLE: Any = SmsSubmission.__table__
_INSERT = insert(_TABLE)


def take(
    session: Session,
    lane: Lane,
    choose: Choose,
    *,
    lease_until: datetime,
    now: datetime,
    least: Priority = Priority.ROUTINE,
) -> list[Call]:
    """Take the next people of the most urgent run for calls that are about to be made.

    To be committed BEFORE the network is touched: if this process dies before it says what became of them, they are
    unknown after `lease_until`.
    """
    run = _next_run(session, lane, now, least)
    if run is None:
        return []
    plans = choose(run.text)
    if plans is None:
        run.paused_reason, run.paused_code = NOBODY_CARRIES_IT, ""
    run.served_at = now
    session.flush()
    for plan in plans or ():
        calls = _calls(session, run, plan, now)
        if calls:
            _note(session, calls, plan, lease_until, now)
            return calls
    return []


def _calls(session: Session, run: SmsRun, plan: LeasePlan, now: datetime) -> list[Call]:
    due = session.execute(
        select(SmsMessage.id, SmsMessage.sealed, SmsMessage.attempts)
        .where(
            of_run(run.broadcast_id),
            SmsMessage.state == MessageState.CREATED,
            SmsMessage.next_try_at <= now,
            ~SmsMessage.shun.contains(bar(plan.provider), autoescape=True),
            *(SmsMessage.shun.contains(bar(name), autoescape=True) for name in plan.after),
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
    return calls


def bar(provider: str) -> str:
    """Return a gateway's name as it stands in SmsMessage.shun."""
    return f"|{provider}|"


def let_go(session: Session, ids: Collection[UUID], *, now: datetime) -> None:
    """Give back people who were leased by a hub that died before it announced their call (hubs before 0.1)."""
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


def drop(session: Session, ids: Collection[UUID], *, now: datetime) -> None:
    """Note that calls were not made, nobody being left in them."""
    session.execute(
        update(SmsSubmission)
        .where(SmsSubmission.id.in_(ids))
        .values(state=SubmissionState.DROPPED, settled_at=now)
        .execution_options(synchronize_session=False)
    )


def anything_due(session: Session, lane: Lane, *, now: datetime, least: Priority) -> bool:
    """Return whether somebody waits in a run of at least that urgency."""
    return _next_run(session, lane, now, least) is not None


def _next_run(session: Session, lane: Lane, now: datetime, least: Priority) -> SmsRun | None:
    """Ask run by run: one statement over runs and messages together was planned as a walk through every message."""
    going = (
        select(SmsRun)
        .where(SmsRun.state == RunState.GOING, SmsRun.paused_reason == "", SmsRun.expires_at > now)
        .where(in_lane(lane), SmsRun.priority <= int(least))
        .order_by(SmsRun.priority, SmsRun.served_at)
    )
    due = (SmsMessage.state == MessageState.CREATED, SmsMessage.next_try_at <= now)
    return next((run for run in session.scalars(going).all() if somebody_in(session, run.broadcast_id, *due)), None)


def of_run(run_id: UUID) -> ColumnElement[bool]:
    """Return the condition on SmsMessage for one run, which stands in the statement itself.

    A plan prepared for any run goes by statistics from before this one, and those of a busy day lead it past the index,
    through all the rows that other runs have left behind.
    """
    own = bindparam("run", run_id, SmsMessage.broadcast_id.type, unique=True, literal_execute=True)
    return SmsMessage.broadcast_id == own


def somebody_in(session: Session, run_id: UUID, *conditions: ColumnElement[bool]) -> bool:
    """Return whether a run has a message of that kind."""
    return session.scalar(select(SmsMessage.id).where(of_run(run_id), *conditions).limit(1)) is not None


def _note(session: Session, calls: Sequence[Call], plan: LeasePlan, lease_until: datetime, now: datetime) -> None:
    rows = [
        {
            "id": call.id,
            "broadcast_id": call.broadcast_id,
            "priority": call.priority,
            "state": SubmissionState.SUBMITTING,
            "provider": plan.provider,
            "attempt": call.attempt,
            "people": len(call.people),
            "lease_until": lease_until,
            "submitted_at": now,
            "looks": 0,
            "cause": "",
        }
        for call in calls
    ]
    session.connection().execute(_INSERT, rows)
    groups = [(call.id, [(person.message_id, "") for person in call.people]) for call in calls]
    bulk.take(session, groups, plan.provider, now=now)
