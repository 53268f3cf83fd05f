"""Silence a whole region: everything issued before must not sound there any more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker.hurrying import look_first
from broadcasts.loudspeaker.models import PlayReceipt, StopOrder
from broadcasts.loudspeaker.targets import Meant, below
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.regions.tree import codes_in, contains
from hub.speakers import registry
from hub.speakers.models import Speaker

AGAIN = timedelta(seconds=3)
AGAIN_FOR = timedelta(minutes=1)
"""So long a stop is repeated to whoever is connected and has not answered."""
REMEMBERED = timedelta(hours=24)
"""So long it is sent to whoever comes back, before anything else."""


def stop_region(session: Session, actor: Actor, path: str, *, now: datetime) -> StopOrder:
    """Order that everything falls silent below a path. What is issued later may sound; what waits there may not."""
    actor.require(Permission.STOP, path)
    order = StopOrder(
        id=uuid7(),
        region_code=codes_in(path)[-1],
        region_path=path,
        seq=registry.next_value(session, registry.COMMANDS),
        upto=session.scalar(select(func.max(Speaker.number))) or 0,
        made_at=now,
        made_by_name=actor.name[:60],
        next_resend_at=now,
    )
    session.add(order)
    session.flush()
    look_first(session)
    return order


def due(now: datetime) -> Select[StopOrder]:
    """Return the query for what has to be sent now, the oldest first."""
    query = select(StopOrder).where(StopOrder.next_resend_at <= now, StopOrder.made_at > now - REMEMBERED)
    return query.order_by(StopOrder.made_at)


def recent(session: Session, now: datetime) -> list[StopOrder]:
    """Return every stop that still has to reach whoever comes back."""
    query = select(StopOrder).where(StopOrder.made_at > now - REMEMBERED)
    return list(session.scalars(query.order_by(StopOrder.seq)))


def unanswered(session: Session, order: StopOrder) -> list[str]:
    """Return the connected loudspeakers of the region that have not confirmed it."""
    heard = select(PlayReceipt.speaker_id).where(PlayReceipt.command_id == order.id)
    query = select(Speaker.id).where(
        below([order.region_path]), Speaker.number <= order.upto, Speaker.online.is_(True), Speaker.id.not_in(heard)
    )
    return list(session.scalars(query.order_by(Speaker.id)))


def note_sent(session: Session, order: StopOrder, *, silent: Sequence[str], now: datetime) -> None:
    """Note a round. It is repeated while somebody owes an answer, for a minute, and at least once more after it."""
    first = order.sent_at is None
    again = first or (bool(silent) and now < order.made_at + AGAIN_FOR)
    session.execute(
        update(StopOrder)
        .where(StopOrder.id == order.id)
        .values(
            sent_at=order.sent_at or now,
            resends=StopOrder.resends + (0 if first else 1),
            next_resend_at=now + AGAIN if again else None,
        )
    )


def look_soon(session: Session, *, now: datetime) -> None:
    """A hub has just started, or the broker: whoever came back meanwhile may not have been told."""
    session.execute(
        update(StopOrder)
        .where(StopOrder.made_at > now - REMEMBERED, StopOrder.next_resend_at.is_(None))
        .values(next_resend_at=now + AGAIN)
    )


@dataclass(frozen=True)
class Silenced:
    """The stops of the last day, to ask whether something older may still be sent somewhere."""

    orders: tuple[StopOrder, ...]

    @classmethod
    def now(cls, session: Session, now: datetime) -> "Silenced":
        """Read them."""
        return cls(tuple(recent(session, now)))

    def holds(self, region_path: str, seq: int) -> bool:
        """Return whether a command with that number must not go there any more."""
        return any(order.seq > seq and contains(order.region_path, region_path) for order in self.orders)

    def of(self, region_path: str) -> list[StopOrder]:
        """Return the stops that hold at a path."""
        return [order for order in self.orders if contains(order.region_path, region_path)]


def heard_by(session: Session, stops: Iterable[UUID], speaker_ids: Iterable[str]) -> set[tuple[str, UUID]]:
    """Return which of these loudspeakers have confirmed which of these stops."""
    ids, speakers = list(stops), list(speaker_ids)
    if not ids or not speakers:
        return set()
    rows = session.execute(
        select(PlayReceipt.speaker_id, PlayReceipt.command_id)
        .where(PlayReceipt.command_id.in_(ids), PlayReceipt.speaker_id.in_(speakers))
        .distinct()
    )
    return {(row.speaker_id, row.command_id) for row in rows}


def silenced_before(
    session: Session, meant: Meant, seqs: Sequence[int], *, before: datetime, now: datetime
) -> set[str]:
    """Return who of `meant` has confirmed a stop that is newer than these commands and was made before that moment.

    Only of these it is sure that the commands can never sound there any more.
    """
    if not seqs:
        return set()
    stops = [o for o in recent(session, now) if o.seq > min(seqs) and o.made_at < before]
    found: set[str] = set()
    for stop in stops:
        heard = select(PlayReceipt.speaker_id).where(PlayReceipt.command_id == stop.id)
        inside = Speaker.region_path.like(like_below(stop.region_path))
        found |= set(session.scalars(select(Speaker.id).where(meant.where, inside, Speaker.id.in_(heard))))
    return found
