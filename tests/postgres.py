"""A PostgreSQL server of the tests' own, on a free port, gone afterwards."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import NullPool, create_engine, text


def programs() -> Path | None:
    """Return the folder of initdb and postgres; Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return found[-1] if found and (found[-1] / "initdb").exists() else None


@dataclass
class Server:
    """A server that can be taken away and brought back, with everything that was committed."""

    folder: Path
    port: int
    user: str | None
    programs: Path
    options: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Where its files lie."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Its address, without the name of a database."""
        return f"postgresql+psycopg://cunxiang@127.0.0.1:{self.port}"

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of its programs to the end."""
        command = [self.programs / program, *arguments]
        subprocess.run(command, check=True, user=self.user, cwd=self.folder, capture_output=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        own = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"]
        settings = [
            word for setting in (*own, "fsync=off", "full_page_writes=off", *self.options) for word in ("-c", setting)
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *settings],
                user=self.user,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environ,
            )
        _wait(self.url, self.process)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it. SIGINT: cut connections, write everything, end. SIGQUIT: at once, as when the power is cut."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None


@contextmanager
def some_servers() -> Iterator[Callable[..., Server]]:
    """Yield what makes servers that have no data yet, each in a folder of its own; all are gone afterwards."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    made: list[Server] = []
    # Not in pytest's own folder: every other run of tests closes that to all users but its own.
    with TemporaryDirectory(prefix="cunxiang-postgres-") as place:
        Path(place).chmod(0o755)

        def make(*options: str, **environ: str) -> Server:
            folder = Path(place) / f"server{len(made)}"
            folder.mkdir()
            made.append(Server(folder, _free_port(), _server_user(folder), found, options, environ))
            folder.chmod(0o700)
            return made[-1]

        try:
            yield make
        finally:
            for server in made:
                server.stop(signal.SIGQUIT)  # at once: nothing of it is wanted any more


@contextmanager
def running_postgres(**environ: str) -> Iterator[str]:
    """Start a server, yield its URL without a database name, stop it."""
    with a_server(**environ) as server:
        yield server.url


@contextmanager
def a_server(**environ: str) -> Iterator[Server]:
    """Start a server of which more than its URL is wanted, stop it."""
    with some_servers() as make:
        server = make(**environ)
        server.run("initdb", "-D", server.data, "-U", "cunxiang", "--auth=trust", "-E", "UTF8", "--no-sync")
        server.start()
        yield server


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
