"""What the provider's answer to one call means for the people in it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.sms.gateway import Accepted, Refusal, Refused, SubmitResult, Unknown
from broadcasts.sms.models import SmsAttempt, SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.reports import parse_message_ref
from broadcasts.sms.sending import bulk
from broadcasts.sms.sending.leasing import Call, bar
from broadcasts.sms.states import MessageState, Priority, Reason, RunState, SubmissionState
from hub.residents.blocking import block
from hub.residents.models import BlockReason

MAX_TRIES = 5
"""Tries of a routine message that is refused for a passing reason; an emergency is tried until it expires."""
_OPEN = (MessageState.SUBMITTING, MessageState.UNKNOWN)
_FINAL_REASON: Mapping[Refusal, Reason] = {
    Refusal.INVALID_NUMBER: Reason.INVALID_NUMBER,
    Refusal.OPTED_OUT: Reason.OPTED_OUT,
    Refusal.CARRIER_BLOCKED: Reason.CARRIER_BLOCKED,
    Refusal.REJECTED: Reason.REJECTED,
}
_ELSEWHERE = frozenset({Refusal.REJECTED, Refusal.CARRIER_BLOCKED})
"""Another provider may well take it."""
ALL_REFUSED_AFTER = 20
LONGEST_DOUBT = timedelta(minutes=30)
_CALLS: Any = SmsSubmission.__table__


@dataclass(frozen=True, slots=True)
class Terms:
    """What settling has to know beside the answers: how long to doubt, and who else can carry a text."""

    resend_after: timedelta
    able: Callable[[str], Collection[str]] = lambda _: ()


def settle(session: Session, answers: Sequence[tuple[Call, SubmitResult]], terms: Terms, *, now: datetime) -> None:
    """Write down what calls led to."""
    accepted = [(call, result) for call, result in answers if isinstance(result, Accepted)]
    if accepted:
        _accepted(session, accepted, terms, now)
    for call, result in answers:
        match result:
            case Accepted():
                continue
            case Refused():
                _refused(session, call, [person.message_id for person in call.people], result, terms, now)
                _note(session, [call.id], SubmissionState.REFUSED, result.code or result.kind.value, now)
            case Unknown():
                give_up(session, [call.id], result.cause, resend_after=terms.resend_after, now=now)


def give_up(session: Session, ids: Collection[UUID], cause: str, *, resend_after: timedelta, now: datetime) -> None:
    """Call the fate of calls unknown. Emergencies will be looked into, anything else waits for a report or a person."""
    session.execute(
        update(SmsMessage)
        .where(SmsMessage.submission_id.in_(ids), SmsMessage.state == MessageState.SUBMITTING)
        .values(state=MessageState.UNKNOWN, changed_at=now)
    )
    tries = session.scalars(select(SmsSubmission.attempt).where(SmsSubmission.id.in_(ids)).distinct()).all()
    for attempt in tries:
        # The more often it was in vain, the longer the next look waits; it goes on until the message expires.
        look_at = now + min(resend_after * 2 ** min(attempt - 1, 10), max(LONGEST_DOUBT, resend_after))
        session.execute(
            update(SmsSubmission)
            .where(SmsSubmission.id.in_(ids), SmsSubmission.attempt == attempt)
            .values(
                state=SubmissionState.UNKNOWN,
                cause=cause[:60],
                settled_at=now,
                look_at=case((SmsSubmission.priority == int(Priority.EMERGENCY), look_at), else_=None),
            )
        )


def unreadable(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    """Fail messages whose number cannot be opened any more: it was sealed with a key this hub does not have."""
    these = SmsMessage.id.in_(ids) & (SmsMessage.state == MessageState.SUBMITTING)
    _failed(session, these, Reason.UNREADABLE, "", now)


def not_sent() -> ColumnElement[Any]:
    """Return the end of a message nothing was sent for, unless an earlier try may have gone: that stays unknown."""
    return case((SmsMessage.may_have_gone, MessageState.UNKNOWN.value), else_=MessageState.FAILED.value)


def requeue(session: Session, condition: ColumnElement[bool], values: Mapping[str, Any], run_id: UUID) -> None:
    """Put messages back into the queue, and the run back to work if it was thought done. The try is kept apart."""
    _keep_attempts(session, condition, values)
    session.execute(update(SmsMessage).where(condition).values(state=MessageState.CREATED, **values))
    session.execute(
        update(SmsRun)
        .where(SmsRun.broadcast_id == run_id, SmsRun.state == RunState.DONE)
        .values(state=RunState.GOING, done_at=None)
    )


def _keep_attempts(session: Session, condition: ColumnElement[bool], values: Mapping[str, Any]) -> None:
    ended = case(
        (SmsMessage.state == MessageState.UNKNOWN, MessageState.UNKNOWN.value), else_=MessageState.FAILED.value
    )
    columns: dict[str, Any] = {
        "broadcast_id": SmsMessage.broadcast_id,
        "message_id": SmsMessage.id,
        "submission_id": SmsMessage.submission_id,
        "provider": select(SmsSubmission.provider)
        .where(SmsSubmission.id == SmsMessage.submission_id)
        .scalar_subquery(),
        "provider_ref": SmsMessage.provider_ref,
        "state": ended,
        "code": literal(str(values["code"])) if "code" in values else SmsMessage.code,
        "ended_at": literal(values["changed_at"], SmsMessage.changed_at.type),
    }
    tried = select(*columns.values()).where(condition, SmsMessage.submission_id.is_not(None))
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(SmsAttempt).from_select(list(columns), tried, include_defaults=False).on_conflict_do_nothing()
    )


def _accepted(session: Session, answers: Sequence[tuple[Call, Accepted]], terms: Terms, now: datetime) -> None:
    bulk.accept(session, [(call.id, _marks(call, result)) for call, result in answers], now=now)
    for call, result in answers:
        for ref, refused in result.refused.items():
            known = parse_message_ref(ref)
            if known is not None:
                _refused(session, call, [known[1]], refused, terms, now)
    ids = [call.id for call, _ in answers]
    silent = [call.id for call, result in answers if len(result.refs) + len(result.refused) < len(call.people)]
    if silent:
        session.execute(
            update(SmsMessage)
            .where(SmsMessage.submission_id.in_(silent), SmsMessage.state == MessageState.SUBMITTING)
            .values(state=MessageState.UNKNOWN, code="not_answered", changed_at=now)
            .execution_options(synchronize_session=False)
        )
    _note(session, ids, SubmissionState.ACCEPTED, "", now)


def _marks(call: Call, result: Accepted) -> list[tuple[int, str]]:
    """Read back our ids; what a gateway makes up is passed over."""
    ours = f"{call.broadcast_id.hex}."
    begin = len(ours)
    return [
        (int(ref[begin:]), provider_ref[:64])
        for ref, provider_ref in result.refs.items()
        if ref.startswith(ours) and ref[begin:].isdecimal()
    ]


def _refused(session: Session, call: Call, ids: Sequence[int], refused: Refused, terms: Terms, now: datetime) -> None:
    these = SmsMessage.id.in_(ids) & (SmsMessage.submission_id == call.id) & SmsMessage.state.in_(_OPEN)
    others = set(terms.able(call.text)) - {call.provider}
    match refused.kind:
        case Refusal.THROTTLED | Refusal.CONFIGURATION:
            # It says nothing about these people, so it does not count as a try.
            again = now + timedelta(seconds=0 if others else refused.retry_after_s or 0)
            code = refused.code[:40]
            values = {"attempts": SmsMessage.attempts - 1, "next_try_at": again, "code": code, "changed_at": now}
            requeue(session, these, values, call.broadcast_id)
            if refused.kind is Refusal.CONFIGURATION and not others:
                pause(session, call.broadcast_id, "gateway_configuration", refused.code)
        case Refusal.TEMPORARY:
            _temporary(session, call, these, refused, now)
        case _:
            if others:
                _elsewhere(session, call, these, refused, others, now)
            _failed(session, these, _FINAL_REASON[refused.kind], refused.code, now)
            if refused.kind is Refusal.OPTED_OUT:
                _opted_out(session, ids, now)
            _pause_if_nobody_gets_it(session, call, refused)


def _elsewhere(
    session: Session,
    call: Call,
    these: ColumnElement[bool],
    refused: Refused,
    others: Collection[str],
    now: datetime,
) -> None:
    """Let those try another provider who have not been refused by all; nothing was sent, so nothing is sent twice."""
    emergency = call.priority == Priority.EMERGENCY
    if refused.kind not in _ELSEWHERE and not (emergency and refused.kind is Refusal.OPTED_OUT):
        return
    rows = session.execute(select(SmsMessage.id, SmsMessage.shun).where(these)).all()
    left = [row.id for row in rows if any(bar(name) not in row.shun for name in others)]
    if left:
        values = {
            "shun": SmsMessage.shun + bar(call.provider),
            "next_try_at": now,
            "code": refused.code[:40],
            "changed_at": now,
        }
        requeue(session, these & SmsMessage.id.in_(left), values, call.broadcast_id)


def pause(session: Session, broadcast_id: UUID, reason: str, code: str) -> None:
    """Let a run stand still until somebody has put right what is wrong."""
    session.execute(
        update(SmsRun).where(SmsRun.broadcast_id == broadcast_id).values(paused_reason=reason, paused_code=code[:40])
    )


def _temporary(session: Session, call: Call, these: ColumnElement[bool], refused: Refused, now: datetime) -> None:
    emergency = call.priority == Priority.EMERGENCY
    if not emergency and call.attempt >= MAX_TRIES:
        _failed(session, these, Reason.TEMPORARY, refused.code, now)
        return
    pause_s = min(2.0 * 2**call.attempt, 20.0) if emergency else 15.0 * 2**call.attempt
    again = now + timedelta(seconds=max(pause_s, refused.retry_after_s or 0))
    values = {"next_try_at": again, "code": refused.code[:40], "changed_at": now}
    requeue(session, these, values, call.broadcast_id)


def _failed(session: Session, these: ColumnElement[bool], reason: Reason, code: str, now: datetime) -> None:
    session.execute(
        update(SmsMessage).where(these).values(state=not_sent(), reason=reason.value, code=code[:40], changed_at=now)
    )


def _opted_out(session: Session, ids: Sequence[int], now: datetime) -> None:
    for index in session.scalars(select(SmsMessage.phone_index).where(SmsMessage.id.in_(ids))).all():
        block(session, index, BlockReason.OPTED_OUT, now=now)


def _pause_if_nobody_gets_it(session: Session, call: Call, refused: Refused) -> None:
    """Stop a routine run whose first people are all refused: it is the message that is wrong, not the people."""
    if call.priority == Priority.EMERGENCY:
        return
    states = session.scalars(
        select(SmsMessage.state)
        .where(SmsMessage.broadcast_id == call.broadcast_id, SmsMessage.attempts > 0)
        .limit(ALL_REFUSED_AFTER * 4)
    ).all()
    failed = sum(1 for state in states if state is MessageState.FAILED)
    if failed >= ALL_REFUSED_AFTER and failed == len(states):
        pause(session, call.broadcast_id, "everybody_refused", refused.code)


def _note(session: Session, ids: Sequence[UUID], state: SubmissionState, cause: str, now: datetime) -> None:
    session.connection().execute(
        update(_CALLS).where(_CALLS.c.id.in_(ids)).values(state=state, cause=cause[:60], settled_at=now, look_at=None)
    )
