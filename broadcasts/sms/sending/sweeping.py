"""What time does to the outbox: leases of dead workers, expiry, missing receipts, numbers to forget."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, exists, false, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsMessage, SmsReceipt, SmsRun, SmsSubmission
from broadcasts.sms.sending.expansion import in_lane
from broadcasts.sms.sending.leasing import bar, let_go, somebody_in
from broadcasts.sms.sending.receipts import ORPHAN_PATIENCE
from broadcasts.sms.sending.settling import give_up, requeue
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import IN_HAND, WAITING, Lane, MessageState, Priority, RunState, SubmissionState

MAX_LOOKS = 3
SLOW_LOOK = timedelta(minutes=15)
SLOW_AFTER = timedelta(minutes=5)
SLOW_PART, SLOW_LEAST, SLOW_SAMPLE = 0.15, 20, 2000
_LOOK_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An emergency call of unknown fate whose time to be looked into has come."""

    id: UUID
    broadcast_id: UUID
    provider: str
    text: str = field(repr=False)
    attempt: int
    looks: int
    submitted_at: datetime
    expires_at: datetime
    people: tuple[tuple[int, bytes], ...] = field(repr=False)


def anything_to_do(session: Session, lane: Lane, *, now: datetime) -> bool:
    """Return whether a lane has a run that is not over, a call under way, or (ordinary) a report without a message."""
    live = exists().where(SmsRun.state.in_([RunState.EXPANDING, RunState.GOING]), in_lane(lane))
    emergency = int(Priority.EMERGENCY)
    mine = SmsSubmission.priority == emergency if lane is Lane.EMERGENCY else SmsSubmission.priority != emergency
    under_way = exists().where(SmsSubmission.state.in_([SubmissionState.LEASED, SubmissionState.SUBMITTING]), mine)
    early = exists().where(SmsReceipt.matched.is_(False), SmsReceipt.arrived_at > now - ORPHAN_PATIENCE)
    wanted = or_(live, under_way, early) if lane is Lane.ORDINARY else or_(live, under_way)
    return bool(session.scalar(select(wanted)))


def sweep(session: Session, lane: Lane, settings: SmsSettings, *, now: datetime) -> None:
    """Put right what dead workers left, end what has expired, close runs that are through."""
    _recover(session, lane, settings, now)
    _expire(session, lane, now)
    _close(session, lane, now)


def sweep_slowly(session: Session, settings: SmsSettings, *, now: datetime) -> None:
    """Do what is needed now and then: missing receipts, old numbers. For one lane only."""
    late = now - timedelta(hours=settings.no_receipt_after_h)
    recent = select(SmsRun.broadcast_id).where(SmsRun.created_at < late, SmsRun.created_at > late - _LOOK_BACK)
    session.execute(
        update(SmsMessage)
        .where(SmsMessage.broadcast_id.in_(recent))
        .where(SmsMessage.state == MessageState.SENT, SmsMessage.sent_at < late)
        .values(state=MessageState.NO_RECEIPT, changed_at=now)
    )
    old = now - timedelta(days=settings.forget_numbers_after_d)
    forget = session.scalars(
        update(SmsRun)
        .where(SmsRun.numbers_kept, SmsRun.done_at < old)
        .values(numbers_kept=False)
        .returning(SmsRun.broadcast_id)
    ).all()
    if forget:
        session.execute(update(SmsMessage).where(SmsMessage.broadcast_id.in_(forget)).values(sealed=b""))


def slow_providers(session: Session, *, now: datetime) -> dict[str, bool]:
    """Return by provider whether what it took in the last quarter of an hour arrives late, or not at all so far."""
    late_after = SLOW_AFTER.total_seconds()
    recent = select(SmsRun.broadcast_id).where(SmsRun.served_at > now - SLOW_LOOK * 2)
    rows = session.execute(
        select(SmsMessage.provider, SmsMessage.sent_at, SmsMessage.state, SmsMessage.reported_at)
        .where(SmsMessage.broadcast_id.in_(recent), SmsMessage.sent_at > now - SLOW_LOOK)
        .where(SmsMessage.state.in_([MessageState.SENT, MessageState.DELIVERED]))
        .order_by(SmsMessage.id.desc())
        .limit(SLOW_SAMPLE)
    )
    counts: dict[str, list[int]] = {}
    for provider, sent_at, state, reported_at in rows:
        if sent_at is None:
            continue
        over = (reported_at if state is MessageState.DELIVERED and reported_at else now) - sent_at
        if state is MessageState.DELIVERED or over.total_seconds() > late_after:
            seen = counts.setdefault(provider, [0, 0])
            seen[0] += 1
            seen[1] += over.total_seconds() > late_after
    return {name: many >= SLOW_LEAST and late / many >= SLOW_PART for name, (many, late) in counts.items()}


def lift_pauses(session: Session, lane: Lane) -> None:
    """Let runs go on that stood still for a wrong configuration: a hub that starts has read a new one."""
    session.execute(
        update(SmsRun)
        .where(SmsRun.paused_reason != "", SmsRun.state == RunState.GOING, in_lane(lane))
        .values(paused_reason="", paused_code="")
    )


