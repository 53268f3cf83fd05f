"""One loudspeaker around its rules: persists, publishes, fetches and sounds what they ask for."""

from pathlib import Path
from typing import Protocol

from hub.speakers.device.actions import Action, Fetch, Resubscribe, Send, SendBeat, SetLevel, Silence, Sound
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.player import Playback, Sink
from hub.speakers.device.store import Store
from hub.speakers.protocol import Audio, Presence
from hub.speakers.topics import DOWN, Kind, device_topic, region_command


class Wire(Protocol):
    """The device's line to the broker."""

    def publish(self, topic: str, payload: bytes, qos: int) -> None: ...

    def subscribe(self, topics: list[str]) -> None: ...

    def unsubscribe(self, topics: list[str]) -> None: ...


class Recordings(Protocol):
    """The device's audio: `want` answers later, by an event to the core."""

    def want(self, audio: Audio) -> None: ...

    def find(self, audio: Audio) -> Path | None: ...

    def free(self) -> int: ...


class Body:
    """Carries out a core's actions. Nothing is done before the memory is safe."""

    def __init__(self, core: SpeakerCore, store: Store, sink: Sink, wire: Wire, recordings: Recordings) -> None:
        self.core = core
        self._store = store
        self._sink = sink
        self._wire = wire
        self._recordings = recordings
        self._sounding: tuple[str, Playback] | None = None

    @property
    def is_sounding(self) -> bool:
        """Whether `listen` has something to watch."""
        return self._sounding is not None

    @property
    def sounding(self) -> str | None:
        """The command that sounds."""
        return None if self._sounding is None else self._sounding[0]

    def topics(self) -> list[str]:
        """All the device listens to."""
        own = [device_topic(self.core.device, kind) for kind in DOWN]
        return own + [region_command(code) for code in self.core.settings.regions]

    def presence(self, *, up: bool, now: int | None = None) -> tuple[str, bytes]:
        """Topic and payload of the retained presence; without a time it is the last will."""
        said = Presence(dev=self.core.device, up=up, ts=now)
        return device_topic(self.core.device, Kind.PRESENCE), said.to_bytes()

    def listen(self, now: int) -> list[Action]:
        """Ask whether the sound has ended, and what follows from it."""
        if self._sounding is None:
            return []
        command_id, playback = self._sounding
        ended = playback.ended()
        if ended is None:
            return []
        self._sounding = None
        return self.core.sound_ended(command_id, ended.played_ms, ended.error, now)

    def save(self) -> None:
        """Make the memory safe if it changed."""
        if self.core.dirty:
            self._store.save(self.core.memory)
            self.core.dirty = False

    def act(self, actions: list[Action], now: int) -> None:
        """Persist, then do."""
        self.save()
        self.carry_out(actions, now)

    def carry_out(self, actions: list[Action], now: int) -> None:
        """Do what was decided, in its order; the memory must be safe already."""
        for action in actions:
            self._do(action, now)

    def hush(self) -> None:
        """Silence whatever sounds, as when the power goes."""
        if self._sounding is not None:
            self._sounding[1].stop()
            self._sounding = None

    def _do(self, action: Action, now: int) -> None:
        match action:
            case Send(receipt):
                self._wire.publish(device_topic(self.core.device, Kind.RECEIPT), receipt.to_bytes(), 1)
            case SendBeat():
                beat = self.core.beat(now, self._recordings.free())
                self._wire.publish(device_topic(self.core.device, Kind.BEAT), beat.to_bytes(), 0)
            case Fetch(audio):
                self._recordings.want(audio)
            case Sound(command, volume):
                playback = self._sink.play(
                    command.id, self._recordings.find(command.audio), command.audio.duration_ms, volume
                )
                self._sounding = (command.id, playback)
            case Silence():
                self.hush()
            case SetLevel(volume):
                self._sink.set_level(volume)
            case Resubscribe(gone, new):
                self._wire.unsubscribe([region_command(code) for code in gone])
                self._wire.subscribe([region_command(code) for code in new])
