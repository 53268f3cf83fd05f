"""Turn a run into one message per number, in one statement inside the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Insert, Select, Subquery, and_, case, func, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.purposes import Limits, Purpose
from broadcasts.sms.states import Lane, MessageState, Priority, Reason, RunState
from hub.core.db import StateText
from hub.regions.tree import common
from hub.residents.models import (
    BlockedNumber,
    BlockReason,
    ExtraNumber,
    NumberKind,
    Phone,
    Resident,
    TopicOptOut,
)
from hub.residents.reach import NEVER, ORDINARY, kept_out, meant, withheld

NOBODY = UUID(int=0)
"""Whose number it is when it was typed by hand: nobody's on the list."""
_COUNTED = (
    MessageState.CREATED,
    MessageState.LEASED,
    MessageState.SUBMITTING,
    MessageState.UNKNOWN,
    MessageState.SENT,
    MessageState.NO_RECEIPT,
    MessageState.UNDELIVERED,
    MessageState.DELIVERED,
)
"""States that count as a message somebody has to bear."""


def in_lane(lane: Lane) -> ColumnElement[bool]:
    """Return the condition on SmsRun for the runs a lane takes."""
    emergency = SmsRun.priority == int(Priority.EMERGENCY)
    return emergency if lane is Lane.EMERGENCY else ~emergency


def unlisted(session: Session, lane: Lane) -> UUID | None:
    """Return the run of a lane whose messages are to be written next; None when every run has them."""
    return session.scalar(_waiting(lane))


def _waiting(lane: Lane) -> Select[UUID]:
    return (
        select(SmsRun.broadcast_id)
        .where(SmsRun.state == RunState.EXPANDING, in_lane(lane))
        .order_by(SmsRun.priority, SmsRun.created_at)
        .limit(1)
    )


def expand_next(session: Session, lane: Lane, *, now: datetime, limits: Limits | None = None) -> UUID | None:
    """Write the messages of the next run of the lane that has none yet; return its id, None when there is none.

    The run is claimed and its messages are written in one transaction: it happens once, or not at all.
    """
    waiting = _waiting(lane).with_for_update(skip_locked=True)
    run: SmsRun | None = session.scalar(
        update(SmsRun)
        .where(SmsRun.broadcast_id.in_(waiting), SmsRun.state == RunState.EXPANDING)
        .values(state=RunState.GOING, expanded_at=now)
        .returning(SmsRun)
    )
    if run is None:
        return None
    write_messages(session, run, now, limits)
    return run.broadcast_id


def write_messages(session: Session, run: SmsRun, now: datetime, limits: Limits | None = None) -> None:
    """Write the messages of one run, in one statement inside the database."""
    found = rows_of(session, run, now, limits)
    if found is None:
        return
    names, rows = found
    session.execute(inserting(session, names, rows))


