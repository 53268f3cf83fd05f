"""The database: moments with zones, states that are checked, units of work that commit or leave no trace."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import pytest
from postgres import new_database
from sqlalchemy import Engine, String, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hub.core.db import Sessions, StateText, UtcDateTime, make_engine


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Own(DeclarativeBase):
    """Tables of this test alone."""


class Thing(Own):
    __tablename__ = "thing"

    name: Mapped[str] = mapped_column(String(10), primary_key=True)
    at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    colour: Mapped[Colour | None] = mapped_column(StateText(Colour))


WATCHED = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "statement_timeout": "77s",
}
"""What we ask for, and what somebody else did."""


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    engine = make_engine(f"sqlite:///{tmp_path / 'deep' / 'test.db'}")
    Own.metadata.create_all(engine)
    yield Sessions(engine)
    engine.dispose()


def stored(sessions: Sessions, **values: object) -> Thing:
    with sessions.begin() as session:
        session.add(Thing(name="a", **values))
    with sessions.read() as session:
        return session.get_one(Thing, "a")


def test_a_moment_comes_back_in_utc_whatever_zone_it_went_in_with(sessions: Sessions) -> None:
    noon = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    found = stored(sessions, at=noon).at
    assert found == noon
    assert found is not None
    assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused_instead_of_guessed(sessions: Sessions) -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        stored(sessions, at=datetime(2026, 11, 23, 12, 0))  # noqa: DTZ001 - the very mistake


def test_no_moment_stays_none(sessions: Sessions) -> None:
    assert stored(sessions, at=None).at is None


def test_a_state_comes_back_as_what_it_is(sessions: Sessions) -> None:
    assert stored(sessions, colour=Colour.BLUE).colour is Colour.BLUE


def test_what_is_no_state_neither_goes_in_nor_comes_out(sessions: Sessions) -> None:
    with pytest.raises(StatementError, match="green"):
        stored(sessions, colour="green")
    stored(sessions, colour=Colour.RED)
    with sessions.begin() as session:
        session.execute(text("UPDATE thing SET colour = 'green'"))
    with sessions.read() as session, pytest.raises(ValueError, match="green"):
        session.get(Thing, "a")


def test_an_exception_leaves_no_trace(sessions: Sessions) -> None:
    def fail() -> None:
        with sessions.begin() as session:
            session.add(Thing(name="a"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with sessions.read() as session:
        assert session.get(Thing, "a") is None


def test_what_was_only_read_is_never_written(sessions: Sessions) -> None:
    with sessions.read() as session:
        session.add(Thing(name="a"))
        session.flush()
    with sessions.read() as session:
        assert session.get(Thing, "a") is None


def test_two_writers_wait_for_each_other_and_neither_loses(sessions: Sessions) -> None:
    """Both read first and write later, which fails at once in SQLite unless the intention is declared."""
    with sessions.begin() as session:
        session.add(Thing(name="count", at=datetime(2026, 1, 1, tzinfo=UTC)))
    start = threading.Barrier(4)
    faults: list[Exception] = []

    def add_days() -> None:
        start.wait()
        try:
            for _ in range(10):
                with sessions.begin() as session:
                    thing = session.get_one(Thing, "count")
                    assert thing.at is not None
                    thing.at += timedelta(days=1)
        except Exception as fault:  # noqa: BLE001 - to be shown by the test
            faults.append(fault)

    threads = [threading.Thread(target=add_days) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with sessions.read() as session:
        assert session.get_one(Thing, "count").at == datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=40)


def test_foreign_keys_are_watched(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(text("CREATE TABLE child (thing VARCHAR(10) REFERENCES thing(name))"))
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.execute(text("INSERT INTO child VALUES ('nobody')"))


def test_the_connection_used_last_is_used_next_because_its_caches_are_warm(sessions: Sessions) -> None:
    first, second = sessions.engine.connect(), sessions.engine.connect()
    warm = second.connection.dbapi_connection
    first.close()
    second.close()
    with sessions.engine.connect() as third:
        assert third.connection.dbapi_connection is warm


@pytest.mark.postgres
def test_a_server_that_cut_every_connection_spoils_nobodys_work(postgres_engine: Engine) -> None:
    Own.metadata.create_all(postgres_engine)
    sessions = Sessions(postgres_engine)
    with sessions.read() as first, sessions.read() as second:
        pids = {one.scalar(text("SELECT pg_backend_pid()")) for one in (first, second)}
    assert len(pids) == 2
    with sessions.begin() as session:
        # Waited for: a server with much to do ends them a moment later, and nobody can know before it says so.
        cut = "pg_terminate_backend(pid, 30000)"
        mine = "datname = current_database() AND pid <> pg_backend_pid()"
        ended = session.scalars(text(f"SELECT {cut} FROM pg_stat_activity WHERE {mine}")).all()  # noqa: S608 - as above
        assert ended == [True]
    cutter = postgres_engine.raw_connection()
    cutter.close()
    with sessions.read() as first, sessions.begin() as second, sessions.glance() as third:
        for one in (first, second, third):
            assert one.scalar(text("SELECT 1")) == 1


@pytest.mark.postgres
def test_a_glance_sees_what_was_committed_and_holds_nothing_open(postgres_engine: Engine) -> None:
    Own.metadata.create_all(postgres_engine)
    sessions = Sessions(postgres_engine)
    with sessions.glance() as session:
        assert session.get(Thing, "a") is None
        stored(sessions, at=None)
        assert session.scalar(text("SELECT count(*) FROM thing")) == 1
    with sessions.begin() as session:  # the same connection, again with transactions
        session.execute(text("DELETE FROM thing"))
        session.rollback()
    with sessions.glance() as session:
        assert session.get(Thing, "a") is not None


@pytest.mark.postgres
def test_the_server_lets_go_of_a_machine_that_is_silent(postgres_url: str) -> None:
    engine = make_engine(new_database(postgres_url, f"t{uuid4().hex}") + "?options=-c%20statement_timeout%3D77s")
    with engine.connect() as connection:
        found = {name: connection.scalar(text(f"SHOW {name}")) for name in WATCHED}
    engine.dispose()
    assert found == WATCHED
