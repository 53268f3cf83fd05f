"""Bring a database up to the present models, and prove that models and migrations agree."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

SCRIPTS = Path(__file__).resolve().parents[1] / "migrations"
_LOCK = 0x43584D49  # any constant; two hubs starting at once must not both migrate


def upgrade(engine: Engine, metadata: MetaData) -> None:
    """Apply every migration that is missing. On PostgreSQL one hub does it, others wait."""
    if current(engine) == _head():
        return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(_config(connection, metadata), "head")


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
