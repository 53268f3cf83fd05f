"""A county in one process: a real hub's tables, link and senders, and reference loudspeakers on a real broker."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from brokerlab import Address, Hosting
from speakerlab import Recordings, recordings_served, soon
from sqlalchemy import select
from uuid6 import uuid7

import cunxiang
from broadcasts.feature import feature
from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.orders import Manner, Sound
from broadcasts.loudspeaker.states import PlayState
from broadcasts.pumps import Pumps
from hub.app import open_runtime, provide
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.background import Background, Loop
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import codes_in, path_of
from hub.speakers import registry
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority, Reached, Receipt
from hub.speakers.station import KEY_ID, Station

COUNTY, TOWN = "990101000000", "990101001000"
BRIDGE, HILL = "990101001001", "990101001002"
HOMES = {"bridge-1": BRIDGE, "bridge-2": BRIDGE, "bridge-3": BRIDGE, "hill-1": HILL, "hill-2": HILL}
STOLEN = "stolen-1"
"""A loudspeaker of the hill village whose device file is in wrong hands."""
QUIET = frozenset({"alarm-voices", "local-gateway", "sms-emergency", "sms-ordinary"})
"""Loops that have nothing to do with loudspeakers."""


@dataclass
class County:
    """What runs, and how to ask it."""

    folder: Path
    hosting: Hosting
    runtime: Runtime
    recordings: Recordings
    secrets: dict[str, str]
    parts: Sequence[Background] = ()
    speakers: dict[str, ReferenceSpeaker] = field(default_factory=dict)

    @property
    def station(self) -> Station:
        return self.runtime.get(Station)

    def start_hub(self) -> None:
        """Start what the hub starts, as far as loudspeakers are concerned."""
        self.parts = speaking_parts(self.runtime)
        for part in self.parts:
            part.start()

    def stop_hub(self) -> None:
        """End it in order."""
        for part in reversed(self.parts):
            part.stop()
        self.parts = ()

    def start_speakers(self, *, first: int = 0) -> None:
        """Switch all on but the stolen one; each begins with another of the broker's addresses."""
        for number, name in enumerate(HOMES):
            speaker = ReferenceSpeaker(SpeakerSettings(self.device(name, first + number), sink="file"))
            self.speakers[name] = speaker
            speaker.start()

    def stop_speakers(self) -> None:
        """Switch all off."""
        for speaker in self.speakers.values():
            speaker.stop()
        self.speakers.clear()

    def device(self, name: str, first: int = 0, *, ca: Path | None = None) -> DeviceFile:
        """The device file a loudspeaker is given."""
        with self.runtime.sessions.read() as session:
            speaker = session.get_one(Speaker, name)
        found = self.hosting.addresses(self.station)
        own = self.station.told_at(speaker.region_path)
        if own != self.station.told:  # a broker of its place's own
            found = [own[:2]]
        turned = [found[(first + i) % len(found)] for i in range(len(found))]
        authority = ca or self.hosting.ca
        return DeviceFile(
            id=name,
            number=speaker.number,
            secret=self.secrets[name],
            regions=codes_in(speaker.region_path),
            state_dir=str(self.folder / name),
            hub_keys={KEY_ID: self.station.key.public()},
            broker_qos=self.hosting.qos,
            broker_tls=authority is not None,
            broker_ca=str(authority) if authority else None,
            **broker_fields(turned),
        )

    def release(
        self, *codes: str, seconds: float = 0.5, priority: Priority = Priority.ROUTINE, valid_s: float = 60
    ) -> UUID:
        """Send a recording out, as an approved broadcast does."""
        now = self.runtime.now()
        broadcast_id = uuid7()
        emergency = priority is Priority.EMERGENCY
        with self.runtime.sessions.begin() as session:
            orders.place(
                session,
                broadcast_id=broadcast_id,
                paths=[path_of(code) for code in codes],
                sound=self.sound(seconds),
                priority=priority,
                volume=None,
                starts_at=now,
                expires_at=now + timedelta(seconds=valid_s),
                now=now,
                manner=Manner(severity="red", by_name="值班员") if emergency else Manner(),
            )
        self.runtime.get(Pumps).kick()
        return broadcast_id

    def sound(self, seconds: float) -> Sound:
        """A tone of that length, where loudspeakers fetch it."""
        audio = self.recordings.tone("tone.mp3", seconds)
        target = self.recordings.folder / "a" / f"{audio.sha256}.mp3"
        target.parent.mkdir(exist_ok=True)
        shutil.move(self.recordings.folder / "tone.mp3", target)
        return Sound(audio.sha256, audio.duration_ms, audio.size)

    def stop(self, broadcast_id: UUID) -> None:
        """Call a broadcast off."""
        with self.runtime.sessions.begin() as session:
            orders.call_off(session, broadcast_id, now=self.runtime.now())
        self.runtime.get(Pumps).kick()

    def states(self, broadcast_id: UUID) -> dict[str, PlayState]:
        """How far it has come on each loudspeaker that was meant."""
        query = select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == broadcast_id)
        with self.runtime.sessions.read() as session:
            return {found.speaker_id: found.state for found in session.scalars(query)}

    def all_are(self, broadcast_id: UUID, state: PlayState) -> bool:
        """Whether everyone that was meant has come exactly that far; the stolen one says nothing."""
        return {s for name, s in self.states(broadcast_id).items() if name != STOLEN} == {state}

    def receipts(self, broadcast_id: UUID, speaker_id: str) -> list[str]:
        """What was stored of one loudspeaker's receipts, in its own order."""
        query = (
            select(PlayReceipt.state)
            .join(SpeakerDelivery, SpeakerDelivery.command_id == PlayReceipt.command_id)
            .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.speaker_id == speaker_id)
            .where(PlayReceipt.speaker_id == speaker_id)
            .order_by(PlayReceipt.number)
        )
        with self.runtime.sessions.read() as session:
            return list(session.scalars(query))

    def receipt_of(self, broadcast_id: UUID, speaker_id: str) -> Receipt:
        """A receipt as that loudspeaker could have sent it."""
        with self.runtime.sessions.read() as session:
            delivery = session.get_one(SpeakerDelivery, (broadcast_id, speaker_id))
        now = round(self.runtime.now().timestamp() * 1000)
        return Receipt(id=str(delivery.command_id), dev=speaker_id, n=1, st=Reached.RECEIVED, ts=now)

    def receipt_numbers(self) -> set[int]:
        """The numbers of all receipts that were stored."""
        with self.runtime.sessions.read() as session:
            return set(session.scalars(select(PlayReceipt.number)))

    def sounded(self, broadcast_id: UUID) -> dict[str, list[Path]]:
        """The WAV files of a broadcast: on whom it sounded, and how often."""
        with self.runtime.sessions.read() as session:
            query = select(SpeakerDelivery.command_id).where(SpeakerDelivery.broadcast_id == broadcast_id)
            commands = set(session.scalars(query))
        return {
            name: found
            for name in (*HOMES, STOLEN)
            if (found := [path for command in commands for path in sounds_of(self.folder / name, command)])
        }

    def online(self) -> set[str]:
        """Whom the hub's tables say to be connected."""
        with self.runtime.sessions.read() as session:
            return set(session.scalars(select(Speaker.id).where(Speaker.online.is_(True))))

    def everyone_online(self, within_s: float = 60) -> bool:
        """Whether all five come up in time, by the tables and by their own word."""
        return soon(
            lambda: self.online() >= set(HOMES) and all(each.connected for each in self.speakers.values()), within_s
        )


