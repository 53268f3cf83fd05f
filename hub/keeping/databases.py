"""Copy a database while it is in use, and put the copy back."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect

from hub.keeping.archive import BackupError

PAGES: Final = 2_000
"""Copied at a time, 8 MB: writers wait no longer than that takes."""
LIMIT_S: Final = 3_600


def copy_out(engine: Engine, to: Path) -> str:
    """Write a consistent copy; return its kind, `sqlite` or `postgresql`. The hub may go on working meanwhile."""
    if engine.dialect.name == "sqlite":
        _copy_sqlite(Path(str(engine.url.database)), to)
        return "sqlite"
    _run("pg_dump", engine, "--format=custom", "--no-owner", "--no-privileges", "--file", str(to))
    return "postgresql"


def put_back(engine: Engine, kind: str, copy: Path) -> None:
    """Fill an empty database from a copy. Raises BackupError when it is not empty or of another kind."""
    if kind != engine.dialect.name:
        raise BackupError(
            f"The backup was made from {kind}, but [database] url names {engine.dialect.name}. Name the same kind."
        )
    if kind == "sqlite":
        path = Path(str(engine.url.database))
        if path.exists():
            raise BackupError(f"{path} is there already. Move it away, or name another file in [database] url.")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, path)
        return
    if inspect(engine).get_table_names():
        raise BackupError("The database is not empty. Make a new one and name it in [database] url.")
    into = ("--single-transaction", "--exit-on-error", "--dbname", engine.url.database or "")
    _run("pg_restore", engine, "--no-owner", "--no-privileges", *into, str(copy))


def sqlite_is_whole(path: Path) -> bool:
    """Whether SQLite finds no damage in the file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def _copy_sqlite(source: Path, to: Path) -> None:
    with closing(sqlite3.connect(source, timeout=30)) as original, closing(sqlite3.connect(to)) as copy:
        original.backup(copy, pages=PAGES, sleep=0.01)
        copy.execute("PRAGMA journal_mode=DELETE")


VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""What the URL may say, and by which name PostgreSQL's own programs are told."""


def _run(program: str, engine: Engine, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} is not installed here (Debian: apt install postgresql-client).")
    # By the environment: what stands on the command line can be read by every user of this machine.
    _, address = engine.dialect.create_connect_args(engine.url)  # several hosts in it, too
    given = {variable: address.get(name) for name, variable in VARIABLES.items()}
    environment = {**os.environ, **{name: str(value) for name, value in given.items() if value}}
    done = subprocess.run(  # noqa: S603 - our own arguments
        [found, *arguments], env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise BackupError(f"{program} failed: {said[-1] if said else 'no reason given'}")
