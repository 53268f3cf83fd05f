"""The history of loudspeakers: written in bulk, read one loudspeaker at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.core.actor import Actor
from hub.speakers import registry
from hub.speakers.care.models import EventKind, SpeakerEvent
from hub.speakers.models import Speaker

DETAIL = 200
HUB_WAS_AWAY = "hub_was_away"
"""The code of an end that is no loudspeaker's fault: the hub had just come back and did not hear it yet."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to one loudspeaker, not yet written down."""

    speaker_id: str
    kind: EventKind
    code: str = ""
    detail: str = ""
    by_name: str = ""


def note(session: Session, happenings: Iterable[Happening], *, now: datetime) -> int:
    """Write them down, all at once; return how many. Loudspeakers that nobody knows are left out."""
    found = list(happenings)
    if not found:
        return 0
    paths = paths_of(session, {h.speaker_id for h in found})
    rows = [
        {
            "id": uuid7(),
            "speaker_id": h.speaker_id,
            "region_path": paths[h.speaker_id],
            "at": now,
            "kind": h.kind,
            "code": h.code[:32],
            "detail": h.detail[:DETAIL],
            "by_name": h.by_name[:60],
        }
        for h in found
        if h.speaker_id in paths
    ]
    if rows:
        session.execute(insert(SpeakerEvent), rows)
    return len(rows)


def paths_of(session: Session, speaker_ids: set[str]) -> dict[str, str]:
    """Return where each of these loudspeakers hangs; unknown ones are missing."""
    rows = session.execute(select(Speaker.id, Speaker.region_path).where(Speaker.id.in_(speaker_ids)))
    return {row.id: row.region_path for row in rows}


def latest(
    session: Session, actor: Actor, speaker_id: str, *, limit: int = 50, after: tuple[datetime, UUID] | None = None
) -> Sequence[SpeakerEvent]:
    """Return the latest events of a loudspeaker the actor may see, newest first; `after` is the last one seen."""
    registry.get(session, actor, speaker_id)
    query = select(SpeakerEvent).where(SpeakerEvent.speaker_id == speaker_id)
    if after is not None:
        query = query.where(tuple_(SpeakerEvent.at, SpeakerEvent.id) < after)
    return session.scalars(query.order_by(SpeakerEvent.at.desc(), SpeakerEvent.id.desc()).limit(limit)).all()
