"""Two hubs on one SQLite file, and what systemd is told."""

import os
import select
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hub.core.db import make_engine
from hub.core.notify import Pulse, say_to_systemd
from hub.core.single import AlreadyRunning, OnlyOne

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import sys, time
from hub.core.db import make_engine
from hub.core.single import OnlyOne
with OnlyOne(make_engine(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_hub_on_the_same_file_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    first = subprocess.Popen([sys.executable, "-c", HOLD, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        engine = make_engine(url)
        with pytest.raises(AlreadyRunning, match="Another hub runs on"), OnlyOne(engine):
            pass
    finally:
        first.kill()
        first.communicate()
    with OnlyOne(engine):
        assert (tmp_path / "hub.db.lock").read_text() == f"{os.getpid()}\n"


def test_a_database_server_takes_many() -> None:
    engine = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with OnlyOne(engine), OnlyOne(engine):
        pass


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(tmp_path / "notify"))
    ear.settimeout(30)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return ear


def test_systemd_hears_ready_life_and_end(systemd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    pulse, over = Pulse(), threading.Event()

    def tick() -> None:
        while not over.wait(0.01):
            pulse.beat()

    clock = threading.Thread(target=tick)
    with systemd:
        pulse.beat()
        clock.start()
        pulse.start()
        assert systemd.recv(100) == b"READY=1"
        assert systemd.recv(100) == b"WATCHDOG=1"
        over.set()
        clock.join()
        time.sleep(0.3)  # the clock stands still now: no life is claimed any more
        while select.select([systemd], [], [], 0)[0]:
            systemd.recv(100)
        assert select.select([systemd], [], [], 0.3)[0] == []
        pulse.stop()
        assert systemd.recv(100) == b"STOPPING=1"


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not say_to_systemd("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/to/be/found")
    assert not say_to_systemd("READY=1")
