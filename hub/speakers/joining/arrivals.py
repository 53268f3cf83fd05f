"""Watches for the first word of those that are expected, and calls off what the moved ones were sent before."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import and_, or_, select
from uuid6 import uuid7

from hub.core.runtime import Runtime
from hub.speakers.joining import claims
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.protocol import Beat, Stop, ToDevice, seal_command
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import ISSUER, TIME_LIFE_MS, Station
from hub.speakers.topics import Kind, device_topic

MOVED_LATELY: Final = timedelta(days=3)
"""Longer than any play waits on a device."""
STOP_LIFE_MS: Final = round(MOVED_LATELY.total_seconds() * 1000)


class Arrivals:
    """Listens to loudspeakers that have just come, and to all heartbeats."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._told: dict[str, int] = {}
        """Up to which command each moved one has been told to be silent, since this hub started."""

    def note_came(self, speaker_ids: Sequence[str]) -> None:
        """Call off what moved ones were sent before they moved; to be called before anything is sent to them again."""
        for speaker_id in speaker_ids:
            self._told.pop(speaker_id, None)
        self._look(speaker_ids)

    def note_beats(self, beats: Sequence[Beat]) -> None:
        """Make those ours that were expected and speak now: their settings follow at once."""
        self._look([beat.dev for beat in beats])

    def _look(self, speaker_ids: Sequence[str]) -> None:
        now = self._runtime.now()
        expected = Speaker.state == SpeakerState.EXPECTED
        moved = and_(Speaker.state == SpeakerState.ACTIVE, Speaker.moved_at > now - MOVED_LATELY)
        with self._runtime.sessions.read() as session:
            rows = session.execute(
                select(Speaker.id, Speaker.state, Speaker.moved_seq).where(
                    Speaker.id.in_(speaker_ids), or_(expected, moved)
                )
            ).all()
        new = [row.id for row in rows if row.state is SpeakerState.EXPECTED]
        if new:
            self._welcome(new)
        for row in rows:
            if row.state is SpeakerState.ACTIVE and self._told.get(row.id) != row.moved_seq:
                self._silence(row.id, row.moved_seq)

    def _welcome(self, speaker_ids: Sequence[str]) -> None:
        with self._runtime.sessions.begin() as session:
            joined = claims.came(session, speaker_ids, now=self._runtime.now())
        book = self._runtime.get(SettingsBook)
        book.publish([each.speaker_id for each in joined])
        replaced = [each.replaced for each in joined if each.replaced]
        if replaced:
            self._runtime.get(Station).renew_accounts()
            book.forget(replaced)

    def _silence(self, speaker_id: str, seq: int) -> None:
        """Stop everything with a lower number, for this device alone. It remembers that, and may be told twice."""
        now = round(self._runtime.now().timestamp() * 1000)
        station = self._runtime.get(Station)
        stop = Stop(
            id=str(uuid7()),
            issuer=ISSUER,
            iat=now,
            nbf=now - TIME_LIFE_MS,
            exp=now + STOP_LIFE_MS,
            seq=seq,
            to=ToDevice(device=speaker_id),
            all=True,
        )
        if station.publish(device_topic(speaker_id, Kind.COMMAND), seal_command(stop, station.key)):
            self._told[speaker_id] = seq