def doubts(session: Session, *, now: datetime, limit: int) -> list[Doubt]:
    """Return emergency calls of unknown fate that have waited long enough for a report."""
    rows = session.execute(
        select(SmsSubmission, SmsRun.text, SmsRun.expires_at)
        .join(SmsRun, SmsRun.broadcast_id == SmsSubmission.broadcast_id)
        .where(SmsSubmission.state == SubmissionState.UNKNOWN, SmsSubmission.look_at <= now)
        .where(SmsRun.state == RunState.GOING, SmsRun.expires_at > now, SmsRun.paused_reason == "")
        .order_by(SmsSubmission.look_at)
        .limit(limit)
    ).all()
    found = []
    for submission, text, expires_at in rows:
        people = session.execute(
            select(SmsMessage.id, SmsMessage.sealed).where(
                SmsMessage.submission_id == submission.id, SmsMessage.state == MessageState.UNKNOWN
            )
        )
        found.append(
            Doubt(
                id=submission.id,
                broadcast_id=submission.broadcast_id,
                provider=submission.provider,
                text=text,
                attempt=submission.attempt,
                looks=submission.looks,
                submitted_at=submission.submitted_at or submission.lease_until,
                expires_at=expires_at,
                people=tuple(people),
            )
        )
    return found


def look_again(session: Session, doubt: Doubt, *, at: datetime) -> None:
    """The provider could not say: ask once more at that time."""
    session.execute(
        update(SmsSubmission)
        .where(SmsSubmission.id == doubt.id, SmsSubmission.state == SubmissionState.UNKNOWN)
        .values(look_at=at, looks=SmsSubmission.looks + 1)
    )


def found_sent(session: Session, doubt: Doubt, refs: Mapping[int, str], *, now: datetime) -> None:
    """Note what the provider says it did send; `refs` holds its ids by message."""
    for message_id, provider_ref in refs.items():
        session.execute(
            update(SmsMessage)
            .where(SmsMessage.id == message_id, SmsMessage.submission_id == doubt.id)
            .where(SmsMessage.state == MessageState.UNKNOWN)
            .values(state=MessageState.SENT, provider_ref=provider_ref[:64], sent_at=doubt.submitted_at, changed_at=now)
        )


def send_again(session: Session, doubt: Doubt, ids: Sequence[int], able: Collection[str], *, now: datetime) -> None:
    """Queue those of an emergency who may have got nothing; getting it twice is the lesser evil.

    It goes by somebody else if there is somebody who has not been tried; after all have been, from the beginning.
    """
    if ids:
        these = (SmsMessage.submission_id == doubt.id) & (SmsMessage.state == MessageState.UNKNOWN)
        tried = SmsMessage.shun + bar(doubt.provider)
        untried = or_(*(~tried.contains(bar(name), autoescape=True) for name in able)) if able else false()
        shun = case((untried, tried), else_="")
        values = {"may_have_gone": True, "next_try_at": now, "changed_at": now, "shun": shun}
        requeue(session, these & SmsMessage.id.in_(ids), values, doubt.broadcast_id)
    session.execute(update(SmsSubmission).where(SmsSubmission.id == doubt.id).values(look_at=None))


def _recover(session: Session, lane: Lane, settings: SmsSettings, now: datetime) -> None:
    runs = select(SmsRun.broadcast_id).where(in_lane(lane))
    over = session.execute(
        select(SmsSubmission.id, SmsSubmission.state)
        .where(SmsSubmission.state.in_([SubmissionState.LEASED, SubmissionState.SUBMITTING]))
        .where(SmsSubmission.lease_until < now, SmsSubmission.broadcast_id.in_(runs))
    ).all()
    never_made = [row.id for row in over if row.state is SubmissionState.LEASED]
    if never_made:
        let_go(session, never_made, now=now)
    in_doubt = [row.id for row in over if row.state is SubmissionState.SUBMITTING]
    if in_doubt:
        resend_after = timedelta(seconds=settings.emergency_resend_after_s)
        give_up(session, in_doubt, "worker_died", resend_after=resend_after, now=now)


def _expire(session: Session, lane: Lane, now: datetime) -> None:
    ended = select(SmsRun.broadcast_id).where(SmsRun.state == RunState.GOING, SmsRun.expires_at <= now, in_lane(lane))
    over = session.scalars(ended).all()
    if not over:
        return
    expired = case((SmsMessage.may_have_gone, MessageState.UNKNOWN.value), else_=MessageState.EXPIRED.value)
    session.execute(
        update(SmsMessage)
        .where(SmsMessage.broadcast_id.in_(over), SmsMessage.state.in_(WAITING))
        .values(state=expired, changed_at=now)
    )
    session.execute(
        update(SmsSubmission)
        .where(SmsSubmission.broadcast_id.in_(over), SmsSubmission.look_at.is_not(None))
        .values(look_at=None)
    )


def _close(session: Session, lane: Lane, now: datetime) -> None:
    in_doubt = exists().where(SmsSubmission.broadcast_id == SmsRun.broadcast_id, SmsSubmission.look_at.is_not(None))
    going = select(SmsRun.broadcast_id).where(SmsRun.state == RunState.GOING, in_lane(lane), ~in_doubt)
    through = [
        run_id
        for run_id in session.scalars(going).all()
        if not somebody_in(session, run_id, SmsMessage.state.in_(IN_HAND))
    ]
    if through:
        session.execute(
            update(SmsRun)
            .where(SmsRun.broadcast_id.in_(through), SmsRun.state == RunState.GOING)
            .values(state=RunState.DONE, done_at=now, paused_reason="", paused_code="")
        )
