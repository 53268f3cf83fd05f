"""How an announcement sounds: how it is read, how long it lasts, and its recording."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from broadcasts.announcements.drafting import MOST_REPEATS, SPEEDS, TEXT_LENGTH, Chosen, Draft
from broadcasts.announcements.filling import Spoken
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.wording import findings_of
from broadcasts.lexicon.entries import marked
from broadcasts.loudspeaker.orders import Sound
from broadcasts.speech.audio import around_s
from broadcasts.speech.findings import Finding
from broadcasts.speech.library import Rendering, RenderOrder
from broadcasts.speech.pronunciation import Lexicon
from broadcasts.speech.reading import Caution, Reading
from broadcasts.studio import Studio
from broadcasts.uploads.arranging import arrange, made_before, outline

RECORDED = "recording"
"""Stands for the engine where a recording of the library is played."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what is spoken. `written` is set where something else stands in the text."""

    spoken: str
    written: str | None = None
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as a page plays it; `peaks` may be unknown. `stands_in` names the engine if not the usual one.

    The usual one was `late`, it would have taken longer than people wait; or it failed.
    """

    sha256: str
    ms: int
    peaks: tuple[int, ...]
    stands_in: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Sounding:
    """How a text will sound. Lengths are exact when there is a recording, estimates otherwise."""

    characters: int
    pass_ms: int
    total_ms: int
    exact: bool
    pieces: tuple[Piece, ...]
    cautions: tuple[Caution, ...]
    findings: tuple[Finding, ...]
    recording: Recording | None

    @property
    def given(self) -> bool:
        """Return whether some word is read as the lexicon has it."""
        return any(p.written is None and p.pinyin for p in self.pieces)

    @property
    def changed(self) -> tuple[Piece, ...]:
        """What is read otherwise than it is written, each once, in order."""
        return tuple(dict.fromkeys(p for p in self.pieces if p.written is not None))


def order_for(studio: Studio, draft: Draft) -> RenderOrder:
    """Return the order for a draft; impossible values are brought into range, since only a preview meets them."""
    return studio.announcement(
        draft.text[:TEXT_LENGTH],
        theme=draft.theme,
        language=draft.language,
        speed=draft.speed if draft.speed in SPEEDS else "normal",
        repeats=min(max(1, draft.repeats), MOST_REPEATS),
    )


def sounding(studio: Studio, draft: Draft, known: Rendering | None = None) -> Sounding:
    """Return how a draft will sound, without making any sound; `known` is its recording, if just made."""
    order = order_for(studio, draft)
    if draft.recording is not None:
        return _played(studio, draft, draft.recording, order)
    if known is None and order.text.strip():
        known = studio.library.find_order(order)
    return _sounding(studio, draft, order, known)


def sounding_of(studio: Studio, announcement: Announcement, draft: Draft) -> Sounding:
    """Return how something submitted sounds: its own recording, even if today's voice would sound different."""
    order = order_for(studio, draft)
    if draft.recording is not None:
        played = _played(studio, draft, draft.recording, order)
        return replace(played, recording=_file_only(studio, announcement) or played.recording)
    known = studio.library.find_order(order) if order.text.strip() else None
    found = _sounding(studio, draft, order, known if _is_its_own(announcement, known) else None)
    if not announcement.audio_sha256:
        return found
    pieces = found.pieces if _spoken(found.pieces) == announcement.spoken else (Piece(announcement.spoken),)
    recording = found.recording or _file_only(studio, announcement)
    return replace(found, total_ms=announcement.audio_ms, exact=True, pieces=pieces, recording=recording)


def record(studio: Studio, draft: Draft, *, hurried: bool = False) -> Rendering:
    """Make the recording, or find it. Takes seconds: never with a database session open. SpeechFailed."""
    order = order_for(studio, draft)
    if draft.recording is None:
        return studio.render(studio.hurried(order) if hurried else order)
    made = arrange(studio.library, draft.recording.sha256, order.plan)
    return Rendering(
        key="",
        sha256=made.sha256,
        bytes=made.bytes,
        duration_ms=made.ms,
        speech_ms=draft.recording.ms,
        peaks=outline(draft.recording.peaks, draft.recording.ms, order.plan),
        engine=RECORDED,
        voice="",
        spoken="",
    )


