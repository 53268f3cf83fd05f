"""Where everything loudspeakers say about plays comes in: receipts, and heartbeats that repeat the newest of them."""

from collections.abc import Sequence
from typing import Final

from broadcasts.loudspeaker import receipts, summing
from broadcasts.loudspeaker.gaps import Asking, Gaps
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.speakers.link import SpeakerLink
from hub.speakers.protocol import Beat, Receipt
from hub.speakers.station import Station

MAX_REMEMBERED: Final = 100_000
TAKEN: Final = 2
NOTHING: Final = (0, 0)


class Intake:
    """Stores what is said. Both methods may be called with the same again, and return when it is safe."""

    def __init__(self, sessions: Sessions, station: Asking, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._gaps = Gaps(sessions, station)
        self._repeated: dict[str, tuple[int, int]] = {}
        # what was said last, and how often it was taken

    def plug_in(self, station: Station | SpeakerLink) -> None:
        """Hear what the station, or a link alone, hears."""
        station.on_receipts(self.take_receipts)
        station.on_beats(self.take_beats)

    def take_receipts(self, found: list[Receipt]) -> None:
        """Store a batch."""
        self._record([report for receipt in found if (report := receipts.from_receipt(receipt)) is not None])

    def take_beats(self, found: list[Beat]) -> None:
        """Heal what was lost, ask for what is missing. A heartbeat that repeats the same as before costs little.

        It is taken twice: when it came first, an emergency's deliveries may not have been written yet.
        """
        fresh = [beat for beat in found if self._is_news(beat)]
        self._record([report for beat in fresh for report in receipts.from_beat(beat)])
        self._note(fresh)
        self._gaps.note(found, self._clock())

    def _is_news(self, beat: Beat) -> bool:
        said, times = self._repeated.get(beat.dev, NOTHING)
        return said != hash(beat.last) or times < TAKEN

    def _note(self, taken: Sequence[Beat]) -> None:
        if len(self._repeated) + len(taken) > MAX_REMEMBERED:
            self._repeated.clear()
        for beat in taken:
            said, times = self._repeated.get(beat.dev, NOTHING)
            self._repeated[beat.dev] = (hash(beat.last), times + 1 if said == hash(beat.last) else 1)

    def _record(self, reports: list[receipts.Report]) -> None:
        if reports:
            with self._sessions.begin() as session:
                now = self._clock()
                receipts.record(session, reports, now=now)
                summing.heard_late(session, {report.command_id for report in reports}, now=now)
