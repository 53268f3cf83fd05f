"""台账: every broadcast of a place and a period in the field's columns, counted from its receipts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert, Authority
from broadcasts.announcements.models import Announcement
from broadcasts.approvals.models import AfterReview, Opinion
from broadcasts.audience.selection import Audience
from broadcasts.delivery.models import Broadcast, BroadcastState, Kind
from broadcasts.delivery.outcomes import Outcome, outcome
from broadcasts.delivery.records import Places, places_of
from broadcasts.kinds import Act, Theme
from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import PlayState
from broadcasts.reports import verdicts
from broadcasts.reports.counted import Window
from broadcasts.reports.verdicts import Round, Verdict
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
    issuer: str
    """Whose notice it was, and in `issuer_ref` its number there."""
    issuer_ref: str
    written_by: str
    submitted_by: str
    reviews: Round
    """Who passed it, step by step, and when; of an emergency who signed its plan, or confirmed it."""
    afterwards: Verdict | None
    """Of an emergency: who looked at it afterwards."""
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
    taken_back: datetime | None
    """When it was taken back or corrected."""
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
        select(Broadcast, Announcement, PlayOrder, Alert, counted.c.meant, counted.c.finished, counted.c.played_ms)
        .join(counted, counted.c.broadcast_id == Broadcast.id)
        .outerjoin(Announcement, Announcement.id == Broadcast.announcement_id)
        .outerjoin(PlayOrder, PlayOrder.broadcast_id == Broadcast.id)
        .outerjoin(Alert, Alert.broadcast_id == Broadcast.id)
        .order_by(Broadcast.starts_at, Broadcast.id)
        .limit(MOST)
    ).all()
    missed = _missed(session, path, window)
    papers = _papers(session, [(row[0], row[3]) for row in rows])
    places = places_of(session, [Audience.from_json(row[0].audience).regions for row in rows])
    return [
        _entry(_Row(*row), where, papers[row[0].id], missed.get(row[0].id, ()))
        for row, where in zip(rows, places, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    broadcast: Broadcast
    announcement: Announcement | None
    order: PlayOrder | None
    alert: Alert | None
    meant: int
    finished: int
    played_ms: int


@dataclass(frozen=True, slots=True)
class _Papers:
    reviews: Round = ()
    handed_in_by: str = ""
    afterwards: Verdict | None = None
    taken_back: datetime | None = None


def _papers(session: Session, rows: Sequence[tuple[Broadcast, Alert | None]]) -> dict[UUID, _Papers]:
    """Return by broadcast who answers for it: the reviewers, who looked afterwards, and what was taken back."""
    about = {b.id: _plan_of(alert) or b.agreed_id or b.announcement_id for b, alert in rows}
    subjects = {key for key in about.values() if key}
    said, handed = verdicts.passed(session, subjects), verdicts.handed_in(session, subjects)
    urgent = [b.id for b, alert in rows if alert]
    looked = {
        review.broadcast_id: Verdict(
            0,
            review.reviewer_name,
            review.for_name,
            Opinion.PASSED if review.proper else Opinion.REJECTED,
            review.note,
            review.at,
        )
        for review in session.scalars(select(AfterReview).where(AfterReview.broadcast_id.in_(urgent)))
    }
    corrected = _corrected(session, [alert.id for _, alert in rows if alert])
    found = {}
    for broadcast, alert in rows:
        key = about[broadcast.id]
        reviews = verdicts.by_then(said.get(key, ()), broadcast.released_at) if key else ()
        if alert is not None and alert.confirmed_by_name and alert.confirmed_at:
            confirmed = Verdict(1, alert.confirmed_by_name, "", Opinion.PASSED, "", alert.confirmed_at)
            reviews = (*reviews, confirmed)
        found[broadcast.id] = _Papers(
            reviews=reviews,
            handed_in_by=verdicts.handed_in_by(handed.get(key, ()), broadcast.released_at) if key else "",
            afterwards=looked.get(broadcast.id),
            taken_back=corrected.get(alert.id) if alert else None,
        )
    return found


def _plan_of(alert: Alert | None) -> UUID | None:
    return alert.plan_id if alert is not None and alert.authority is Authority.PLAN else None


def _corrected(session: Session, alert_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    query = select(Alert.follows_id, func.coalesce(Alert.fired_at, Alert.armed_at)).where(
        Alert.follows_id.in_(alert_ids), Alert.act == Act.CORRECTION, Alert.broadcast_id.is_not(None)
    )
    return {key: at for key, at in session.execute(query) if key is not None}


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


def _entry(row: _Row, places: Places, papers: _Papers, missed: Sequence[tuple[Outcome, str, int]]) -> Entry:
    broadcast, announcement, alert = row.broadcast, row.announcement, row.alert
    stopped = broadcast.state is BroadcastState.STOPPED
    issued = alert or announcement
    return Entry(
        id=broadcast.id,
        starts_at=broadcast.starts_at,
        title=broadcast.title,
        kind=broadcast.kind,
        theme=announcement.theme if announcement else None,
        issuer=issued.issuer if issued else "",
        issuer_ref=issued.issuer_ref if issued else "",
        written_by=announcement.written_by_name if announcement else "",
        submitted_by=papers.handed_in_by or (announcement.submitted_by_name if announcement else ""),
        reviews=papers.reviews,
        afterwards=papers.afterwards,
        released_by=broadcast.released_by_name,
        places=places,
        meant=row.meant,
        finished=int(row.finished),
        played_ms=int(row.played_ms),
        repeats=broadcast.repeats,
        volume=broadcast.volume,
        manner=_manner(broadcast, announcement, row.order),
        stopped_at=broadcast.stopped_at if stopped else None,
        stopped_by=broadcast.stopped_by_name if stopped else "",
        audio_sha256=broadcast.audio_sha256,
        taken_back=papers.taken_back,
        missed=missed,
    )


def _manner(broadcast: Broadcast, announcement: Announcement | None, order: PlayOrder | None) -> str:
    if broadcast.kind is Kind.SHOUT or (order is not None and order.shout):
        return "shout"
    if order is not None and order.stream_url:
        return "relay"
    return "recording" if announcement is not None and announcement.recording_sha256 else "voice"
