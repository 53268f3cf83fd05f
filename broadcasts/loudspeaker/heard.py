"""Who heard a broadcast, or may have heard it: the loudspeakers a correction has to go to, and nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from broadcasts.loudspeaker.models import PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import GUESSED, SILENT, PlayState
from hub.speakers.models import Speaker, SpeakerState

NEVER = (PlayState.REFUSED, PlayState.EXPIRED)
"""The loudspeaker itself has said that it did not sound it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Loudspeakers by what is known: sounded whole or in part, and those that may have."""

    surely: tuple[str, ...]
    perhaps: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Everybody a correction goes to."""
        return (*self.surely, *self.perhaps)


def who_heard(session: Session, broadcast_id: UUID) -> Heard:
    """Return who sounded a broadcast, and who may have: it was sent there and nothing says that it did not sound.

    Not meant: who reported that it refused it, or was stopped before the first word; who was away from before it was
    sent until now and has said nothing since.
    """
    sent_at = session.scalar(select(PlayOrder.sent_at).where(PlayOrder.broadcast_id == broadcast_id))
    sounded = SpeakerDelivery.started_at.is_not(None) | SpeakerDelivery.state.in_(
        [PlayState.STARTED, PlayState.INTERRUPTED, PlayState.FINISHED]
    )
    rows = session.execute(
        select(SpeakerDelivery.speaker_id, case((sounded, literal(True)), else_=literal(False)).label("surely"))
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(
            SpeakerDelivery.broadcast_id == broadcast_id,
            Speaker.state == SpeakerState.ACTIVE,
            or_(sounded, _may_have(sent_at is not None)),
        )
        .order_by(SpeakerDelivery.speaker_id)
    ).all()
    return Heard(
        tuple(row.speaker_id for row in rows if row.surely), tuple(row.speaker_id for row in rows if not row.surely)
    )


def _may_have(sent: bool) -> ColumnElement[bool]:
    if not sent:
        return literal(False)
    sent_at = select(PlayOrder.sent_at).where(PlayOrder.broadcast_id == SpeakerDelivery.broadcast_id).scalar_subquery()
    away = and_(
        Speaker.online.is_(False),
        SpeakerDelivery.received_at.is_(None),
        func.coalesce(Speaker.online_since, Speaker.enrolled_at) < sent_at,
    )
    unknown = or_(
        SpeakerDelivery.state.in_([*SILENT, PlayState.RECEIVED, PlayState.FETCHED]),
        and_(SpeakerDelivery.state == PlayState.FAILED, SpeakerDelivery.reason.in_(GUESSED)),
    )
    return and_(unknown, ~away)


def late_hearers(session: Session, broadcast_id: UUID, told: Sequence[UUID]) -> list[str]:
    """Return who is known by now to have sounded a broadcast and has none of the broadcasts `told`."""
    query = (
        select(SpeakerDelivery.speaker_id)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(
            SpeakerDelivery.broadcast_id == broadcast_id,
            SpeakerDelivery.started_at.is_not(None),
            Speaker.state == SpeakerState.ACTIVE,
            SpeakerDelivery.speaker_id.not_in(
                select(SpeakerDelivery.speaker_id).where(SpeakerDelivery.broadcast_id.in_(told))
            ),
        )
    )
    return list(session.scalars(query.order_by(SpeakerDelivery.speaker_id)))
