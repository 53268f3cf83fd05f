"""An emergency to N connected loudspeakers, beside the bare broker with the same devices, in the same run.

Ours: the service call (`delivery.release`, committed) with the hub's own loops, station and database running, until the
last loudspeaker has verified the command, and until all N receipts are committed. Bare peer: the same broker process
and the same connected farm; one hand-written connection publishes one message of the same kind and counts N answers.
It is honest: signed beforehand, TCP_NODELAY, whatever has come is read at once and acknowledged in one piece, nothing
is parsed but packets and nothing is stored; it is measured before and after the hub, in the same minutes.
Printed: both ratios (targets 1.5 and 3), the cost per loudspeaker as N grows (target 1.3), the hub's memory.
Run: .venv/bin/python benchmarks/emergency.py [1000 5000 10000] [sqlite|postgresql] [rounds=20]
Needs mosquitto, and `ulimit -Hn` above the number of loudspeakers plus a hundred.
"""

import json
import os
import queue
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import select
from uuid6 import uuid7

from benchmarks.bare import BareHub
from benchmarks.databases import running_database
from benchmarks.farm import FarmPlan
from benchmarks.village import HUB, REGIONS, SPARE_FILES, VILLAGE, a_site, pause, release, running, until_idle
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.models import PlayOrder
from broadcasts.loudspeaker.states import PlayState
from broadcasts.pumps import Pumps
from hub.core.runtime import Runtime
from hub.speakers.broker.process import RunningBroker, find_mosquitto
from hub.speakers.envelope import SigningKey
from hub.speakers.protocol import Audio, Play, Priority, Receipt, Severity, ToRegion, seal_command
from hub.speakers.station import ISSUER, Station
from hub.speakers.topics import region_command

SOUND: Final = orders.Sound("ab" * 32, 92_000, 400_000)
PATIENCE_S: Final = 120.0
NOTED_S: Final = 3.0
LISTED_WITHIN_S: Final = 10.0
BARE_ROUNDS: Final = 5
"""Before the hub's rounds, and as many again after them."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds to the last verified command, and to the last answer."""

    fan_out: float
    answers: float


@dataclass(slots=True)
class Farmhouse:
    """The farm's process, and what it has said."""

    process: subprocess.Popen[bytes]
    said: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    @classmethod
    def open(cls, plan: FarmPlan, folder: Path) -> Self:
        """Start it and wait until every device is connected."""
        file = folder / "farm.json"
        file.write_text(plan.model_dump_json(), encoding="utf-8")
        program = str(Path(__file__).with_name("farm.py"))
        process = subprocess.Popen(
            [sys.executable, program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
        )
        house = cls(process)
        threading.Thread(target=house._listen, daemon=True).start()
        house.said.get(timeout=PATIENCE_S)
        return house

    def arrived(self, command_id: str) -> float:
        """When the last device verified this command."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            heard = self.said.get(timeout=PATIENCE_S)
            if heard.get("id") == command_id:
                return float(heard["last"])
        raise SystemExit("not every device has the command")

    def close(self) -> None:
        """End it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(30)

    def _listen(self) -> None:
        if self.process.stdout is not None:
            for line in self.process.stdout:
                self.said.put(json.loads(line))


@dataclass(slots=True)
class Counting:
    """Which loudspeakers have answered what, after the hub has committed what they said."""

    expected: int
    seen: dict[str, set[str]] = field(default_factory=dict)
    complete: dict[str, float] = field(default_factory=dict)
    change: threading.Condition = field(default_factory=threading.Condition)

    def note(self, found: list[Receipt]) -> None:
        """Registered after the hub's own room, so these receipts are stored."""
        now = time.monotonic()
        for receipt in found:
            if receipt.id is not None:
                self.seen.setdefault(receipt.id, set()).add(receipt.dev)
        with self.change:
            done = [name for name, devices in self.seen.items() if len(devices) >= self.expected]
            self.complete |= {name: now for name in done if name not in self.complete}
            self.change.notify_all()

    def wait(self, command_id: str) -> float:
        """When everybody had answered that command."""
        with self.change:
            if not self.change.wait_for(lambda: command_id in self.complete, PATIENCE_S):
                here = len(self.seen.get(command_id, ()))
                raise SystemExit(f"only {here} of {self.expected} receipts came")
            at = self.complete[command_id]
        self.seen.clear()
        self.complete.clear()
        return at


@dataclass(slots=True)
class Scene:
    """A hub with N loudspeakers at a running broker; the hub's loops run only inside `hub_running`."""

    runtime: Runtime
    broker: RunningBroker
    password: str
    farm: Farmhouse
    count: int

    @property
    def address(self) -> tuple[str, int]:
        """Of the broker."""
        return self.broker.host, self.broker.port

    def bare_rounds(self, rounds: int) -> list[Took]:
        """Measure the bare peer, under the hub's name: the hub must not be connected."""
        peer = BareHub.enter(self.address, HUB, self.password)
        found = []
        for _ in range(rounds):
            command_id, message = a_message(self.runtime.get(Station).key, self.count)
            begin, end = peer.ask_all(region_command(VILLAGE), message, self.count)
            found.append(Took(self.farm.arrived(command_id) - begin, end - begin))
            pause(self.count)
            self.rest()
        peer.leave()
        return found

    @contextmanager
    def hub_running(self) -> Iterator[Counting]:
        """The hub as it runs every day, and what it hears."""
        counting = Counting(self.count)
        self.runtime.get(Station).on_receipts(counting.note)
        with running(self.runtime):
            until_idle()
            yield counting

    def hub_round(self, counting: Counting) -> Took:
        """Release an emergency to the village as the alert desk does."""
        begin = time.monotonic()
        broadcast_id = release(self.runtime, SOUND)
        self.runtime.get(Pumps).kick()
        pause(self.count)  # looking around here would take time from the hub; what happens meanwhile has its time noted
        with self.runtime.sessions.read() as session:
            targets = session.scalars(select(PlayOrder.targets).where(PlayOrder.broadcast_id == broadcast_id)).one()
        command_id = str(targets[0]["id"])
        committed = counting.wait(command_id)
        self.require_list(broadcast_id)
        return Took(self.farm.arrived(command_id) - begin, committed - begin)

    @staticmethod
    def rest() -> None:
        """Between rounds, the same for both: what the hub notes a moment later belongs to its round.

        An emergency finds everything cold; a peer asked again after half a second finds broker and devices warm.
        """
        time.sleep(NOTED_S)
        until_idle(2)

    def require_list(self, broadcast_id: UUID) -> None:
        """The list of an emergency is written a moment after it went out: it must be there, and right."""
        deadline = time.monotonic() + LISTED_WITHIN_S
        while True:
            with self.runtime.sessions.read() as session:
                found = orders.tally(session, broadcast_id)
            if found == {PlayState.RECEIVED: self.count}:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"the tables say {found}, all {self.count} have answered")
            time.sleep(0.05)


