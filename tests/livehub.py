"""A whole hub in this process with its own broker, and a reference loudspeaker that writes down what it sounds."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import builders
import requests
from shoutlab import Pcm, read_wav
from sqlalchemy.orm import Session

import cunxiang
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions.tree import codes_in, path_of
from hub.running import Server
from hub.speakers import registry
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.player import FileSink
from hub.speakers.station import Station

T = TypeVar("T")
HORN = "horn-1"
SECRET = "a-secret-of-this-test"
TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')
STAMP = "%Y%m%dT%H%M%S.%f"


def until(found: Callable[[], T], within_s: float = 60.0, *, what: str = "it") -> T:
    """Return what `found` finds, as soon as that is something."""
    deadline = time.monotonic() + within_s
    while True:
        thing = found()
        if thing:
            return thing
        assert time.monotonic() < deadline, f"waited {within_s} s for {what} in vain"
        time.sleep(0.05)


@dataclass
class Person:
    """Somebody signed in, with a browser that knows the token of its forms."""

    address: str
    browser: requests.Session = field(default_factory=requests.Session)

    def sign_in(self, login: str) -> "Person":
        self.post("/sign-in", data={"login": login, "password": builders.PASSWORD})
        return self

    def get(self, path: str) -> requests.Response:
        return self.browser.get(self.address + path, timeout=20)

    def post(self, path: str, *, page: str = "/sign-in", **given: Any) -> requests.Response:
        token = self.browser.headers.get("X-CSRFToken")
        if token is None:
            found = TOKEN.search(self.get(page).text)
            assert found
            self.browser.headers["X-CSRFToken"] = found[1]
        headers = {"X-Requested-With": "fetch", **given.pop("headers", {})}
        return self.browser.post(self.address + path, headers=headers, timeout=20, **given)


@dataclass
class LiveHub:
    """A hub that runs, and its loudspeaker."""

    runtime: Runtime
    folder: Path
    speaker: ReferenceSpeaker

    @property
    def address(self) -> str:
        return self.runtime.base_url

    def person(self, login: str) -> Person:
        return Person(self.address).sign_in(login)

    @property
    def sounding(self) -> bool:
        """Whether the loudspeaker sounds."""
        return self.speaker.body.sounding is not None

    def sounded(self) -> list[Path]:
        """The recordings the loudspeaker has begun to write, oldest first."""
        return sorted((self.folder / "sounded").glob("*.wav"))

    def read(self, recording: Path) -> tuple[Pcm, int]:
        """What it has written so far, and the rate."""
        return read_wav(recording)


def began_at(recording: Path) -> datetime:
    """When a loudspeaker began to write that recording, by its name."""
    stamp = recording.name.split("-", 1)[0]
    return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)


@contextmanager
def live_hub(
    folder: Path,
    *,
    engine: str = "embedded",
    region: str = builders.BRIDGE,
    more: dict[str, dict[str, object]] | None = None,
    prepare: Callable[[Session], None] = lambda _: None,
) -> Iterator[LiveHub]:
    """Run a hub with the small county of `builders`, no quiet hours, and one real loudspeaker, until the block ends.

    `more`: further settings. `prepare`: what else is in the tables before it starts.
    """
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": folder / "var", "port": 0, "threads": 8},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": engine, "port": 0},
        "broadcast": {"quiet_hours": ()},
        **(more or {}),
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=utc_now)
    with runtime.sessions.begin() as session:
        builders.a_county(session)
        now = utc_now() - timedelta(days=1)
        enrolled = registry.enrol(
            session, SYSTEM, speaker_id=HORN, name="晒坝", region_code=region, now=now, secret=SECRET
        )
        number = enrolled.speaker.number
        prepare(session)
    server = Server(build(runtime, cunxiang.FEATURES), runtime, cunxiang.FEATURES)
    thread = threading.Thread(target=server.serve, name="hub", daemon=True)
    thread.start()
    try:
        station = runtime.get(Station)
        until(lambda: station.connected, 30, what="the broker")
        with a_horn(station, folder, HORN, number, region) as speaker:
            yield LiveHub(runtime, folder, speaker)
    finally:
        server.close()
        thread.join(30)
        runtime.sessions.engine.dispose()


@contextmanager
def a_horn(station: Station, folder: Path, name: str, number: int, region: str) -> Iterator[ReferenceSpeaker]:
    """Run one real loudspeaker that is enrolled already, with SECRET, until the block ends."""
    host, port = station.address
    device = DeviceFile(
        id=name,
        number=number,
        secret=SECRET,
        broker_host=host,
        broker_port=port,
        regions=codes_in(path_of(region)),
        state_dir=str(folder / "device"),
        hub_keys={station.key.kid: station.key.public()},
    )
    speaker = ReferenceSpeaker(SpeakerSettings(device), FileSink(folder / "sounded"))
    speaker.start()
    try:
        until(lambda: speaker.connected, 20, what="the loudspeaker")
        yield speaker
    finally:
        speaker.stop()
