"""What a county in memory stands on: its tables made once, how bad things are, and a hub that may die."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from sqlalchemy import StaticPool, create_engine, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.core.actor import SYSTEM
from hub.core.db import Base, Sessions
from hub.regions import service as regions
from hub.speakers import registry
from hub.speakers.envelope import SigningKey
from hub.speakers.models import Speaker
from hub.speakers.protocol import Records, ToDevice, seal_command
from hub.speakers.topics import Kind, device_topic

KEY = SigningKey.from_secret("h1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
COUNTY, TOWN, BRIDGE, HILL = "990101000000", "990101001000", "990101001001", "990101001002"
HOMES: Final = {"bridge-1": BRIDGE, "bridge-2": BRIDGE, "hill-1": HILL}
BEAT_S: Final = 20
BEGIN: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class HubKilledError(Exception):
    """The hub's process is gone, at this very statement."""


@dataclass
class Luck:
    """How bad things are. All chances are 0 to 1."""

    chance: random.Random
    loss: float = 0.0
    doubling: float = 0.0
    longest_s: float = 0.2
    hub_death: float = 0.0
    power_cut: float = 0.0
    fetch_failure: float = 0.0

    def strikes(self, share: float) -> bool:
        """Whether it happens now."""
        return self.chance.random() < share

    def arrivals(self) -> list[float]:
        """After how many seconds a message arrives: never, once, or twice."""
        if self.strikes(self.loss):
            return []
        times = 2 if self.strikes(self.doubling) else 1
        return [self.chance.uniform(0.01, self.longest_s) for _ in range(times)]


class MortalSessions(Sessions):
    """Units of work in which the hub may die just before the commit."""

    luck: Luck

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with super().begin() as session:
            yield session
            if self.luck.strikes(self.luck.hub_death):
                raise HubKilledError


class Asking:
    """Asks loudspeakers for receipts that were lost, as the station does."""

    def __init__(self, publish: Callable[[str, bytes], bool], now: Callable[[], datetime]) -> None:
        self._publish, self._now = publish, now

    def send(self, kind: type[Records], speaker_id: str, seq: int, *, after: int) -> str | None:
        ms, name = round(self._now().timestamp() * 1000), str(uuid7())
        command = kind(
            id=name, issuer="hub", iat=ms, nbf=ms - 60_000, exp=ms + 60_000, seq=seq, to=ToDevice(device=speaker_id),
            after=after,
        )  # fmt: skip
        return name if self._publish(device_topic(speaker_id, Kind.COMMAND), seal_command(command, KEY)) else None


@lru_cache(maxsize=1)
def template() -> sqlite3.Connection:
    """The county's tables, made once: every world begins with a copy."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Sessions(engine).begin() as session:
        for code, name in ((COUNTY, "试县"), (TOWN, "北镇"), (BRIDGE, "桥村"), (HILL, "岭村")):
            regions.add_region(session, SYSTEM, code=code, name=name, now=BEGIN)
        for name, home in HOMES.items():
            registry.enrol(session, SYSTEM, speaker_id=name, name=name, region_code=home, now=BEGIN, secret="x" * 22)
        session.execute(update(Speaker).values(online=False))
    return connection


def a_copy() -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    template().backup(copy)
    return copy
