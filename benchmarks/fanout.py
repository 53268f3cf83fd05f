"""From "release" to the last loudspeaker's receipt in the database, beside the bare broker with the same devices.

Bare peer: one paho client publishes one signed command, one paho client counts receipts; no hub, no database.
Run: .venv/bin/python benchmarks/fanout.py [devices] [embedded|mosquitto]
"""

import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from uuid6 import uuid7

import cunxiang
from broadcasts.feature import rules_of
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.sender import Sender
from broadcasts.loudspeaker.states import PlayState
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.speakers import registry
from hub.speakers.device_file import DeviceFile
from hub.speakers.protocol import Receipt
from hub.speakers.simulator import Simulation, SimulationOptions
from hub.speakers.station import KEY_ID, Station

COUNTY, TOWNSHIP, VILLAGE = "990101000000", "990101001000", "990101001001"
ROUNDS = 5


def a_hub(folder: Path, kind: str) -> Runtime:
    """Return a hub with one village."""
    overrides = {
        "hub": {"data_dir": folder},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": kind, "port": 0, "heartbeat_seconds": 600},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    with runtime.sessions.begin() as session:
        for code in (COUNTY, TOWNSHIP, VILLAGE):
            regions.add_region(session, SYSTEM, code=code, name=code[-6:], now=runtime.now())
    return runtime


def devices_of(runtime: Runtime, count: int, station: Station) -> list[DeviceFile]:
    """Enrol loudspeakers."""
    with runtime.sessions.begin() as session:
        enrolled = [
            registry.enrol(session, SYSTEM, speaker_id=f"d{n}", name="d", region_code=VILLAGE, now=runtime.now())
            for n in range(count)
        ]
    return [
        DeviceFile(
            id=e.speaker.id,
            number=e.speaker.number,
            secret=e.secret,
            broker_host="127.0.0.1",
            broker_port=1,
            regions=(COUNTY, TOWNSHIP, VILLAGE),
            hub_keys={KEY_ID: station.key.public()},
        )
        for e in enrolled
    ]


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    kind = sys.argv[2] if len(sys.argv) > 2 else "auto"
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), count, kind)


def measure(folder: Path, count: int, kind: str) -> None:
    """Run both sides in turn, with the same broker and devices."""
    runtime = a_hub(folder, kind)
    build(runtime, cunxiang.FEATURES)
    station = runtime.get(Station)
    devices = devices_of(runtime, count, station)
    heard = threading.Event()
    bare_seen: set[str] = set()
    bare_id = ""

    def count_bare(found: list[Receipt]) -> None:
        bare_seen.update(r.dev for r in found if r.id == bare_id and r.st.value == "received")
        if len(bare_seen) >= count:
            heard.set()

    station.on_receipts(count_bare)
    station.start()
    host, port = station.address
    here = [d.model_copy(update={"broker_host": host, "broker_port": port}) for d in devices]
    simulation = Simulation(here, SimulationOptions(state_dir=folder / "devices", failing=1.0))
    thread = threading.Thread(target=simulation.run)
    thread.start()
    while simulation.crowd().up < count:
        time.sleep(0.1)
    time.sleep(2)
    sender = Sender(
        runtime.sessions, station, station.key, clock=runtime.clock, base_url=lambda: "http://127.0.0.1:9", lead_s=0
    )
    try:
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(hub_round(runtime, sender, count))
            time.sleep(1)
            bare_id = str(uuid7())
            bare_seen.clear()
            heard.clear()
            bare.append(bare_round(runtime, sender, station, bare_id, heard))
            time.sleep(1)
    finally:
        simulation.halt()
        thread.join()
        station.stop()
    ours.sort()
    bare.sort()
    print(f"{count} devices, broker {station.broker.kind if station.broker else 'external'}, median of {ROUNDS}")
    print(f"hub: release to last receipt committed   {ours[ROUNDS // 2] * 1000:7.0f} ms")
    print(f"bare broker: publish to last receipt     {bare[ROUNDS // 2] * 1000:7.0f} ms")
    print(f"ratio                                    {ours[ROUNDS // 2] / bare[ROUNDS // 2]:7.1f}")


def hub_round(runtime: Runtime, sender: Sender, count: int) -> float:
    """Release to the village through the hub; return seconds until every receipt is in the database."""
    begin = time.monotonic()
    broadcast_id = uuid7()
    with runtime.sessions.begin() as session:
        orders.place(
            session,
            broadcast_id=broadcast_id,
            paths=[path_of(VILLAGE)],
            sound=orders.Sound("0" * 64, 10_000, 1000),
            priority=1,
            volume=None,
            starts_at=runtime.now(),
            expires_at=runtime.now() + rules_of(runtime).valid,
            now=runtime.now(),
        )
    sender.step()
    while True:
        with runtime.sessions.read() as session:
            open_ = orders.tally(session, broadcast_id)
        if count - open_.get(PlayState.SENT, 0) - open_.get(PlayState.QUEUED, 0) >= count:
            return time.monotonic() - begin
        time.sleep(0.005)


def bare_round(runtime: Runtime, sender: Sender, station: Station, command_id: str, heard: threading.Event) -> float:
    """Publish one signed command and count receipts, with no hub and no tables in between."""
    now = datetime.now(UTC)
    message = sender.example(command_id, VILLAGE, now, now + timedelta(minutes=10))
    begin = time.monotonic()
    station.publish(*message)
    heard.wait(60)
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
