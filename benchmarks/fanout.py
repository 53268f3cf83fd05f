"""From "release" to the last loudspeaker's receipt in the database, beside the bare broker with the same devices.

Bare peer: the same broker and devices, one link that publishes one signed command and counts receipts; no tables.
Run: .venv/bin/python benchmarks/fanout.py [devices] [embedded|mosquitto]
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from uuid6 import uuid7

import cunxiang
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
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.simulator import Simulation, SimulationOptions
from hub.speakers.protocol import Audio, Play, Priority, Receipt, ToRegion, seal_command
from hub.speakers.station import KEY_ID, Station
from hub.speakers.topics import region_command

REGIONS = ("990101000000", "990101001000", "990101001001")
VILLAGE = REGIONS[-1]
ROUNDS = 5


def a_hub(folder: Path, kind: str, count: int) -> tuple[Runtime, Station, list[DeviceFile]]:
    """Return a hub with one village full of loudspeakers."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": folder},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": kind, "port": 0, "heartbeat_seconds": 600},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    build(runtime, cunxiang.FEATURES)
    station = runtime.get(Station)
    with runtime.sessions.begin() as session:
        for code in REGIONS:
            regions.add_region(session, SYSTEM, code=code, name=code[-6:], now=runtime.now())
        enrolled = [
            registry.enrol(session, SYSTEM, speaker_id=f"d{n}", name="d", region_code=VILLAGE, now=runtime.now())
            for n in range(count)
        ]
    devices = [
        DeviceFile(
            id=each.speaker.id,
            number=each.speaker.number,
            secret=each.secret,
            broker_host="127.0.0.1",
            broker_port=1,
            regions=REGIONS,
            hub_keys={KEY_ID: station.key.public()},
        )
        for each in enrolled
    ]
    return runtime, station, devices


def with_devices(station: Station, devices: list[DeviceFile], folder: Path, measure: Callable[[], float]) -> float:
    """Start broker and devices, measure several rounds, stop everything; return the median."""
    station.start()
    host, port = station.address
    here = [d.model_copy(update={"broker_host": host, "broker_port": port}) for d in devices]
    simulation = Simulation(here, SimulationOptions(state_dir=folder, failing=1.0))
    thread = threading.Thread(target=simulation.run)
    thread.start()
    try:
        while simulation.crowd().up < len(devices):
            time.sleep(0.1)
        time.sleep(2)
        found = []
        for _ in range(ROUNDS):
            found.append(measure())
            time.sleep(1)
        return statistics.median(found)
    finally:
        simulation.halt()
        thread.join()
        station.stop()


def through_the_hub(runtime: Runtime, sender: Sender, count: int) -> float:
    """Release to the village; return the seconds until every receipt is in the database."""
    begin, broadcast_id, now = time.monotonic(), uuid7(), runtime.now()
    with runtime.sessions.begin() as session:
        orders.place(
            session,
            broadcast_id=broadcast_id,
            paths=[path_of(VILLAGE)],
            sound=orders.Sound("0" * 64, 1000, 1000),
            priority=1,
            volume=None,
            starts_at=now,
            expires_at=now + timedelta(minutes=10),
            now=now,
        )
    sender.step()
    while True:
        with runtime.sessions.read() as session:
            found = orders.tally(session, broadcast_id)
        if found.get(PlayState.SENT, 0) + found.get(PlayState.QUEUED, 0) == 0 and sum(found.values()) == count:
            return time.monotonic() - begin
        time.sleep(0.005)


def bare(station: Station, seen: set[str], heard: threading.Event, current: list[str]) -> float:
    """Publish one signed command; return the seconds until every device's first receipt came in."""
    now = round(time.time() * 1000)
    current[0] = str(uuid7())
    seen.clear()
    heard.clear()
    play = Play(
        id=current[0],
        issuer="bench",
        iat=now,
        nbf=now - 60_000,
        exp=now + 600_000,
        seq=now,
        to=ToRegion(region=VILLAGE, upto=10_000_000),
        pri=Priority.ROUTINE,
        mode="live",
        broadcast=str(uuid7()),
        audio=Audio(sha256="0" * 64, url="http://127.0.0.1:9/a.mp3", size=1000, duration_ms=1000, codec="mp3"),
    )
    message = seal_command(play, station.key)
    begin = time.monotonic()
    station.publish(region_command(VILLAGE), message)
    if not heard.wait(120):
        raise SystemExit("not every device answered")
    return time.monotonic() - begin


def main() -> None:
    """Measure both and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    kind = sys.argv[2] if len(sys.argv) > 2 else "auto"
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        runtime, station, devices = a_hub(Path(first), kind, count)
        sender = Sender(
            runtime.sessions,
            station,
            lambda: station.key,
            clock=runtime.clock,
            base_url=lambda: "http://127.0.0.1:9",
            lead_s=0,
        )
        ours = with_devices(station, devices, Path(first) / "devices", lambda: through_the_hub(runtime, sender, count))
        runtime, station, devices = a_hub(Path(second), kind, count)
        seen: set[str] = set()
        heard, current = threading.Event(), [""]

        def note(found: list[Receipt]) -> None:
            seen.update(r.dev for r in found if r.id == current[0])
            if len(seen) >= count:
                heard.set()

        plain = Station(runtime)
        plain.on_receipts(note)
        theirs = with_devices(plain, devices, Path(second) / "devices", lambda: bare(plain, seen, heard, current))
    print(f"{count} devices, broker {kind}, median of {ROUNDS} rounds")
    print(f"hub: release to last receipt committed  {ours * 1000:7.0f} ms")
    print(f"bare: publish to last receipt heard     {theirs * 1000:7.0f} ms")
    print(f"ratio                                   {ours / theirs:7.1f}")


if __name__ == "__main__":
    main()
