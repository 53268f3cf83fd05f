"""One statement for many messages instead of a statement each: claiming whole calls, and joins with a list of values.

The pump lives on these; row by row they cost ten times as much. They are built once: building one took as long as
SQLite needs for fifty rows.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    Select,
    String,
    Text,
    Update,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsMessage, SmsSubmission
from broadcasts.sms.states import MessageState, SubmissionState, lower

_TABLE: Any = SmsMessage.__table__
Columns = tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]


def _lite() -> Columns:
    """Read each entry by place (number, call, id): to take JSON within JSON apart costs SQLite more than the update."""
    each = func.json_each(bindparam("rows", type_=Text)).table_valued("value", name="j")
    number, call, ref = (func.substr(each.c.value, *place) for place in ((1, 19), (20, 32), (52,)))
    return cast(number, Integer), type_coerce(call, Uuid), type_coerce(ref, String)


def _postgres() -> Columns:
    kinds = (("numbers", BigInteger), ("calls", Uuid), ("refs", String))
    lists = [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds]
    each = func.unnest(*lists).table_valued("m", "s", "r", name="j").render_derived()
    return type_coerce(each.c.m, BigInteger), type_coerce(each.c.s, Uuid), type_coerce(each.c.r, String)


_TAKEN: dict[str, Any] = {
    "state": MessageState.SUBMITTING.value,
    "provider": bindparam("by"),
    "attempts": _TABLE.c.attempts + 1,
    "changed_at": bindparam("now"),
}


def _taking(columns: Columns) -> Update:
    number, call, _ = columns
    return update(_TABLE).where(_TABLE.c.id == number).values({**_TAKEN, "submission_id": call})


@cache
def _waiting(spared: str, refused_by: tuple[str, ...], *columns: str) -> Select[Any]:
    run = bindparam("run", type_=_TABLE.c.broadcast_id.type, literal_execute=True)
    return (
        select(*(_TABLE.c[name] for name in columns))
        .where(
            _TABLE.c.broadcast_id == run,
            _TABLE.c.state == MessageState.CREATED,
            _TABLE.c.next_try_at <= bindparam("now"),
            ~_TABLE.c.shun.contains(spared, autoescape=True),
            *(_TABLE.c.shun.contains(name, autoescape=True) for name in refused_by),
        )
        .order_by(_TABLE.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
    )


@cache
def _claiming(spared: str, refused_by: tuple[str, ...], *, lite: bool) -> Executable:
    # PostgreSQL gets a ready list: it then goes by the key, whatever it believes about the table.
    these = _waiting(spared, refused_by, "id")
    which = _TABLE.c.id.in_(these) if lite else _TABLE.c.id == func.any(func.array(these.scalar_subquery()))
    return (
        update(_TABLE)
        .where(which)
        .values({**_TAKEN, "submission_id": bindparam("call", type_=Uuid)})
        .returning(_TABLE.c.id, _TABLE.c.sealed, _TABLE.c.attempts)
    )


def _accepting(columns: Columns) -> Update:
    number, call, ref = columns
    believed = or_(*(_TABLE.c.state == state for state in sorted(lower(MessageState.SENT))))
    return (
        update(_TABLE)
        .where(_TABLE.c.id == number, _TABLE.c.submission_id == call)
        .values(
            state=case((believed, MessageState.SENT.value), else_=_TABLE.c.state),
            provider_ref=ref,
            sent_at=bindparam("now"),
            changed_at=bindparam("now"),
        )
    )


_CALLS: Any = SmsSubmission.__table__
_OF_A_CALL: dict[str, ColumnElement[Any]] = {
    "broadcast_id": bindparam("broadcast", type_=Uuid),
    "priority": bindparam("priority", type_=Integer),
    "state": literal(SubmissionState.SUBMITTING, _CALLS.c.state.type),
    "provider": bindparam("by", type_=String),
    "lease_until": bindparam("until", type_=_CALLS.c.lease_until.type),
    "submitted_at": bindparam("now", type_=_CALLS.c.submitted_at.type),
    "looks": literal(0),
    "cause": literal(""),
}


def _noting_lite() -> Executable:
    return insert(_CALLS).values({name: bindparam(name) for name in ("id", "attempt", "people")} | _OF_A_CALL)


def _noting_postgres() -> Executable:
    kinds = (("ids", Uuid), ("attempts", Integer), ("people", Integer))
    lists = [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds]
    each = func.unnest(*lists).table_valued("i", "a", "p", name="j").render_derived()
    columns = {"id": type_coerce(each.c.i, Uuid), "attempt": each.c.a, "people": each.c.p, **_OF_A_CALL}
    return insert(_CALLS).from_select(list(columns), select(*columns.values()), include_defaults=False)


_NOTE = {True: _noting_lite(), False: _noting_postgres()}
_TAKE = {True: _taking(_lite()), False: _taking(_postgres())}
_ACCEPT = {True: _accepting(_lite()), False: _accepting(_postgres())}
Group = tuple[UUID, Sequence[tuple[int, str]]]
"""A call, and its messages, each with the provider's id."""
Taken = tuple[int, bytes, int]
"""A message, its sealed number, and how often it was tried."""


