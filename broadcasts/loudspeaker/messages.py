"""Orders as signed messages on their topics."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from broadcasts.loudspeaker.models import PlayOrder, SheetPlay, StopOrder
from broadcasts.loudspeaker.orders import PLAIN
from hub.speakers.envelope import SigningKey
from hub.speakers.protocol import (
    Audio,
    Play,
    Priority,
    Severity,
    Shout,
    Stop,
    Stream,
    ToDevice,
    ToRegion,
    seal_command,
)
from hub.speakers.topics import Kind, device_topic, region_command

ISSUER = "hub"
EARLIER_MS = 60_000
"""A loudspeaker's clock may be so much behind the hub's."""
STOP_FOR = timedelta(hours=1)
"""How long the stop of a broadcast stays valid on a device; the order it stops has expired long before."""
STOP_REGION_FOR = timedelta(hours=24)
SPREAD_MOST = timedelta(hours=1)
"""What is sent ahead is fetched within half of the time that is left, and at most within this."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the broker."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Messages:
    """Writes and signs. The key is asked for every time: it may change while the hub runs."""

    key: Callable[[], SigningKey]
    base_url: Callable[[], str]

    def plays(self, order: PlayOrder, *, fetch_within: timedelta = timedelta(0)) -> Iterator[Message]:
        """Return the commands of an order, each made when it is asked for: thousands are not signed in one go."""
        for target in order.targets:
            for to in _addresses(target):
                yield self._sealed(self._play(order, target, to, fetch_within))

    def play_to(
        self, order: PlayOrder, speaker_id: str, command_id: UUID, *, fetch_within: timedelta = timedelta(0)
    ) -> Message:
        """Return one of an order's commands, to one loudspeaker."""
        target = next(t for t in order.targets if t["id"] == str(command_id))
        return self._sealed(self._play(order, target, ToDevice(device=speaker_id), fetch_within))

    def stops(self, order: PlayOrder | SheetPlay, now: datetime) -> Iterator[Message]:
        """Return the stops that name a broadcast, to everybody who may have it."""
        for target in order.targets:
            for to in _addresses(target):
                yield self._sealed(self._stop(order, now, to))

    def stop_to(self, order: PlayOrder | SheetPlay, speaker_id: str, now: datetime) -> Message:
        """Return the stop that names a broadcast, to one loudspeaker."""
        return self._sealed(self._stop(order, now, ToDevice(device=speaker_id)))

    def silence(self, stop: StopOrder) -> Message:
        """Return the stop of everything, to a region."""
        return self._sealed(_stop_all(stop, ToRegion(region=stop.region_code, upto=stop.upto)))

    def silence_to(self, stop: StopOrder, speaker_id: str) -> Message:
        """Return the stop of everything, to one loudspeaker."""
        return self._sealed(_stop_all(stop, ToDevice(device=speaker_id)))

    def _sealed(self, command: Play | Stop) -> Message:
        to = command.to
        topic = device_topic(to.device, Kind.COMMAND) if isinstance(to, ToDevice) else region_command(to.region)
        return Message(topic, seal_command(command, self.key()))

    def _play(self, order: PlayOrder, target: dict[str, Any], to: ToDevice | ToRegion, fetch_within: timedelta) -> Play:
        recording = self._recording(order)
        relayed = None
        if order.stream_url:
            relayed = Stream(url=order.stream_url, duration_ms=order.length_ms, fallback=recording)
        return Play(
            id=target["id"],
            issuer=ISSUER,
            iat=_ms(order.created_at),
            nbf=_ms(order.created_at) - EARLIER_MS,
            exp=_ms(order.expires_at),
            seq=target["seq"],
            to=to,
            pri=Priority(order.priority),
            mode="drill" if order.mode == "drill" else "live",
            broadcast=str(order.broadcast_id),
            audio=None if relayed or order.shout else recording,
            stream=relayed,
            shout=Shout(duration_ms=order.length_ms) if order.shout else None,
            volume=order.volume,
            start_at=_ms(order.starts_at) if order.starts_at > order.created_at else None,
            repeat=order.repeat,
            gap_ms=order.gap_ms,
            severity=Severity(order.severity) if order.severity else None,
            by=order.by_name or None,
            pack=order.pack or None,
            text=order.text or None,
            fetch_within_ms=round(fetch_within.total_seconds() * 1000),
        )

    def _recording(self, order: PlayOrder) -> Audio | None:
        if not order.audio_sha256:
            return None
        return Audio(
            sha256=order.audio_sha256,
            url=f"{self.base_url()}/a/{order.audio_sha256}.mp3",
            size=order.audio_bytes,
            duration_ms=order.audio_ms,
            codec="mp3",
        )

    def _stop(self, order: PlayOrder | SheetPlay, now: datetime, to: ToDevice | ToRegion) -> Stop:
        return Stop(
            id=str(stop_id(order)),
            issuer=ISSUER,
            iat=_ms(now),
            nbf=_ms(now) - EARLIER_MS,
            exp=_ms(max(now, order.expires_at) + STOP_FOR),
            seq=order.stop_seq or 0,
            to=to,
            broadcasts=(str(order.broadcast_id),),
        )


def stop_id(order: PlayOrder | SheetPlay) -> UUID:
    """Return the id of a broadcast's stop: the same however often it is sent, so that answers to it can be counted."""
    return uuid5(order.broadcast_id, f"stop {order.stop_seq}")


def ahead_of_time(play: SheetPlay) -> PlayOrder:
    """Return what was laid ahead in the form of an order; it is not for any table."""
    return PlayOrder(
        broadcast_id=play.broadcast_id,
        priority=play.priority,
        targets=play.targets,
        audio_sha256=play.audio_sha256,
        audio_bytes=play.audio_bytes,
        audio_ms=play.audio_ms,
        volume=play.volume,
        starts_at=play.starts_at,
        expires_at=play.expires_at,
        created_at=play.laid_at,
        **asdict(PLAIN),
    )


def spread(play: SheetPlay, now: datetime) -> timedelta:
    """Return within which time a recording sent ahead may be fetched: a township must not ask in one second."""
    return max(timedelta(0), min(SPREAD_MOST, (play.starts_at - now) / 2))


def _addresses(target: dict[str, Any]) -> Sequence[ToDevice | ToRegion]:
    if "devices" in target:
        return [ToDevice(device=device) for device in target["devices"]]
    return [ToRegion(region=target["region"], upto=target["upto"], excluded=tuple(target.get("not", ())))]


def _stop_all(stop: StopOrder, to: ToDevice | ToRegion) -> Stop:
    return Stop(
        id=str(stop.id),
        issuer=ISSUER,
        iat=_ms(stop.made_at),
        nbf=_ms(stop.made_at) - EARLIER_MS,
        exp=_ms(stop.made_at + STOP_REGION_FOR),
        seq=stop.seq,
        to=to,
        all=True,
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
