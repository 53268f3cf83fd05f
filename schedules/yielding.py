"""Who gives way: a lower level to an upper one on the same loudspeakers, and everything routine to a silence.

Emergencies need nothing here: loudspeakers interrupt whatever plays for them. What merely touches something of the
same level plays after it, loudspeakers keep a queue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from hub.regions.tree import codes_in, contains
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


def why(session: Session, occurrence: Occurrence, paths: Sequence[str], ms: int) -> str:
    """Return the code of what an occurrence gives way to, '' when nothing stands in its way.

    It gives way when somebody above has all of its loudspeakers at some moment of it.
    """
    start, end = occurrence.due_at, occurrence.due_at + timedelta(milliseconds=max(ms, 1))
    for taken in _above(session, paths, start):
        if taken.end <= start or taken.start >= end:
            continue
        if all(any(contains(theirs, path) for theirs in taken.paths) for path in paths):
            return "sheet_silence" if taken.silence else "upper_level_first"
    return ""


def is_above(home_path: str, paths: Sequence[str]) -> bool:
    """Return whether what is at home there stands above everything below `paths`."""
    return all(contains(home_path, path) and home_path != path for path in paths)


def _above(session: Session, paths: Sequence[str], start: datetime) -> Iterator[Taken]:
    codes = codes_in(paths[0]) if paths else ()
    homes = ["".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes) + 1)]
    upper = [home for home in homes if home != paths[0]]
    yield from _going(session, upper, paths, start)
    planned = session.execute(
        select(Occurrence.due_at, Slot, Announcement)
        .join(Slot, Slot.id == Occurrence.slot_id)
        .outerjoin(Announcement, Announcement.id == Slot.announcement_id)
        .where(
            or_(
                (Occurrence.state == OccurrenceState.PLANNED) & Slot.home_path.in_(upper),
                (Slot.kind == SlotKind.SILENCE) & Slot.home_path.in_(homes),
            ),
            Occurrence.due_at > start - LONGEST,
            Occurrence.due_at < start + LONGEST,
        )
    )
    for due, slot, announcement in planned:
        silence = slot.kind is SlotKind.SILENCE
        if not silence and not is_above(slot.home_path, paths):
            continue
        where = Audience.from_json(announcement.audience) if announcement else None
        if where is not None and not where.speakers:
            continue
        lasts = announcement.airtime_ms if announcement else slot.minutes * 60_000
        theirs = where.paths if where else (slot.home_path,)
        yield Taken(due, due + timedelta(milliseconds=lasts), slot.home_path, theirs, silence)


def _going(session: Session, homes: Sequence[str], paths: Sequence[str], start: datetime) -> Iterator[Taken]:
    going = session.scalars(
        select(Broadcast).where(
            Broadcast.state == BroadcastState.GOING,
            Broadcast.kind.in_([Kind.ROUTINE, Kind.RELAY]),
            Broadcast.home_path.in_(homes),
            Broadcast.starts_at > start - LONGEST,
        )
    )
    for found in going:
        audience = Audience.from_json(found.audience)
        if audience.speakers and is_above(found.home_path, paths):
            end = found.starts_at + timedelta(milliseconds=found.audio_ms)
            yield Taken(found.starts_at, end, found.home_path, audience.paths)
