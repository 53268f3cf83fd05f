"""Many people are listed in pieces on SQLite: the same rows as in one, and nobody else waits for the end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from smslab import BRIDGE, NOON, PINE, SHANGHAI, Lab, blocked, crowd, lab_run, mobile, somebody
from sqlalchemy import event, select
from sqlalchemy.engine import Connection
from turnlab import begin_one_by_one

from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.purposes import Limits
from broadcasts.sms.sending import outbox, piecewise
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.states import Lane, MessageState, RunState
from hub.core.db import Sessions
from hub.residents.models import BlockReason

PIECE = 100
PEOPLE = 3 * PIECE
LIMITS = Limits(1, timedelta(minutes=10), SHANGHAI)


@pytest.fixture
def many(lab: Lab) -> Sessions:
    crowd(lab.sessions, PEOPLE)
    with lab.sessions.begin() as session:
        somebody(session, mobile(7_000), name="村口", region=BRIDGE)
        somebody(session, mobile(7_000), name="也是这个号", region=PINE)
        blocked(session, mobile(3), BlockReason.OPTED_OUT)
    return lab.sessions


def planned(sessions: Sessions) -> UUID:
    with sessions.begin() as session:
        return lab_run(session, now=NOON).broadcast_id


def rows(sessions: Sessions, run_id: UUID) -> list[tuple[object, ...]]:
    columns = ("phone_index", "sealed", "masked", "resident_id", "region_path", "state", "reason", "next_try_at")
    with sessions.read() as session:
        found = session.execute(
            select(*(getattr(SmsMessage, name) for name in columns))
            .where(SmsMessage.broadcast_id == run_id)
            .order_by(SmsMessage.id)
        )
        return [tuple(row) for row in found]


def state_of(sessions: Sessions, run_id: UUID) -> RunState:
    with sessions.read() as session:
        return session.get_one(SmsRun, run_id).state


@contextmanager
def before_each_piece(sessions: Sessions, act: Callable[[int], None]) -> Iterator[None]:
    """Call with the number of the piece, before it is written."""
    count = 0

    def called(connection: Connection, cursor: object, statement: str, *given: object) -> None:
        nonlocal count
        if statement.startswith("INSERT INTO sms_message"):
            count += 1
            act(count)

    event.listen(sessions.engine, "before_cursor_execute", called)
    try:
        yield
    finally:
        event.remove(sessions.engine, "before_cursor_execute", called)


def test_pieces_are_the_same_rows_in_the_same_order_as_one_statement(many: Sessions) -> None:
    whole = planned(many)
    with many.begin() as session:
        assert expand_next(session, Lane.ORDINARY, now=NOON, limits=LIMITS) == whole
        session.get_one(SmsRun, whole).expanded_at = NOON - timedelta(days=2)  # so that no limit looks at it
    pieces = planned(many)
    assert piecewise.list_if_many(many, pieces, now=NOON, limits=LIMITS, piece=PIECE)
    assert rows(many, pieces) == rows(many, whole)
    assert len(rows(many, pieces)) == PEOPLE + 1
    assert state_of(many, pieces) is RunState.GOING


def test_few_are_left_to_one_statement(many: Sessions) -> None:
    with many.begin() as session:
        few = lab_run(session, regions=(BRIDGE,), now=NOON).broadcast_id
    assert not piecewise.list_if_many(many, few, now=NOON, piece=PIECE)
    assert rows(many, few) == []
    assert state_of(many, few) is RunState.EXPANDING


def test_others_write_in_between_and_a_stop_there_ends_it(many: Sessions) -> None:
    run_id, stopped = planned(many), threading.Event()

    def stop() -> None:
        with many.begin() as session:
            outbox.call_off(session, run_id, NOON)
        stopped.set()

    def during_the_first(number: int) -> None:
        if number == 1:
            begin_one_by_one(many, stop)

    with before_each_piece(many, during_the_first):
        assert piecewise.list_if_many(many, run_id, now=NOON, piece=PIECE)
    assert stopped.wait(10)
    assert state_of(many, run_id) is RunState.CANCELLED
    found = rows(many, run_id)
    assert len(found) == PIECE, "it did not go on after the stop"
    assert {row[5] for row in found} <= {MessageState.CANCELLED, MessageState.SUPPRESSED}, (
        "nobody is left to be sent to"
    )


def test_who_dies_in_the_middle_begins_anew_and_nobody_is_listed_twice(many: Sessions) -> None:
    run_id = planned(many)

    def die(number: int) -> None:
        if number == 2:
            raise RuntimeError

    with before_each_piece(many, die), pytest.raises(RuntimeError):
        piecewise.list_if_many(many, run_id, now=NOON, piece=PIECE)
    assert len(rows(many, run_id)) == PIECE
    assert state_of(many, run_id) is RunState.EXPANDING
    assert piecewise.list_if_many(many, run_id, now=NOON, piece=PIECE)
    assert len(rows(many, run_id)) == PEOPLE + 1
    assert state_of(many, run_id) is RunState.GOING


def test_the_pump_sends_to_everybody_who_was_listed_in_pieces(lab: Lab) -> None:
    crowd(lab.sessions, piecewise.PIECE + 10)
    planned(lab.sessions)
    lab.work(steps=2000)
    assert len(set(lab.gateway.numbers)) == len(lab.gateway.numbers) == piecewise.PIECE + 10
