"""The hub's radio room: broker, link, settings for every loudspeaker, answers to heartbeats."""

import base64
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from uuid6 import uuid7

from hub.core.errors import Unavailable
from hub.core.runtime import Runtime
from hub.regions.tree import codes_in
from hub.speakers import presence, registry
from hub.speakers.broker.accounts import BrokerAccount, check_password, hash_password, read_accounts, write_accounts
from hub.speakers.broker.process import RunningBroker, start_broker
from hub.speakers.envelope import SigningKey
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import (
    Beat,
    Configure,
    Presence,
    QuietTime,
    Receipt,
    Settings,
    SetVolume,
    TimeAnswer,
    ToDevice,
    seal_command,
)
from hub.speakers.settings import MqttSettings
from hub.speakers.topics import Kind, device_topic

log = logging.getLogger(__name__)
KEY_ID = "h1"
ISSUER = "hub"
HUB_NAME = "hub"
CONFIG_LIFE_MS = 10 * 365 * 86_400_000
TIME_LIFE_MS = 60_000
VOLUME_LIFE_MS = 300_000

Came = Callable[[Sequence[str]], None]


def signing_key(seed: bytes) -> SigningKey:
    """Return the hub's key from its secret seed."""
    return SigningKey.from_secret(KEY_ID, base64.b64encode(seed).decode())


