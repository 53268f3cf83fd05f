"""Gateways of others on loopback, for tests: Kannel with its fake carrier, gammu-smsd with its dummy phone."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from brokerlab import free_port
from flask_openapi3.openapi import OpenAPI
from smslab import LabClock
from werkzeug.serving import make_server

import cunxiang
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.clock import Clock
from hub.core.config import load
from hub.core.runtime import Runtime

FAKE_CARRIER: Final = Path("/usr/lib/kannel/test/fakesmsc")
TEMPLATE: Final = """group = core
admin-port = {admin}
admin-password = bar
admin-allow-ip = 127.0.0.1
admin-deny-ip = "*.*.*.*"
smsbox-port = {box}
box-allow-ip = 127.0.0.1
box-deny-ip = "*.*.*.*"
log-level = 3
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
port = {carrier}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 3
http-request-retry = 5
http-queue-delay = 1

group = sendsms-user
username = hub
password = secret

group = sms-service
keyword = default
catch-all = true
max-messages = 0
accept-x-kannel-headers = true
send-sender = true
post-url = "{inbound}"
"""


@dataclass
class Kannel:
    """Kannel, not started yet."""

    folder: Path
    admin: int
    box: int
    carrier: int
    sendsms: int

    @property
    def url(self) -> str:
        """Where smsbox takes messages."""
        return f"http://127.0.0.1:{self.sendsms}"

    @contextmanager
    def running(self, inbound_url: str, letters: list[str]) -> Iterator[None]:
        """Run bearerbox, smsbox and the fake carrier, which hands over these letters (one each)."""
        names = {name: getattr(self, name) for name in ("admin", "box", "carrier", "sendsms")}
        path = self.folder / "kannel.conf"
        path.write_text(TEMPLATE.format(**names, inbound=inbound_url), encoding="utf-8")
        with ExitStack() as stack:
            stack.enter_context(started(["bearerbox", str(path)], self.folder, self.box))
            stack.enter_context(started(["smsbox", str(path)], self.folder, self.sendsms))
            carrier: list[str] = [str(FAKE_CARRIER), "-H", "127.0.0.1", "-r", str(self.carrier)]
            stack.enter_context(started([*carrier, "-m", str(len(letters)), *letters], self.folder, None))
            yield


def kannel_in(folder: Path) -> Kannel:
    """Return a Kannel with free ports; skip where it is not installed."""
    if not (shutil.which("bearerbox") and shutil.which("smsbox") and FAKE_CARRIER.exists()):
        pytest.skip("Kannel is not installed (Debian: apt install kannel kannel-extras)")
    return Kannel(folder, free_port(), free_port(), free_port(), free_port())


@contextmanager
def started(command: list[str], folder: Path, port: int | None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the end of the block; wait until its port answers."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        program = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            if port is not None:
                wait_for(lambda: listens(port) or program.poll() is not None, f"{command[0]} did not start")
            yield program
        finally:
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(10)


def listens(port: int) -> bool:
    """Return whether somebody listens, by the kernel's table: a connection would count as one."""
    wanted = f":{port:04X} "
    table = Path("/proc/net/tcp").read_text(encoding="ascii")
    return any(wanted in line[:25] + " " and line.split()[3] == "0A" for line in table.splitlines()[1:])


def wait_for(there: Callable[[], bool], otherwise: str, *, within_s: float = 30.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


@contextmanager
def hub_with(
    folder: Path, clock: Clock | LabClock, port: int, tables: dict[str, dict[str, object]]
) -> Iterator[tuple[OpenAPI, Runtime]]:
    """Open a hub in a folder whose database is there already, with these tables of the configuration, and serve it."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": folder, "public_url": f"http://127.0.0.1:{port}"},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
        **tables,
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=clock)
    app = build(runtime, cunxiang.FEATURES)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield app, runtime
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        runtime.sessions.engine.dispose()