def sounds_of(state_dir: Path, command_id: UUID) -> list[Path]:
    """The WAV files one loudspeaker wrote for one command."""
    return list((state_dir / "sounded").glob(f"*-{command_id}.wav"))


def broker_fields(addresses: list[Address]) -> dict[str, object]:
    """How a device file says where the broker is."""
    host, port = addresses[0]
    return {"broker_host": host, "broker_port": port, "brokers": tuple(f"{h}:{p}" for h, p in addresses[1:])}


@contextmanager
def a_county(folder: Path, hosting: Hosting) -> Iterator[County]:
    """Run a hub and five loudspeakers of two villages on that broker."""
    web = folder / "web"
    web.mkdir(parents=True)
    with recordings_served(web) as recordings:
        runtime = open_hub(folder / "var", hosting, recordings.port)
        county = County(folder, hosting, runtime, recordings, fill(runtime))
        try:
            hosting.open(runtime, county.secrets)
            county.start_hub()
            county.start_speakers()
            yield county
        finally:
            county.stop_speakers()
            county.stop_hub()
            hosting.close()
            runtime.sessions.engine.dispose()


def speaking_parts(runtime: Runtime) -> Sequence[Background]:
    """What a hub starts, without what has nothing to do with loudspeakers."""
    return [part for part in feature.start(runtime) if not (isinstance(part, Loop) and part.name in QUIET)]


def open_hub(data_dir: Path, hosting: Hosting, audio_port: int) -> Runtime:
    """A hub on that broker."""
    return open_hub_with(data_dir, hosting.settings(), audio_port)


def open_hub_with(data_dir: Path, mqtt: dict[str, object], audio_port: int) -> Runtime:
    """A hub without quiet hours, for these tests run at any hour."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": data_dir, "public_url": f"http://127.0.0.1:{audio_port}"},
        "speech": {"engines": ("tone",)},
        "broadcast": {"quiet_hours": ()},
        "mqtt": {"heartbeat_seconds": 5, **mqtt},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    provide(runtime, cunxiang.FEATURES)
    return runtime


def fill(runtime: Runtime) -> dict[str, str]:
    """Make two villages with five loudspeakers, and a sixth that is stolen; return their passwords."""
    secrets = {}
    with runtime.sessions.begin() as session:
        for code, name in ((COUNTY, "试县"), (TOWN, "北镇"), (BRIDGE, "桥村"), (HILL, "岭村")):
            regions.add_region(session, SYSTEM, code=code, name=name, now=runtime.now())
        for name, home in (*HOMES.items(), (STOLEN, HILL)):
            enrolled = registry.enrol(session, SYSTEM, speaker_id=name, name=name, region_code=home, now=runtime.now())
            secrets[name] = enrolled.secret
    return secrets
