"""Is it PostgreSQL that the hub speaks to, or a pooler that gives every transaction another of its connections?

Turns, and what is told to the other processes, stand on connections. Behind such a pooler they fail in silence: two
bridges would each believe that the line is theirs.
"""

from contextlib import ExitStack
from typing import Final

from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from hub.core.server_line import line_settings

TRIES: Final = 4
ADVICE: Final = (
    "Between the hub and PostgreSQL stands a pooler that gives every transaction another connection (PgBouncer: "
    "pool_mode = transaction). Turns and wake-ups would be lost in it. Let it pool by session (pool_mode = session), "
    "or name the server itself in [database] url."
)


def by_transaction(engine: Engine) -> bool:
    """Whether one connection of ours meets several processes of the server, or shares one with another of ours.

    One connection rests while others hold a transaction open each: a pooler by transaction gives its process to one of
    them. Who speaks to the server, or to a pooler by session, keeps it.
    """
    if engine.dialect.name != "postgresql":
        return False
    plain = create_engine(engine.url, poolclass=NullPool, connect_args=line_settings(engine.url))
    with ExitStack() as held:
        resting = held.enter_context(plain.connect()).execution_options(isolation_level="AUTOCOMMIT")
        own = _process(resting)
        for _ in range(TRIES):
            other = held.enter_context(plain.connect())
            if _process(other) == own or _process(resting) != own:
                return True
    return False


def _process(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
