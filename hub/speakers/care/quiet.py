"""When a loudspeaker may not be tried out with sound."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class QuietTimes:
    """The county's quiet hours. Provided by the room above that knows them.

    `free_at` returns the moment itself when something short may sound then, else when it may; None means never.
    """

    free_at: Callable[[datetime], datetime | None]
