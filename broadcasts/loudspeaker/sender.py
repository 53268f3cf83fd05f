"""Send to the broker: stops first, then what is new, most urgent first, then again to who is silent or came back."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from broadcasts.loudspeaker import calling_off, listing, stopping
from broadcasts.loudspeaker.calling_off import Owing
from broadcasts.loudspeaker.hurrying import Hurried
from broadcasts.loudspeaker.messages import Message, Messages
from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery, StopOrder
from broadcasts.loudspeaker.outlet import STOPPING, Outlet, Sent, Wire
from broadcasts.loudspeaker.sheet_sending import SheetSender
from broadcasts.loudspeaker.states import SILENT, PlayState
from broadcasts.loudspeaker.stopping import Silenced
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.speakers.envelope import SigningKey
from hub.speakers.models import Speaker
from hub.speakers.protocol import Priority

IDLE_S = 1.0
BROKER_AWAY_S = 0.5
RESEND_AFTER = (5, 30, 120)
"""Seconds after which silent loudspeakers are told again, one by one; the last repeats until the order expires."""
GIVE_WAY_S = 0.03
"""After an emergency has left, the hub itself rests: broker and loudspeakers need the processor now."""


@dataclass(frozen=True, slots=True)
class _Due:
    """What one look found: regions to silence and who there has not answered, plays to stop, the next play."""

    silences: Sequence[tuple[StopOrder, list[str]]]
    stops: Sequence[PlayOrder]
    order: PlayOrder | None


class Sender:
    """The loudspeaker side's pump. `step` is one round; run it in a Loop and kick the loop when there is work."""

    def __init__(
        self,
        sessions: Sessions,
        wire: Wire,
        key: Callable[[], SigningKey],
        *,
        clock: Clock,
        base_url: Callable[[], str],
        lead_s: int,
        note_after_s: float = 0.0,
        list_after_s: float = 0.0,
    ) -> None:
        self._sessions = sessions
        self._messages = Messages(key, base_url)
        self._clock = clock
        self._outlet = Outlet(sessions, wire, clock=clock, lead=timedelta(seconds=lead_s))
        self._sheet = SheetSender(sessions, self._outlet, self._messages)
        self._note_after = timedelta(seconds=note_after_s)
        self._unnoted: dict[UUID, datetime] = {}
        self._list_after = timedelta(seconds=list_after_s)
        self._unlisted: dict[UUID, datetime] = {}
        self._hurried = Hurried(sessions)
        self._came_back: set[str] = set()
        self._line_is_new = True
        self._guard = threading.Lock()

    def came_back(self, speaker_ids: Sequence[str]) -> None:
        """Note loudspeakers that have just connected: they get what they missed and may still play."""
        with self._guard:
            self._came_back.update(speaker_ids)

    def line_is_new(self) -> None:
        """Note that the hub has just connected: what the broker took before its fall, nobody may have heard."""
        self._line_is_new = True

    def step(self) -> float:
        """Do one round; return how many seconds to rest."""
        with self._guard:
            back, self._came_back = self._came_back, set()
        done = Sent.AWAY
        try:
            done = self._round(back)
        finally:  # a database that was away for a moment must not cost them what they missed
            if done is not Sent.ALL:
                self.came_back(list(back))
        if done is Sent.ALL:
            return self._rest()
        return BROKER_AWAY_S if done is Sent.AWAY else 0.0

    def _rest(self) -> float:
        due = min(self._unlisted.values(), default=None)
        return IDLE_S if due is None else min(IDLE_S, max(0.01, (due - self._clock()).total_seconds()))

    def _round(self, back: set[str]) -> Sent:
        done = self._send_hurried()
        if done is Sent.ALL:
            done = self._send(back)
        if done is not Sent.ALL:
            self._write_lists()  # also while the broker is away, or something more urgent goes first
        return done

    def _send_hurried(self) -> Sent:
        """Send at once what was just written here. A stop that waits was given before, and does not concern it."""
        while (order := self._hurried.take()) is not None:
            known = order.broadcast_id in self._unlisted
            if not known and self._outlet.is_time_for(order.starts_at) and (done := self._one(order)) is not Sent.ALL:
                return done
        return Sent.ALL

    def _send(self, back: set[str]) -> Sent:
        found = self._look(self._clock())
        work: tuple[Callable[[], Sent], ...] = (
            lambda: self._silence_regions(found.silences),
            lambda: self._send_stops(found.stops),
            lambda: self._stops_for(back),
            lambda: self._send_orders(None if found.silences or found.stops or back else found.order),
            self._write_lists,
            self._ask_soon,
            self._send_again,
            lambda: self._plays_for(back),
            self._note_rows,
            lambda: self._sheet.step(self._clock()),
        )
        for part in work:
            done = part()
            if done is not Sent.ALL:
                return done
        return Sent.ALL

    def _look(self, now: datetime) -> _Due:
        """One look for all that may be due: an emergency waits for nothing but this."""
        to_stop = calling_off.due(now)
        pressing = to_stop.exists() | stopping.due(now).exists()
        question = self._next(now).add_columns(pressing)
        with self._sessions.glance() as session:
            first = session.execute(question).first()
        if first is not None and not first[1]:
            return _Due((), (), first[0])
        with self._sessions.read() as session:
            silences = [(o, stopping.unanswered(session, o)) for o in session.scalars(stopping.due(now)).all()]
            stops = session.scalars(to_stop.order_by(PlayOrder.priority.desc())).all()
            return _Due(silences, stops, first[0] if first is not None else None)

    # ---- stops

    def _silence_regions(self, due: Sequence[tuple[StopOrder, list[str]]]) -> Sent:
        now = self._clock()
        for order, silent in due:
            if (order.sent_at is None or silent) and not self._outlet.one(self._messages.silence(order)):
                return Sent.AWAY
            with self._sessions.begin() as session:
                stopping.note_sent(session, order, silent=silent, now=now)
        return Sent.ALL

    def _send_stops(self, due: Sequence[PlayOrder]) -> Sent:
        now = self._clock()
        for order in due:
            found = None if order.stop_sent_at is None else self._owing(order, now)
            stops = self._stops(order, found, now)
            done = self._outlet.all(stops, urgency=STOPPING, name=f"stop {order.broadcast_id}")
            if done is not Sent.ALL:
                return done
            with self._sessions.begin() as session:
                calling_off.note_sent(session, order, found, now=now)
        return Sent.ALL

    def _owing(self, order: PlayOrder, now: datetime) -> Owing:
        self._write_lists(at_once=True)
        with self._sessions.begin() as session:
            return calling_off.owing(session, order, now=now)

    def _stops(self, order: PlayOrder, found: Owing | None, now: datetime) -> Iterator[Message]:
        if found is None or len(found.now) > calling_off.FEW:
            return self._messages.stops(order, now)
        return (self._messages.stop_to(order, speaker_id, now) for speaker_id in found.now)

    def _stops_for(self, back: set[str]) -> Sent:
        """Whoever comes back hears first what must not sound any more."""
        if not back:
            return Sent.ALL
        now = self._clock()
        self._write_lists(at_once=True)
        with self._sessions.read() as session:
            messages = list(self._silences_for(session, back, now))
            missed = calling_off.missed(session, back, now=now)
            messages += [self._messages.stop_to(order, speaker_id, now) for order, speaker_id in missed]
            messages += self._sheet.stops(session, now, among=list(back))
        done = self._outlet.all(messages, urgency=Priority.EMERGENCY)
        if missed and done is Sent.ALL:
            with self._sessions.begin() as session:
                calling_off.look_soon(session, {order.broadcast_id for order, _ in missed}, now=now)
        return done

    def _silences_for(self, session: Session, back: set[str], now: datetime) -> Iterator[Message]:
        orders = stopping.recent(session, now)
        if not orders:
            return
        heard = stopping.heard_by(session, [order.id for order in orders], back)
        silenced = Silenced(tuple(orders))
        rows = session.execute(select(Speaker.id, Speaker.region_path, Speaker.number).where(Speaker.id.in_(back)))
        for row in rows:
            for order in silenced.of(row.region_path):
                if row.number <= order.upto and (row.id, order.id) not in heard:
                    yield self._messages.silence_to(order, row.id)

    # ---- plays

    def _send_orders(self, first: PlayOrder | None) -> Sent:
        """Send one after the other, beginning with what was found a moment ago, if anything was."""
        order = first or self._most_urgent()
        while order is not None:
            if (done := self._one(order)) is not Sent.ALL:
                return done
            order = self._most_urgent()
        return Sent.ALL

    def _one(self, order: PlayOrder) -> Sent:
        now = self._clock()
        plays = self._messages.plays(order) if order.expires_at > now else ()
        done = self._outlet.all(plays, urgency=order.priority, name=f"play {order.broadcast_id}")
        if done is not Sent.ALL:
            return done
        if not order.listed:
            time.sleep(GIVE_WAY_S)
        with self._sessions.begin() as session:
            _note_sent(session, order.broadcast_id, now)
        if order.listed:
            self._unnoted[order.broadcast_id] = now + self._note_after
        else:
            self._unlisted[order.broadcast_id] = now + self._list_after
        return Sent.ALL

    def _write_lists(self, *, at_once: bool = False) -> Sent:
        """Write who is meant by what has gone out, a moment later: broker and loudspeakers need the processor first."""
        now = self._clock()
        self._unlisted = {} if at_once else {name: due for name, due in self._unlisted.items() if due > now}
        listing.write_all(self._sessions, now=now, later=self._unlisted)
        return Sent.ALL

    def _note_rows(self) -> Sent:
        """Note each delivery as sent: a moment later, when most have answered and need it no more."""
        now = self._clock()
        for broadcast_id in [name for name, due in self._unnoted.items() if due <= now]:
            with self._sessions.begin() as session:
                _note_each_sent(session, broadcast_id, now)
            del self._unnoted[broadcast_id]
        return Sent.ALL

    def _most_urgent(self) -> PlayOrder | None:
        """Return the most urgent order there is at this moment: one may have come while the last was sent."""
        with self._sessions.read() as session:
            return session.scalars(self._next(self._clock())).first()

    def _next(self, now: datetime) -> Select[PlayOrder]:
        query = select(PlayOrder).where(self._outlet.waiting(now))
        return query.order_by(PlayOrder.priority.desc(), PlayOrder.created_at).limit(1)

    def _ask_soon(self) -> Sent:
        """After a start, the hub's or the broker's, whoever owes an answer is not left to the longest pause."""
        if self._line_is_new:
            self._line_is_new = False
            now = self._clock()
            try:
                with self._sessions.begin() as session:
                    calling_off.look_at_all(session, now=now)
                    stopping.look_soon(session, now=now)
                    _resend_soon(session, now)
            except Exception:
                self._line_is_new = True
                raise
        return Sent.ALL

    def _send_again(self) -> Sent:
        now = self._clock()
        with self._sessions.read() as session:
            silenced = Silenced.now(session, now)
            due = session.scalars(
                select(PlayOrder)
                .where(
                    PlayOrder.state == OrderState.SENT,
                    PlayOrder.stop_seq.is_(None),
                    PlayOrder.next_resend_at <= now,
                    PlayOrder.expires_at > now,
                )
                .order_by(PlayOrder.priority.desc(), PlayOrder.created_at)
            ).all()
            silent = {order.broadcast_id: _silent(session, order, silenced) for order in due}
        for order in due:
            plays = self._each(order, silent[order.broadcast_id])
            done = self._outlet.all(plays, urgency=order.priority, name=f"again {order.broadcast_id}")
            if done is not Sent.ALL:
                return done
            with self._sessions.begin() as session:
                wait = RESEND_AFTER[min(order.resends + 1, len(RESEND_AFTER) - 1)]
                session.execute(
                    update(PlayOrder)
                    .where(
                        PlayOrder.broadcast_id == order.broadcast_id,
                        PlayOrder.resends == order.resends,
                        PlayOrder.stop_seq.is_(None),  # a stop that came meanwhile is due at once
                    )
                    .values(resends=order.resends + 1, next_resend_at=now + timedelta(seconds=wait))
                )
                _note_each_sent(session, order.broadcast_id, now)  # whoever sent it may have died before
        return Sent.ALL

    def _each(self, order: PlayOrder, deliveries: Iterable[SpeakerDelivery]) -> Iterator[Message]:
        return (self._messages.play_to(order, d.speaker_id, d.command_id) for d in deliveries)

    def _plays_for(self, back: set[str]) -> Sent:
        if not back:
            return Sent.ALL
        now = self._clock()
        with self._sessions.read() as session:
            silenced = Silenced.now(session, now)
            going = (PlayOrder.state == OrderState.SENT, PlayOrder.expires_at > now, PlayOrder.stop_seq.is_(None))
            ids = session.scalars(select(PlayOrder.broadcast_id).where(*going)).all()
            rows = session.execute(
                select(PlayOrder, SpeakerDelivery)
                .join(SpeakerDelivery, SpeakerDelivery.broadcast_id == PlayOrder.broadcast_id)
                .where(
                    SpeakerDelivery.broadcast_id.in_(ids),  # years of deliveries are not looked through for it
                    SpeakerDelivery.speaker_id.in_(back),
                    SpeakerDelivery.state.in_(SILENT),
                )
                .order_by(PlayOrder.priority.desc())
            ).all()
            messages = [
                self._messages.play_to(order, d.speaker_id, d.command_id)
                for order, d in rows
                if not silenced.holds(d.region_path, _seq(order, d.command_id))
            ]
            messages += self._sheet.plays(session, now, among=list(back))
        return self._outlet.all(messages, urgency=Priority.ROUTINE)


