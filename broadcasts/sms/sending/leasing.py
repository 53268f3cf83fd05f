"""The outbox's claims: who is taken for a call, and that a call is about to be made.

Every change names the states it may start from, so that a worker that comes late changes nothing it should not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, bindparam, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.sending import bulk
from broadcasts.sms.sending.expansion import in_lane
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
WHOLE = 20
"""People in a call from which it is worth a statement of its own."""


_RUNS: Any = SmsRun.__table__


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
    going = _going(session, lane, now, least)
    for run in going:
        plans = choose(run.text)
        for plan in plans or ():
            calls = _calls(session, run, plan, now)
            if calls:
                _note(session, calls, plan, lease_until, now)
                if len(going) > 1:
                    _change(session, run.broadcast_id, {"served_at": now})
                return calls
        if somebody_in(session, run.broadcast_id, *_due(now)):
            # It is its turn although nobody can be called just now: what is less urgent waits.
            stopped = {"paused_reason": NOBODY_CARRIES_IT, "paused_code": ""} if plans is None else {}
            _change(session, run.broadcast_id, {"served_at": now, **stopped})
            return []
    return []


def _change(session: Session, run_id: UUID, values: dict[str, Any]) -> None:
    session.connection().execute(update(_RUNS).where(_RUNS.c.broadcast_id == run_id).values(**values))


def _calls(session: Session, run: Row[Any], plan: LeasePlan, now: datetime) -> list[Call]:
    """Take people into calls: a call for many in a statement of its own, calls for one or a few all together."""
    spared, refused_by = bar(plan.provider), tuple(bar(name) for name in plan.after)
    calls = []
    if plan.per_call >= WHOLE:
        for _ in range(plan.calls):
            ident = uuid7()
            people = bulk.claim(
                session, run.broadcast_id, spared, refused_by, plan.per_call, call=ident, by=plan.provider, now=now
            )
            if people:
                calls.append(_call(run, plan, ident, people, max(tries for _, _, tries in people)))
            if len(people) < plan.per_call:
                break
        return calls
    due = bulk.waiting(session, run.broadcast_id, spared, refused_by, plan.calls * plan.per_call, now=now)
    for start in range(0, len(due), plan.per_call):
        chunk = due[start : start + plan.per_call]
        calls.append(_call(run, plan, uuid7(), chunk, max(tries for _, _, tries in chunk) + 1))
    if calls:
        groups = [(call.id, [(person.message_id, "") for person in call.people]) for call in calls]
        bulk.take(session, groups, plan.provider, now=now)
    return calls


def _call(run: Row[Any], plan: LeasePlan, ident: UUID, people: Sequence[bulk.Taken], attempt: int) -> Call:
    return Call(
        id=ident,
        broadcast_id=run.broadcast_id,
        priority=run.priority,
        text=run.text,
        expires_at=run.expires_at,
        attempt=attempt,
        people=tuple([Person(number, sealed) for number, sealed, _ in people]),
        provider=plan.provider,
    )


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
    return any(somebody_in(session, run.broadcast_id, *_due(now)) for run in _going(session, lane, now, least))


def _due(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SmsMessage.state == MessageState.CREATED, SmsMessage.next_try_at <= now


@cache
def _runs(lane: Lane) -> Select[Any]:
    return (
        select(_RUNS.c.broadcast_id, _RUNS.c.priority, _RUNS.c.text, _RUNS.c.expires_at)
        .where(_RUNS.c.state == RunState.GOING, _RUNS.c.paused_reason == "", _RUNS.c.expires_at > bindparam("now"))
        .where(in_lane(lane), _RUNS.c.priority <= bindparam("least"))
        .order_by(_RUNS.c.priority, _RUNS.c.served_at)
    )


def _going(session: Session, lane: Lane, now: datetime, least: Priority) -> Sequence[Row[Any]]:
    """Return runs that may go out, the one whose turn it is first.

    Asked one by one: one statement over runs and messages together was planned as a walk through every message.
    """
    return session.connection().execute(_runs(lane), {"now": now, "least": int(least)}).all()


def of_run(run_id: UUID) -> ColumnElement[bool]:
    """Return the condition on SmsMessage for one run, which stands in the statement itself.

    A plan prepared for any run goes by statistics from before this one, and those of a busy day lead it past the index,
    through all the rows that other runs have left behind.
    """
    own = bindparam("run", run_id, SmsMessage.broadcast_id.type, unique=True, literal_execute=True)
    return SmsMessage.broadcast_id == own


def somebody_in(session: Session, run_id: UUID, *conditions: ColumnElement[bool]) -> bool:
    """Return whether a run has a message of that kind."""
    found = session.connection().scalar(select(SmsMessage.id).where(of_run(run_id), *conditions).limit(1))
    return found is not None


def _note(session: Session, calls: Sequence[Call], plan: LeasePlan, lease_until: datetime, now: datetime) -> None:
    """Write the rows of calls that are about to be made, for all of one run and plan."""
    same = {"broadcast": calls[0].broadcast_id, "priority": calls[0].priority, "by": plan.provider}
    same |= {"until": lease_until, "now": now}
    each = [(call.id, call.attempt, len(call.people)) for call in calls]
    bulk.note_calls(session, each, same)
