"""How well loudspeakers are understood, as people on the spot say; told by the room above that asks them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.speakers.history import SpeakerEvent

GOOD, POOR = 0.8, 0.5
"""From which share of clear answers on a place is heard well, and below which badly."""
OVER = timedelta(days=90)
"""So far back answers count on maps and pages."""


@dataclass(frozen=True, slots=True)
class Clarity:
    """How many answers said what: heard, not clear, nothing heard."""

    heard: int = 0
    unclear: int = 0
    silent: int = 0

    @property
    def all(self) -> int:
        """How many answers there are."""
        return self.heard + self.unclear + self.silent

    @property
    def share(self) -> float | None:
        """The share that heard it clearly; None without any answer."""
        return self.heard / self.all if self.all else None

    @property
    def tone(self) -> str:
        """The colour it is drawn in."""
        if self.share is None:
            return "off"
        return "ok" if self.share >= GOOD else "warn" if self.share >= POOR else "bad"


NOTHING = Clarity()


def together(found: Iterable[Clarity]) -> Clarity:
    """Add up."""
    all_ = list(found)
    return Clarity(sum(c.heard for c in all_), sum(c.unclear for c in all_), sum(c.silent for c in all_))


@dataclass(frozen=True)
class ClarityMap:
    """How well each village is understood, by its code; and the address of the answers behind it."""

    by_village: Callable[[Session, Actor, datetime], Mapping[str, Clarity]]
    address: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class SpeakerVoices:
    """What people say of one loudspeaker. Addresses are empty where the reader may not look."""

    complaints: Sequence[SpeakerEvent]
    clarity: Clarity
    complaints_at: str = ""
    clarity_at: str = ""


@dataclass(frozen=True)
class VoicesOfSpeaker:
    """How to ask what people say of a loudspeaker. Without it the page leaves that out."""

    of: Callable[[Session, Actor, str, datetime], SpeakerVoices]
