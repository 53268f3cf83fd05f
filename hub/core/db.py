"""The database: base class, engine, units of work, column types that refuse what must not be stored."""

import errno
import select
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final

from sqlalchemy import URL, DateTime, Engine, Insert, MetaData, String, create_engine, event, func, make_url
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, InvalidRequestError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import JSON, TypeDecorator

from hub.core import trial
from hub.core.clock import Clock, utc_now
from hub.core.writing import WriteTurns

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Stored in UTC, always aware in Python; a naive value is refused instead of guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC; SQLite gets it without the zone, which it cannot keep."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StateText(TypeDecorator[StrEnum]):
    """A StrEnum stored by its value as plain text, checked on the way in and out."""

    impl = String(24)
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        """Refuse what is not one of the states."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Return the state."""
        return None if value is None else self.kind(value)


class Base(DeclarativeBase):
    """Every table of the hub."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
        list[dict[str, Any]]: JSON(),
    }


def make_engine(url: str) -> Engine:
    """Return an engine for `url`. SQLite runs in WAL with foreign keys on and waits up to 30 s for a lock.

    The connection used last is used next: each keeps pages and prepared statements, megabytes on a busy day.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database not in (None, "", ":memory:"):
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": 30}, pool_size=20, max_overflow=40, pool_use_lifo=True)
        event.listen(engine, "connect", _prepare_sqlite(WriteTurns()))
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "checkin", _end_turn)
        return engine
    engine = create_engine(
        parsed, connect_args=line_settings(parsed), pool_size=20, max_overflow=20, pool_use_lifo=True
    )
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _server_check(engine))
    return engine


LINE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A cable that is cut says nothing. By itself the driver would wait two minutes for a connection and a quarter of an
hour for an answer, and every page with it."""


SERVER_LINE: Final = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }.items()
)
"""The same for the other end. A machine that lost its power says no farewell, and by itself the server would keep for
two hours what it had locked: the end of the record, for which all others wait."""


def line_settings(url: URL) -> dict[str, object]:
    """Return how long to wait on the line to PostgreSQL, and it on us; what the URL says itself stands."""
    given = url.query.get("options", "")
    options = " ".join([SERVER_LINE, *((given,) if isinstance(given, str) else given)]).strip()
    return {**{name: value for name, value in LINE.items() if name not in url.query}, "options": options}


PREPARED: Final = 1_000
"""Statements a connection keeps prepared. The driver's hundred are fewer than the hub's loops use: each would be thrown
out before it is used again."""


def _prepare_postgresql(connection: Any, record: ConnectionPoolEntry) -> None:
    connection.prepared_max = PREPARED


RESTED_S: Final = 30.0
"""After so long without use a connection is tried with a question: a firewall may have forgotten it without a word."""


def _note_use(connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _server_check(engine: Engine) -> Callable[[Any, ConnectionPoolEntry, Any], None]:
    """Make the check before a connection is used again, so that a restarted server spoils nobody's work.

    A server that ends says so, and that lies here already: looking takes microseconds, asking as SQLAlchemy's pre-ping
    does takes a trip, in an emergency too.
    """
    dialect = engine.dialect
    gone = (OSError, dialect.loaded_dbapi.Error)

    def check(connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
        try:
            if time.monotonic() - record.info.get("used", 0.0) > RESTED_S:
                dialect.do_ping(connection)
            else:
                _read_news(connection.pgconn)
        except gone as error:
            raise InvalidatePoolError from error

    return check


def _read_news(line: Any) -> None:
    """Take in what the server said while nobody asked; a farewell raises the driver's OperationalError."""
    poll = select.poll()
    poll.register(line.socket, select.POLLIN)
    while poll.poll(0):
        line.consume_input()


LONG_WAL = "wal_autocheckpoint=20000"
"""Pages, 80 MB. By itself SQLite would tidy up every 4 MB, in the middle of whatever is just being committed:
`Sessions.tidy_up` does it beside."""
MUCH: Final = 2_000
"""Pages, 8 MB: so long a log is not left to itself."""


def _prepare_sqlite(turns: WriteTurns) -> Callable[[Any, ConnectionPoolEntry], None]:
    def prepare(connection: Any, record: ConnectionPoolEntry) -> None:
        # isolation_level None hands transactions to us: pysqlite would otherwise begin them too late for WAL snapshots.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000", LONG_WAL):
            connection.execute(f"PRAGMA {pragma}")
        record.info[_TURNS] = turns

    return prepare


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first and writes later fails at once with "database is locked" when another
    # writer came between; so whoever will write says so from the start.
    write = connection.get_execution_options().get("will_write", False)
    if write:
        connection.info[_TURN] = connection.info[_TURNS].enter()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


_TURNS: Final = "turns"
_TURN: Final = "turn"


def _end_turn(connection: Any, record: ConnectionPoolEntry) -> None:
    _leave(record.info)


def _leave(info: dict[Any, Any]) -> None:
    if info.pop(_TURN, False):
        info[_TURNS].leave()


