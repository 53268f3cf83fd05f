"""A RabbitMQ server of the tests' own, on free ports, with its own epmd; all of it gone afterwards."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from brokerlab import free_port


def server_program() -> Path | None:
    """Return the server's own script; Debian's wrapper insists on its user and its folders."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found and shutil.which("erl") and shutil.which("epmd") else None


@dataclass
class Rabbit:
    """A server that can be killed and started again; what it was given on disk stays."""

    program: Path
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    mapper: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "vm_memory_high_watermark.absolute = 256MB\ndisk_free_limit.absolute = 1MB\n"
        )
        (self.folder / "plugins").write_text("[].\n")
        name, epmd, dist = uuid4().hex[:12], free_port(), free_port()
        self.environment = {
            **os.environ,
            "HOME": str(self.folder),  # the cookie
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"cunxiang{name}@localhost",
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            # Many schedulers on few processors only spin.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start it; `wait` until it answers."""
        if self.mapper is None:  # a daemon of Erlang's own would outlive us
            self.mapper = subprocess.Popen(
                ["epmd"], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [self.program], env=self.environment, cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )

    def wait(self, within_s: float = 60) -> None:
        """Wait until its port is open."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                said = (self.folder / "out").read_text(errors="replace")[-2000:]
                assert time.monotonic() < deadline, f"RabbitMQ does not start:\n{said}"
                time.sleep(0.1)
            else:
                return

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            subprocess.run(["pkill", "-KILL", "-s", str(self.process.pid)], check=False)  # its session: script and VM
            self.process.wait(10)
            self.process = None

    def close(self) -> None:
        """End it, and the port mapper it has started."""
        self.kill()
        if self.mapper is not None:
            self.mapper.kill()
            self.mapper.wait()
        subprocess.run(["epmd", "-kill"], env=self.environment, check=False, capture_output=True)  # if Erlang made one


@contextmanager
def running_rabbit(folder: Path) -> Iterator[Rabbit]:
    """Start a server without waiting for it; end it afterwards."""
    program = server_program()
    if program is None:
        pytest.skip("RabbitMQ is not installed (Debian: apt install rabbitmq-server)")
    rabbit = Rabbit(program, folder)
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.close()
