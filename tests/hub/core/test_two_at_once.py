"""Several programs open an empty data folder at once: one makes it, the others wait, and none is told of a lock."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

import cunxiang
from hub.core import migrating
from hub.core.db import Base, make_engine

assert cunxiang.FEATURES
PROGRAM = [sys.executable, "-m", "cunxiang"]


@pytest.mark.slow
def test_commands_on_an_empty_folder_all_come_through(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    folder = tmp_path / "var"
    config.write_text(f'[hub]\ndata_dir = "{folder}"\nmode = "production"\n', encoding="utf-8")
    running = [
        subprocess.Popen(
            [*PROGRAM, "--config", str(config), "user", "first-code"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    ended = [(*process.communicate(timeout=90), process.returncode) for process in running]
    assert [code for _, _, code in ended] == [0] * 3, ended
    complaints = [line for _, error, _ in ended for line in error.splitlines() if b"waiting for it" not in line]
    assert complaints == [], "on a slow machine somebody says that he waits, and nothing else"
    assert len({said for said, _, _ in ended}) == 1, "all read the same secrets"
    assert not list(folder.glob("*.migrating"))
    assert not list(folder.glob("secrets.toml.*"))


@pytest.fixture
def busy(tmp_path: Path) -> tuple[Engine, int]:
    """A new database that another program brings up to date."""
    engine = make_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    descriptor = os.open(tmp_path / "hub.db.migrating", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return engine, descriptor


def test_who_waits_too_long_is_told_what_to_do(busy: tuple[Engine, int], monkeypatch: pytest.MonkeyPatch) -> None:
    engine, descriptor = busy
    monkeypatch.setattr(migrating, "MOST_S", 0.2)
    with pytest.raises(migrating.StillMigrating, match="nothing is lost"):
        migrating.upgrade(engine, Base.metadata)
    os.close(descriptor)
    migrating.upgrade(engine, Base.metadata)
    assert migrating.is_current(engine)
    engine.dispose()


def test_a_command_without_its_database_says_so_in_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    url = "postgresql+psycopg://nobody@127.0.0.1:1/hub"
    config.write_text(f'[hub]\ndata_dir = "{tmp_path}"\n[database]\nurl = "{url}"\n', encoding="utf-8")
    done = CliRunner().invoke(cunxiang.main, ["--config", str(config), "user", "list"])
    assert done.exit_code == 2
    assert done.output == "The database cannot be reached. Is its server running, and is [database] url right?\n"
