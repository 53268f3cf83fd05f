"""One writer at a time on SQLite: in order, who is in a hurry first, and a turn is always given back."""

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from turnlab import begin_one_by_one

from hub.core.db import Sessions
from hub.core.writing import WriteTurns, in_a_hurry


def make(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(text("CREATE TABLE deed (id INTEGER PRIMARY KEY, who TEXT UNIQUE)"))


def write(sessions: Sessions, who: str) -> None:
    with sessions.begin() as session:
        session.execute(text("INSERT INTO deed (who) VALUES (:who)"), {"who": who})


def writers(sessions: Sessions) -> list[str]:
    with sessions.read() as session:
        return list(session.scalars(text("SELECT who FROM deed ORDER BY id")))


def test_who_waits_writes_in_order_and_who_is_in_a_hurry_before_them(sessions: Sessions) -> None:
    make(sessions)

    def hurried() -> None:
        with in_a_hurry():
            write(sessions, "emergency")

    with sessions.begin() as session:
        session.execute(text("INSERT INTO deed (who) VALUES ('first')"))
        waiting = begin_one_by_one(
            sessions, lambda: write(sessions, "second"), lambda: write(sessions, "third"), hurried
        )
    for thread in waiting:
        thread.join(10)
    assert writers(sessions) == ["first", "emergency", "second", "third"]


def test_a_turn_ends_with_a_fault_and_with_a_commit_in_the_middle(sessions: Sessions) -> None:
    make(sessions)
    write(sessions, "one")
    with pytest.raises(IntegrityError):
        write(sessions, "one")
    with sessions.begin() as session:
        session.execute(text("INSERT INTO deed (who) VALUES ('two')"))
        session.commit()
        other = threading.Thread(target=write, args=(sessions, "between"))
        other.start()
        other.join(10)
        assert not other.is_alive(), "after its commit nobody waits for this one"
    assert writers(sessions) == ["one", "two", "between"]


def test_own_transactions_let_others_write_in_between_and_keep_their_temporary_table(sessions: Sessions) -> None:
    make(sessions)
    with sessions.by_turns() as own:
        with own.reading() as connection:
            connection.execute(text("CREATE TEMPORARY TABLE mine AS SELECT 'a' AS who UNION SELECT 'b'"))
        with own.writing() as connection:
            connection.execute(text("INSERT INTO deed (who) SELECT who FROM mine WHERE who = 'a'"))
            waiting = begin_one_by_one(sessions, lambda: write(sessions, "other"))[0]
        waiting.join(10)
        with own.writing() as connection:
            connection.execute(text("INSERT INTO deed (who) SELECT who FROM mine WHERE who = 'b'"))
        with own.reading() as connection:
            connection.execute(text("DROP TABLE mine"))
    assert writers(sessions) == ["a", "other", "b"]


def test_a_turn_inside_ones_own_is_none() -> None:
    turns = WriteTurns()
    assert turns.enter()
    assert not turns.enter()
    turns.leave()
    assert turns.enter(), "it was given back once and is free"
