"""What an officer chose and confirmed, and what it sounds like."""

from dataclasses import dataclass
from datetime import datetime

from broadcasts.alerts.hazards import Hazard
from broadcasts.alerts.plans.words import PlanWords
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Colour, Mode
from broadcasts.loudspeaker.orders import Sound


@dataclass(frozen=True, slots=True)
class Wish:
    """One emergency, as it was shown and confirmed. `speakers_typed` is the number they typed after reading it.

    `words` have the place filled in. `own_words`: somebody wrote or changed them just now, so no plan stands behind
    them. `issuer` and `issuer_ref` belong to a warning that is passed on.
    """

    form_key: str
    hazard: Hazard
    colour: Colour
    words: PlanWords
    audience: Audience
    speakers_typed: int
    own_words: bool = False
    place: str = ""
    issuer: str = ""
    issuer_ref: str = ""
    mode: Mode = Mode.LIVE
    follows: str = ""
    opened_at: datetime | None = None
    mistyped: int = 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """The recording, or none when not even the tone could be made: then loudspeakers sound what they keep."""

    sound: Sound | None
    engine: str
    stand_in: bool = False
    """It is the bare alarm tone, because no voice works."""
