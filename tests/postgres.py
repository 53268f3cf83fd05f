"""A PostgreSQL server of the tests' own, on a free port, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
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


class Server:
    """A server that can be taken away and brought back, with everything that was committed."""

    def __init__(self, bin_dir: Path, folder: Path, environ: Mapping[str, str]) -> None:
        self._program, self._folder, self._environ = bin_dir / "postgres", folder, environ
        self._user, self._data, self._port = _server_user(folder), folder / "data", _free_port()
        self.url = f"postgresql+psycopg://cunxiang@127.0.0.1:{self._port}"
        folder.chmod(0o700)
        subprocess.run(
            [bin_dir / "initdb", "-D", self._data, "-U", "cunxiang", "--auth=trust", "-E", "UTF8", "--no-sync"],
            check=True,
            user=self._user,
            cwd=folder,
            capture_output=True,
        )
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ("port", self._port), ("listen_addresses", "127.0.0.1"), ("unix_socket_directories", self._folder)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    "-D",
                    self._data,
                    *(p for o in options for p in ("-c", f"{o[0]}={o[1]}")),
                    "-c",
                    "fsync=off",
                    "-c",
                    "full_page_writes=off",
                ],
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._environ,
            )
        _wait(self.url, self._process)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it. SIGINT: cut connections, write everything, end. SIGQUIT: at once, as when the power is cut."""
        self._process.send_signal(how)
        self._process.wait(20)


@contextmanager
def running_postgres(**environ: str) -> Iterator[str]:
    """Start a server, yield its URL without a database name, stop it."""
    with a_server(**environ) as server:
        yield server.url


@contextmanager
def a_server(**environ: str) -> Iterator[Server]:
    """Start a server of which more than its URL is wanted, stop it."""
    bin_dir = programs()
    if bin_dir is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    # Not in pytest's own folder: every other run of tests closes that to all users but its own.
    with TemporaryDirectory(prefix="cunxiang-postgres-") as place:
        server = Server(bin_dir, Path(place), environ)
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # at once: nothing of it is wanted any more


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
