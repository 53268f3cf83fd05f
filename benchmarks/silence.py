"""From "stop everything" to silence: simulated loudspeakers that sound, and the moment each of them falls silent.

The service call (`muting.silence`, committed) with the hub's own loops, station and database running; the loudspeakers
are the simulator's, in a process of their own, with the real rules and signatures. Target: p95 at most 2 s.
Run: .venv/bin/python benchmarks/silence.py [loudspeakers=1000] [sqlite|postgresql] [rounds=5]
Needs mosquitto, and `ulimit -Hn` above the number of loudspeakers plus a hundred.
"""

import hashlib
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.databases import running_database
from benchmarks.village import REGIONS, SPARE_FILES, VILLAGE, Site, a_site, pause, release, running, until_idle
from broadcasts.delivery import muting
from broadcasts.loudspeaker.orders import Sound
from broadcasts.pumps import Pumps
from hub.core.actor import SYSTEM
from hub.speakers.broker.process import find_mosquitto
from hub.speakers.device.actions import Action, Silence
from hub.speakers.device.actions import Sound as Begin
from hub.speakers.device.device_file import DeviceFile, load_devices
from hub.speakers.device.simulated import SimulatedSpeaker
from hub.speakers.device.simulator import Simulation, SimulationOptions
from hub.speakers.station import Station

PATIENCE_S: Final = 180.0
LENGTH_MS: Final = 600_000
CONTENT: Final = b"ten minutes of something" * 50
SOUND: Final = Sound(hashlib.sha256(CONTENT).hexdigest(), LENGTH_MS, len(CONTENT))


class Watched(Simulation):
    """Notes when each device begins to sound and when it is silenced."""

    def __init__(
        self, devices: list[DeviceFile], options: SimulationOptions, tell: Callable[[str, float], None]
    ) -> None:
        super().__init__(devices, options)
        self._tell = tell

    def _act(self, speaker: SimulatedSpeaker, actions: list[Action], now: int) -> None:
        super()._act(speaker, actions, now)
        for action in actions:
            if isinstance(action, Begin | Silence):
                self._tell("silent" if isinstance(action, Silence) else "sounds", time.monotonic())


def crowd(folder: Path) -> None:
    """The loudspeakers' process: says how many are connected, and every beginning and end of a sound."""
    lock = threading.Lock()

    def say(what: str, value: float) -> None:
        with lock:
            sys.stdout.write(json.dumps([what, value]) + "\n")
            sys.stdout.flush()

    devices = load_devices(folder / "devices.jsonl")
    simulation = Watched(devices, SimulationOptions(state_dir=folder, connects_per_s=500), say)
    thread = threading.Thread(target=simulation.run)
    thread.start()
    while simulation.crowd().up < len(devices):
        time.sleep(0.1)
    say("up", len(devices))
    sys.stdin.read()
    simulation.halt()
    thread.join()


@contextmanager
def a_crowd(site: Site, folder: Path) -> Iterator["queue.Queue[tuple[str, float]]"]:
    """Start the loudspeakers; yield what they say."""
    key = site.runtime.get(Station).key
    files = [
        DeviceFile(
            id=name,
            number=number,
            secret=secret,
            broker_host=site.broker.host,
            broker_port=site.broker.port,
            regions=REGIONS,
            hub_keys={key.kid: key.public()},
        )
        for name, number, secret in site.devices
    ]
    folder.mkdir()
    lines = "".join(each.model_dump_json() + "\n" for each in files)
    (folder / "devices.jsonl").write_text(lines, encoding="utf-8")
    kept = folder / "audio" / SOUND.sha256
    kept.parent.mkdir()
    kept.write_bytes(CONTENT)  # as if fetched before: the way there is not what is measured
    process = subprocess.Popen(
        [sys.executable, __file__, "--crowd", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    said: queue.Queue[tuple[str, float]] = queue.Queue()
    threading.Thread(target=_listen, args=(process, said), daemon=True).start()
    try:
        yield said
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.wait(60)


def _listen(process: "subprocess.Popen[bytes]", said: "queue.Queue[tuple[str, float]]") -> None:
    for line in process.stdout or ():
        found: Any = json.loads(line)
        said.put((found[0], found[1]))


def wait_for(said: "queue.Queue[tuple[str, float]]", what: str, count: int) -> list[float]:
    """When each of so many happened."""
    found: list[float] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count:
        try:
            kind, at = said.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            raise SystemExit(f"only {len(found)} of {count}: {what}") from None
        if kind == what:
            found.append(at)
    return found


def one_round(site: Site, said: "queue.Queue[tuple[str, float]]") -> list[float]:
    """Let all sound, stop all; seconds until each was silent."""
    count = len(site.devices)
    release(site.runtime, SOUND)
    site.runtime.get(Pumps).kick()
    wait_for(said, "sounds", count)
    pause(count)
    begin = time.monotonic()
    with site.runtime.sessions.begin() as session:
        muting.silence(session, SYSTEM, VILLAGE, now=site.runtime.now())
    site.runtime.get(Pumps).kick()
    return [at - begin for at in wait_for(said, "silent", count)]


def main() -> None:
    """Measure and print."""
    words = sys.argv[1:]
    count = next((int(word) for word in words if word.isdigit()), 1000)
    database = next((word for word in words if word in {"sqlite", "postgresql"}), "sqlite")
    rounds = next((int(word.removeprefix("rounds=")) for word in words if word.startswith("rounds=")), 5)
    if find_mosquitto() is None:
        raise SystemExit("mosquitto is not installed")
    if count + SPARE_FILES > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
        raise SystemExit("this system does not allow so many open files (ulimit -Hn)")
    with tempfile.TemporaryDirectory(prefix="cunxiang-bench-") as name:
        folder = Path(name)
        with (
            running_database(database, folder) as url,
            a_site(folder, url, count) as site,
            running(site.runtime),
            a_crowd(site, folder / "crowd") as said,
        ):
            wait_for(said, "up", 1)
            until_idle()
            found = [took for _ in range(rounds) for took in one_round(site, said)]
    p95 = statistics.quantiles(found, n=20)[-1]
    print(f"{count} loudspeakers, {database}, {rounds} rounds: stop-all to silence")
    print(f"  median {statistics.median(found):.2f} s   p95 {p95:.2f} s   last {max(found):.2f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--crowd"]:
        crowd(Path(sys.argv[2]))
    else:
        main()
