"""What the rules of a loudspeaker ask its body to do."""

from dataclasses import dataclass

from hub.speakers.protocol import Audio, Play, Priority, Receipt


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this receipt."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get the audio; answer with `fetched` or `fetch_failed`."""

    audio: Audio
    pri: Priority


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound the fetched audio from its beginning at this volume; answer with `sound_ended`."""

    command: Play
    volume: int


@dataclass(frozen=True, slots=True)
class Silence:
    """Stop the sound of this command now."""

    command_id: str


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Set the device's volume: after every sound, at every start, and when told to."""

    volume: int


@dataclass(frozen=True, slots=True)
class SendBeat:
    """Publish a heartbeat (`SpeakerCore.beat`)."""


@dataclass(frozen=True, slots=True)
class Resubscribe:
    """The regions changed: subscribe to the new ones, drop the others."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


Action = Send | Fetch | Sound | Silence | SetLevel | SendBeat | Resubscribe