def a_message(key: SigningKey, count: int) -> tuple[str, bytes]:
    """What the hub would send, made beforehand."""
    now, command_id = time.time_ns() // 1_000_000, str(uuid7())
    url = f"http://127.0.0.1:8600/a/{SOUND.sha256}.mp3"
    play = Play(
        id=command_id,
        issuer=ISSUER,
        iat=now,
        nbf=now - 60_000,
        exp=now + 3_600_000,
        seq=now,
        to=ToRegion(region=VILLAGE, upto=count),
        pri=Priority.EMERGENCY,
        mode="live",
        broadcast=str(uuid7()),
        audio=Audio(sha256=SOUND.sha256, url=url, size=SOUND.bytes, duration_ms=SOUND.ms, codec="mp3"),
        volume=100,
        severity=Severity.RED,
        by="值班员",
    )
    return command_id, seal_command(play, key)


@contextmanager
def a_scene(folder: Path, database: str, count: int) -> Iterator[Scene]:
    """A site with a farm."""
    with a_site(folder, database, count) as site:
        key = site.runtime.get(Station).key
        plan = FarmPlan(
            host=site.broker.host,
            port=site.broker.port,
            regions=REGIONS,
            keys={key.kid: key.public()},
            devices=site.devices,
        )
        farm = Farmhouse.open(plan, folder)
        try:
            yield Scene(site.runtime, site.broker, site.password, farm, count)
        finally:
            farm.close()


def memory_mb() -> float:
    """What this process, the hub, holds at the moment."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1_048_576


def median(found: list[Took]) -> Took:
    """Of each figure by itself."""
    return Took(statistics.median(t.fan_out for t in found), statistics.median(t.answers for t in found))


def measure(count: int, database: str, rounds: int) -> tuple[Took, Took]:
    """Print one size; return ours and the bare peer's medians."""
    with tempfile.TemporaryDirectory(prefix="cunxiang-bench-") as name:
        folder = Path(name)
        with running_database(database, folder) as url, a_scene(folder, url, count) as scene:
            scene.bare_rounds(1)
            bare = scene.bare_rounds(BARE_ROUNDS)
            with scene.hub_running() as counting:
                scene.hub_round(counting)
                before, ours = memory_mb(), []
                for _ in range(rounds):
                    ours.append(scene.hub_round(counting))
                    scene.rest()
                after = memory_mb()
            bare += scene.bare_rounds(BARE_ROUNDS)
    us, them = median(ours), median(bare)
    spread = f"{min(t.answers for t in ours) * 1000:.0f}-{max(t.answers for t in ours) * 1000:.0f}"
    print(f"{count} loudspeakers, {database}, {rounds} rounds (bare: {len(bare)})")
    print(f"  release to last verified command  {us.fan_out * 1000:7.0f} ms")
    print(f"  bare fan-out of one publish       {them.fan_out * 1000:7.0f} ms   ratio {us.fan_out / them.fan_out:5.2f}")
    print(f"  release to all receipts committed {us.answers * 1000:7.0f} ms   ({spread})")
    print(f"  bare: all acknowledgements heard  {them.answers * 1000:7.0f} ms   ratio {us.answers / them.answers:5.2f}")
    print(f"  memory of the hub                 {before:7.1f} MB, {after:.1f} MB after {rounds * count} more receipts")
    return us, them


def main() -> None:
    """Measure every size asked for."""
    words = sys.argv[1:]
    sizes = [int(word) for word in words if word.isdigit()] or [1000, 5000, 10_000]
    database = next((word for word in words if word in {"sqlite", "postgresql"}), "sqlite")
    rounds = next((int(word.removeprefix("rounds=")) for word in words if word.startswith("rounds=")), 20)
    if find_mosquitto() is None:
        raise SystemExit("mosquitto is not installed: this benchmark compares with it")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    found = {}
    for count in sizes:
        if count + SPARE_FILES > hard:
            print(f"{count} loudspeakers: left out, this system allows {hard} open files (ulimit -Hn)")
            continue
        found[count] = measure(count, database, rounds)
    if len(found) > 1:
        small, large = min(found), max(found)
        for name, index in (("ours", 0), ("bare", 1)):
            cost = [found[n][index].answers / n for n in (small, large)]
            print(f"growth per loudspeaker, {small} to {large}, {name}: {cost[1] / cost[0]:.2f}")


if __name__ == "__main__":
    main()
