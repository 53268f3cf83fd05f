"""Repair orders as their pages show them: by township, with the names of places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers import registry
from hub.speakers.care import repairs
from hub.speakers.care.models import Repair
from hub.speakers.models import Speaker

DONE_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Order:
    """One order with where its loudspeaker hangs."""

    repair: Repair
    speaker: Speaker
    village: str


@dataclass(frozen=True, slots=True)
class RepairsPage:
    """Open orders, township by township, the oldest first; then what was done lately."""

    open: tuple[tuple[str, tuple[Order, ...]], ...]
    done: tuple[Order, ...]

    @property
    def count(self) -> int:
        """How many are open."""
        return sum(len(orders) for _, orders in self.open)


def page(session: Session, actor: Actor) -> RepairsPage:
    """Return the orders the actor may see."""
    waiting = repairs.everything(session, actor)
    done = repairs.everything(session, actor, done=True, limit=DONE_SHOWN)
    names = _names(session, [speaker for _, speaker in (*waiting, *done)])
    by_township: dict[str, list[Order]] = {}
    for repair, speaker in waiting:
        township, village = _parts(speaker)
        by_township.setdefault(township, []).append(Order(repair, speaker, names.get(village, village)))
    return RepairsPage(
        open=tuple((names.get(code, code), tuple(orders)) for code, orders in by_township.items()),
        done=tuple(Order(repair, speaker, names.get(_parts(speaker)[1], "")) for repair, speaker in done),
    )


def one(session: Session, actor: Actor, repair_id: UUID) -> tuple[Repair, Speaker, str]:
    """Return an order the actor may see, its loudspeaker, and where that hangs."""
    repair = repairs.get(session, actor, repair_id)
    speaker = registry.get(session, actor, repair.speaker_id)
    return repair, speaker, regions.full_name(session, speaker.region_path, without_county=True)


def _parts(speaker: Speaker) -> tuple[str, str]:
    codes = codes_in(speaker.region_path)
    return codes[:2][-1], codes[:3][-1]


def _names(session: Session, speakers: Sequence[Speaker]) -> dict[str, str]:
    return regions.names(session, {code for speaker in speakers for code in _parts(speaker)})
