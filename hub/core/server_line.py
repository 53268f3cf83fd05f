"""The line to PostgreSQL: how long each end waits for the other, and a look before it is used again."""

import select
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

LINE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "client_encoding": "utf8",
}
"""A cable that is cut says nothing. By itself the driver would wait two minutes for a connection and a quarter of an
hour for an answer, and every page with it. And words travel as UTF-8, whatever the machine is set to."""


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


def look_after(engine: Engine) -> None:
    """Let every connection of the engine keep its statements, and be looked at before it is used again."""
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _server_check(engine))


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
