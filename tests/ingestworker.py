"""A hub that only takes in: it stores what loudspeakers say, and says so at the moment a test wants to kill it.

Arguments: database file, broker's port, the hub's password, and where to halt: "writing", "committed" or "" (nowhere).
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from broadcasts.loudspeaker.intake import Intake
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.protocol import Records

LONG_S = 30.0


class HaltingSessions(Sessions):
    """Stands still in the third transaction: before it is committed, or right after."""

    def __init__(self, database: str, halt: str) -> None:
        super().__init__(make_engine(f"sqlite:///{database}"))
        self._halt = halt
        self._begun = 0

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """As always, but halting."""
        self._begun += 1
        with super().begin() as session:
            yield session
            self._stand_still("writing")
        self._stand_still("committed")

    def _stand_still(self, moment: str) -> None:
        if self._halt == moment and self._begun == 3:
            print(moment, flush=True)  # noqa: T201 - the test waits for it
            time.sleep(LONG_S)


class NobodyToAsk:
    """No heartbeats come, so nothing is asked."""

    def send(self, kind: type[Records], speaker_id: str, seq: int, *, after: int) -> str | None:
        """Never called."""
        raise AssertionError


def main(database: str, port: str, password: str, halt: str) -> None:
    """Take in until killed."""
    link = SpeakerLink(BrokerAddress("127.0.0.1", int(port), "hub", password))
    Intake(HaltingSessions(database, halt), NobodyToAsk(), utc_now).plug_in(link)
    if not link.start(wait_s=20):
        raise SystemExit(link.problem)
    print("up", flush=True)  # noqa: T201 - as above
    sys.stdin.read()
    link.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
