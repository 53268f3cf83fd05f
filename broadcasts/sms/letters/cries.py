"""Cries for help, however they came, and which of them is joined to another instead of waking somebody by itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

SAME_SENDER = timedelta(minutes=10)
"""A second cry of somebody whose first one is open wakes nobody so soon: frightened people write several."""


class Door(StrEnum):
    """How a cry came in."""

    LETTER = "letter"
    """By text message: the number is known, and each costs money."""
    PAGE = "page"
    """By a village's page: nobody knows who, and it costs nothing to send a hundred."""


class Note(StrEnum):
    """What the hub did about a cry."""

    WOKEN = "woken"
    JOINED = "joined"
    """Nobody was woken for it alone: another of the same village has woken people just now."""
    NOBODY = "nobody"
    """Nobody is on the roster there."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What was done about a cry: how many were written to, when the last of them, and what else was noted."""

    told: int = 0
    last_at: datetime | None = None
    notes: frozenset[Note] = frozenset()


@dataclass(frozen=True, slots=True)
class Cry:
    """One that nobody has taken on. `place`: the code of the region whose people are called; empty: there is none."""

    id: UUID
    door: Door
    place: str
    village: str
    """The path of the village; empty: nobody knows where, and all of those count as one place."""
    received_at: datetime
    sender: bytes | None
    subject: str
    """What the log calls it."""
    noted: Noted


@dataclass(frozen=True, slots=True)
class Woken:
    """One that has woken somebody. `taken_at`: when somebody took it on; `over`: it has been dealt with."""

    id: UUID
    door: Door
    village: str
    sender: bytes | None
    last_at: datetime
    taken_at: datetime | None
    over: bool


class Cries(Protocol):
    """A place where cries for help arrive."""

    def waiting(self, session: Session, since: datetime) -> Sequence[Cry]:
        """Return those that came since and that nobody has taken on, the oldest first."""

    def claim(self, session: Session, cry_id: UUID) -> Cry | None:
        """Return one, locked; None when somebody has taken it on meanwhile."""

    def woken(self, session: Session, since: datetime) -> Sequence[Woken]:
        """Return those that have woken somebody since."""

    def note(self, session: Session, cry: Cry, note: Note, name: str, now: datetime) -> None:
        """Write down what was done."""

    def text(self, session: Session, cry: Cry, others: int) -> str:
        """Return what whoever is on call reads. `others`: how many more wait in that village. Never a number."""


def noted(steps: Iterable[tuple[UUID, Note, datetime]]) -> dict[UUID, Noted]:
    """Return what was done, for each cry something was done about."""
    found: dict[UUID, Noted] = {}
    for cry_id, note, at in steps:
        before = found.get(cry_id, Noted())
        woken = note is Note.WOKEN
        found[cry_id] = Noted(
            before.told + woken,
            max(at, before.last_at or at) if woken else before.last_at,
            before.notes | {note},
        )
    return found


def leader(cry: Cry, woken: Sequence[Woken], *, within: timedelta, now: datetime) -> Woken | None:
    """Return which cry this one is joined to; None: it wakes people itself.

    What comes while people are being woken for the village belongs to that. What comes after somebody took it on is
    news when it has a number; from the page it waits until `within` is over, so that a hundred strangers wake nobody a
    hundred times. What comes from the page never holds back a text message.
    """
    return next((one for one in woken if _joined(cry, one, within, now)), None)


def _joined(cry: Cry, one: Woken, within: timedelta, now: datetime) -> bool:
    if one.id == cry.id:
        return False
    if cry.sender is not None and cry.sender == one.sender:
        return not one.over and now - one.last_at < SAME_SENDER
    if cry.village != one.village or (cry.door is Door.LETTER and one.door is Door.PAGE):
        return False
    if one.taken_at is None and not one.over:
        return cry.received_at <= one.last_at + within
    before = one.taken_at is not None and cry.received_at <= one.taken_at
    return now < one.last_at + within and (cry.door is Door.PAGE or before)
