"""From the hand that wrote an emergency to the hand that sends it: in one process nobody need ask the tables for it."""

import threading
import time
from collections import deque
from typing import Final

from sqlalchemy.orm import Session

from broadcasts.loudspeaker.models import PlayOrder
from hub.core.db import Sessions

FRESH_S: Final = 0.25
"""What has waited longer may have been stopped meanwhile by another process: the tables are asked."""
_ORDERS, _STOPPED = "hurried", "stopped"


def hand_over(session: Session, order: PlayOrder) -> None:
    """Let the sender have the order as soon as it is committed; a sender elsewhere finds it in the tables."""
    session.info.setdefault(_ORDERS, []).append(order)


def look_first(session: Session) -> None:
    """Something is stopped: what was handed over before is not sent without asking the tables."""
    session.info[_STOPPED] = True


class Hurried:
    """Orders that have just been committed here, for the sender; whoever misses one finds it in the tables."""

    def __init__(self, sessions: Sessions) -> None:
        self._orders: deque[tuple[float, PlayOrder]] = deque(maxlen=100)
        self._guard = threading.Lock()
        sessions.on_commit(self._note)

    def take(self) -> PlayOrder | None:
        """Return the next one, once."""
        with self._guard:
            while self._orders:
                at, order = self._orders.popleft()
                if time.monotonic() - at < FRESH_S:
                    return order
            return None

    def _note(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        now, orders = time.monotonic(), session.info.pop(_ORDERS, ())
        with self._guard:
            if session.info.pop(_STOPPED, False):
                self._orders.clear()
            self._orders.extend((now, order) for order in orders if order in session)  # others were taken back
