"""Send what was laid ahead, tell the silent again now and then, and stop what was withdrawn."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.loudspeaker import sheet
from broadcasts.loudspeaker.messages import Message, Messages, ahead_of_time, spread, stop_id
from broadcasts.loudspeaker.models import SheetPlay
from broadcasts.loudspeaker.outlet import STOPPING, Outlet, Sent
from broadcasts.loudspeaker.stopping import Silenced
from hub.core.db import Sessions
from hub.speakers.protocol import Priority

AGAIN = timedelta(minutes=5)
"""How often silent loudspeakers are told again of what lies ahead."""
STOP_AGAIN, STOP_AGAIN_FOR = timedelta(seconds=3), timedelta(minutes=1)
MOST = 200
"""So many loudspeakers are told again in one round: there is time."""


Query = Callable[[Session, datetime], list[SheetPlay]]


class SheetSender:
    """The sender's part for what lies ahead."""

    def __init__(self, sessions: Sessions, outlet: Outlet, messages: Messages) -> None:
        self._sessions = sessions
        self._outlet = outlet
        self._messages = messages
        self._next: datetime | None = None

    def step(self, now: datetime) -> Sent:
        """Send what is new, then repeat what is due."""
        for part in (self._send_stops, self._send_plays, self._send_again):
            done = part(now)
            if done is not Sent.ALL:
                return done
        return Sent.ALL

    def plays(self, session: Session, now: datetime, *, among: Sequence[str] | None = None) -> Iterator[Message]:
        """Return what lies ahead for who has said nothing about it: the connected, or some just come back."""
        silenced = Silenced.now(session, now)
        for play in sheet.standing(session, now):
            order, within = ahead_of_time(play), spread(play, now)
            for target in play.targets:
                command = UUID(target["id"])
                for speaker_id, path in sheet.silent(session, target, command, among=among, limit=MOST):
                    if not silenced.holds(path, int(target["seq"])):
                        yield self._messages.play_to(order, speaker_id, command, fetch_within=within)

    def stops(self, session: Session, now: datetime, *, among: Sequence[str] | None = None) -> Iterator[Message]:
        """Return stops of what was withdrawn, for who has not confirmed them."""
        for play in sheet.withdrawn(session, now):
            for target in play.targets:
                for speaker_id, _ in sheet.silent(session, target, stop_id(play), among=among, limit=MOST):
                    yield self._messages.stop_to(play, speaker_id, now)

    def _send_stops(self, now: datetime) -> Sent:
        for play in self._read(sheet.withdrawn, now):
            if play.stop_sent_at is not None:
                continue
            done = self._outlet.all(self._messages.stops(play, now), urgency=STOPPING, name=f"stop {play.broadcast_id}")
            if done is not Sent.ALL:
                return done
            with self._sessions.begin() as session:
                sheet.note_stopped(session, play.broadcast_id, now=now)
            self._next = now + STOP_AGAIN
        return Sent.ALL

    def _send_plays(self, now: datetime) -> Sent:
        for play in self._read(sheet.to_send, now):
            plays = self._messages.plays(ahead_of_time(play), fetch_within=spread(play, now))
            done = self._outlet.all(plays, urgency=Priority.RELAY, name=f"ahead {play.broadcast_id}")
            if done is not Sent.ALL:
                return done
            with self._sessions.begin() as session:
                sheet.note_sent(session, play.broadcast_id, now=now)
        return Sent.ALL

    def _send_again(self, now: datetime) -> Sent:
        if self._next is not None and now < self._next:
            return Sent.ALL
        with self._sessions.read() as session:
            stops, plays = list(self.stops(session, now)), list(self.plays(session, now))
            fresh = any(p.stop_sent_at and p.stop_sent_at > now - STOP_AGAIN_FOR for p in sheet.withdrawn(session, now))
        done = self._outlet.all([*stops, *plays], urgency=Priority.RELAY)
        if done is Sent.ALL:
            pressing = (stops and fresh) or len(plays) >= MOST
            self._next = now + (STOP_AGAIN if pressing else AGAIN)
        return done

    def _read(self, found: Query, now: datetime) -> Sequence[SheetPlay]:
        with self._sessions.read() as session:
            return found(session, now)
