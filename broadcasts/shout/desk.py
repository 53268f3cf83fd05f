"""Who is speaking now, in this hub; and the end of it when they let go, or the hub does."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from broadcasts.loudspeaker import orders
from broadcasts.shout import service
from broadcasts.shout.live import LiveShout
from broadcasts.shout.models import Ended
from broadcasts.shout.service import Started
from broadcasts.shout.taking import LONGEST_S, keep
from broadcasts.shout.voice import Voice, Wire
from broadcasts.speech.library import Library
from broadcasts.speech.signals import Samples
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.core.errors import NotFound, Unavailable, WrongState
from hub.speakers.envelope import SigningKey

log = logging.getLogger(__name__)
MOST_AT_ONCE = 20
"""Each takes a tenth of a processor."""
CLOSING_S = 10.0
LONGEST = timedelta(seconds=LONGEST_S + 30)
"""No shout of another process can be older than this and still be going."""
LOST_S = 30.0


class LiveDesk:
    """All live shouts of this hub. They live in memory: a hub that is restarted ends them."""

    def __init__(
        self,
        sessions: Sessions,
        library: Library,
        wire: Wire,
        key: Callable[[], SigningKey],
        *,
        clock: Clock,
        shared: bool = False,
    ) -> None:
        self._sessions = sessions
        self._library = library
        self._wire = wire
        self._key = key
        self._clock = clock
        self._shared = shared
        """Whether other processes have shouts of their own in the same tables."""
        self._guard = threading.Lock()
        self._going: dict[UUID, LiveShout] = {}
        self._closing = False

    def start(self) -> None:
        """Close what a hub that died left open."""
        self.look_after_lost()

    def look_after_lost(self) -> float:
        """Close what can only have been left by a process that died; return the seconds until the next look."""
        now = self._clock()
        with self._sessions.begin() as session:
            left = service.close_forgotten(session, now=now, begun_before=now - LONGEST if self._shared else None)
        if left:
            log.warning("%d live shouts were cut off when the hub ended", left)
        return LOST_S

    def stop(self) -> None:
        """End everybody, and write down what was said."""
        with self._guard:
            self._closing = True
            going = list(self._going.values())
        for shout in going:
            shout.halt(Ended.HUB_CLOSED)
        for shout in going:
            shout.join(CLOSING_S)

    def require_room(self) -> None:
        """Raise Unavailable when nobody more may speak."""
        with self._guard:
            if self._closing or len(self._going) >= MOST_AT_ONCE:
                raise Unavailable("shout_too_many")

    def begin(self, started: Started) -> None:
        """Begin to listen to a shout that was just opened and committed."""
        shout = started.shout
        if shout.broadcast_id is None:
            raise NotFound("shout_unknown")
        with self._sessions.read() as session:
            targets = orders.targets_of(session, shout.broadcast_id)
        voice = Voice(self._wire, self._key, targets, first_seq=started.first_seq, clock=self._clock)
        live = LiveShout(shout.id, shout.by_id, voice, length_ms=started.length_ms, done=self._over)
        with self._guard:
            self._going[shout.id] = live
        live.start()

    def put(self, shout_id: UUID, by_id: UUID | None, number: int, data: bytes) -> int:
        """Take piece `number`; return how many ms have been said. WrongState when it is over."""
        live = self._find(shout_id, by_id)
        if not live.pieces.put(number, data):
            raise WrongState("shout_over")
        return live.said_ms

    def release(self, shout_id: UUID, by_id: UUID | None, count: int | None) -> None:
        """The button was let go."""
        self._find(shout_id, by_id).release(count)

    def halt(self, shout_id: UUID, by_id: UUID | None) -> None:
        """Somebody has stopped it elsewhere."""
        self._find(shout_id, by_id).halt(Ended.STOPPED)

    def is_going(self, shout_id: UUID) -> bool:
        """Whether somebody speaks."""
        with self._guard:
            return shout_id in self._going

    def _find(self, shout_id: UUID, by_id: UUID | None) -> LiveShout:
        with self._guard:
            live = self._going.get(shout_id)
        if live is None or live.by_id != by_id:
            raise WrongState("shout_over")
        return live

    def _over(self, live: LiveShout, why: Ended, said: Samples) -> None:
        try:
            sound = keep(self._library, said) if len(said) else None
            with self._sessions.begin() as session:
                service.finish(session, live.id, why, sound, now=self._clock())
        except Exception:
            log.exception("the end of a shout could not be written down", extra={"shout": str(live.id)})
        finally:
            with self._guard:
                self._going.pop(live.id, None)
