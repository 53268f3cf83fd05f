"""A PostgreSQL server of the tests' own, on a free port, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import NullPool, create_engine, text


def programs() -> Path | None:
    """Return the folder of initdb and postgres; Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found and (found[-1] / "initdb").exists() else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start a server, yield its URL without a database name, stop it."""
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    # Not in pytest's own folder: every other run of tests closes that to all users but its own.
    with TemporaryDirectory(prefix="cunxiang-postgres-") as place:
        yield from _served(bin_dir, Path(place))


def _served(bin_dir: Path, folder: Path) -> Iterator[str]:
    user = _server_user(folder)
    folder.chmod(0o700)
    data, port = folder / "data", _free_port()
    subprocess.run(
        [bin_dir / "initdb", "-D", data, "-U", "cunxiang", "--auth=trust", "-E", "UTF8", "--no-sync"],
        check=True,
        user=user,
        cwd=folder,
        capture_output=True,
    )
    options = ["-c", f"port={port}", "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [bin_dir / "postgres", "-D", data, *options, "-c", "fsync=off", "-c", "full_page_writes=off"],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"postgresql+psycopg://cunxiang@127.0.0.1:{port}"
        _wait(url, server)
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: nothing of it is wanted any more
        server.wait(20)


def new_database(url: str, name: str, *, like: str = "template1") -> str:
    """Make a database, empty or like another one, and return its URL."""
    engine = create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'))
    return f"{url}/{name}"


def _server_user(folder: Path) -> str | None:
    # PostgreSQL refuses to run as root, so there it runs as the user its package made.
    if os.getuid() != 0:
        return None
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root and there is no user postgres")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return "postgres"


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    engine = create_engine(f"{url}/postgres", poolclass=NullPool)
    deadline = time.monotonic() + 20
    while True:
        try:
            with engine.connect():
                return
        except Exception:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