def _note_sent(session: Session, broadcast_id: UUID, now: datetime) -> None:
    session.execute(
        update(PlayOrder)
        .where(PlayOrder.broadcast_id == broadcast_id, PlayOrder.state == OrderState.QUEUED)
        .values(state=OrderState.SENT, sent_at=now, next_resend_at=now + timedelta(seconds=RESEND_AFTER[0]))
    )


def _resend_soon(session: Session, now: datetime) -> None:
    soon = now + timedelta(seconds=RESEND_AFTER[0])
    session.execute(
        update(PlayOrder)
        .where(
            PlayOrder.state == OrderState.SENT,
            PlayOrder.stop_seq.is_(None),
            PlayOrder.expires_at > now,
            PlayOrder.next_resend_at > soon,
        )
        .values(next_resend_at=soon)
    )


def _note_each_sent(session: Session, broadcast_id: UUID, now: datetime) -> None:
    session.execute(
        update(SpeakerDelivery)
        .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state == PlayState.QUEUED)
        .values(state=PlayState.SENT, changed_at=now)
    )


def _silent(session: Session, order: PlayOrder, silenced: Silenced) -> list[SpeakerDelivery]:
    query = (
        select(SpeakerDelivery)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(
            SpeakerDelivery.broadcast_id == order.broadcast_id,
            SpeakerDelivery.state.in_(SILENT),
            Speaker.online.is_(True),
        )
        .order_by(SpeakerDelivery.speaker_id)
    )
    found = session.scalars(query)
    return [d for d in found if not silenced.holds(d.region_path, _seq(order, d.command_id))]


def _seq(order: PlayOrder, command_id: UUID) -> int:
    return next(int(target["seq"]) for target in order.targets if target["id"] == str(command_id))
