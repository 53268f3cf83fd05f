"""The tables go back to every revision there has been and forward again, with something in each of them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import BOTH_DATABASES
from sqlalchemy import Connection, Engine, func, inspect, select, table, text
from strangerlab import seed

import cunxiang
from hub.app import provide
from hub.audit import chain
from hub.commands.top import command_line
from hub.core import migrating
from hub.core.db import Base, Sessions, make_engine
from hub.core.runtime import Runtime
from hub.core.single import OnlyOne
from hub.keeping import service
from hub.keeping.archive import BackupError

HEAD = migrating.revisions()[-1]
EMPTIED = {"0005": {"slot", "occurrence"}, "0011": {"sign_in"}, "0019": {"review", "announcement_version", "handed_in"}}
"""Going back before these: a sheet's slots without an announcement go; everybody signs in anew; reviews of what older
versions had no reviews of are lost."""
LEAST_FILLED = 60
LONG = bool(os.environ.get("CUNXIANG_LONG"))


def a_filled(runtime: Runtime) -> Engine:
    """A row in every table that takes made-up ones."""
    with runtime.sessions.begin() as session:
        seed(session)
    return runtime.sessions.engine


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return {t: connection.execute(select(func.count()).select_from(table(t))).scalar_one() for t in tables}


def guards(engine: Engine) -> set[str]:
    """What keeps rows of the record from being changed."""
    question = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    )
    with engine.connect() as connection:
        return set(connection.execute(text(question)).scalars())


def lost(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    kept = before.keys() & after.keys() - {"alembic_version"}
    return {table: (before[table], after[table]) for table in kept if before[table] > after[table]}


def walk_down(engine: Engine) -> None:
    """One revision at a time; in the long run each of them back, forward and back again."""
    for older, newer in reversed(list(zip(migrating.revisions(), migrating.revisions()[1:], strict=False))):
        here = counts(engine)
        migrating.downgrade(engine, Base.metadata, older)
        back = counts(engine)
        assert lost(here, back).keys() <= EMPTIED.get(newer, set()), f"{newer} -> {older}"
        if not LONG:
            continue
        migrating.upgrade(engine, Base.metadata, to=newer)
        again = counts(engine)
        assert lost(back, again) == {}, f"{older} -> {newer}"
        assert again.keys() == here.keys(), f"{older} -> {newer}"
        migrating.downgrade(engine, Base.metadata, older)
        assert lost(back, counts(engine)) == {}, f"{newer} -> {older} again"


def there_and_back(engine: Engine) -> None:
    whole, guarded = counts(engine), guards(engine)
    assert sum(1 for rows in whole.values() if rows) > LEAST_FILLED
    walk_down(engine)
    oldest = counts(engine)
    migrating.upgrade(engine, Base.metadata)
    assert lost(oldest, counts(engine)) == {}
    assert migrating.drift(engine, Base.metadata) == []
    assert guards(engine) == guarded, "what may not be changed cannot be changed afterwards either"
    with Sessions(engine).read() as session:
        assert chain.prove(session).fault is None, "the log is still one chain"


@pytest.mark.slow
@BOTH_DATABASES
def test_every_revision_and_back(runtime: Runtime) -> None:
    if runtime.sessions.engine.dialect.name != "sqlite" and not LONG:
        pytest.skip("on PostgreSQL in the long run only: CUNXIANG_LONG=1")
    engine = a_filled(runtime)
    there_and_back(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


# ---- what a person meets


@pytest.fixture
def typed(runtime: Runtime, tmp_path: Path) -> Callable[..., Result]:
    config = tmp_path / "config.toml"
    config.write_text(f'[hub]\ndata_dir = "{runtime.config.data_dir}"\n', encoding="utf-8")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), *arguments])

    return run


def as_if_newer(connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_an_older_program_says_what_to_do_with_newer_tables(runtime: Runtime, typed: Callable[..., Result]) -> None:
    with runtime.sessions.engine.begin() as connection:
        as_if_newer(connection)
    for command in (("run", "--port", "0"), ("db", "upgrade"), ("db", "check"), ("check",), ("user", "list")):
        answer = typed(*command)
        assert answer.exit_code == 2, command
        assert "a newer version has changed them" in answer.output, command
        assert f"cunxiang db downgrade {HEAD}" in answer.output, command
        assert "Traceback" not in answer.output, command


def test_tables_go_back_by_command_and_only_without_a_hub(runtime: Runtime, typed: Callable[..., Result]) -> None:
    older = migrating.revisions()[-2]
    assert "is not one before it" in typed("db", "downgrade", "0099", "--yes").output
    assert typed("db", "downgrade", HEAD, "--yes").exit_code == 2
    with OnlyOne(runtime.sessions.engine):
        refused = typed("db", "downgrade", older, "--yes")
        assert refused.exit_code == 2
        assert "Another hub runs" in refused.output
    assert typed("db", "downgrade", older).exit_code == 1, "asked, and nobody said yes"
    assert typed("db", "check").exit_code == 0
    assert typed("db", "downgrade", older, "--yes").exit_code == 0
    assert "Migrations are missing" in typed("db", "check").output
    assert typed("db", "upgrade").exit_code == 0
    assert f"at revision {HEAD}" in typed("db", "check").output


def test_a_backup_of_a_newer_version_is_refused_before_anything_is_written(runtime: Runtime, tmp_path: Path) -> None:
    with runtime.sessions.engine.begin() as connection:
        as_if_newer(connection)
    cunxiang_backup = a_backup(runtime, tmp_path)
    for put_back in (
        lambda: service.prove(cunxiang_backup, scratch=tmp_path),
        lambda: service.restore(cunxiang_backup, tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'cunxiang.db'}"),
    ):
        with pytest.raises(BackupError, match="newer than this program"):
            put_back()
    assert not (tmp_path / "new").exists()


def test_a_backup_of_an_older_version_is_brought_up_to_date(runtime: Runtime, tmp_path: Path) -> None:
    a_filled(runtime)
    migrating.downgrade(runtime.sessions.engine, Base.metadata, "0020")
    rows = counts(runtime.sessions.engine)
    new_home = tmp_path / "new"
    made = a_backup(runtime, tmp_path)
    url = f"sqlite:///{new_home / 'cunxiang.db'}"
    assert service.restore(made, new_home, url).revision == "0020"
    engine = make_engine(url)
    assert migrating.is_current(engine)
    assert lost(rows, counts(engine)) == {}
    engine.dispose()


def a_backup(runtime: Runtime, tmp_path: Path) -> Path:
    provide(runtime, cunxiang.FEATURES)
    return service.make_backup(runtime, tmp_path / "kept", version="0.1.0", now=runtime.now()).path
