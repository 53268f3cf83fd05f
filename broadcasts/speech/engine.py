"""What a speech engine is given, what it must give back, and how an installed one is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

SLOWEST, FASTEST = 80, 300
ENTRY_POINTS = "cunxiang.speech_engines"

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


class UnknownEngine(SpeechFailed):
    """The configuration names a speech engine that is not installed."""


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


@dataclass(frozen=True, slots=True)
class VoiceSpec:
    """Which voice, and how. Rate is espeak's words a minute (80-300), pitch and pitch_range are 0-100.

    An empty `voice` asks the engine for its own default. ValueError outside these bounds.
    """

    engine: str = "pyttsx3"
    voice: str = ""
    rate: int = 150
    pitch: int = 50
    pitch_range: int = 100

    def __post_init__(self) -> None:
        if not SLOWEST <= self.rate <= FASTEST:
            raise ValueError(f"rate is from {SLOWEST} to {FASTEST}")
        if not (0 <= self.pitch <= 100 and 0 <= self.pitch_range <= 100):
            raise ValueError("pitch and pitch_range are from 0 to 100")


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice staff can choose; `label` is a msgid."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is. `ready` is False with a `reason` (msgid) when it cannot speak on this machine."""

    name: str
    label: str
    version: str
    voices: tuple[VoiceInfo, ...]
    reproducible: bool
    ready: bool
    reason: str = ""


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


def installed_engines() -> tuple[str, ...]:
    return tuple(sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)}))


def load_engine(name: str) -> SpeechEngine:
    """The installed engine of that name, made without arguments; UnknownEngine lists what there is."""
    found = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not found:
        listed = "、".join(installed_engines()) or "—"
        raise UnknownEngine(
            N_("没有叫“%(name)s”的语音引擎。已安装的有：%(installed)s"),
            values={"name": name, "installed": listed},
        )
    made = found[0].load()()
    if not isinstance(made, SpeechEngine):
        raise UnknownEngine(N_("“%(name)s”不是可用的语音引擎"), values={"name": name})
    return made
