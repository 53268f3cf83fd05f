"""How many answers said what: of a broadcast, of places over time, of a loudspeaker."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from broadcasts.hearing.models import HearingAnswer, HearingVerdict
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions.tree import codes_in
from hub.speakers.clarity import NOTHING, Clarity, together

VILLAGE = 3
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of time, by when broadcasts were due: from the first moment up to the last, or without an end."""

    since: datetime
    until: datetime | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """Answers to what sounded in it."""
        begun = HearingAnswer.sounded_at >= self.since
        return begun if self.until is None else begun & (HearingAnswer.sounded_at < self.until)


def by_place(session: Session, path: str, spell: Spell) -> dict[str, Clarity]:
    """Return the answers at and below a place, place by place. Checks no permission."""
    rows = session.execute(
        select(HearingAnswer.region_path, HearingAnswer.verdict, func.count())
        .where(HearingAnswer.region_path.like(like_below(path)), spell.condition)
        .group_by(HearingAnswer.region_path, HearingAnswer.verdict)
    )
    return gathered((place, verdict, count) for place, verdict, count in rows)


def by_village(session: Session, actor: Actor, spell: Spell) -> dict[str, Clarity]:
    """Return the answers in every village the actor sees, by its code."""
    found: dict[str, Clarity] = {}
    for path in actor.paths(Permission.SEE):
        for place, one in by_place(session, path, spell).items():
            code = codes_in(place)[:VILLAGE][-1]
            found[code] = together([found.get(code, NOTHING), one])
    return found


def by_speaker(session: Session, path: str, spell: Spell) -> dict[str, Clarity]:
    """Return the answers of those who stood by a loudspeaker, of all at and below a place. Checks no permission."""
    rows = session.execute(
        select(HearingAnswer.speaker_id, HearingAnswer.verdict, func.count())
        .where(HearingAnswer.speaker_id != "", HearingAnswer.region_path.like(like_below(path)), spell.condition)
        .group_by(HearingAnswer.speaker_id, HearingAnswer.verdict)
    )
    return gathered((speaker, verdict, count) for speaker, verdict, count in rows)


def of_speaker(session: Session, speaker_id: str, spell: Spell) -> Clarity:
    """Return the answers of those who stood by one loudspeaker. Checks no permission."""
    rows = session.execute(
        select(HearingAnswer.verdict, func.count())
        .where(HearingAnswer.speaker_id == speaker_id, spell.condition)
        .group_by(HearingAnswer.verdict)
    )
    return gathered((speaker_id, verdict, count) for verdict, count in rows).get(speaker_id, NOTHING)


def of_broadcasts(session: Session, actor: Actor, ids: Sequence[UUID]) -> dict[UUID, Clarity]:
    """Return the answers to some broadcasts where the actor sees."""
    paths = actor.paths(Permission.SEE)
    if not paths or not ids:
        return {}
    rows = session.execute(
        select(HearingAnswer.broadcast_id, HearingAnswer.verdict, func.count())
        .where(HearingAnswer.broadcast_id.in_(ids))
        .where(or_(*(HearingAnswer.region_path.like(like_below(path)) for path in paths)))
        .group_by(HearingAnswer.broadcast_id, HearingAnswer.verdict)
    )
    return gathered((broadcast_id, verdict, count) for broadcast_id, verdict, count in rows)


def below_place(found: Mapping[str, Clarity], path: str) -> Clarity:
    """Add up what lies at and below a place."""
    return together(one for place, one in found.items() if place.startswith(path))


def gathered(rows: Iterable[tuple[K, HearingVerdict, int]]) -> dict[K, Clarity]:
    """Return key → how many said what."""
    counts: dict[K, dict[HearingVerdict, int]] = {}
    for key, verdict, count in rows:
        mine = counts.setdefault(key, {})
        mine[verdict] = mine.get(verdict, 0) + count
    return {key: Clarity(*(mine.get(one, 0) for one in HearingVerdict)) for key, mine in counts.items()}
