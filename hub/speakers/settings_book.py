"""What every loudspeaker is told about itself: worked out from the tables, published when it changes, sent again."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from uuid6 import uuid7

from hub.core.runtime import Runtime
from hub.regions.tree import codes_in
from hub.speakers import keys
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Audio, Beat, Configure, LoudTime, QuietTime, Settings, ToDevice, seal_command
from hub.speakers.settings import MqttSettings
from hub.speakers.station import ISSUER, TIME_LIFE_MS, Station
from hub.speakers.topics import Kind, device_topic

log = logging.getLogger(__name__)

LIFE_MS: Final = 10 * 365 * 86_400_000
AGAIN_AFTER: Final = timedelta(seconds=30)
CHUNK: Final = 200
PAUSE_S: Final = 0.05
STEP_S: Final = 2.0
FORGET_AFTER: Final = timedelta(seconds=5)
"""The broker ends a retired loudspeaker's connection within two seconds, and then says its last will."""
REVIEW_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Letter:
    """Settings ready to go out to one loudspeaker."""

    speaker_id: str
    version: int
    message: bytes


class SettingsBook:
    """Keeps every loudspeaker's settings true.

    Settings have a version that rises only when their content does, so that a hub that starts again, or comes back to
    its broker, has nothing to say to those who know it all. What a broker has lost, or a loudspeaker never took, shows
    in a heartbeat with another version: then they are sent again.
    """

    def __init__(
        self,
        runtime: Runtime,
        station: Station,
        quiet: Iterable[tuple[int, int]],
        *,
        elsewhere: Callable[[], None] | None = None,
    ) -> None:
        self._runtime = runtime
        self._station = station
        self._elsewhere = elsewhere
        """Tells the process that speaks to loudspeakers to look what has changed, when this one does not."""
        mqtt = runtime.config.section(MqttSettings)
        self._beat_s, self._pack_within_s = mqtt.heartbeat_seconds, mqtt.pack_within_seconds
        self._quiet = tuple(QuietTime(start=a, end=b) for a, b in quiet)
        self.pack: dict[str, Audio] = {}
        """The recordings every loudspeaker keeps for emergencies; call `publish` after a change."""
        self.own_packs: dict[str, dict[str, Audio]] = {}
        """What those below single regions keep instead, by the region's code."""
        self._review = threading.Event()
        self._pause = threading.Event()
        self._reviewed_at: datetime | None = None
        self._sent: dict[str, datetime] = {}
        self._leaving: dict[str, datetime] = {}
        self._guard = threading.Lock()
        station.publisher = self.publish
        station.on_beats(self.note_beats)
        station.on_connected(self.review)

    def publish(self, speaker_ids: Sequence[str] = ()) -> None:
        """Work out and publish the settings of some loudspeakers now; of all, when none is named, in the background.

        Of all of them only those hear something whose settings changed or who are behind.
        """
        if self._elsewhere is not None:
            self._elsewhere()
            return
        if not speaker_ids or not self._station.connected:
            self._review.set()
            return
        for start in range(0, len(speaker_ids), CHUNK):
            self._send(self._letters(speaker_ids[start : start + CHUNK]))

    def forget(self, speaker_ids: Sequence[str]) -> None:
        """Clear what the broker keeps of retired loudspeakers: now, and again after it has ended their connections."""
        if self._elsewhere is not None:
            self._elsewhere()  # it finds the retired in the tables
            return
        now = self._runtime.now()
        for speaker_id in speaker_ids:
            self._clear(speaker_id)
            self._leaving[speaker_id] = now + FORGET_AFTER

    def review(self) -> None:
        """Go through all of them at the next step."""
        self._review.set()

    def step(self) -> float:
        """Take over new keys, and go through all settings when there is reason to. A step of a background loop."""
        now = self._runtime.now()
        if self._station.keys.refresh():
            self._review.set()
        due = self._reviewed_at is None or now - self._reviewed_at >= REVIEW_EVERY
        if self._review.is_set() or due:
            self._review.clear()
            self._reviewed_at = now
            self._go_through_all()
            self._erase_keys()
        self._see_off(now)
        return STEP_S

    def note_beats(self, beats: Sequence[Beat]) -> None:
        """Send settings again to who follows others, each at most once in 30 s; note which keys they accept now."""
        said = {beat.dev: beat.cfg for beat in beats}
        now = self._runtime.now()
        with self._runtime.sessions.read() as session:
            rows = session.execute(
                select(Speaker.id, Speaker.settings_version, Speaker.settings_keys, Speaker.keys_taken).where(
                    Speaker.id.in_(said), Speaker.state == SpeakerState.ACTIVE
                )
            ).all()
        settled = [row for row in rows if row.settings_version and row.settings_version == said[row.id]]
        behind = [row.id for row in rows if not row.settings_version or row.settings_version != said[row.id]]
        self._note_keys({row.id: row.settings_keys for row in settled if row.settings_keys != row.keys_taken})
        late = [speaker_id for speaker_id in behind if self._may_send_again(speaker_id, now)]
        if late:
            self.publish(late)

    def settings_of(self, speaker: Any, version: int) -> Settings:
        """Return a loudspeaker's settings: of a row or a Speaker."""
        offset = self._runtime.now().astimezone(self._runtime.zone).utcoffset()
        return Settings(
            version=version,
            number=speaker.number,
            regions=codes_in(speaker.region_path),
            keys=dict(sorted(self._station.keys.accepted().items())),
            quiet=self._quiet,
            utc_offset_min=int(offset.total_seconds() // 60) if offset else 0,
            beat_s=self._beat_s,
            loudness=tuple(LoudTime.model_validate(each) for each in speaker.volumes),
            lead_in_ms=speaker.lead_in_ms,
            drill=speaker.drill,
            pack=self._pack_of(codes_in(speaker.region_path)),
            pack_within_s=self._pack_within_s,
        )

    def _pack_of(self, codes: Sequence[str]) -> dict[str, Audio]:
        pack = dict(self.pack)
        for code in codes:
            pack.update(self.own_packs.get(code, {}))
        return dict(sorted(pack.items()))

    # ---- working out

    def _letters(self, speaker_ids: Sequence[str]) -> list[Letter]:
        """Note new versions in the tables, and return what is to go out."""
        with self._guard:
            with self._runtime.sessions.begin() as session:
                chosen = select(Speaker).where(Speaker.id.in_(speaker_ids), Speaker.state == SpeakerState.ACTIVE)
                speakers = session.scalars(chosen.with_for_update()).all()
                for speaker in speakers:
                    self._renew(speaker)
            return [self._letter(speaker) for speaker in speakers]

    def _renew(self, speaker: Speaker) -> None:
        """Give changed settings a new version."""
        digest = self._digest(speaker)
        if digest != speaker.settings_sha256 or not speaker.settings_version:
            speaker.settings_sha256 = digest
            speaker.settings_version = max(self._now_ms(), speaker.settings_version + 1)
            speaker.settings_keys = sorted(self._station.keys.accepted())

    def _digest(self, speaker: Any) -> str:
        return hashlib.sha256(self.settings_of(speaker, 0).to_bytes()).hexdigest()

    def _due(self) -> list[str]:
        """Whose settings have changed, or who has not taken the newest; the names of all that must hear something."""
        with self._runtime.sessions.read() as session:
            rows = session.execute(
                select(
                    Speaker.id,
                    Speaker.number,
                    Speaker.region_path,
                    Speaker.volumes,
                    Speaker.lead_in_ms,
                    Speaker.drill,
                    Speaker.settings_version,
                    Speaker.settings_sha256,
                    Speaker.settings_taken,
                ).where(Speaker.state == SpeakerState.ACTIVE)
            ).all()
        return [
            row.id
            for row in rows
            if row.settings_taken != row.settings_version or row.settings_sha256 != self._digest(row)
        ]

    def _letter(self, speaker: Speaker) -> Letter:
        now = self._now_ms()
        command = Configure(
            id=str(uuid7()),
            issuer=ISSUER,
            iat=now,
            nbf=now - TIME_LIFE_MS,
            exp=now + LIFE_MS,
            seq=0,
            to=ToDevice(device=speaker.id),
            settings=self.settings_of(speaker, speaker.settings_version),
        )
        key = self._station.keys.for_device(speaker)
        return Letter(speaker.id, speaker.settings_version, seal_command(command, key))

    def _now_ms(self) -> int:
        return round(self._runtime.now().timestamp() * 1000)

    # ---- sending

    def _send(self, letters: Sequence[Letter]) -> None:
        now = self._runtime.now()
        for letter in letters:
            if self._station.publish(device_topic(letter.speaker_id, Kind.CONFIG), letter.message, retain=True):
                self._sent[letter.speaker_id] = now

    def _go_through_all(self) -> None:
        """In small portions, so that an alert never waits behind ten thousand settings."""
        if not self._station.connected:
            return
        self.forget(self._gone())
        ids = self._due()
        for start in range(0, len(ids), CHUNK):
            self.publish(ids[start : start + CHUNK])
            self._pause.wait(PAUSE_S)
        if ids:
            log.info("settings_published", extra={"speakers": len(ids)})

    def _may_send_again(self, speaker_id: str, now: datetime) -> bool:
        last = self._sent.get(speaker_id)
        return last is None or now - last >= AGAIN_AFTER or now < last

    # ---- the retired

    def _gone(self) -> list[str]:
        """Retired ones of which the broker may still keep something: a command may have retired them beside us."""
        with self._runtime.sessions.read() as session:
            retired = select(Speaker.id).where(
                Speaker.state == SpeakerState.RETIRED, Speaker.settings_version != 0, Speaker.id.not_in(self._leaving)
            )
            return list(session.scalars(retired))

    def _see_off(self, now: datetime) -> None:
        due = [speaker_id for speaker_id, moment in self._leaving.items() if moment <= now]
        cleared = [speaker_id for speaker_id in due if self._clear(speaker_id)]
        for speaker_id in cleared:
            del self._leaving[speaker_id]
            self._sent.pop(speaker_id, None)
        if cleared:
            with self._runtime.sessions.begin() as session:
                retired = Speaker.id.in_(cleared), Speaker.state == SpeakerState.RETIRED
                session.execute(update(Speaker).where(*retired).values(settings_version=0, settings_sha256=""))

    def _clear(self, speaker_id: str) -> bool:
        topics = [device_topic(speaker_id, kind) for kind in (Kind.CONFIG, Kind.PRESENCE)]
        return all(self._station.publish(topic, b"", retain=True) for topic in topics)

    # ---- keys

    def _note_keys(self, taken: dict[str, list[str]]) -> None:
        if taken:
            with self._runtime.sessions.begin() as session:
                for speaker_id, names in taken.items():
                    session.execute(update(Speaker).where(Speaker.id == speaker_id).values(keys_taken=names))

    def _erase_keys(self) -> None:
        book = self._station.keys
        with self._runtime.sessions.read() as session:
            if keys.erase_unneeded(session, self._runtime.config.data_dir, book.signing) != book.signing:
                book.refresh()
