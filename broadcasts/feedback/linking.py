"""Which broadcast, and which of its loudspeakers, a complaint is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, Kind
from broadcasts.delivery.progress import HEARD
from broadcasts.delivery.visibility import touches
from broadcasts.loudspeaker.models import SpeakerDelivery
from hub.core.db import like_below
from hub.regions.tree import codes_in, village_of

VILLAGE = 3
"""How many codes a village's path has."""
_LOOKED_THROUGH = 50


@dataclass(frozen=True, slots=True)
class Said:
    """Something that went out, as it is offered to choose from."""

    id: UUID
    title: str
    at: datetime


def lately(session: Session, path: str, *, at: datetime, within: timedelta) -> list[Said]:
    """Return what was meant for a place and begun within some time before a moment, the latest first. Never drills."""
    if not path:
        return []
    codes = codes_in(path)
    above = ["".join(f"{code}/" for code in codes[:n]) for n in range(1, len(codes))]
    query = (
        select(Broadcast)
        .where(Broadcast.kind != Kind.DRILL, Broadcast.starts_at > at - within, Broadcast.starts_at <= at)
        .where(or_(Broadcast.home_path.in_(above), Broadcast.home_path.like(like_below(path))))
        .order_by(Broadcast.starts_at.desc(), Broadcast.id.desc())
        .limit(_LOOKED_THROUGH)
    )
    return [
        Said(one.id, one.title, one.starts_at)
        for one in session.scalars(query)
        if touches(Audience.from_json(one.audience).paths, [path])
    ]


def meant_there(session: Session, broadcast_id: UUID, path: str) -> bool:
    """Return whether a broadcast was meant for that place, and was no drill."""
    found = session.get(Broadcast, broadcast_id)
    if found is None or found.kind is Kind.DRILL or not path:
        return False
    return touches(Audience.from_json(found.audience).paths, [path])


def speakers_of(session: Session, broadcast_id: UUID, path: str, *, heard: bool | None = None) -> Sequence[str]:
    """Return the loudspeakers of a village a broadcast was meant for; `heard`: only those that sounded, or did not."""
    query = select(SpeakerDelivery.speaker_id).where(
        SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.region_path.like(like_below(village_of(path)))
    )
    if heard is not None:
        query = query.where(HEARD if heard else ~HEARD)
    return session.scalars(query.order_by(SpeakerDelivery.speaker_id)).all()


def only_speaker(session: Session, broadcast_id: UUID | None, path: str, *, silent: bool) -> str:
    """Return the one loudspeaker a complaint can only be about; nothing when there are several, or none.

    Who hears nothing speaks of one that did not sound, everybody else of one that did.
    """
    if broadcast_id is None or not path:
        return ""
    found = speakers_of(session, broadcast_id, path, heard=not silent)
    if not found and silent:
        found = speakers_of(session, broadcast_id, path)
    return found[0] if len(found) == 1 else ""
