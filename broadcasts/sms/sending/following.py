"""Text messages to exactly the people who got an earlier one, or may have got it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    and_,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.sending.direct import urgent_run
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import MessageState
from hub.core.db import copy_rows

GOT = (
    MessageState.SUBMITTING,
    MessageState.UNKNOWN,
    MessageState.SENT,
    MessageState.NO_RECEIPT,
    MessageState.UNDELIVERED,
    MessageState.DELIVERED,
)
"""Not those it was never handed over for: created, leased, cancelled, expired, suppressed, refused."""


def got_it(broadcast_id: UUID) -> ColumnElement[bool]:
    """Return the condition for messages of a broadcast that somebody has, or may have."""
    return and_(
        SmsMessage.broadcast_id == broadcast_id, or_(SmsMessage.state.in_(GOT), SmsMessage.may_have_gone.is_(True))
    )


def people_who_got_it(session: Session, broadcast_id: UUID) -> int:
    """Return how many numbers a follow-up would go to."""
    return session.scalar(select(func.count()).select_from(SmsMessage).where(got_it(broadcast_id))) or 0


def plan_after(
    session: Session,
    *,
    broadcast_id: UUID,
    after_id: UUID,
    text: str,
    expires_at: datetime,
    settings: SmsSettings,
    now: datetime,
) -> int:
    """Write to whoever got the messages of `after_id` or may have got them, in the emergency lane; return how many.

    The list is drawn up at this moment, in this transaction. Once per broadcast.
    """
    if session.get(SmsRun, broadcast_id) is not None:
        return 0
    run = urgent_run(session, broadcast_id, text, expires_at=expires_at, settings=settings, now=now)
    columns = _columns(run, now)
    chosen = select(*columns.values()).where(got_it(after_id), SmsMessage.sealed != b"").order_by(SmsMessage.id)
    return copy_rows(session, insert(SmsMessage).from_select(list(columns), chosen, include_defaults=False))


COPIED = frozenset({"phone_index", "sealed", "masked", "resident_id", "region_path"})
"""Whom a message goes to. Everything else begins anew."""


def _columns(run: SmsRun, now: datetime) -> dict[str, ColumnElement[Any]]:
    """Return what a new message to the person of an old one holds."""
    given: dict[str, Any] = {
        "broadcast_id": run.broadcast_id,
        "state": MessageState.CREATED,
        "parts": run.parts,
        "next_try_at": now,
        "changed_at": now,
    }
    table = {column.name: column for column in inspect(SmsMessage).columns}
    found: dict[str, ColumnElement[Any]] = {name: table[name] for name in sorted(COPIED)}
    found |= {name: literal(value, table[name].type) for name, value in given.items()}
    for column in table.values():
        if column.name not in found and (start := _start(column)) is not None:
            found[column.name] = literal(start, column.type)
    return found


def _start(column: Column[Any]) -> Any:
    """Return what a column holds at first; None where it stays empty, or the database fills it."""
    default = column.default
    return default.arg if isinstance(default, ScalarElementColumnDefault) else None
