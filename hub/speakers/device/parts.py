"""What a loudspeaker's body is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hub.speakers.device.health import Senses
from hub.speakers.device.journal import Journal
from hub.speakers.device.player import Sink
from hub.speakers.device.store import Store
from hub.speakers.device.streaming import Opener
from hub.speakers.protocol import Audio


class Wire(Protocol):
    """The device's line to the broker."""

    def publish(self, topic: str, payload: bytes, qos: int) -> None: ...

    def subscribe(self, topics: list[str]) -> None: ...

    def unsubscribe(self, topics: list[str]) -> None: ...


class Recordings(Protocol):
    """The device's audio: `want` and `keep` answer later, by an event to the core."""

    def want(self, audio: Audio, pri: int, within_ms: int) -> None: ...

    def keep(self, pack: tuple[Audio, ...], within_s: float) -> None: ...

    def find(self, audio: Audio) -> Path | None: ...

    def free(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a body is made of. `later` does slow work, away from the rules; `voice` is the program that speaks."""

    store: Store
    journal: Journal
    sink: Sink
    wire: Wire
    recordings: Recordings
    senses: Senses
    folder: Path
    later: Callable[[Callable[[], None]], None]
    voice: str | None = None
    open_stream: Opener | None = None
