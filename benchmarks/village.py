"""What the benchmarks measure: a hub with a village full of loudspeakers at a running broker."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import insert
from uuid6 import uuid7

import cunxiang
from broadcasts import feature
from broadcasts.audience.selection import Audience
from broadcasts.delivery import service as delivery
from broadcasts.delivery.models import Kind as BroadcastKind
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker.orders import Sound
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.background import Background
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.speakers import registry
from hub.speakers.broker.accounts import BrokerAccount, hash_password, new_secret, write_accounts
from hub.speakers.broker.process import RunningBroker, start_broker
from hub.speakers.models import Counter, Speaker, SpeakerState

REGIONS: Final = ("990101000000", "990101001000", "990101001001")
VILLAGE: Final = REGIONS[-1]
HUB: Final = "hub"
SPARE_FILES: Final = 100
IDLE_STEP_S: Final = 0.5
IDLE_FOR: Final = 4
IDLE_SHARE: Final = 0.2
IDLE_WITHIN_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Site:
    """A hub's tables with a village full of loudspeakers, and a running broker that knows them all."""

    runtime: Runtime
    broker: RunningBroker
    password: str
    devices: list[tuple[str, int, str]]


@contextmanager
def a_site(folder: Path, database: str, count: int) -> Iterator[Site]:
    """Make the tables, start the broker."""
    port, password = _free_port(), new_secret()
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": folder / "var"},
        "database": {"url": database},
        "speech": {"engines": ("tone",)},
        "mqtt": {
            "engine": "external",
            "host": "127.0.0.1",
            "port": port,
            "username": HUB,
            "password": password,
            "heartbeat_seconds": 3600,
        },
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    build(runtime, cunxiang.FEATURES)
    devices = enrol(runtime, count)
    with runtime.sessions.read() as session:
        accounts = registry.broker_accounts(session)
    hub = BrokerAccount(HUB, hash_password(password), is_hub=True)
    write_accounts(folder / "broker", [hub, *accounts])
    broker = start_broker("mosquitto", folder / "broker", "127.0.0.1", port)
    try:
        yield Site(runtime, broker, password, devices)
    finally:
        broker.stop()
        runtime.sessions.engine.dispose()


def enrol(runtime: Runtime, count: int) -> list[tuple[str, int, str]]:
    """A village full of loudspeakers, written in one go; name, number and password of each."""
    now = runtime.now()
    devices = [(f"d{n:05}", n, new_secret()) for n in range(1, count + 1)]
    rows = [a_row(*device, now) for device in devices]
    with runtime.sessions.begin() as session:
        for code in REGIONS:
            regions.add_region(session, SYSTEM, code=code, name=code[-6:], now=now)
        session.execute(insert(Speaker), rows)
        session.add(Counter(name=registry.ENROLMENTS, value=count))
    return devices


def a_row(name: str, number: int, secret: str, now: datetime) -> dict[str, object]:
    """A loudspeaker of the village, as the table has it."""
    return {
        "id": name,
        "number": number,
        "name": name,
        "region_code": VILLAGE,
        "region_path": path_of(VILLAGE),
        "state": SpeakerState.ACTIVE,
        "password_hash": hash_password(secret),
        "enrolled_at": now,
    }


@contextmanager
def running(runtime: Runtime) -> Iterator[None]:
    """Station and all loops of the hub."""
    started: list[Background] = []
    try:
        for background in feature.start(runtime):
            background.start()
            started.append(background)
        yield
    finally:
        for background in reversed(started):
            background.stop()


def release(runtime: Runtime, sound: Sound) -> UUID:
    """Release an emergency to the village, and commit; the caller kicks the pumps."""
    now = runtime.now()
    order = delivery.Order(
        source=f"bench:{uuid7()}",
        kind=BroadcastKind.EMERGENCY,
        title="演练",
        text="演练。" * 20,
        sms_text="",
        audience=Audience((VILLAGE,), speakers=True, sms=False),
        home_path=path_of(VILLAGE),
        sound=sound,
        repeats=2,
        volume=100,
        starts_at=now,
        expires_at=now + timedelta(hours=1),
        approved_by_name="值班员",
        severity="red",
        by_name="值班员",
    )
    with runtime.sessions.begin() as session:
        return delivery.release(session, SYSTEM, order, rules=runtime.get(Rules), now=now).id


def until_idle(steps: int = IDLE_FOR) -> None:
    """Wait until this process has nothing left to do: after its start a hub tells settings and renders alarms."""
    quiet = 0
    deadline = time.monotonic() + IDLE_WITHIN_S
    while quiet < steps and time.monotonic() < deadline:
        before = time.process_time()
        time.sleep(IDLE_STEP_S)
        quiet = quiet + 1 if time.process_time() - before < IDLE_SHARE * IDLE_STEP_S else 0


def pause(devices: int) -> None:
    """Let everything come to rest."""
    time.sleep(0.5 + devices / 10_000)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
