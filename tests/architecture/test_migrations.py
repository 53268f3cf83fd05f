"""Models and migrations agree, on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

import cunxiang
from hub.core.db import Base, make_engine
from hub.core.migrating import SCRIPTS, drift, is_current, upgrade

assert cunxiang.FEATURES  # importing the roof has loaded every model


@pytest.mark.slow
def test_migrations_make_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    upgrade(engine, Base.metadata)
    assert drift(engine, Base.metadata) == []
    assert is_current(engine)


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'twice.db'}")
    upgrade(engine, Base.metadata)
    tables = inspect(engine).get_table_names()
    upgrade(engine, Base.metadata)
    assert inspect(engine).get_table_names() == tables


@pytest.mark.postgres
def test_postgresql_gets_the_same_tables(postgres_engine: Engine) -> None:
    upgrade(postgres_engine, Base.metadata)
    assert drift(postgres_engine, Base.metadata) == []


def test_migrations_are_numbered_in_order() -> None:
    numbers = sorted(path.name[:4] for path in (SCRIPTS / "versions").glob("*.py"))
    assert numbers == [f"{n:04d}" for n in range(1, len(numbers) + 1)]
