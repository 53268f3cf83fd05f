"""Send queued orders to the broker, most urgent first; send again to who is silent; send stops until they are heard."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker.models import OrderState, PlayOrder, SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.speakers.envelope import SigningKey
from hub.speakers.models import Speaker
from hub.speakers.protocol import Audio, Command, Play, Priority, Stop, ToDevice, ToRegion, seal_command
from hub.speakers.topics import Kind, device_topic, region_command

ISSUER = "hub"
IDLE_S = 1.0
BROKER_AWAY_S = 0.5
RESEND_AFTER = (5, 30, 120)
"""Seconds after which silent loudspeakers are told again, one by one; the last repeats until the order expires."""
STOP_AGAIN = timedelta(seconds=3)
STOP_FOR = timedelta(hours=1)
"""How long a stop command stays valid on a device that was away; the order it stops has expired long before."""


class Wire(Protocol):
    """What is needed of the connection to the broker."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False when it cannot be reached."""
        ...


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes


class Sender:
    """The loudspeaker side's pump. `step` is one round; run it in a Loop and kick the loop when there is work."""

    def __init__(
        self, sessions: Sessions, wire: Wire, key: SigningKey, *, clock: Clock, base_url: Callable[[], str], lead_s: int
    ) -> None:
        self._sessions = sessions
        self._wire = wire
        self._key = key
        self._clock = clock
        self._base_url = base_url
        self._lead = timedelta(seconds=lead_s)
        self._came_back: set[str] = set()
        self._guard = threading.Lock()

    def came_back(self, speaker_ids: Sequence[str]) -> None:
        """Note loudspeakers that have just connected: they get what they missed and may still play."""
        with self._guard:
            self._came_back.update(speaker_ids)

    def step(self) -> float:
        """Do one round; return how many seconds to rest."""
        ok = self._send_stops() and self._send_orders() and self._send_again() and self._catch_up()
        return IDLE_S if ok else BROKER_AWAY_S

    def _send_orders(self) -> bool:
        now = self._clock()
        with self._sessions.read() as session:
            orders = session.scalars(
                select(PlayOrder)
                .where(PlayOrder.state == OrderState.QUEUED, PlayOrder.starts_at <= now + self._lead)
                .order_by(PlayOrder.priority.desc(), PlayOrder.created_at)
            ).all()
        for order in orders:
            if order.expires_at > now and not self._publish([self._to_region(order, t) for t in order.targets]):
                return False
            with self._sessions.begin() as session:
                _note_sent(session, order.broadcast_id, now)
        return True

    def _send_again(self) -> bool:
        now = self._clock()
        with self._sessions.read() as session:
            due = session.scalars(
                select(PlayOrder).where(
                    PlayOrder.state == OrderState.SENT,
                    PlayOrder.stop_seq.is_(None),
                    PlayOrder.next_resend_at <= now,
                    PlayOrder.expires_at > now,
                )
            ).all()
            silent = {order.broadcast_id: _silent(session, order.broadcast_id) for order in due}
        for order in due:
            if not self._publish([self._to_device(order, d) for d in silent[order.broadcast_id]]):
                return False
            with self._sessions.begin() as session:
                wait = RESEND_AFTER[min(order.resends + 1, len(RESEND_AFTER) - 1)]
                session.execute(
                    update(PlayOrder)
                    .where(PlayOrder.broadcast_id == order.broadcast_id, PlayOrder.resends == order.resends)
                    .values(resends=order.resends + 1, next_resend_at=now + timedelta(seconds=wait))
                )
        return True

    def _send_stops(self) -> bool:
        now = self._clock()
        with self._sessions.read() as session:
            due = session.scalars(
                select(PlayOrder)
                .where(
                    PlayOrder.stop_seq.is_not(None),
                    PlayOrder.next_resend_at <= now,
                    PlayOrder.expires_at > now - STOP_FOR,
                )
                .order_by(PlayOrder.priority.desc())
            ).all()
            open_ = {order.broadcast_id: _anyone_open(session, order.broadcast_id) for order in due}
        for order in due:
            first = order.stop_sent_at is None
            if (first or open_[order.broadcast_id]) and not self._publish(self._stops(order, now)):
                return False
            with self._sessions.begin() as session:
                session.execute(
                    update(PlayOrder)
                    .where(PlayOrder.broadcast_id == order.broadcast_id)
                    .values(
                        stop_sent_at=order.stop_sent_at or now,
                        next_resend_at=now + STOP_AGAIN if first or open_[order.broadcast_id] else None,
                    )
                )
        return True

    def _catch_up(self) -> bool:
        with self._guard:
            back, self._came_back = self._came_back, set()
        if not back:
            return True
        now = self._clock()
        with self._sessions.read() as session:
            rows = session.execute(
                select(PlayOrder, SpeakerDelivery)
                .join(SpeakerDelivery, SpeakerDelivery.broadcast_id == PlayOrder.broadcast_id)
                .where(
                    SpeakerDelivery.speaker_id.in_(back),
                    SpeakerDelivery.state == PlayState.SENT,
                    PlayOrder.expires_at > now,
                    PlayOrder.stop_seq.is_(None),
                )
                .order_by(PlayOrder.priority.desc())
            ).all()
        if self._publish([self._to_device(order, delivery) for order, delivery in rows]):
            return True
        self.came_back(list(back))
        return False

    def _publish(self, messages: Sequence[_Message]) -> bool:
        return all(self._wire.publish(m.topic, m.payload) for m in messages)

    def _to_region(self, order: PlayOrder, target: dict[str, object]) -> _Message:
        code, upto = str(target["region"]), int(str(target["upto"]))
        to = ToRegion(region=code, upto=upto)
        play = self._play(order, UUID(str(target["id"])), int(str(target["seq"])), to)
        return _Message(region_command(code), seal_command(play, self._key))

    def _to_device(self, order: PlayOrder, delivery: SpeakerDelivery) -> _Message:
        seq = next(int(str(t["seq"])) for t in order.targets if t["id"] == str(delivery.command_id))
        play = self._play(order, delivery.command_id, seq, ToDevice(device=delivery.speaker_id))
        return _Message(device_topic(delivery.speaker_id, Kind.COMMAND), seal_command(play, self._key))

    def _play(self, order: PlayOrder, command_id: UUID, seq: int, to: ToDevice | ToRegion) -> Command:
        url = f"{self._base_url()}/a/{order.audio_sha256}.mp3"
        return Play(
            id=str(command_id),
            issuer=ISSUER,
            iat=_ms(order.created_at),
            nbf=_ms(order.created_at) - 60_000,
            exp=_ms(order.expires_at),
            seq=seq,
            to=to,
            pri=Priority(order.priority),
            mode="live",
            broadcast=str(order.broadcast_id),
            audio=Audio(
                sha256=order.audio_sha256, url=url, size=order.audio_bytes, duration_ms=order.audio_ms, codec="mp3"
            ),
            volume=order.volume,
            start_at=_ms(order.starts_at) if order.starts_at > order.created_at else None,
        )

    def _stops(self, order: PlayOrder, now: datetime) -> list[_Message]:
        messages = []
        for target in order.targets:
            code = str(target["region"])
            stop = Stop(
                id=str(uuid7()),
                issuer=ISSUER,
                iat=_ms(now),
                nbf=_ms(now) - 60_000,
                exp=_ms(now + STOP_FOR),
                seq=order.stop_seq or 0,
                to=ToRegion(region=code, upto=int(str(target["upto"]))),
                broadcasts=(str(order.broadcast_id),),
            )
            messages.append(_Message(region_command(code), seal_command(stop, self._key)))
        return messages


