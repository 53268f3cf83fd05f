"""A PgBouncer of the tests' own before a PostgreSQL server; gone afterwards."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokerlab import free_port
from livehub import until
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError


@contextmanager
def a_pooler(url: str, mode: str, *lines: str) -> Iterator[str]:
    """Yield the address of the same database behind a pooler in that mode; `lines` are more of its configuration."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian: apt install pgbouncer)")
    there, port = make_url(url), free_port()
    with tempfile.TemporaryDirectory(prefix="cunxiang-pooler-") as place:
        folder = Path(place)
        (folder / "users").write_text(f'"{there.username}" ""\n')
        settings = (
            "[databases]",
            f"* = host={there.host} port={there.port}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = trust",
            f"auth_file = {folder / 'users'}",
            f"pool_mode = {mode}",
            "default_pool_size = 60",
            *lines,
        )
        (folder / "pooler.ini").write_text("\n".join(settings) + "\n")
        as_somebody: tuple[str, ...] = ()
        if os.getuid() == 0:  # it refuses to run as root
            as_somebody = ("-u", "postgres")
            folder.chmod(0o755)
        with (folder / "log").open("wb") as log:
            pooler = subprocess.Popen([program, *as_somebody, folder / "pooler.ini"], stdout=log, stderr=log)
        try:
            through = there.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
            until(lambda: _answers(through), 10, what=f"the pooler: {(folder / 'log').read_text()}")
            yield through
        finally:
            pooler.kill()
            pooler.wait(10)


def _answers(url: str) -> bool:
    try:
        create_engine(url, poolclass=NullPool).connect().close()
    except OperationalError:
        return False
    return True
