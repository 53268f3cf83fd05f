"""Where everything loudspeakers say about plays comes in: receipts, and heartbeats that repeat the newest of them."""

from typing import Final

from broadcasts.loudspeaker import receipts
from broadcasts.loudspeaker.gaps import Asking, Gaps
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.speakers.link import SpeakerLink
from hub.speakers.protocol import Beat, Receipt
from hub.speakers.station import Station

MAX_REMEMBERED: Final = 100_000


class Intake:
    """Stores what is said. Both methods may be called with the same again, and return when it is safe."""

    def __init__(self, sessions: Sessions, station: Asking, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._gaps = Gaps(sessions, station)
        self._repeated: dict[str, int] = {}

    def plug_in(self, station: Station | SpeakerLink) -> None:
        """Hear what the station, or a link alone, hears."""
        station.on_receipts(self.take_receipts)
        station.on_beats(self.take_beats)

    def take_receipts(self, found: list[Receipt]) -> None:
        """Store a batch."""
        self._record([report for receipt in found if (report := receipts.from_receipt(receipt)) is not None])

    def take_beats(self, found: list[Beat]) -> None:
        """Heal what was lost, ask for what is missing. A heartbeat that repeats the same as before costs little."""
        fresh = {beat.dev: hash(beat.last) for beat in found if self._repeated.get(beat.dev) != hash(beat.last)}
        self._record([report for beat in found if beat.dev in fresh for report in receipts.from_beat(beat)])
        if len(self._repeated) + len(fresh) > MAX_REMEMBERED:
            self._repeated.clear()
        self._repeated |= fresh
        self._gaps.note(found, self._clock())

    def _record(self, reports: list[receipts.Report]) -> None:
        if reports:
            with self._sessions.begin() as session:
                receipts.record(session, reports, now=self._clock())