def _note_sent(session: Session, broadcast_id: UUID, now: datetime) -> None:
    won = session.execute(
        update(PlayOrder)
        .where(PlayOrder.broadcast_id == broadcast_id, PlayOrder.state == OrderState.QUEUED)
        .values(state=OrderState.SENT, sent_at=now, next_resend_at=now + timedelta(seconds=RESEND_AFTER[0]))
        .returning(PlayOrder.broadcast_id)
    ).first()
    if won is None:
        return
    session.execute(
        update(SpeakerDelivery)
        .where(SpeakerDelivery.broadcast_id == broadcast_id, SpeakerDelivery.state == PlayState.QUEUED)
        .values(state=PlayState.SENT, changed_at=now)
    )


def _silent(session: Session, broadcast_id: UUID) -> list[SpeakerDelivery]:
    query = (
        select(SpeakerDelivery)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(
            SpeakerDelivery.broadcast_id == broadcast_id,
            SpeakerDelivery.state == PlayState.SENT,
            Speaker.online.is_(True),
        )
    )
    return list(session.scalars(query))


def _anyone_open(session: Session, broadcast_id: UUID) -> bool:
    open_states = [s for s in PlayState if s not in FINAL]
    query = (
        select(SpeakerDelivery.speaker_id)
        .join(Speaker, Speaker.id == SpeakerDelivery.speaker_id)
        .where(
            SpeakerDelivery.broadcast_id == broadcast_id,
            SpeakerDelivery.state.in_(open_states),
            or_(Speaker.online.is_(True), SpeakerDelivery.started_at.is_not(None)),
        )
    )
    return session.scalar(query.limit(1)) is not None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
