"""A hub that sends one emergency and stands still where a test wants to kill it.

Arguments: database file, region path, and where to stand still: "published", "writing" or "listed".
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from orderslab import SOUND
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker import orders
from broadcasts.loudspeaker.sender import Sender
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine
from hub.speakers.protocol import Priority
from hub.speakers.station import signing_key

LONG_S = 30.0


def stand_still(moment: str, halt: str) -> None:
    """Say so, and wait to be killed."""
    if moment == halt:
        print(moment, flush=True)  # noqa: T201 - the test waits for it
        time.sleep(LONG_S)


class HaltingSessions(Sessions):
    """Stands still in the transaction after the one that notes the sending: before its commit, or right after."""

    def __init__(self, database: str, halt: str) -> None:
        super().__init__(make_engine(f"sqlite:///{database}"))
        self._halt = halt
        self.begun = 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """As always, but halting."""
        self.begun += 1
        with super().begin() as session:
            yield session
            if self.begun == 3:
                stand_still("writing", self._halt)
        if self.begun == 3:
            stand_still("listed", self._halt)


class OneWay:
    """A broker that hears the command and tells the test."""

    def __init__(self, halt: str) -> None:
        self._halt = halt

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hear it."""
        stand_still("published", self._halt)
        return True


def main(database: str, path: str, halt: str) -> None:
    """Send until killed."""
    sessions = HaltingSessions(database, halt)
    now = utc_now()
    with sessions.begin() as session:
        orders.place(
            session,
            broadcast_id=uuid7(),
            paths=[path],
            sound=SOUND,
            priority=Priority.EMERGENCY,
            volume=None,
            starts_at=now,
            expires_at=now + timedelta(hours=1),
            now=now,
        )
    key = signing_key(bytes(32))
    Sender(sessions, OneWay(halt), lambda: key, clock=utc_now, base_url=lambda: "http://hub", lead_s=20).step()
    time.sleep(LONG_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
