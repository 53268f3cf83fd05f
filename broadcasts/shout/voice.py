"""How a live shout reaches loudspeakers: signed `chunk` commands on the topics its play command went to."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Protocol

from uuid6 import uuid7

from hub.core.clock import Clock
from hub.speakers.envelope import SigningKey
from hub.speakers.protocol import Chunk, ToDevice, ToRegion, seal_command
from hub.speakers.topics import Kind, device_topic, region_command

ISSUER = "hub"
LIFE_MS = 30_000
"""A chunk that is later than this is worth nothing."""
EARLY_MS = 60_000
"""So much may a loudspeaker's clock be behind."""


class Wire(Protocol):
    """What is needed of the connection to the broker."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the broker; False when it cannot be reached."""
        ...


class Voice:
    """Says one live shout. `targets` are those of its play order, `first_seq` the first number set aside for it."""

    def __init__(
        self,
        wire: Wire,
        key: Callable[[], SigningKey],
        targets: Sequence[Mapping[str, Any]],
        *,
        first_seq: int,
        clock: Clock,
    ) -> None:
        self._wire = wire
        self._key = key
        self._to = [place for target in targets for place in _places(target)]
        self._seq = count(first_seq)
        self._clock = clock
        self._n = 0
        self.unsent = 0
        """Chunks the broker did not take; nobody hears them."""

    def say(self, packets: bytes, *, last: bool = False) -> None:
        """Publish one chunk everywhere, at once and once: a chunk that is lost is not worth repeating."""
        seq = next(self._seq)
        data = base64.b64encode(packets).decode("ascii")
        taken = True
        for play, to, topic in self._to:
            chunk = self._chunk(play, to, seq, data, last=last)
            taken = self._wire.publish(topic, seal_command(chunk, self._key()), qos=0) and taken
        self._n += 1
        self.unsent += not taken

    def _chunk(self, play: str, to: ToRegion | ToDevice, seq: int, data: str, *, last: bool) -> Chunk:
        now = _ms(self._clock())
        return Chunk(
            id=str(uuid7()),
            issuer=ISSUER,
            iat=now,
            nbf=now - EARLY_MS,
            exp=now + LIFE_MS,
            seq=seq,
            to=to,
            play=play,
            n=self._n,
            data=data,
            last=last,
        )


def _places(target: Mapping[str, Any]) -> list[tuple[str, ToRegion | ToDevice, str]]:
    """Return (play, to, topic) for a target of a play order: one region, or each of its chosen loudspeakers."""
    play = str(target["id"])
    if "region" in target:
        code = str(target["region"])
        to = ToRegion(region=code, upto=int(target["upto"]), excluded=tuple(target.get("not", ())))
        return [(play, to, region_command(code))]
    return [(play, ToDevice(device=d), device_topic(d, Kind.COMMAND)) for d in target.get("devices", ())]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
