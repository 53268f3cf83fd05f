"""A station whose broker is always there, and loudspeakers that say what a test wants them to say."""

from datetime import datetime, timedelta
from typing import Any

from builders import BRIDGE
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.speakers.care.awaited import Awaited
from hub.speakers.care.models import SpeakerAlarm, SpeakerEvent
from hub.speakers.care.watching import Watch, attach
from hub.speakers.envelope import KeyRing
from hub.speakers.models import Speaker
from hub.speakers.protocol import Beat, Doing, FaultReport, Reached, Receipt, read_command
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import KEY_ID, Station

BEAT: dict[str, Any] = {
    "st": Doing.IDLE,
    "now": None,
    "last": (),
    "seq": 0,
    "ts": 1,
    "free": 1,
    "vol": 80,
    "ver": "1",
    "cfg": 1,
    "nonce": "00000000",
}


class Recorder(Station):
    """Remembers what was sent; `away` makes its broker unreachable."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.sent: list[tuple[str, bytes, bool]] = []
        self.away = False

    @property
    def connected(self) -> bool:
        return not self.away

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        if not self.away:
            self.sent.append((topic, payload, retain))
        return not self.away

    def commands(self) -> list[Any]:
        """Return what was commanded, verified."""
        ring = KeyRing.of({KEY_ID: self.key.public()})
        return [read_command(payload, ring) for _, payload, _ in self.sent]


def plugged(runtime: Runtime) -> Recorder:
    """Give a runtime a recording station with this room's ears on it."""
    station = Recorder(runtime)
    runtime.provide(Station, station)
    runtime.provide(SettingsBook, SettingsBook(runtime, station, ()))
    attach(runtime, station)
    return station


def watch(runtime: Runtime) -> Watch:
    return runtime.get(Watch)


def awaited(runtime: Runtime) -> Awaited:
    return runtime.get(Awaited)


def beat(speaker_id: str, **said: Any) -> Beat:
    return Beat.model_validate(BEAT | {"dev": speaker_id} | said)


def fault(speaker_id: str, code: str, on: bool = True, detail: str | None = None) -> FaultReport:
    return FaultReport(dev=speaker_id, code=code, on=on, ts=1, detail=detail)


def receipt(speaker_id: str, command_id: object, state: Reached, **said: Any) -> Receipt:
    return Receipt.model_validate(
        {"id": None if command_id is None else str(command_id), "dev": speaker_id, "n": 1, "st": state, "ts": 1} | said
    )


def change(runtime: Runtime, speaker_id: str, **values: object) -> None:
    with runtime.sessions.begin() as session:
        speaker = session.get_one(Speaker, speaker_id)
        for name, value in values.items():
            setattr(speaker, name, value)


def many(session: Session, count: int, *, now: datetime, region: str = BRIDGE) -> list[str]:
    """Add so many loudspeakers at once."""
    first = 10_000
    rows = [
        Speaker(
            id=f"m{n:05d}",
            number=first + n,
            name=f"杆 {n}",
            region_code=region,
            region_path=path_of(region),
            password_hash="",
            enrolled_at=now - timedelta(days=30),
            online=True,
            seen_at=now,
            online_since=now - timedelta(days=1),
        )
        for n in range(count)
    ]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def an_alarm(session: Session, speaker_id: str, code: str, since: datetime, **given: Any) -> SpeakerAlarm:
    """Add an alarm people were told of."""
    path = session.get_one(Speaker, speaker_id).region_path
    alarm = SpeakerAlarm(
        **{"speaker_id": speaker_id, "region_path": path, "code": code, "since": since, "raised_at": since} | given
    )
    session.add(alarm)
    session.flush()
    return alarm


def events_of(runtime: Runtime, speaker_id: str) -> list[tuple[str, str]]:
    """Return kind and code of everything in its history, oldest first."""
    with runtime.sessions.read() as session:
        query = select(SpeakerEvent).where(SpeakerEvent.speaker_id == speaker_id).order_by(SpeakerEvent.id)
        rows = session.scalars(query).all()
        return [(row.kind.value, row.code) for row in rows]


def alarms_of(runtime: Runtime, speaker_id: str, code: str = "offline") -> list[SpeakerAlarm]:
    with runtime.sessions.read() as session:
        query = select(SpeakerAlarm).where(SpeakerAlarm.speaker_id == speaker_id, SpeakerAlarm.code == code)
        return list(session.scalars(query.order_by(SpeakerAlarm.since)))
