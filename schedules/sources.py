"""What a sheet's slot plays: every kind of slot has a source, which is asked each time the slot comes round.

A room that fills slots registers its source when it plugs in: `runtime.get(Sources).add(SlotKind.CAMPAIGN, source)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.kinds import Theme
from broadcasts.loudspeaker.orders import Sound
from broadcasts.speech.library import RenderOrder
from hub.core.actor import Actor
from schedules.models import Slot, SlotKind


@dataclass(frozen=True, slots=True)
class Piece:
    """What sounds at one occurrence.

    It has `sound`, or `stream_url` with `length_ms`, or only a `script`: words that still have to be rendered. Those
    are rendered hours ahead by the hub, which asks again then; a piece that still has no sound at its time is skipped.
    `subject` says which of several it is, for a source that takes turns: it is handed back to `went_out`.
    """

    title: str
    text: str = ""
    theme: Theme = Theme.NOTICE
    sound: Sound | None = None
    script: RenderOrder | None = None
    stream_url: str = ""
    length_ms: int = 0
    repeats: int = 1
    volume: int | None = None
    announcement_id: UUID | None = None
    subject: UUID | None = None

    @property
    def ms(self) -> int:
        """How long it sounds."""
        return self.length_ms if self.stream_url or self.sound is None else self.sound.ms

    @property
    def can_sound(self) -> bool:
        """Whether there is anything to play."""
        return self.sound is not None or bool(self.stream_url)


@dataclass(frozen=True, slots=True)
class Nothing:
    """The slot stays silent this time. `code` is one of `templates/errors/words`; empty: that is what it is for."""

    code: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something a slot may hold, as the edit page offers it."""

    id: UUID
    title: str
    ms: int = 0
    note: str = ""
    content: str = ""
    """Hash of what is approved with the sheet, kept as `Slot.subject_hash`; empty where the subject may change."""


class Source(Protocol):
    """One kind of slot. All methods run inside a unit of work and use no network."""

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Return what the slot plays at that occurrence.

        Asked ahead for forecasts, conflicts and preparing, and once more when it fires: it must change nothing, and
        give the same answer for the same moment as long as nobody changes anything.
        """
        ...

    def offered(self, session: Session, actor: Actor, region_path: str, *, today: date) -> Sequence[Choice]:
        """Return what slots of a sheet of that region may hold, for the edit page and for checking what came in."""
        ...

    def went_out(self, session: Session, slot: Slot, piece: Piece, broadcast_id: UUID, *, now: datetime) -> None:
        """Note that it went out, in the transaction that released it: so each occurrence counts once."""
        ...


class Sources:
    """The sources by kind of slot."""

    def __init__(self, sources: Mapping[SlotKind, Source]) -> None:
        self._sources = dict(sources)

    def add(self, kind: SlotKind, source: Source) -> None:
        """Register the source of a kind."""
        self._sources[kind] = source

    def of(self, kind: SlotKind) -> Source | None:
        """Return the source of a kind; None where no room has registered one."""
        return self._sources.get(kind)

    @property
    def kinds(self) -> tuple[SlotKind, ...]:
        """The kinds a slot may have, in the order of the enumeration."""
        return tuple(kind for kind in SlotKind if kind in self._sources)

    def piece(self, session: Session, slot: Slot, due_at: datetime) -> Piece | Nothing:
        """Ask the slot's source."""
        source = self.of(slot.kind)
        return Nothing("slot_kind_unknown", slot.title) if source is None else source.piece(session, slot, due_at)