class Sessions:
    """Units of work. `begin()` commits at the end or rolls everything back; `read()` never writes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        writing = engine.execution_options(will_write=True)
        self._write = sessionmaker(writing, expire_on_commit=False)
        self._read = sessionmaker(engine, expire_on_commit=False)
        self._glance = self._read
        if engine.dialect.name != "sqlite":
            loose = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._glance = sessionmaker(loose, expire_on_commit=False, autoflush=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a session that may write; commit at the end of the block, roll back on an exception."""
        with self._write() as session, session.begin() as transaction:
            yield session
            if trial.is_on():
                session.flush()  # what the tables would refuse is refused
                session.expunge_all()  # whoever still holds a row may read it
                transaction.rollback()

    def on_commit(self, callback: Callable[[Session], None]) -> None:
        """Call back with every session of `begin()` that is committed, and at the end of its savepoints."""
        event.listen(self._write, "after_commit", callback)

    def tidy_up(self) -> bool:
        """Move what was written lately from SQLite's log into its file. Call it now and then, soon again if it says so.

        Nobody waits for it; but while others write without pause it never comes to the end of the log, which would grow
        until a commit tidies up by itself. So of a long one the rest, which is little, is moved in a turn of its own:
        the next writer then begins at its start again.
        """
        if self.engine.dialect.name != "sqlite":
            return False
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            long = _checkpoint(connection) > MUCH
            if long:
                connection.info[_TURN] = connection.info[_TURNS].enter()
                _checkpoint(connection)
        return long

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads."""
        with self._read() as session:
            yield session

    @contextmanager
    def by_turns(self) -> Iterator["ByTurns"]:
        """Keep one connection for several transactions, so that a temporary table lasts; others write in between."""
        with self.engine.connect() as connection:
            yield ByTurns(connection)

    @contextmanager
    def glance(self) -> Iterator[Session]:
        """As `read`, for one hurried question: on PostgreSQL without the two trips that begin and end a transaction."""
        with self._glance() as session:
            yield session


def moment(session: Session, clock: Clock) -> datetime:
    """Return what time it is for all machines: by PostgreSQL's clock. With SQLite, or a test's clock, by that one."""
    if session.get_bind().dialect.name != "postgresql" or clock is not utc_now:
        return clock()
    found: datetime = session.execute(func.clock_timestamp().select()).scalar_one()
    return found.astimezone(UTC)


def _checkpoint(connection: Connection) -> int:
    """Move what can be moved without keeping anybody waiting; return how many pages the log has."""
    return int(connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()[1])


class ByTurns:
    """A connection of one's own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that writes nothing but temporary tables."""
        with self._connection.begin():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that may write; the turn is somebody else's afterwards."""
        writes = self._connection.execution_options(will_write=True)
        try:
            with writes.begin():
                yield writes
        finally:
            self._connection.execution_options(will_write=False)
            _leave(self._connection.info)


def copy_rows(session: Session, statement: Insert) -> int:
    """Insert what a question finds and return how many rows were written.

    The number has to be asked for: once such a statement is done, PostgreSQL's driver has forgotten it (and says -1).
    """
    written = session.execute(statement, execution_options={"preserve_rowcount": True})
    return int(getattr(written, "rowcount", 0))


class Trouble(StrEnum):
    """Why the database did not do what it was asked, where that is no fault of ours."""

    AWAY = "away"
    BUSY = "busy"
    FULL = "full"


NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_FULL: Trouble.FULL,
}
_POSTGRESQL: Final = {
    "25006": Trouble.AWAY,  # it only reads: a standby, or a server that was one a moment ago
    "40001": Trouble.BUSY,
    "40P01": Trouble.BUSY,
    "53100": Trouble.FULL,
    "53200": Trouble.BUSY,
    "53300": Trouble.BUSY,
    "55P03": Trouble.BUSY,
    "57014": Trouble.BUSY,
}
"""By SQLSTATE."""
_CLOSED: Final = "This connection is closed"
"""What SQLAlchemy's pool says when a new connection is no better than the old one: a pooler in between still answers
although the server behind it is away."""


def trouble_of(error: Exception) -> Trouble | None:
    """Return what ails the database, or the disk beside it; None when the fault is another."""
    if isinstance(error, PoolTimeout):
        return Trouble.BUSY
    if isinstance(error, InvalidRequestError):
        return Trouble.AWAY if _CLOSED in str(error) else None
    if isinstance(error, OSError):
        return Trouble.FULL if error.errno in NO_ROOM else None
    if not isinstance(error, DBAPIError):
        return None
    known = _told(error.orig)
    if known is not None:
        return known
    away = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
    # SQLite's plainest code means a table or a column that is not there: ours.
    ours = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return Trouble.AWAY if away and not ours else None


def _told(error: BaseException | None) -> Trouble | None:
    """Return what the database itself has said."""
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _POSTGRESQL.get(getattr(error, "sqlstate", None) or "")


def may_pass(error: Exception) -> bool:
    """Whether the database was away, full or busy: the same work may succeed later, unlike after a fault of ours."""
    return trouble_of(error) is not None


def like_below(path: str) -> str:
    """Return the LIKE pattern for everything at or below a region path (paths hold no wildcard characters)."""
    return f"{path}%"
