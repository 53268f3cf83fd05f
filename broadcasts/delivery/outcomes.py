"""What became of a broadcast on one loudspeaker, and on many, in the few kinds that people ask about."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from broadcasts.delivery.models import BroadcastState
from broadcasts.loudspeaker.states import PlayState


class Outcome(StrEnum):
    """What people ask of a loudspeaker: does it sound, has it sounded, or not."""

    WAITING = "waiting"
    """Nothing heard from it yet."""
    READY = "ready"
    """It has the order, and will sound when its time comes or the recording is there."""
    SOUNDING = "sounding"
    PAUSED = "paused"
    """It made way for something more urgent."""
    PLAYED = "played"
    PARTLY = "partly"
    """It began, and did not come to the end."""
    SILENT = "silent"
    """It is over, and nobody heard anything."""


OPEN = frozenset({Outcome.WAITING, Outcome.READY, Outcome.SOUNDING, Outcome.PAUSED})
UNHEARD = frozenset({Outcome.WAITING, Outcome.READY, Outcome.SILENT})
_PLAIN: Mapping[PlayState, Outcome] = {
    PlayState.QUEUED: Outcome.WAITING,
    PlayState.SENT: Outcome.WAITING,
    PlayState.RECEIVED: Outcome.READY,
    PlayState.FETCHED: Outcome.READY,
    PlayState.STARTED: Outcome.SOUNDING,
    PlayState.INTERRUPTED: Outcome.PAUSED,
    PlayState.FINISHED: Outcome.PLAYED,
}


def outcome(state: PlayState, heard: bool) -> Outcome:
    """Return what became of it; `heard` says whether it ever reported sound."""
    return _PLAIN.get(state) or (Outcome.PARTLY if heard else Outcome.SILENT)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many loudspeakers had which outcome."""

    counts: Mapping[Outcome, int] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[tuple[Outcome, int]]) -> "Numbers":
        """Add up."""
        counts: dict[Outcome, int] = {}
        for kind, number in pairs:
            counts[kind] = counts.get(kind, 0) + number
        return cls(counts)

    def _sum(self, kinds: Iterable[Outcome]) -> int:
        return sum(self.counts.get(kind, 0) for kind in kinds)

    @property
    def meant(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def sounding(self) -> int:
        """Those that sound now."""
        return self.counts.get(Outcome.SOUNDING, 0)

    @property
    def played(self) -> int:
        """Those that came to the end."""
        return self.counts.get(Outcome.PLAYED, 0)

    @property
    def paused(self) -> int:
        """Those that make way for something more urgent, and will begin again."""
        return self.counts.get(Outcome.PAUSED, 0)

    @property
    def partly(self) -> int:
        """Those that began and are not at the end, nor sounding now."""
        return self._sum((Outcome.PARTLY, Outcome.PAUSED))

    @property
    def unheard(self) -> int:
        """Those from which nobody has heard anything so far."""
        return self._sum(UNHEARD)

    @property
    def heard(self) -> int:
        """Those that sounded at least in part."""
        return self.meant - self.unheard

    @property
    def open(self) -> int:
        """Those that may still do something."""
        return self._sum(OPEN)


class Phase(StrEnum):
    """Where a broadcast stands, as it is told to people."""

    COMING = "coming"
    SOUNDING = "sounding"
    TRAILING = "trailing"
    """Whoever was there has played it; loudspeakers that come back in time still will."""
    TEXTING = "texting"
    STOPPED = "stopped"
    DONE = "done"


ON_AIR = frozenset({Phase.COMING, Phase.SOUNDING, Phase.TRAILING, Phase.TEXTING})
SLACK = timedelta(seconds=10)
"""Fetching and starting take a moment: within this time nobody is called silent."""


@dataclass(frozen=True, slots=True)
class Course:
    """What decides the phase."""

    state: BroadcastState
    starts_at: datetime
    audio_ms: int
    texts_open: bool

    def phase(self, numbers: Numbers, now: datetime) -> Phase:
        """Return where it stands."""
        if self.state is BroadcastState.STOPPED:
            return Phase.STOPPED
        if self.state is BroadcastState.DONE:
            return Phase.TEXTING if self.texts_open else Phase.DONE
        if numbers.open:
            return self._sound_phase(numbers, now)
        return Phase.TEXTING if self.texts_open else Phase.DONE

    def elapsed_ms(self, now: datetime) -> int:
        """Return how much of the recording has gone by on a loudspeaker that began in time."""
        return max(0, min(self.audio_ms, round((now - self.starts_at).total_seconds() * 1000)))

    def _sound_phase(self, numbers: Numbers, now: datetime) -> Phase:
        if now < self.starts_at and not numbers.heard:
            return Phase.COMING
        planned_end = self.starts_at + timedelta(milliseconds=self.audio_ms) + SLACK
        return Phase.SOUNDING if numbers.sounding or now < planned_end else Phase.TRAILING
