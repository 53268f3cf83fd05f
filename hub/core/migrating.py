"""Bring a database up to the present models, and prove that models and migrations agree."""

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


def upgrade(engine: Engine, metadata: MetaData) -> None:
    """Apply every migration that is missing. One process does it, others wait. Raises StillMigrating."""
    if not _is_new(engine) and current(engine) == _head():
        return
    with _alone(engine):
        if current(engine) == _head():
            return
        with engine.execution_options(will_write=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            command.upgrade(_config(connection, metadata), "head")


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
def _head() -> str | None:
    return ScriptDirectory(str(SCRIPTS)).get_current_head()


def _config(connection: Connection, metadata: MetaData) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config
