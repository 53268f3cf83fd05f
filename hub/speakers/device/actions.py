"""What the rules of a loudspeaker ask its body to do."""

from dataclasses import dataclass
from typing import Final

from hub.speakers.protocol import Audio, FaultReport, Play, Priority, Receipt, Used

ATTENTION_MS: Final = 1_000
"""How long the tone of attention is that comes before a live voice."""


@dataclass(frozen=True, slots=True)
class Send:
    """Publish this receipt, and keep it in the journal if it has a command's id."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get the audio, at a moment of its own within `within_ms`; answer with `fetched` or `fetch_failed`."""

    audio: Audio
    pri: Priority
    within_ms: int = 0


@dataclass(frozen=True, slots=True)
class Keep:
    """These recordings are the emergency pack: never throw them away, let go of former ones.

    Fetch what is missing, each at a moment of its own within `within_s`.
    """

    pack: tuple[Audio, ...]
    within_s: int


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound the command from its beginning at this volume; answer with `sound_ended`.

    `used` says what: the ordered audio, stream or shout, or what stands in for it. `audio` is the recording to sound,
    where there is one. `lead_in_ms` of silence come first: the amplifier is on, and no first word is lost. Before a
    shout comes the tone of attention, once; like the lead-in it does not count as heard.
    """

    command: Play
    volume: int
    used: Used = Used.AUDIO
    audio: Audio | None = None
    lead_in_ms: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """A piece of the shout that sounds or is about to: Opus packets, each after two bytes of length."""

    command_id: str
    n: int
    data: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """Stop the sound of this command now."""

    command_id: str


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Set the device's volume: after every sound, at every start, and when told to."""

    volume: int


@dataclass(frozen=True, slots=True)
class Examine:
    """Look at storage, clock, amplifier and pack; with `sound` sound three seconds of tone at `volume`.

    Answer with `examined`.
    """

    command_id: str
    sound: bool
    volume: int


@dataclass(frozen=True, slots=True)
class Resend:
    """Publish the receipts of the journal after this number again, oldest first."""

    after: int


@dataclass(frozen=True, slots=True)
class SendFault:
    """Publish a fault that came or went."""

    report: FaultReport


@dataclass(frozen=True, slots=True)
class StartAnew:
    """Restart the device: the memory is safe."""


@dataclass(frozen=True, slots=True)
class SendBeat:
    """Publish a heartbeat (`SpeakerCore.beat`)."""


@dataclass(frozen=True, slots=True)
class Resubscribe:
    """The regions changed: subscribe to the new ones, drop the others."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


Action = (
    Send
    | Fetch
    | Keep
    | Sound
    | Feed
    | Silence
    | SetLevel
    | Examine
    | Resend
    | SendFault
    | StartAnew
    | SendBeat
    | Resubscribe
)
