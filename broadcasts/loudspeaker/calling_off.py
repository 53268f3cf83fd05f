"""The stop of one broadcast: who owes an answer to it, what an answer means, and when it is said again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.orm import Session

from broadcasts.loudspeaker import stopping
from broadcasts.loudspeaker.messages import STOP_FOR, stop_id
from broadcasts.loudspeaker.models import PlayOrder, PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.states import GUESSED, OPEN, SILENT, PlayState
from hub.speakers.models import Speaker

AGAIN: Final = timedelta(seconds=3)
AGAIN_FOR: Final = timedelta(minutes=1)
LOOK: Final = timedelta(seconds=20)
"""After the first minute, and while those who owe an answer are away: somebody may have come back unnoticed."""
FEW: Final = 60
"""So many are told again one by one; more of them by their region, where everybody answers once more."""
_UNHEARD: Final = (*GUESSED, "called_off")
"""Ends the hub wrote without having heard a word: the loudspeaker may have the play all the same."""


@dataclass(frozen=True, slots=True)
class Owing:
    """Who has not said what became of it: those to be told again now, and whether others are away."""

    now: Sequence[str]
    away: bool


def due(now: datetime) -> Select[PlayOrder]:
    """Return the query for broadcasts whose stop has to be said, or asked about, now."""
    return select(PlayOrder).where(
        PlayOrder.stop_seq.is_not(None), PlayOrder.next_resend_at <= now, PlayOrder.expires_at > now - STOP_FOR
    )


def owing(session: Session, order: PlayOrder, *, now: datetime) -> Owing:
    """Return who owes an answer, after noting what the answers that are here mean."""
    _note_obeyed(session, order, now)
    heard = select(PlayReceipt.speaker_id).where(PlayReceipt.command_id == stop_id(order))
    rows = session.execute(
        select(SpeakerDelivery.speaker_id, SpeakerDelivery.started_at, SpeakerDelivery.state, Speaker.online)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(
            SpeakerDelivery.broadcast_id == order.broadcast_id,
            or_(
                SpeakerDelivery.state.in_(OPEN),
                and_(SpeakerDelivery.reason.in_(_UNHEARD), SpeakerDelivery.speaker_id.not_in(heard)),
            ),
        )
        .order_by(SpeakerDelivery.speaker_id)
    ).all()
    # What sounds by its own last word is told in any case: the tables may be wrong about its line.
    told = [row.speaker_id for row in rows if row.online or (row.started_at and row.state in OPEN)]
    return Owing(told, any(row.state in OPEN for row in rows))


def _note_obeyed(session: Session, order: PlayOrder, now: datetime) -> None:
    """Who never had the play but has confirmed its stop is through with it: no play of that name sounds there."""
    heard = select(PlayReceipt.speaker_id).where(
        PlayReceipt.command_id == stop_id(order), PlayReceipt.state == PlayState.FINISHED.value
    )
    never_had_it = SpeakerDelivery.received_at.is_(None) & SpeakerDelivery.started_at.is_(None)
    given_up = (SpeakerDelivery.state == PlayState.FAILED) & SpeakerDelivery.reason.in_(GUESSED) & never_had_it
    session.execute(
        update(SpeakerDelivery)
        .where(
            SpeakerDelivery.broadcast_id == order.broadcast_id,
            or_(SpeakerDelivery.state.in_(SILENT), given_up),
            SpeakerDelivery.speaker_id.in_(heard),
        )
        .values(state=PlayState.STOPPED, reason="stopped_before", ended_at=now, changed_at=now)
    )


def note_sent(session: Session, order: PlayOrder, found: Owing | None, *, now: datetime) -> None:
    """Note a round; `found` is who owed an answer, None when it was said for the first time.

    While anybody has not come to an end there is a next one, also for who is away: the answer of somebody who comes
    back is read then, and a hub that was killed before it told him does it then.
    """
    again = None
    if found is None or (found.now and now < (order.stop_sent_at or now) + AGAIN_FOR):
        again = now + AGAIN
    elif found.now or found.away:
        again = now + LOOK
    session.execute(
        update(PlayOrder)
        .where(PlayOrder.broadcast_id == order.broadcast_id)
        .values(stop_sent_at=order.stop_sent_at or now, next_resend_at=again)
    )


def missed(session: Session, back: Collection[str], *, now: datetime) -> list[tuple[PlayOrder, str]]:
    """Return of what some who come back may still have the play: it is over by their word alone, not by the hub's."""
    told = session.scalars(
        select(PlayOrder).where(PlayOrder.stop_sent_at.is_not(None), PlayOrder.expires_at > now - STOP_FOR)
    )
    orders = {order.broadcast_id: order for order in told}
    if not orders:  # nearly always: years of deliveries are not looked through for it
        return []
    rows = session.execute(
        select(SpeakerDelivery.broadcast_id, SpeakerDelivery.speaker_id, SpeakerDelivery.state).where(
            SpeakerDelivery.broadcast_id.in_(orders),
            SpeakerDelivery.speaker_id.in_(back),
            or_(SpeakerDelivery.state.in_(OPEN), SpeakerDelivery.reason.in_(_UNHEARD)),
        )
    ).all()
    stops = {name: stop_id(order) for name, order in orders.items()}
    heard = stopping.heard_by(session, stops.values(), {row.speaker_id for row in rows})
    return [
        (orders[row.broadcast_id], row.speaker_id)
        for row in rows
        if row.state in OPEN or (row.speaker_id, stops[row.broadcast_id]) not in heard
    ]


def look_soon(session: Session, broadcast_ids: Collection[UUID], *, now: datetime) -> None:
    """Somebody was just told again: his answer is read in a moment."""
    soon = now + AGAIN
    session.execute(
        update(PlayOrder)
        .where(
            PlayOrder.broadcast_id.in_(broadcast_ids),
            or_(PlayOrder.next_resend_at.is_(None), PlayOrder.next_resend_at > soon),
        )
        .values(next_resend_at=soon)
    )


def look_at_all(session: Session, *, now: datetime) -> None:
    """A hub has just started, or the broker: whoever had been told may have heard nothing of it."""
    query = select(PlayOrder.broadcast_id).where(
        PlayOrder.stop_sent_at.is_not(None), PlayOrder.expires_at > now - STOP_FOR
    )
    look_soon(session, session.scalars(query).all(), now=now)