class Station:
    """Connects the tables to the loudspeakers. Rooms above register for receipts, beats and arrivals."""

    def __init__(self, runtime: Runtime, quiet: Iterable[tuple[int, int]]) -> None:
        self._runtime = runtime
        self._settings = runtime.config.section(MqttSettings)
        self._quiet = tuple(QuietTime(start=a, end=b) for a, b in quiet)
        self.key = signing_key(runtime.secrets.signing_seed)
        self.broker: RunningBroker | None = None
        self.link: SpeakerLink | None = None
        self._on_receipts: list[Callable[[list[Receipt]], None]] = []
        self._on_beats: list[Callable[[list[Beat]], None]] = []
        self._on_came: list[Came] = []
        self._guard = threading.Lock()

    def on_receipts(self, callback: Callable[[list[Receipt]], None]) -> None:
        """Register for receipts."""
        self._on_receipts.append(callback)

    def on_beats(self, callback: Callable[[list[Beat]], None]) -> None:
        """Register for heartbeats."""
        self._on_beats.append(callback)

    def on_came(self, callback: Came) -> None:
        """Register for loudspeakers that have just connected."""
        self._on_came.append(callback)

    @property
    def folder(self) -> Path:
        """Where the own broker keeps its accounts and log."""
        return self._runtime.config.data_dir / "broker"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port loudspeakers connect to."""
        if self.broker is not None:
            return self.broker.host, self.broker.port
        return self._settings.host, self._settings.port

    def start(self) -> None:
        """Start the own broker if there is one, connect, and begin to listen. Raises BrokerFailed."""
        if self._settings.engine != "external":
            self.renew_accounts()
            self.broker = start_broker(self._settings.engine, self.folder, self._settings.host, self._settings.port)
        link = SpeakerLink(self._own_address())
        for callback in self._on_receipts:
            link.on_receipts(callback)
        for on_beats in (self._note_beats, *self._on_beats):
            link.on_beats(on_beats)
        link.on_presences(self._note_presences)
        link.on_connected(self.publish_settings)
        self.link = link
        if not link.start(wait_s=5.0):
            log.error("broker not reachable yet: %s", link.problem)

    def stop(self) -> None:
        """Disconnect and end the own broker."""
        if self.link is not None:
            self.link.stop()
        if self.broker is not None:
            self.broker.stop()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False when it cannot be reached."""
        return self.link is not None and self.link.publish(topic, payload, qos, retain)

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached."""
        return self.link is not None and self.link.connected

    def renew_accounts(self) -> None:
        """Write who may use the own broker; it takes the change over within two seconds."""
        if self._settings.engine == "external":
            return
        with self._runtime.sessions.read() as session:
            accounts = registry.broker_accounts(session)
        with self._guard:
            hub = BrokerAccount(HUB_NAME, self._hub_hash(), is_hub=True)
            write_accounts(self.folder, [hub, *accounts])

    def _hub_hash(self) -> str:
        """Return the hub's hash as it stands, if it is right: the broker ends connections whose hash changes."""
        password = self._runtime.secrets.broker_password
        try:
            known = read_accounts(self.folder)
        except (OSError, ValueError):
            known = []
        kept = next((account.password_hash for account in known if account.username == HUB_NAME), "")
        return kept if check_password(password, kept) else hash_password(password)

    def publish_settings(self, speaker_ids: Sequence[str] = ()) -> None:
        """Publish the retained settings of some loudspeakers, or of all."""
        with self._runtime.sessions.read() as session:
            query = select(Speaker.id, Speaker.number, Speaker.region_path).where(Speaker.state == SpeakerState.ACTIVE)
            if speaker_ids:
                query = query.where(Speaker.id.in_(speaker_ids))
            rows = session.execute(query).all()
        for row in rows:
            command = self._configure(row.id, row.number, codes_in(row.region_path))
            self.publish(device_topic(row.id, Kind.CONFIG), seal_command(command, self.key), retain=True)

    def send_volume(self, speaker_id: str, level: int, seq: int) -> bool:
        """Tell a loudspeaker its lasting volume; False when the broker cannot be reached."""
        now = self._now_ms()
        command = SetVolume(
            id=str(uuid7()),
            issuer=ISSUER,
            iat=now,
            nbf=now - TIME_LIFE_MS,
            exp=now + VOLUME_LIFE_MS,
            seq=seq,
            to=ToDevice(device=speaker_id),
            level=level,
        )
        return self.publish(device_topic(speaker_id, Kind.COMMAND), seal_command(command, self.key))

    def require_connection(self) -> None:
        """Raise Unavailable when the broker cannot be reached."""
        if not self.connected:
            raise Unavailable("broker_away")

    def _configure(self, speaker_id: str, number: int, regions: tuple[str, ...]) -> Configure:
        now = self._now_ms()
        offset = self._runtime.now().astimezone(self._runtime.zone).utcoffset()
        settings = Settings(
            version=now,
            number=number,
            regions=regions,
            keys={KEY_ID: self.key.public()},
            quiet=self._quiet,
            utc_offset_min=int(offset.total_seconds() // 60) if offset else 0,
            beat_s=self._settings.heartbeat_seconds,
        )
        return Configure(
            id=str(uuid7()),
            issuer=ISSUER,
            iat=now,
            nbf=now - TIME_LIFE_MS,
            exp=now + CONFIG_LIFE_MS,
            seq=0,
            to=ToDevice(device=speaker_id),
            settings=settings,
        )

    def _note_presences(self, presences: list[Presence]) -> None:
        with self._runtime.sessions.begin() as session:
            came = presence.note_presences(session, presences, now=self._runtime.now())
        self._tell_came(came)

    def _note_beats(self, beats: list[Beat]) -> None:
        now = self._runtime.now()
        for beat in beats:
            self._answer(beat, now)
        with self._runtime.sessions.begin() as session:
            came = presence.note_beats(session, beats, now=now)
            wrong = presence.wrong_volumes(session, beats)
            seq = registry.next_value(session, registry.COMMANDS, len(wrong)) if wrong else 0
        for offset, (speaker_id, level) in enumerate(wrong.items()):
            self.send_volume(speaker_id, level, seq + offset)
        self._tell_came(came)

    def _tell_came(self, came: Sequence[str]) -> None:
        if came:
            for callback in self._on_came:
                callback(came)

    def _answer(self, beat: Beat, now: datetime) -> None:
        ms = round(now.timestamp() * 1000)
        answer = TimeAnswer(
            id=str(uuid7()),
            issuer=ISSUER,
            iat=ms,
            nbf=ms - TIME_LIFE_MS,
            exp=ms + TIME_LIFE_MS,
            seq=0,
            to=ToDevice(device=beat.dev),
            nonce=beat.nonce,
        )
        self.publish(device_topic(beat.dev, Kind.TIME), seal_command(answer, self.key), qos=0)

    def _own_address(self) -> BrokerAddress:
        host, port = self.address
        if self._settings.engine != "external":
            return BrokerAddress(host, port, HUB_NAME, self._runtime.secrets.broker_password)
        return BrokerAddress(
            host,
            port,
            self._settings.username,
            self._settings.password.get_secret_value(),
            tls=self._settings.tls,
            ca_file=str(self._settings.ca_file) if self._settings.ca_file else None,
        )

    def _now_ms(self) -> int:
        return round(self._runtime.now().timestamp() * 1000)
