"""The databases a benchmark measures on: SQLite in a folder, or a PostgreSQL server of its own, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

START_WITHIN_S: Final = 30.0
USER: Final = "postgres"


@contextmanager
def running_database(kind: str, folder: Path, *settings: str) -> Iterator[str]:
    """Yield the URL of a database in a folder, empty unless it was used before; `kind` is sqlite or postgresql.

    `settings`: of PostgreSQL, as in its own file, beside those it is installed with.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    with _postgres(folder / "postgres", settings) as url:
        yield url


@contextmanager
def _postgres(folder: Path, settings: Sequence[str]) -> Iterator[str]:
    """As installed, with every commit on disk."""
    programs = _programs()
    folder.mkdir(exist_ok=True)
    user = None
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        user = USER
        os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        folder.parent.chmod(0o711)
    folder.chmod(0o700)
    data, port = folder / "data", _free_port()
    make: list[str | Path] = [programs / "initdb", "-D", data, "-U", USER, "--auth=trust", "-E", "UTF8"]
    if not data.exists():
        subprocess.run(make, check=True, user=user, cwd=folder, capture_output=True)
    own = (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}")
    options = [word for setting in (*own, *settings) for word in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *options], user=user, cwd=folder, stdout=log, stderr=log
        )
    try:
        url = f"postgresql+psycopg://{USER}@127.0.0.1:{port}/postgres"
        _wait(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _programs() -> Path:
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        raise SystemExit("PostgreSQL is not installed (Debian: apt install postgresql)")
    return found[-1]


def _wait(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    deadline = time.monotonic() + START_WITHIN_S
    while True:
        try:
            engine.connect().close()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
