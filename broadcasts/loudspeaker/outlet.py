"""The way to the broker: one message after the other, making room for what is more urgent."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from sqlalchemy import ColumnElement, or_, select

from broadcasts.loudspeaker.messages import Message
from broadcasts.loudspeaker.models import OrderState, PlayOrder, StopOrder
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.speakers.protocol import Priority

CHUNK = 32
"""After so many messages it is asked whether something more urgent waits."""
HANDOVER_S = 0.001
"""After the first: a region's only message leaves before the hub goes on computing, not 5 ms later when Python lets the
line's thread have its turn."""
STOPPING = Priority.EMERGENCY + 1
"""The urgency of stops: nothing makes them wait."""


class Wire(Protocol):
    """What is needed of the connection to the broker."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False when it cannot be reached."""
        ...


class Sent(Enum):
    """How a piece of work ended: all of it sent, the broker away, or broken off for something more urgent."""

    ALL = 1
    AWAY = 2
    YIELDED = 3


class Outlet:
    """Publishes. Long work asks between messages whether something more urgent waits, and goes on afterwards."""

    def __init__(self, sessions: Sessions, wire: Wire, *, clock: Clock, lead: timedelta) -> None:
        self._sessions = sessions
        self._wire = wire
        self._clock = clock
        self._lead = lead
        self._told: dict[str, set[str]] = {}
        """Topics served in work that was broken off, by its name."""

    def one(self, message: Message) -> bool:
        """Publish a message; False when the broker is away."""
        return self._wire.publish(message.topic, message.payload)

    def all(self, messages: Iterable[Message], *, urgency: int, name: str = "") -> Sent:
        """Publish one after the other, unless something more urgent comes.

        Work with a `name` goes on where it was broken off when it is called again; it has one message a topic. Work
        without one begins anew.
        """
        told = self._told.setdefault(name, set()) if name else set()
        for number, message in enumerate(m for m in messages if m.topic not in told):
            if number % CHUNK == CHUNK - 1 and self._something_presses(urgency):
                return Sent.YIELDED
            if not self.one(message):
                self._told.pop(name, None)
                return Sent.AWAY
            if number == 0:
                time.sleep(HANDOVER_S)
            if name:
                told.add(message.topic)
        self._told.pop(name, None)
        return Sent.ALL

    def waiting(self, now: datetime) -> ColumnElement[bool]:
        """Return the condition for orders that are to be sent now."""
        return (PlayOrder.state == OrderState.QUEUED) & (PlayOrder.starts_at <= now + self._lead)

    def is_time_for(self, starts_at: datetime) -> bool:
        """Return whether what starts then is to be sent now."""
        return starts_at <= self._clock() + self._lead

    def _something_presses(self, urgency: int) -> bool:
        """Return whether a stop waits, or a play of a higher priority."""
        if urgency >= STOPPING:
            return False
        unsent = PlayOrder.stop_seq.is_not(None) & PlayOrder.stop_sent_at.is_(None)
        urgent = self.waiting(self._clock()) & (PlayOrder.priority > urgency)
        with self._sessions.read() as session:
            order = session.scalar(select(PlayOrder.broadcast_id).where(or_(unsent, urgent)).limit(1))
            silence = session.scalar(select(StopOrder.id).where(StopOrder.sent_at.is_(None)).limit(1))
        return order is not None or silence is not None