def as_spoken(rendering: Rendering) -> Spoken:
    """Return a rendering as it is submitted."""
    sound = Sound(sha256=rendering.sha256, ms=rendering.duration_ms, bytes=rendering.bytes)
    return Spoken(sound=sound, engine=rendering.engine, spoken=rendering.spoken)


def is_there(studio: Studio, announcement: Announcement) -> bool:
    """Return whether loudspeakers could fetch its recording; true for what has none by intent."""
    return not announcement.audio_sha256 or studio.library.path_of(announcement.audio_sha256) is not None


def pieces_of(reading: Reading, lexicon: Lexicon) -> tuple[Piece, ...]:
    """Return what is spoken with every change marked, and every reading that was given rather than guessed."""
    pieces: list[Piece] = []
    at = 0
    for change in reading.changes:
        pieces += _as_written(reading.text[at : change.start], lexicon)
        pieces.append(Piece(change.spoken, change.written, marked(change.pinyin)))
        at = change.end
    pieces += _as_written(reading.text[at:], lexicon)
    return tuple(pieces)


def _as_written(text: str, lexicon: Lexicon) -> Iterator[Piece]:
    at = 0
    for start, end, pinyin in lexicon.hits(text):
        if start > at:
            yield Piece(text[at:start])
        yield Piece(text[start:end], pinyin=marked(pinyin))
        at = end
    if at < len(text):
        yield Piece(text[at:])


def _sounding(studio: Studio, draft: Draft, order: RenderOrder, known: Rendering | None) -> Sounding:
    reading = studio.reading(order)
    speaks = bool(reading.spoken.strip())
    pass_ms = studio.pass_ms(order) if speaks else 0
    total_ms = studio.estimate_ms(order) if speaks else 0
    return Sounding(
        characters=len(draft.text),
        pass_ms=known.speech_ms if known else pass_ms,
        total_ms=known.duration_ms if known else total_ms,
        exact=known is not None,
        pieces=pieces_of(reading, order.lexicon),
        cautions=reading.warnings,
        findings=findings_of(studio, draft) if order.text else (),
        recording=as_recording(known, order) if known else None,
    )


def _played(studio: Studio, draft: Draft, recording: Chosen, order: RenderOrder) -> Sounding:
    """Return how a recording of the library will sound: nothing is read aloud, and its length is known."""
    plan = order.plan
    made = made_before(studio.library, recording.sha256, plan)
    peaks = outline(recording.peaks, recording.ms, plan)
    return replace(
        _sounding(studio, draft, replace(order, text=""), None),
        pass_ms=recording.ms,
        total_ms=made.ms if made else round(1000 * around_s(plan)) + plan.repeats * recording.ms,
        exact=True,
        pieces=(),
        cautions=(),
        findings=(),
        recording=Recording(made.sha256, made.ms, peaks) if made else None,
    )


def as_recording(rendering: Rendering, order: RenderOrder) -> Recording:
    """Return a rendering as a page plays it."""
    stands_in = rendering.engine if rendering.engine not in (order.voice.engine, RECORDED) else ""
    return Recording(rendering.sha256, rendering.duration_ms, rendering.peaks, stands_in, rendering.late)


def _is_its_own(announcement: Announcement, known: Rendering | None) -> bool:
    return known is not None and known.sha256 == announcement.audio_sha256


def _file_only(studio: Studio, announcement: Announcement) -> Recording | None:
    if studio.library.path_of(announcement.audio_sha256) is None:
        return None
    return Recording(announcement.audio_sha256, announcement.audio_ms, ())


def _spoken(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.spoken for piece in pieces)
