"""Who gives way: a lower level to an upper one on the same loudspeakers, and everything routine to a silence.

Emergencies need nothing here: loudspeakers interrupt whatever plays for them. What merely touches something of the
same level plays after it, loudspeakers keep a queue.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from hub.regions.tree import codes_in, contains, is_above
from schedules.models import Occurrence, OccurrenceState, Slot, SlotKind

LONGEST = timedelta(hours=2)
"""Nothing routine lasts longer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A stretch of time in which something of the upper level has the loudspeakers below `paths`."""

    start: datetime
    end: datetime
    home_path: str
    paths: tuple[str, ...]
    silence: bool = False
    occurrence_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """Something of somebody at home below `home_path` that may have to give way: heard below `paths`."""

    home_path: str
    paths: tuple[str, ...]
    start: datetime
    ms: int

    @property
    def homes(self) -> list[str]:
        """Every region that holds all of it, from the county down to its own."""
        codes = codes_in(self.paths[0]) if self.paths else ()
        return ["".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes) + 1)]


class Above:
    """What stands above some items, asked for all of them at once; what is released meanwhile is added."""

    def __init__(self, session: Session, items: Sequence[Item]) -> None:
        homes = {home for item in items for home in item.homes}
        starts = [item.start for item in items]
        self._taken: list[Taken] = []
        if homes:
            self._taken = [*_going(session, homes, min(starts)), *_planned(session, homes, min(starts), max(starts))]

    def why(self, item: Item) -> str:
        """Return the code of what an item gives way to, '' when nothing stands in its way.

        It gives way when somebody above has all of its loudspeakers at some moment of it.
        """
        end = item.start + timedelta(milliseconds=max(item.ms, 1))
        homes = item.homes
        for taken in self._taken:
            if taken.end <= item.start or taken.start >= end or taken.home_path not in homes:
                continue
            if not taken.silence and not is_above(taken.home_path, item.home_path):
                continue
            if all(any(contains(theirs, path) for theirs in taken.paths) for path in item.paths):
                return "sheet_silence" if taken.silence else "upper_level_first"
        return ""

    def settle(self, occurrence_id: UUID, sounding: Taken | None) -> None:
        """Note what became of something planned: what it takes up now, or that it stays away."""
        self._taken = [one for one in self._taken if one.occurrence_id != occurrence_id or one.silence]
        if sounding is not None:
            self._taken.append(sounding)


def why(session: Session, item: Item) -> str:
    """Return the code of what one item gives way to, '' when nothing stands in its way."""
    return Above(session, [item]).why(item)


def _planned(session: Session, homes: Collection[str], first: datetime, last: datetime) -> Iterator[Taken]:
    planned = session.execute(
        select(Occurrence.id, Occurrence.due_at, Slot, Announcement)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
        .where(
            or_(Occurrence.state == OccurrenceState.PLANNED, Slot.kind == SlotKind.SILENCE),
            Slot.home_path.in_(homes),
            Occurrence.due_at > first - LONGEST,
            Occurrence.due_at < last + LONGEST,
        )
    )
    for occurrence_id, due, slot, announcement in planned:
        where = Audience.from_json(announcement.audience) if announcement else None
        if where is not None and not where.speakers:
            continue
        lasts = announcement.airtime_ms if announcement else slot.length_ms
        theirs = where.paths if where else (slot.home_path,)
        silence = slot.kind is SlotKind.SILENCE
        yield Taken(due, due + timedelta(milliseconds=lasts), slot.home_path, theirs, silence, occurrence_id)


def _going(session: Session, homes: Collection[str], first: datetime) -> Iterator[Taken]:
    going = session.scalars(
        select(Broadcast).where(
            Broadcast.state == BroadcastState.GOING,
            Broadcast.kind.in_([Kind.ROUTINE, Kind.RELAY]),
            Broadcast.home_path.in_(homes),
            Broadcast.starts_at > first - LONGEST,
        )
    )
    for found in going:
        audience = Audience.from_json(found.audience)
        if audience.speakers:
            end = found.starts_at + timedelta(milliseconds=found.audio_ms)
            yield Taken(found.starts_at, end, found.home_path, audience.paths)
