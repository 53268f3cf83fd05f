"""Bring a database up to the present models, or back to those of an older version; prove that the two agree."""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

log = logging.getLogger(__name__)
SCRIPTS = Path(__file__).resolve().parents[1] / "migrations"
_LOCK = 0x43584D49  # any constant; two hubs starting at once must not both migrate


MOST_S: Final = 120.0
"""So long one waits for another who brings the tables of a file up to date; it takes seconds."""
SAY_S: Final = 2.0
LOOK_S: Final = 0.05


class StillMigrating(Exception):
    """Another process has been bringing the tables up to date for too long; the message says what to do."""


class WrongTables(Exception):
    """The tables are not such as this program can take on; the message says what to do. Nothing was changed."""


def upgrade(engine: Engine, metadata: MetaData, *, to: str = "head") -> None:
    """Apply every migration that is missing. One process does it, others wait.

    Raises StillMigrating, and WrongTables when a newer version has made the tables or the database has no room for
    all characters.
    """
    refuse_few_characters(engine)
    if not _is_new(engine) and current(engine) == _head():
        return
    with _alone(engine):
        found = current(engine)
        if found == _head():
            return
        refuse_newer(found)
        with _transaction(engine) as connection:
            command.upgrade(_config(connection, metadata), to)


def downgrade(engine: Engine, metadata: MetaData, to: str) -> None:
    """Take the tables back to revision `to`; what only the newer ones hold is lost. Raises WrongTables."""
    found = current(engine)
    refuse_newer(found)
    if to not in revisions() or found is None or to >= found:
        older = [each for each in revisions() if found and each < found]
        range_ = f"Revisions before it: {older[0]} to {older[-1]}." if older else "There is none before it."
        raise WrongTables(f"The tables are at revision {found or 'none'}; {to} is not one before it. {range_}")
    with _alone(engine), _transaction(engine) as connection:
        command.downgrade(_config(connection, metadata), to)


def refuse_few_characters(engine: Engine) -> None:
    """Raise WrongTables when PostgreSQL keeps words in another encoding, as it does where a machine has no language."""
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        name, found = connection.execute(text("SELECT current_database(), current_setting('server_encoding')")).one()
    if found != "UTF8":
        raise WrongTables(
            f"The database {name} keeps words in {found}; names and texts need UTF8. Make it anew while it is empty: "
            f"dropdb {name}, then createdb --encoding=UTF8 --locale=C.UTF-8 --template=template0 --owner=ROLE {name}."
        )


def refuse_newer(revision: str | None) -> None:
    """Raise WrongTables when this program does not know the revision: a newer one has been here."""
    if revision is not None and revision not in revisions():
        raise WrongTables(
            f"The tables are at revision {revision}, this program knows them up to {_head()}: a newer version has "
            f"changed them. Install that version again; or take them back with it, 'cunxiang db downgrade {_head()}', "
            "or restore the backup that was made before the upgrade."
        )


@contextlib.contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction in which tables may be made anew without what refers to them being deleted along with them."""
    with engine.execution_options(will_write=True).connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                yield connection
            return
        # SQLite hears this only outside a transaction. With it on, a table that is made anew takes the rows that
        # refer to it along, or cannot be made anew at all.
        line = connection.connection.cursor()
        line.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                before = _loose(connection)
                yield connection
                if loose := _loose(connection) - before:
                    raise WrongTables(f"Rows would refer to what is not there any more: {sorted(loose)[:5]}")
        finally:
            line.execute("PRAGMA foreign_keys=ON")
            line.close()


def _loose(connection: Connection) -> set[tuple[str, int]]:
    return {(row[0], row[1]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}


def _file(engine: Engine) -> Path | None:
    path = str(engine.url.database or "")
    return Path(path) if engine.dialect.name == "sqlite" and path not in ("", ":memory:") else None


def _is_new(engine: Engine) -> bool:
    """Return whether it is a file that nobody has written to: two who open it at once would be in each other's way."""
    path = _file(engine)
    return path is not None and (not path.exists() or path.stat().st_size == 0)


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Hold the lock of a SQLite file beside it; the system lets go of it when the process dies."""
    path = _file(engine)
    if path is None:
        yield
        return
    beside = path.with_name(f"{path.name}.migrating")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor, path)
        yield
        beside.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path) -> None:
    began, said = time.monotonic(), False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        waited = time.monotonic() - began
        if waited > MOST_S:
            raise StillMigrating(
                f"Another program has been bringing {path} up to date for {waited:.0f} seconds. Look whether one hangs "
                "(ps ax | grep cunxiang), end it, and start again: nothing is lost."
            )
        if waited > SAY_S and not said:
            said = True
            log.warning("another program brings %s up to date; waiting for it", path)
        time.sleep(LOOK_S)


def write_revision(engine: Engine, metadata: MetaData, message: str, number: str) -> None:
    """Write a migration script for the difference between database and models; read it before you commit it."""
    with engine.begin() as connection:
        command.revision(_config(connection, metadata), message, autogenerate=True, rev_id=number)


def drift(engine: Engine, metadata: MetaData) -> list[Any]:
    """Return what differs between a migrated database and the models; empty is what it should be."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "target_metadata": metadata})
        return list(compare_metadata(context, metadata))


def is_current(engine: Engine) -> bool:
    """Return whether every migration has been applied."""
    return current(engine) == _head()


def current(engine: Engine) -> str | None:
    """Return the revision of the tables; None when there are none."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def revisions() -> tuple[str, ...]:
    """Return every revision there has been, the first first."""
    scripts = ScriptDirectory(str(SCRIPTS)).walk_revisions()
    return tuple(reversed([script.revision for script in scripts]))


@cache
def _head() -> str | None:
    return ScriptDirectory(str(SCRIPTS)).get_current_head()


def _config(connection: Connection, metadata: MetaData) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config
