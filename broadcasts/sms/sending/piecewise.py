"""SQLite has one writer at a time: many people are listed in pieces, so that nobody else waits for long in between.

Who is meant, and in which order, is found out once, into a table of this connection alone, which keeps nobody from
writing. Its rows then become messages some at a time; a stop in between ends it. Whoever dies in the middle
begins anew: what is there already meets the unique key.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Connection, Integer, MetaData, Table, func, select, update
from sqlalchemy.orm import Session

from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.purposes import Limits
from broadcasts.sms.sending.expansion import inserting, rows_of
from broadcasts.sms.states import RunState
from hub.core.db import Sessions

PIECE: Final = 2_500
"""People written at a time: less than a tenth of a second. Smaller pieces write the same pages of the indexes again."""
_RUNS: Any = SmsRun.__table__
_NUMBER: Final = "row_number"


def list_if_many(
    sessions: Sessions, run_id: UUID, *, now: datetime, limits: Limits | None = None, piece: int = PIECE
) -> bool:
    """Write the messages of a run in pieces; False when it is not worth it, and nothing was done.

    On PostgreSQL nobody waits for somebody who writes other rows.
    """
    if sessions.engine.dialect.name != "sqlite":
        return False
    with sessions.read() as session:
        run = session.get(SmsRun, run_id)
        found = rows_of(session, run, now, limits) if run is not None else None
        if found is None:
            return False
        names, rows = found
        some = rows.order_by(None).limit(piece + 1).subquery()
        if (session.scalar(select(func.count()).select_from(some)) or 0) <= piece:
            return False
    with sessions.by_turns() as own:
        picked = _picked(names)
        with own.reading() as connection:
            picked.drop(connection, checkfirst=True)  # of somebody whose connection this was, and who failed
            picked.create(connection)
            connection.execute(picked.insert().from_select(names, rows))
            many = connection.scalar(select(func.max(picked.c[_NUMBER]))) or 0
        try:
            for start in range(0, many, piece):
                with own.writing() as connection:
                    if not _piece(connection, run_id, picked, (start, start + piece)):
                        return True
            with own.writing() as connection:
                _may_go(connection, run_id, now)
        finally:
            with own.reading() as connection:
                picked.drop(connection)
    return True


def _picked(names: list[str]) -> Table:
    columns = [Column(name, SmsMessage.__table__.c[name].type) for name in names]
    number = Column(_NUMBER, Integer, primary_key=True)
    return Table("sms_picked", MetaData(), number, *columns, prefixes=["TEMPORARY"])


def _piece(connection: Connection, run_id: UUID, picked: Table, part: tuple[int, int]) -> bool:
    """Write one piece, if the run may still be listed; return whether it may."""
    if connection.scalar(select(_RUNS.c.state).where(_RUNS.c.broadcast_id == run_id)) is not RunState.EXPANDING:
        return False
    number, (after, to) = picked.c[_NUMBER], part
    names = [column.name for column in picked.c if column is not number]
    rows = select(*(picked.c[name] for name in names)).where(number > after, number <= to).order_by(number)
    with Session(connection) as session:
        connection.execute(inserting(session, names, rows))
    return True


def _may_go(connection: Connection, run_id: UUID, now: datetime) -> None:
    waits = (_RUNS.c.broadcast_id == run_id) & (_RUNS.c.state == RunState.EXPANDING)
    connection.execute(update(_RUNS).where(waits).values(state=RunState.GOING, expanded_at=now))
