"""The record: every broadcast the reader may see, and those that are on air now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery import progress
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.outcomes import Numbers, Phase
from broadcasts.delivery.visibility import first_seen
from hub.core.actor import Actor
from hub.regions import service as regions

NAMES_SHOWN = 3
ON_AIR_SHOWN = 20


class Show(StrEnum):
    """Which broadcasts the list shows."""

    ALL = "all"
    GOING = "going"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Places:
    """Where something is heard: the first names, and how many regions there are in all."""

    names: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One broadcast in a list, with the numbers of the reader's own part."""

    broadcast: Broadcast
    places: Places
    numbers: Numbers
    phase: Phase
    elapsed_ms: int
    may_stop: bool

    @property
    def on_pass(self) -> int:
        """Which repetition is sounding, counted from 1."""
        b = self.broadcast
        return min(b.repeats, self.elapsed_ms * b.repeats // max(1, b.audio_ms) + 1)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list; `older` is the key of the next page, None when there is none."""

    entries: list[Entry]
    older: UUID | None


def page(
    session: Session, actor: Actor, *, show: Show = Show.ALL, before: UUID | None = None, limit: int = 20, now: datetime
) -> Page:
    """Return one page, newest first, of what lies before the broadcast `before`."""
    query = select(Broadcast).order_by(Broadcast.released_at.desc(), Broadcast.id.desc())
    if show is Show.GOING:
        query = query.where(Broadcast.state == BroadcastState.GOING)
    elif show is Show.EMERGENCY:
        query = query.where(Broadcast.kind == Kind.EMERGENCY)
    last = session.get(Broadcast, before) if before else None
    if last is not None:
        query = query.where(tuple_(Broadcast.released_at, Broadcast.id) < (last.released_at, last.id))
    found = first_seen(session, actor, query, limit + 1)
    return Page(_entries(session, actor, found[:limit], now), found[limit - 1].id if len(found) > limit else None)


def on_air(session: Session, actor: Actor, *, now: datetime) -> list[Entry]:
    """Return what goes out now, emergencies first."""
    query: Select[Broadcast] = (
        select(Broadcast).where(Broadcast.state == BroadcastState.GOING).order_by(Broadcast.released_at.desc())
    )
    entries = _entries(session, actor, first_seen(session, actor, query, ON_AIR_SHOWN), now)
    urgent = [e for e in entries if e.broadcast.kind is Kind.EMERGENCY]
    return [e for e in (*urgent, *(e for e in entries if e not in urgent)) if e.phase is not Phase.DONE]


def since(session: Session, actor: Actor, moment: datetime) -> list[Broadcast]:
    """Return every broadcast that began since then and that the actor may see, newest first."""
    query = select(Broadcast).where(Broadcast.starts_at >= moment).order_by(Broadcast.starts_at.desc())
    return first_seen(session, actor, query, None)


def places_of(session: Session, audiences: Sequence[Sequence[str]]) -> list[Places]:
    """Return the names of each group of region codes."""
    names = regions.names(session, {code for codes in audiences for code in codes})
    return [_places(codes, names) for codes in audiences]


def _places(codes: Sequence[str], names: Mapping[str, str]) -> Places:
    return Places(tuple(names.get(code, code) for code in codes[:NAMES_SHOWN]), len(codes))


def _entries(session: Session, actor: Actor, found: Sequence[Broadcast], now: datetime) -> list[Entry]:
    ids = [broadcast.id for broadcast in found]
    numbers = progress.numbers_of(session, actor, ids)
    texting = progress.texting(session, ids)
    places = places_of(session, [Audience.from_json(b.audience).regions for b in found])
    return [
        _entry(actor, broadcast, place, numbers[broadcast.id], broadcast.id in texting, now)
        for broadcast, place in zip(found, places, strict=True)
    ]


def _entry(
    actor: Actor, broadcast: Broadcast, places: Places, numbers: Numbers, texts_open: bool, now: datetime
) -> Entry:
    course = progress.course_of(broadcast, texts_open=texts_open)
    phase = course.phase(numbers, now)
    return Entry(
        broadcast=broadcast,
        places=places,
        numbers=numbers,
        phase=phase,
        elapsed_ms=course.elapsed_ms(broadcast.stopped_at or now),
        may_stop=progress.may_be_stopped(actor, broadcast, phase),
    )
