"""One statement for many messages, each with a value of its own: a join with a list instead of a statement each.

The pump lives on these two; row by row they cost ten times as much.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    String,
    Text,
    Update,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    or_,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsMessage
from broadcasts.sms.states import MessageState, lower

_TABLE: Any = SmsMessage.__table__
Columns = tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]


def _lite() -> Columns:
    each = func.json_each(bindparam("rows", type_=Text)).table_valued("value", name="j")
    number, call, ref = (func.json_extract(each.c.value, f"$[{place}]") for place in range(3))
    return type_coerce(number, Integer), type_coerce(call, Uuid), type_coerce(ref, String)


def _postgres() -> Columns:
    kinds = (("numbers", BigInteger), ("calls", Uuid), ("refs", String))
    lists = [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds]
    each = func.unnest(*lists).table_valued("m", "s", "r", name="j").render_derived()
    return type_coerce(each.c.m, BigInteger), type_coerce(each.c.s, Uuid), type_coerce(each.c.r, String)


def _taking(columns: Columns) -> Update:
    number, call, _ = columns
    return (
        update(_TABLE)
        .where(_TABLE.c.id == number)
        .values(
            state=MessageState.SUBMITTING.value,
            submission_id=call,
            provider=bindparam("by"),
            attempts=_TABLE.c.attempts + 1,
            changed_at=bindparam("now"),
        )
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


_TAKE = {True: _taking(_lite()), False: _taking(_postgres())}
_ACCEPT = {True: _accepting(_lite()), False: _accepting(_postgres())}
Group = tuple[UUID, Sequence[tuple[int, str]]]
"""A call, and its messages, each with the provider's id."""


def take(session: Session, groups: Sequence[Group], provider: str, *, now: datetime) -> None:
    """Move waiting messages into their calls, which are about to be made.

    They were found waiting, and locked, in this transaction. Their state is not asked again: PostgreSQL then joins with
    everybody who waits, by the index of states, for the few who are taken.
    """
    _run(session, _TAKE, groups, {"by": provider, "now": now})


def accept(session: Session, groups: Sequence[Group], *, now: datetime) -> None:
    """Note the provider's ids; a message a report has already raised further keeps its state."""
    _run(session, _ACCEPT, groups, {"now": now})


def _run(session: Session, statements: dict[bool, Update], groups: Sequence[Group], values: dict[str, Any]) -> None:
    lite = session.get_bind().dialect.name == "sqlite"
    if lite:
        rows = [(number, text, ref) for text, pairs in _by_hex(groups) for number, ref in pairs]
        lists: dict[str, Any] = {"rows": json.dumps(rows, separators=(",", ":"))}
    else:
        lists = {
            "numbers": [number for _, pairs in groups for number, _ in pairs],
            "calls": [call for call, pairs in groups for _ in pairs],
            "refs": [ref for _, pairs in groups for _, ref in pairs],
        }
    session.connection().execute(statements[lite], {**lists, **values})


def _by_hex(groups: Sequence[Group]) -> Iterator[tuple[str, Sequence[tuple[int, str]]]]:
    return ((call.hex, pairs) for call, pairs in groups)
