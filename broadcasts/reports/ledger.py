"""台账: every broadcast of a place and a period in the field's columns, counted from its receipts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from broadcasts.announcements.models import Announcement
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.outcomes import Outcome, outcome
from broadcasts.delivery.records import Places, places_of
from broadcasts.kinds import Theme
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.reports.counted import Window
from hub.core.actor import Actor
from hub.core.db import like_below
from hub.regions import service as regions

MOST = 5_000
"""Lines of one ledger: a county's busiest month has fewer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. Counts are of the place the ledger is for, not of the whole broadcast."""

    id: UUID
    starts_at: datetime
    title: str
    kind: Kind
    theme: Theme | None
    written_by: str
    submitted_by: str
    approved_by: str
    approved_at: datetime | None
    released_by: str
    places: Places
    meant: int
    finished: int
    played_ms: int
    repeats: int
    volume: int | None
    manner: str
    """relay, shout, recording or voice."""
    stopped_at: datetime | None
    stopped_by: str
    audio_sha256: str
    missed: Sequence[tuple[Outcome, str, int]]
    """What became of the others: the outcome, the reason a loudspeaker gave, how many."""


def entries(session: Session, actor: Actor, code: str, window: Window) -> list[Entry]:
    """Return the ledger of a place the actor may see, oldest first. Raises NotFound."""
    path = regions.get_region(session, actor, code).path
    counted = (
        select(
            SpeakerDelivery.broadcast_id.label("broadcast_id"),
            func.count().label("meant"),
            func.sum(case((SpeakerDelivery.state == PlayState.FINISHED, 1), else_=0)).label("finished"),
            func.coalesce(func.sum(SpeakerDelivery.played_ms), 0).label("played_ms"),
        )
        .join(Broadcast, Broadcast.id == SpeakerDelivery.broadcast_id)
        .where(_when(window), SpeakerDelivery.region_path.like(like_below(path)))
        .group_by(SpeakerDelivery.broadcast_id)
        .subquery()
    )
    rows = session.execute(
        select(Broadcast, Announcement, PlayOrder, counted.c.meant, counted.c.finished, counted.c.played_ms)
        .join(counted, counted.c.broadcast_id == Broadcast.id)
        .outerjoin(Announcement, Announcement.id == Broadcast.announcement_id)
        .outerjoin(PlayOrder, PlayOrder.broadcast_id == Broadcast.id)
        .order_by(Broadcast.starts_at, Broadcast.id)
        .limit(MOST)
    ).all()
    missed = _missed(session, path, window)
    places = places_of(session, [Audience.from_json(row[0].audience).regions for row in rows])
    return [
        _entry(broadcast, announcement, order, (meant, finished, played_ms), where, missed.get(broadcast.id, ()))
        for (broadcast, announcement, order, meant, finished, played_ms), where in zip(rows, places, strict=True)
    ]


def _when(window: Window) -> ColumnElement[bool]:
    released = Broadcast.released_at
    return and_(released >= window.start, released < window.end, Broadcast.kind != Kind.DRILL)


def _missed(session: Session, path: str, window: Window) -> dict[UUID, list[tuple[Outcome, str, int]]]:
    found: dict[UUID, list[tuple[Outcome, str, int]]] = defaultdict(list)
    heard = case((SpeakerDelivery.started_at.is_not(None), 1), else_=0)
    columns = (SpeakerDelivery.broadcast_id, SpeakerDelivery.state, SpeakerDelivery.reason, heard)
    query = (
        select(*columns, func.count())
        .join(Broadcast, Broadcast.id == SpeakerDelivery.broadcast_id)
        .where(
            _when(window),
            SpeakerDelivery.region_path.like(like_below(path)),
            SpeakerDelivery.state != PlayState.FINISHED,
        )
        .group_by(*columns)
    )
    for broadcast_id, state, reason, began, count in session.execute(query):
        found[broadcast_id].append((outcome(state, bool(began)), reason, count))
    return found


def _entry(
    broadcast: Broadcast,
    announcement: Announcement | None,
    order: PlayOrder | None,
    counts: tuple[int, int, int],
    places: Places,
    missed: Sequence[tuple[Outcome, str, int]],
) -> Entry:
    meant, finished, played_ms = counts
    stopped = broadcast.state is BroadcastState.STOPPED
    return Entry(
        id=broadcast.id,
        starts_at=broadcast.starts_at,
        title=broadcast.title,
        kind=broadcast.kind,
        theme=announcement.theme if announcement else None,
        written_by=announcement.written_by_name if announcement else "",
        submitted_by=announcement.submitted_by_name if announcement else "",
        approved_by=broadcast.approved_by_name,
        approved_at=announcement.approved_at if announcement else None,
        released_by=broadcast.released_by_name,
        places=places,
        meant=meant,
        finished=int(finished),
        played_ms=int(played_ms),
        repeats=broadcast.repeats,
        volume=broadcast.volume,
        manner=_manner(broadcast, announcement, order),
        stopped_at=broadcast.stopped_at if stopped else None,
        stopped_by=broadcast.stopped_by_name if stopped else "",
        audio_sha256=broadcast.audio_sha256,
        missed=missed,
    )


def _manner(broadcast: Broadcast, announcement: Announcement | None, order: PlayOrder | None) -> str:
    if broadcast.kind is Kind.SHOUT or (order is not None and order.shout):
        return "shout"
    if order is not None and order.stream_url:
        return "relay"
    return "recording" if announcement is not None and announcement.recording_sha256 else "voice"
