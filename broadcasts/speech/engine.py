"""What a speech engine is given, and what it must give back."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

SLOWEST, FASTEST = 80, 300
NORMAL_RATE = 150
QUIETEST_DB, LOUDEST_DB = -12.0, 3.0

SegmentKind = Literal["pinyin", "latin", "pause"]


def N_(sentence: str) -> str:  # noqa: N802 - the name Babel's extractor knows
    """Mark a sentence that the page translates. This room itself knows no language but the source."""
    return sentence


class SpeechFailed(Exception):
    """No sound came of it. `str()` is a sentence for staff; `detail` is for the log and never holds the text.

    `msgid` and `values` let a page translate it: `gettext(failure.msgid, **failure.values)`.
    """

    def __init__(
        self,
        msgid: str,
        *,
        retryable: bool = False,
        detail: str = "",
        values: Mapping[str, str | int | float] | None = None,
    ) -> None:
        self.msgid = msgid
        self.values = dict(values or {})
        self.retryable = retryable
        self.detail = detail
        super().__init__(msgid % self.values if self.values else msgid)


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the script.

    pinyin: syllables with tone digits 1-5 and `v` for ü, parted by blanks ("lu4 an1 shi4");
    latin: letters as written, single capitals parted by blanks when they are to be spelled out;
    pause: `,` (short), `.` `!` `?` (end of a sentence). `source` is the stretch of the spoken text it came from.
    """

    kind: SegmentKind
    text: str
    source: str


Script = tuple[Segment, ...]


class Language(StrEnum):
    """What a voice can be asked to speak."""

    MANDARIN = "zh"
    CANTONESE = "yue"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class VoiceSpec:
    """Which voice, and how. Rate is espeak's words a minute (80-300), pitch and pitch_range are 0-100.

    An empty `voice` asks the engine for its own default in that language. `gain_db` is how much louder (at most 3) or
    softer (at most 12) than usual the finished words are. ValueError outside these bounds.
    """

    engine: str = "pyttsx3"
    voice: str = ""
    rate: int = NORMAL_RATE
    pitch: int = 50
    pitch_range: int = 100
    language: Language = Language.MANDARIN
    gain_db: float = 0.0

    def __post_init__(self) -> None:
        if not SLOWEST <= self.rate <= FASTEST:
            raise ValueError(f"rate is from {SLOWEST} to {FASTEST}")
        if not (0 <= self.pitch <= 100 and 0 <= self.pitch_range <= 100):
            raise ValueError("pitch and pitch_range are from 0 to 100")
        if not QUIETEST_DB <= self.gain_db <= LOUDEST_DB:
            raise ValueError(f"gain_db is from {QUIETEST_DB:g} to {LOUDEST_DB:g}")


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice staff can choose; `label` is a msgid. A `human` one sounds like a person, others like a machine."""

    id: str
    label: str
    language: Language = Language.MANDARIN
    human: bool = False


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is. `ready` is False with a `reason` (msgid) when it cannot speak on this machine.

    How long it takes: about `start_s`, and `typical_rtf` seconds for each second of speech. `remedy` is the command
    that makes it ready, if there is one; `pitched` says whether it heeds `VoiceSpec.pitch`. The words leave this
    machine where it `needs_network`.
    """

    name: str
    label: str
    version: str
    voices: tuple[VoiceInfo, ...]
    reproducible: bool
    ready: bool
    reason: str = ""
    typical_rtf: float = 0.02
    start_s: float = 0.2
    remedy: str = ""
    pitched: bool = False
    needs_network: bool = False

    @property
    def at_once(self) -> bool:
        """Whether it may speak emergencies: here, and with no more than a second's wait for a usual alarm."""
        return not self.needs_network and self.seconds_for(20.0) <= 1.0

    def speaks(self, language: Language) -> bool:
        """Return whether one of its voices speaks that language."""
        return any(voice.language is language for voice in self.voices)

    def seconds_for(self, speech_s: float) -> float:
        """Return how long it usually takes for so many seconds of speech."""
        return self.start_s + self.typical_rtf * speech_s


@runtime_checkable
class SpeechEngine(Protocol):
    """Turns a script into sound. Safe to call from several threads."""

    @property
    def name(self) -> str: ...

    def info(self) -> EngineInfo: ...

    def fingerprint(self, voice: VoiceSpec) -> str:
        """Everything about engine and voice that shapes the sound: equal fingerprints may share a recording."""
        ...

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """Write a complete mono 16-bit WAV to `target`, or raise SpeechFailed and leave nothing behind."""
        ...
