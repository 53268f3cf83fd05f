"""Letters of residents who do not exist, and what to do first with each. Their words stand in the templates."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Act(StrEnum):
    """What can be done first with a letter."""

    CALL = "call"
    HAND_OVER = "hand_over"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: its key, and what comes first."""

    key: str
    first: Act


LETTERS: Final = (
    Letter("slope", Act.CALL),
    Letter("horn", Act.HAND_OVER),
    Letter("pension", Act.TEXT),
)


def letter(which: int | str) -> Letter:
    """Return a letter by its number, beginning anew after the last, or by its key."""
    if isinstance(which, int):
        return LETTERS[which % len(LETTERS)]
    return next((one for one in LETTERS if one.key == which), LETTERS[0])
