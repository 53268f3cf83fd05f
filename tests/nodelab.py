"""Three machines of one hub: each a network of its own, on a cable that can be cut. The rest is on a fourth.

Machines are network namespaces: cut off, they say no farewell to anybody, as when the power fails. Only root on Linux
can make them.
"""

import ctypes
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from livehub import until
from postgres import Server, some_servers
from roleslab import Process, SeveralProcesses, several_processes

ROLES: Final = ("web", "scheduler", "worker", "bridge")
NEW_NETWORK: Final = 0x40000000
NAMESPACES: Final = Path("/var/run/netns")
IN_HAND: Final = """
    SELECT pid FROM pg_stat_activity
    WHERE client_addr = CAST(:address AS inet) AND state = 'idle in transaction' AND backend_xid IS NOT NULL
"""
"""Connections of a machine that hold what they have written and not committed."""


def _move_to(network: str) -> None:
    """Become a process of that network; before any thread is there."""
    with (NAMESPACES / network).open() as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), "setns")


@dataclass
class Machine:
    """One of them."""

    network: str
    address: str
    cable: str
    """Its end at the switch."""
    processes: list[Process] = field(default_factory=list)

    def start(self, hub: SeveralProcesses) -> None:
        """Start a process of each role."""
        self.processes = [hub.start(role, begin=partial(_move_to, self.network)) for role in ROLES]

    def has(self, pid: int) -> bool:
        """Whether that process runs on it."""
        return pid in {each.process.pid for each in self.processes}

    def signal(self, number: signal.Signals) -> None:
        for each in self.processes:
            assert each.process.pid is not None
            os.kill(each.process.pid, number)

    def lose_power(self) -> None:
        """Everything of it is gone at once, and nobody is told."""
        _ip("link", "set", self.cable, "down")
        self.signal(signal.SIGKILL)

    def lose_power_in_the_middle(self, hub: SeveralProcesses, within_s: float = 30) -> None:
        """The same, in the moment when something is written and not committed, so that others have to wait for it."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if hub.ask(IN_HAND, address=self.address):
                self.signal(signal.SIGSTOP)
                time.sleep(0.1)  # what it had sent already
                if hub.ask(IN_HAND, address=self.address):
                    self.lose_power()
                    return
                self.signal(signal.SIGCONT)
        raise AssertionError(f"{self.network} never had anything in hand")


@contextmanager
def some_machines(folder: Path, number: int = 3) -> Iterator[tuple[SeveralProcesses, list[Machine]]]:
    """Make them, a database and a broker they reach, and a front door that sends everybody to one that answers."""
    with ExitStack() as stack:
        host, machines = stack.enter_context(_switch(number))
        server = stack.enter_context(_database(host, folder))
        hub = stack.enter_context(several_processes(folder, server.url.replace("127.0.0.1", host), host=host))
        stack.enter_context(_front_door((host, hub.port), [(each.address, hub.port) for each in machines]))
        yield hub, machines


@contextmanager
def _switch(number: int) -> Iterator[tuple[str, list[Machine]]]:
    if sys.platform != "linux" or os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root on Linux can make networks (Debian: apt install iproute2)")
    name, net = f"cx{uuid4().hex[:6]}", f"10.213.{os.getpid() % 250}"
    machines = [Machine(f"{name}n{n}", f"{net}.{10 + n}", f"{name}c{n}") for n in range(number)]
    try:
        _ip("link", "add", name, "type", "bridge")
        _ip("addr", "add", f"{net}.1/24", "dev", name)
        _ip("link", "set", name, "up")
        for each in machines:
            inside = partial(_ip, "-n", each.network)
            _ip("netns", "add", each.network)
            _ip("link", "add", each.cable, "type", "veth", "peer", "name", "eth0", "netns", each.network)
            _ip("link", "set", each.cable, "master", name, "up")
            inside("addr", "add", f"{each.address}/24", "dev", "eth0")
            inside("link", "set", "eth0", "up")
            inside("link", "set", "lo", "up")
        yield f"{net}.1", machines
    finally:
        for each in machines:
            _ip("netns", "del", each.network, check=False)
        _ip("link", "del", name, check=False)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


@contextmanager
def _database(host: str, folder: Path) -> Iterator[Server]:
    with some_servers() as make:
        server = make(f"listen_addresses=127.0.0.1,{host}", "track_commit_timestamp=on")
        server.run("initdb", "-D", server.data, "-U", "cunxiang", "--auth=trust", "-E", "UTF8", "--no-sync")
        with (server.data / "pg_hba.conf").open("a") as doors:
            doors.write(f"host all all {host}/24 trust\n")
        server.start()
        try:
            yield server
        finally:  # for who has to find out
            shutil.copy(server.folder / "log", folder / "postgres.log")


class _Door(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 100


@contextmanager
def _front_door(address: tuple[str, int], behind: Sequence[tuple[str, int]]) -> Iterator[None]:
    """What nginx does for several `cunxiang web`: the next one when one does not answer within a second."""
    turn = count()

    class Visit(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            first = next(turn)
            for n in range(len(behind)):
                with suppress(OSError), socket.create_connection(behind[(first + n) % len(behind)], 1) as other:
                    other.settimeout(None)
                    threading.Thread(target=_pass_on, args=(self.request, other), daemon=True).start()
                    _pass_on(other, self.request)
                    return

    with _Door(address, Visit) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        yield
        door.shutdown()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def started(hub: SeveralProcesses, machines: Sequence[Machine]) -> None:
    """Start all of them; return when every role works, on each machine, and the horn is there."""
    for machine in machines:
        machine.start(hub)
    there = len(machines) * len(ROLES)
    until(lambda: hub.ask("SELECT count(*) FROM hub_process") == [(there,)], 120, what=hub.said())
    until(lambda: hub.roles() == set(ROLES), 60, what=hub.said())
    until(lambda: hub.ask("SELECT online FROM speaker WHERE id = 'horn-1'") == [(True,)], 30, what="the horn")


def bridge_on_duty(hub: SeveralProcesses, machines: Sequence[Machine]) -> Machine | None:
    """Return the machine whose bridge works."""
    pids = [pid for (pid,) in hub.ask("SELECT pid FROM hub_process WHERE role = 'bridge' AND on_duty")]
    return next((each for each in machines if any(each.has(pid) for pid in pids)), None)


def lateness(hub: SeveralProcesses, ahead_s: float = 3) -> list[float]:
    """Return how late each item of the timetable was committed after its trigger, by the database's clock."""
    query = """
        SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - due_at)::float8 + :ahead FROM occurrence
        WHERE state = 'fired' ORDER BY due_at
    """
    return [float(late) for (late,) in hub.ask(query, ahead=ahead_s)]
