"""What can be relayed: a programme at an address, or what is plugged into the loudspeaker itself."""

import re
from dataclasses import dataclass
from enum import StrEnum

from hub.core.errors import BadInput

LINE = "line:"
CONNECT_S = 5.0
"""So long a station may take to answer."""
LONGEST_MINUTES = 120
LONGEST_ADDRESS = 1000
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(?::\d{1,5})?(?:[/?#]\S*)?", re.IGNORECASE)
_INPUT = re.compile(r"line:[A-Za-z0-9:,._-]{1,60}")


class Found(StrEnum):
    """What the hub heard."""

    HEARD = "heard"
    SILENT = "silent"
    """It can be reached, and nothing is on."""
    NO_SOUND = "no_sound"
    """What is there is no programme."""
    AWAY = "away"
    """Nobody answers there."""
    LINE = "line"
    """An input of the loudspeakers: the hub cannot listen to it."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A programme that runs elsewhere, and for how long it is heard."""

    url: str
    minutes: int

    @property
    def ms(self) -> int:
        """The same length in milliseconds."""
        return self.minutes * 60_000

    @property
    def is_line(self) -> bool:
        """Whether it is an input of the loudspeaker."""
        return self.url.startswith(LINE)

    def problems(self) -> list[BadInput]:
        """Return what keeps it from being relayed. An address with a name and password in it is refused."""
        found = []
        if not self.url:
            found.append(BadInput("relay_address_missing", field="relay_url"))
        elif not can_be_relayed(self.url):
            found.append(BadInput("relay_address_malformed", field="relay_url"))
        if not 1 <= self.minutes <= LONGEST_MINUTES:
            found.append(BadInput("relay_minutes_range", field="relay_minutes", most=LONGEST_MINUTES))
        return found


def can_be_relayed(url: str) -> bool:
    """Return whether loudspeakers would accept the address."""
    if len(url) > LONGEST_ADDRESS or not url.isascii():
        return False
    return bool(_ADDRESS.fullmatch(url) or _INPUT.fullmatch(url))
