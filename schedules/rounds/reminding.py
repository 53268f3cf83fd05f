"""Remind people in time, and note what they reply. Nothing goes out that not everybody who had to look has passed."""

import logging
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Kind
from broadcasts.delivery.rules import Rules
from broadcasts.sms.models import SmsInbound
from hub.core.actor import SYSTEM
from hub.regions.tree import codes_in
from hub.residents import extra
from hub.residents.models import Phone
from schedules.rounds import agreed, turns
from schedules.rounds.models import CallState, Round, RoundCall, RoundKind, RoundState

log = logging.getLogger(__name__)
SAME_NIGHT = timedelta(hours=6)
"""A patrol lasts past midnight: until this hour its people may still report."""
DAY = "〔日期〕"


def anything_due(session: Session, *, rules: Rules, now: datetime) -> bool:
    """Return whether a reminder may be due, without taking anything in hand."""
    today = now.astimezone(rules.zone).date()
    query = _open_days(today).limit(20)
    return any(_told_at(kind, at, day, rules) <= now for _, day, kind, at in session.execute(query))


def _open_days(today: date) -> Select[UUID, date, RoundKind, str]:
    return (
        select(RoundCall.round_id, RoundCall.day, Round.kind, Round.at)
        .join(Round, Round.id == RoundCall.round_id)
        .where(
            Round.state == RoundState.ON,
            RoundCall.state == CallState.PLANNED,
            RoundCall.day <= today + timedelta(days=1),
        )
        .distinct()
        .order_by(RoundCall.day)
    )


def _told_at(kind: RoundKind, at: str, day: date, rules: Rules) -> datetime:
    told_on = day - timedelta(days=1) if kind is RoundKind.PATROL else day
    return datetime.combine(told_on, time.fromisoformat(at), tzinfo=rules.zone).astimezone(UTC)


def remind_due(session: Session, *, rules: Rules, now: datetime) -> int:
    """Send the reminders that are due, one message to everybody of a roster's day; return how many went out.

    A reminder whose day is over is not sent any more: the turn is noted as untold.
    """
    today = now.astimezone(rules.zone).date()
    due = session.execute(_open_days(today)).all()
    return sum(_remind(session, round_id, day, rules, now) for round_id, day, _, _ in due)


def take_reply(session: Session, kept: SmsInbound, now: datetime, *, zone: ZoneInfo) -> bool:
    """Note what a resident's reply confirms; return whether it was one of ours, so that nobody has to read it."""
    there, done = turns.is_there(kept.text), turns.is_done(kept.text)
    if not (there or done):
        return False
    call = _meant(session, kept, there=there, zone=zone)
    if call is None:
        return False
    call.state, call.confirmed_at = CallState.CONFIRMED, kept.received_at
    session.flush()
    return True


def _meant(session: Session, kept: SmsInbound, *, there: bool, zone: ZoneInfo) -> RoundCall | None:
    local = kept.received_at.astimezone(zone)
    patrol = Round.kind == RoundKind.PATROL
    first = local.date() - timedelta(days=7)
    if there:
        first = (local - SAME_NIGHT).date()
    query = (
        select(RoundCall)
        .join(Round, Round.id == RoundCall.round_id)
        .where(
            RoundCall.phone_index == kept.phone_index,
            RoundCall.day <= local.date(),
            RoundCall.day >= first,
            Round.state == RoundState.ON,
            patrol if there else ~patrol,
        )
        .order_by(RoundCall.state == CallState.CONFIRMED, RoundCall.day.desc())
        .limit(1)
    )
    return session.scalar(query)


def _remind(session: Session, round_id: UUID, day: date, rules: Rules, now: datetime) -> bool:
    found = session.get(Round, round_id, with_for_update=True)
    if found is None or found.state is not RoundState.ON or _told_at(found.kind, found.at, day, rules) > now:
        return False
    query = select(RoundCall).where(RoundCall.round_id == round_id, RoundCall.day == day)
    calls = session.scalars(query.where(RoundCall.state == CallState.PLANNED).with_for_update()).all()
    if not calls:
        return False
    over = datetime.combine(day + timedelta(days=1), time(), tzinfo=rules.zone)
    if now >= over:
        for call in calls:
            call.state = CallState.UNTOLD
        return False
    if not agreed.holds(session, found, calls):
        log.warning("roster %s is not what was agreed to; nobody is reminded", round_id)
        return False
    order = _order(found, day, calls, rules, over, now)
    _tell(session, calls, order, rules, now)
    return True


def _tell(session: Session, calls: Sequence[RoundCall], order: delivery.Order, rules: Rules, now: datetime) -> None:
    for phone in session.scalars(select(Phone).where(Phone.index.in_([call.phone_index for call in calls]))):
        extra.remember(session, phone.index, phone.sealed, phone.masked, phone.kind, now=now)
    broadcast = delivery.release(session, SYSTEM, order, rules=rules, now=now)
    for call in calls:
        call.state, call.broadcast_id = CallState.REMINDED, broadcast.id


def _order(
    found: Round, day: date, calls: Sequence[RoundCall], rules: Rules, over: datetime, now: datetime
) -> delivery.Order:
    words = found.words.replace(DAY, f"{day.month}月{day.day}日")
    numbers = tuple(sorted({call.phone_index.hex() for call in calls}))
    return delivery.Order(
        source=f"round:{found.id}:{day}:{len(numbers)}:{numbers[0][:8]}",
        kind=Kind.ROUTINE,
        title=found.title,
        text=words,
        sms_text=words,
        audience=Audience((codes_in(found.home_path)[-1],), speakers=False, sms=True, numbers=numbers, people=False),
        home_path=found.home_path,
        sound=None,
        repeats=1,
        volume=None,
        starts_at=now,
        expires_at=now + rules.valid,
        approved_by_name=found.approved_by_name,
        texts_until=over,
    )