def inserting(session: Session, names: Sequence[str], rows: Select[Any]) -> Insert:
    """Return the statement that writes messages; a number that has one of this run already gets no other."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return (
        insert(SmsMessage)
        .from_select(list(names), rows, include_defaults=False)
        .on_conflict_do_nothing(index_elements=["broadcast_id", "phone_index"])
    )


def rows_of(
    session: Session, run: SmsRun, now: datetime, limits: Limits | None = None
) -> tuple[list[str], Select[Any]] | None:
    """Return the columns of a run's messages, and the question that finds them; None when it is for nobody.

    Of everybody who shares a number only the first is written down: whoever may get it before whoever may not, then in
    the order of the tree, single numbers last. Whatever comes after meets the unique key and is dropped.
    """
    audience = Audience.from_json(run.audience)
    if not audience.paths:
        return None
    people = _people(audience)
    emergency = run.priority == Priority.EMERGENCY
    chosen, reason = _with_reasons(session, people, run, now, limits if _limited(run, emergency) else None)
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
    rows = chosen.with_only_columns(*columns.values()).order_by(people.c.withheld, people.c.region_path, people.c.id)
    return list(columns), rows


def _limited(run: SmsRun, emergency: bool) -> bool:
    return run.purpose is Purpose.BROADCAST and not emergency


def _people(audience: Audience) -> Any:
    """Everybody meant, one row for each number of each resident, and the single numbers."""
    wanted = audience.wanted
    parts: list[Any] = []
    if wanted.people:
        theirs = (
            select(
                Phone.index,
                Phone.sealed,
                Phone.masked,
                Phone.kind,
                Resident.id,
                Resident.region_path,
                withheld().label("withheld"),
            )
            .join(Resident, Resident.id == Phone.resident_id)
            .where(*meant(wanted))
        )
        out = kept_out(wanted)
        parts.append(theirs if out is None else theirs.where(~out))
    if wanted.numbers or not parts:
        parts.append(
            select(
                ExtraNumber.index,
                ExtraNumber.sealed,
                ExtraNumber.masked,
                ExtraNumber.kind,
                literal(NOBODY, Resident.id.type).label("id"),
                literal(common(list(audience.paths)) or audience.paths[0]).label("region_path"),
                # Whoever was named by number is asked for by name: not withheld, but written down after the list.
                literal(0).label("withheld"),
            ).where(ExtraNumber.index.in_(wanted.numbers))
        )
    return (parts[0].union_all(*parts[1:]) if len(parts) > 1 else parts[0]).subquery()


def _with_reasons(
    session: Session, people: Subquery, run: SmsRun, now: datetime, limits: Limits | None
) -> tuple[Select[Any], ColumnElement[str]]:
    """Join what is known of the numbers; return why somebody gets nothing, empty if they do.

    Opting out yields to an emergency, a wrong number never does.
    """
    emergency = run.priority == Priority.EMERGENCY
    rows = select(people).outerjoin(BlockedNumber, BlockedNumber.index == people.c["index"])
    whens: list[tuple[ColumnElement[bool], Reason]] = [
        (people.c.kind != NumberKind.MOBILE, Reason.NOT_SMSABLE),
        (BlockedNumber.reason == BlockReason.WRONG_NUMBER, Reason.WRONG_NUMBER),
    ]
    if run.purpose is Purpose.BROADCAST:
        whens.append((people.c.withheld == NEVER, Reason.AWAY_REFUSED))
    if run.purpose is Purpose.BROADCAST and not emergency:
        whens.append((BlockedNumber.reason == BlockReason.OPTED_OUT, Reason.OPTED_OUT))
        if run.topic:
            about = and_(TopicOptOut.index == people.c["index"], TopicOptOut.topic == run.topic)
            rows = rows.outerjoin(TopicOptOut, about)
            whens.append((TopicOptOut.index.is_not(None), Reason.TOPIC_OPTED_OUT))
        whens.append((people.c.withheld == ORDINARY, Reason.AWAY_UNASKED))
    if limits is not None:
        rows, more = _limit(session, rows, people, run, now, limits)
        whens += more
    return rows, case(*((condition, literal(reason.value)) for condition, reason in whens), else_=literal(""))


def _limit(
    session: Session, rows: Select[Any], people: Subquery, run: SmsRun, now: datetime, limits: Limits
) -> tuple[Select[Any], list[tuple[ColumnElement[bool], Reason]]]:
    """Join what numbers got today; nothing is joined on a day with too few runs to reach a limit."""
    whens: list[tuple[ColumnElement[bool], Reason]] = []
    same = _earlier(session, run, now - limits.same_text_apart, text=run.text) if limits.same_text_apart else []
    if same:
        got = _got(same, "same_text")
        rows = rows.outerjoin(got, got.c.phone_index == people.c["index"])
        whens.append((got.c.phone_index.is_not(None), Reason.SAME_TEXT))
    today = _earlier(session, run, limits.day_began(now)) if limits.most_a_day else []
    if len(today) >= limits.most_a_day > 0:
        got = _got(today, "today")
        rows = rows.outerjoin(got, got.c.phone_index == people.c["index"])
        whens.append((got.c.got >= limits.most_a_day, Reason.DAILY_LIMIT))
    return rows, whens


def _earlier(session: Session, run: SmsRun, since: datetime, *, text: str = "") -> Sequence[UUID]:
    """Return the ordinary runs expanded since that moment, this one left out."""
    query = select(SmsRun.broadcast_id).where(
        SmsRun.expanded_at >= since,
        SmsRun.broadcast_id != run.broadcast_id,
        SmsRun.purpose == Purpose.BROADCAST,
        SmsRun.priority != int(Priority.EMERGENCY),
    )
    return session.scalars(query.where(SmsRun.text == text) if text else query).all()


def _got(runs: Sequence[UUID], name: str) -> Subquery:
    return (
        select(SmsMessage.phone_index, func.count().label("got"))
        .where(SmsMessage.broadcast_id.in_(runs), or_(*(SmsMessage.state == state for state in _COUNTED)))
        .group_by(SmsMessage.phone_index)
        .subquery(name)
    )
