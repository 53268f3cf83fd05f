"""A hub started by `cunxiang run`, a real loudspeaker, and whoever does their work there while something breaks.

For programs that run in a namespace of their own (see `diskworker` and `cutworker`): what is mounted or cut there ends
with them.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import builders
import requests
from brokerlab import free_port
from livehub import HORN, SECRET, until
from roleslab import Place, people, toml

import cunxiang
from hub.app import open_runtime, provide
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.clock import utc_now
from hub.core.config import load
from hub.regions.tree import codes_in, path_of
from hub.speakers import registry
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.player import FileSink
from hub.speakers.keys import key_of

ROOT = Path(__file__).resolve().parents[1]
FIRE = {"hazard": "flash_flood", "colour": "red", "regions": [builders.BRIDGE]}
Tables = dict[str, dict[str, object]]


def configured(folder: Path, more: Tables) -> Tables:
    port = free_port()
    return {
        "hub": {"data_dir": folder / "disk", "port": port, "public_url": f"http://127.0.0.1:{port}"},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": free_port(), "heartbeat_seconds": 5},
        "broadcast": {"quiet_hours": (), "prepare_seconds": 3},
        "sms": {"window_from": "00:00", "window_until": "23:59"},
        **more,
    }


@contextmanager
def hub_and_horn(folder: Path, more: Tables) -> Iterator[Place]:
    """Run both until the block ends."""
    settings = configured(folder, more)
    place, speaker = _prepared(folder, settings)
    (folder / "config.toml").write_text(toml(settings), encoding="utf-8")
    with (folder / "hub.log").open("wb") as log:
        hub = subprocess.Popen(
            [sys.executable, "-m", "cunxiang", "run", "--json-logs"],
            env=environment(folder),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: health(place) == 200, 60, what="the hub")
        speaker.start()
        until(lambda: speaker.connected, 20, what="the loudspeaker")
        yield place
        hub.terminate()
        assert hub.wait(15) == 0
    finally:
        speaker.stop()
        hub.kill()
        hub.wait(10)
        place.runtime.sessions.engine.dispose()


def _prepared(folder: Path, settings: Tables) -> tuple[Place, ReferenceSpeaker]:
    """Fill the tables, and make the loudspeaker; it keeps its things elsewhere, as a real one does."""
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=settings))
    provide(runtime, cunxiang.FEATURES)
    with runtime.sessions.begin() as session:
        builders.a_county(session)
        keys = people(session, runtime)
        known = utc_now() - timedelta(days=1)
        number = registry.enrol(
            session, SYSTEM, speaker_id=HORN, name="晒坝", region_code=builders.BRIDGE, now=known, secret=SECRET
        ).speaker.number
    signing = runtime.secrets.signing
    key = key_of(signing.active, signing.active_seed)
    device = DeviceFile(
        id=HORN,
        number=number,
        secret=SECRET,
        broker_host="127.0.0.1",
        broker_port=int(str(settings["mqtt"]["port"])),
        regions=codes_in(path_of(builders.BRIDGE)),
        state_dir=str(folder / "device"),
        hub_keys={key.kid: key.public()},
    )
    place = Place(folder, runtime, keys, int(str(settings["hub"]["port"])))
    return place, ReferenceSpeaker(SpeakerSettings(device), FileSink(folder / "sounded"))


def environment(folder: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("CUNXIANG_")}
    return {**given, "CUNXIANG_CONFIG": str(folder / "config.toml")}


def tried(what: Callable[[], object]) -> str:
    """Do it; return what came of it: `done`, or what was said instead."""
    try:
        what()
    except (AssertionError, requests.RequestException) as error:
        return str(error)[:400]
    return "done"


def command(folder: Path, *words: str | Path) -> tuple[int, str]:
    """Run one command beside the hub; its status and the end of what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "cunxiang", *words],
        env=environment(folder),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr)[-400:]


def emergency(place: Place, key: str) -> None:
    """Call one, as the duty officer does."""
    horns = place.call("duty", "POST", "/alerts/preview", FIRE)["speakers"]
    place.call("duty", "POST", "/alerts", {**FIRE, "speakers_confirmed": horns, "form_key": key})


def health(place: Place, path: str = "/healthz") -> int:
    """The status of a question that anybody may ask; 0 when there is no answer."""
    with suppress(requests.RequestException):
        return requests.get(place.address + path, timeout=20).status_code
    return 0


def bad(place: Place) -> list[str]:
    """What the hub finds bad about itself."""
    found: dict[str, Any] = requests.get(f"{place.address}/readyz", timeout=20).json()
    return list(found["bad"])
