"""Turn a run into one message per number, in one statement inside the database."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Subquery, and_, case, func, insert, literal, select, update
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.states import Lane, MessageState, Priority, Reason, RunState
from hub.core.db import StateText
from hub.residents.models import BlockedNumber, BlockReason, NumberKind, Phone, Resident
from hub.residents.reach import meant


def in_lane(lane: Lane) -> ColumnElement[bool]:
    """Return the condition on SmsRun for the runs a lane takes."""
    emergency = SmsRun.priority == int(Priority.EMERGENCY)
    return emergency if lane is Lane.EMERGENCY else ~emergency


def expand_next(session: Session, lane: Lane, *, now: datetime) -> UUID | None:
    """Write the messages of the next run of the lane that has none yet; return its id, None when there is none.

    The run is claimed and its messages are written in one transaction: it happens once, or not at all.
    """
    waiting = (
        select(SmsRun.broadcast_id)
        .where(SmsRun.state == RunState.EXPANDING, in_lane(lane))
        .order_by(SmsRun.priority, SmsRun.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    run: SmsRun | None = session.scalar(
        update(SmsRun)
        .where(SmsRun.broadcast_id.in_(waiting), SmsRun.state == RunState.EXPANDING)
        .values(state=RunState.GOING, expanded_at=now)
        .returning(SmsRun)
    )
    if run is None:
        return None
    _write_messages(session, run, now)
    return run.broadcast_id


def _write_messages(session: Session, run: SmsRun, now: datetime) -> None:
    audience = Audience.from_json(run.audience)
    if not audience.paths:
        return
    people = _people(audience)
    reason = _reason(people, emergency=run.priority == Priority.EMERGENCY)
    columns: dict[str, ColumnElement[Any]] = {
        "broadcast_id": literal(run.broadcast_id, SmsMessage.broadcast_id.type),
        "phone_index": people.c["index"],
        "sealed": people.c.sealed,
        "masked": people.c.masked,
        "resident_id": people.c.id,
        "region_path": people.c.region_path,
        "state": case(
            (reason == "", literal(MessageState.CREATED, StateText(MessageState))),
            else_=literal(MessageState.SUPPRESSED, StateText(MessageState)),
        ),
        "reason": reason,
        "code": literal(""),
        "parts": literal(run.parts),
        "attempts": literal(0),
        "shun": literal(""),
        "may_have_gone": literal(False),
        "next_try_at": literal(now, SmsMessage.next_try_at.type),
        "provider": literal(""),
        "provider_ref": literal(""),
        "changed_at": literal(now, SmsMessage.changed_at.type),
    }
    chosen = select(*columns.values()).where(people.c.turn == 1).order_by(people.c.region_path, people.c.id)
    session.execute(insert(SmsMessage).from_select(list(columns), chosen, include_defaults=False))


def _people(audience: Audience) -> Subquery:
    """Everybody meant, with each number numbered through: the first of those who share it has turn 1."""
    return (
        select(
            Phone.index,
            Phone.sealed,
            Phone.masked,
            Phone.kind,
            Resident.id,
            Resident.region_path,
            BlockedNumber.reason.label("blocked"),
            func.row_number()
            .over(partition_by=Phone.index, order_by=(Resident.region_path, Resident.id))
            .label("turn"),
        )
        .join(Resident, Resident.id == Phone.resident_id)
        .outerjoin(BlockedNumber, BlockedNumber.index == Phone.index)
        .where(*meant(audience.paths, audience.tags))
        .subquery()
    )


def _reason(people: Subquery, *, emergency: bool) -> ColumnElement[str]:
    """Why somebody gets nothing, empty if they do. Opting out yields to an emergency, a wrong number never does."""
    opted_out = people.c.blocked == BlockReason.OPTED_OUT
    return case(
        (people.c.kind != NumberKind.MOBILE, literal(Reason.NOT_SMSABLE.value)),
        (people.c.blocked == BlockReason.WRONG_NUMBER, literal(Reason.WRONG_NUMBER.value)),
        (and_(opted_out, literal(not emergency)), literal(Reason.OPTED_OUT.value)),
        else_=literal(""),
    )
