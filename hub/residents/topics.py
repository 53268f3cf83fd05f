"""What owners of numbers do not want to hear about. Asks for no permission: they say so themselves, by message."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.residents.models import BlockedNumber, BlockReason, TopicOptOut


def leave(session: Session, index: bytes, topic: str, *, at: datetime) -> None:
    """Send this number nothing about a topic any more, emergencies apart."""
    known = session.get(TopicOptOut, (index, topic))
    if known is None:
        session.add(TopicOptOut(index=index, topic=topic, since=at))
    else:
        known.since = max(known.since, at)
    session.flush()


def welcome_back(session: Session, index: bytes, topic: str = "", *, at: datetime) -> None:
    """Undo what was said up to that moment about a topic, or (no topic) about everything."""
    left = delete(TopicOptOut).where(TopicOptOut.index == index, TopicOptOut.since <= at)
    session.execute(left.where(TopicOptOut.topic == topic) if topic else left)
    blocked = session.get(BlockedNumber, index)
    if not topic and blocked is not None and blocked.reason is BlockReason.OPTED_OUT:
        session.delete(blocked)
    session.flush()


def left_by(session: Session, indexes: Iterable[bytes]) -> dict[bytes, tuple[str, ...]]:
    """Return the topics each of these numbers wants nothing about."""
    rows = session.execute(
        select(TopicOptOut.index, TopicOptOut.topic)
        .where(TopicOptOut.index.in_(set(indexes)))
        .order_by(TopicOptOut.topic)
    )
    found: dict[bytes, tuple[str, ...]] = {}
    for index, topic in rows:
        found[index] = (*found.get(index, ()), topic)
    return found
