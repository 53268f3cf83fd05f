"""Add up what old broadcasts came to, place by place, and add it up anew when a loudspeaker says something late."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import case, delete, func, insert, select, text
from sqlalchemy.orm import Session

from broadcasts.loudspeaker.models import SpeakerDelivery, VillageSum
from broadcasts.loudspeaker.receipts import ONE_AT_A_TIME
from broadcasts.loudspeaker.states import PlayState

AFTER: Final = timedelta(days=2)
"""Nothing younger is added up."""
TIME_ORDERED: Final = 7
"""The version of identifiers that hold the moment they were made."""

meant = func.count().label("meant")
answered = func.sum(case((SpeakerDelivery.received_at.is_not(None), 1), else_=0)).label("answered")
finished = func.sum(case((SpeakerDelivery.state == PlayState.FINISHED, 1), else_=0)).label("finished")
played_ms = func.coalesce(func.sum(SpeakerDelivery.played_ms), 0).label("played_ms")
began_at = func.min(SpeakerDelivery.started_at).label("began_at")
COUNTS: Final = (meant, answered, finished, played_ms, began_at)
"""What is counted of a broadcast in a place."""


@dataclass(frozen=True, slots=True)
class About:
    """What a broadcast was, as its sums keep it."""

    released_at: datetime
    kind: str
    theme: str


def add_up(session: Session, broadcasts: Mapping[UUID, About], zone: ZoneInfo) -> None:
    """Write down what these came to. Nothing is taken in meanwhile, so that no late word is lost between two looks."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    forget(session, broadcasts.keys())
    found = (
        select(SpeakerDelivery.broadcast_id, SpeakerDelivery.region_path, *COUNTS)
        .where(SpeakerDelivery.broadcast_id.in_(broadcasts))
        .group_by(SpeakerDelivery.broadcast_id, SpeakerDelivery.region_path)
    )
    rows = []
    for row in session.execute(found).mappings():
        about = broadcasts[row["broadcast_id"]]
        began = row["began_at"].astimezone(zone) if row["began_at"] else None
        when = {"day": began and began.date(), "minute": began and began.hour * 60 + began.minute}
        counted = {key: value for key, value in row.items() if key != began_at.name}
        rows.append(counted | when | {"released_at": about.released_at, "kind": about.kind, "theme": about.theme})
    if rows:
        session.execute(insert(VillageSum), rows)


def forget(session: Session, broadcast_ids: Collection[UUID]) -> None:
    """Take out what these came to."""
    session.execute(delete(VillageSum).where(VillageSum.broadcast_id.in_(broadcast_ids)))


def heard_late(session: Session, command_ids: Collection[UUID], *, now: datetime) -> None:
    """Take out what commands of long ago came to, because something was just said about them.

    Their age stands in their identifiers: for what is young, which is nearly everything, nothing is asked.
    """
    old = [one for one in command_ids if one.version != TIME_ORDERED or _made(one) < now - AFTER / 2]
    if old:
        about = select(SpeakerDelivery.broadcast_id).where(SpeakerDelivery.command_id.in_(old)).distinct()
        forget(session, session.scalars(about).all())


def _made(identifier: UUID) -> datetime:
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)
