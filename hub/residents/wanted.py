"""Whom a text message is meant for, as a value; and what somebody who lives elsewhere has agreed to."""

from dataclasses import dataclass
from enum import StrEnum


class Away(StrEnum):
    """Whether people who work or study elsewhere are meant."""

    TOO = "too"
    HOME = "home"
    """Only who is at home."""
    ONLY = "only"
    """Only who is away."""


class AwayConsent(StrEnum):
    """What somebody who is away has said about messages from home.

    Ordinary ones go only to who said yes; an emergency at home goes to everybody but those who said no.
    """

    UNASKED = "unasked"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Residents below `paths` by tags and whereabouts, and single numbers by their keyed hash.

    `tags`: who carries one of them, or all of them with `every_tag`; whoever carries one of `without_tags` is left out,
    with every number. Without `people` only the single numbers are meant.
    """

    paths: tuple[str, ...]
    tags: tuple[str, ...] = ()
    every_tag: bool = False
    without_tags: tuple[str, ...] = ()
    away: Away = Away.TOO
    numbers: tuple[bytes, ...] = ()
    people: bool = True