def waiting(
    session: Session, run_id: UUID, spared: str, refused_by: tuple[str, ...], most: int, *, now: datetime
) -> Sequence[Taken]:
    """Return and lock people of a run whom its provider has not refused, and all the others have.

    The run stands in the statement itself: a plan prepared for any run goes by statistics from before this one, and
    those of a busy day lead it past the index, through all the rows that other runs have left behind.
    """
    statement = _waiting(spared, refused_by, "id", "sealed", "attempts")
    found: Any = session.connection().execute(statement, {"run": run_id, "most": most, "now": now}).all()
    return list(found)


def claim(
    session: Session, run_id: UUID, spared: str, refused_by: tuple[str, ...], most: int, **taken: Any
) -> Sequence[Taken]:
    """Take the same people into one call in one statement; return them, their tries counted. `taken`: call, by, now."""
    statement = _claiming(spared, refused_by, lite=session.get_bind().dialect.name == "sqlite")
    found: Any = session.connection().execute(statement, {"run": run_id, "most": most, **taken}).all()
    return sorted(found, key=itemgetter(0))


def take(session: Session, groups: Sequence[Group], provider: str, *, now: datetime) -> None:
    """Move waiting messages into their calls, which are about to be made.

    They were found waiting, and locked, in this transaction. Their state is not asked again: PostgreSQL then joins with
    everybody who waits, by the index of states, for the few who are taken.
    """
    _run(session, _TAKE, groups, {"by": provider, "now": now})


def accept(session: Session, groups: Sequence[Group], *, now: datetime) -> None:
    """Note the provider's ids; a message a report has already raised further keeps its state."""
    _run(session, _ACCEPT, groups, {"now": now})


def note_calls(session: Session, calls: Sequence[tuple[UUID, int, int]], same: Mapping[str, Any]) -> None:
    """Write the rows of calls, each with its id, try and number of people; `same`: what all of them share.

    PostgreSQL's driver takes rows one by one, which cost more than everything else an emergency waits for.
    """
    lite = session.get_bind().dialect.name == "sqlite"
    if lite:
        given: Any = [{"id": ident, "attempt": attempt, "people": people, **same} for ident, attempt, people in calls]
    else:
        ids, attempts, people = (list(column) for column in zip(*calls, strict=True))
        given = {"ids": ids, "attempts": attempts, "people": people, **same}
    session.connection().execute(_NOTE[lite], given)


def _run(session: Session, statements: dict[bool, Update], groups: Sequence[Group], values: dict[str, Any]) -> None:
    lite = session.get_bind().dialect.name == "sqlite"
    if lite:
        rows = [f"{number:019d}{call.hex}{ref}" for call, pairs in groups for number, ref in pairs]
        lists: dict[str, Any] = {"rows": json.dumps(rows)}
    else:
        lists = {
            "numbers": [number for _, pairs in groups for number, _ in pairs],
            "calls": [call for call, pairs in groups for _ in pairs],
            "refs": [ref for _, pairs in groups for _, ref in pairs],
        }
    session.connection().execute(statements[lite], {**lists, **values})
