"""How an announcement sounds: how it is read, how long it lasts, and its recording."""

from dataclasses import dataclass, replace

from broadcasts.announcements.drafting import MOST_REPEATS, SPEEDS, TEXT_LENGTH, Draft
from broadcasts.announcements.models import Announcement
from broadcasts.announcements.service import Spoken
from broadcasts.loudspeaker.orders import Sound
from broadcasts.speech.library import Rendering, RenderOrder
from broadcasts.speech.reading import Caution, Reading, estimate_seconds
from broadcasts.studio import Studio


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what is spoken. `written` is set where something else stands in the text."""

    spoken: str
    written: str | None = None
    pinyin: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording as a page plays it; `peaks` may be unknown. `stands_in` names the engine if not the usual one."""

    sha256: str
    ms: int
    peaks: tuple[int, ...]
    stands_in: str = ""


@dataclass(frozen=True, slots=True)
class Sounding:
    """How a text will sound. Lengths are exact when there is a recording, estimates otherwise."""

    characters: int
    pass_ms: int
    total_ms: int
    exact: bool
    pieces: tuple[Piece, ...]
    cautions: tuple[Caution, ...]
    recording: Recording | None

    @property
    def changed(self) -> tuple[Piece, ...]:
        """What is read otherwise than it is written, each once, in order."""
        return tuple(dict.fromkeys(p for p in self.pieces if p.written is not None))


def order_for(studio: Studio, draft: Draft) -> RenderOrder:
    """Return the order for a draft; impossible values are brought into range, since only a preview meets them."""
    return studio.announcement(
        draft.text[:TEXT_LENGTH],
        theme=draft.theme,
        speed=draft.speed if draft.speed in SPEEDS else "normal",
        repeats=min(max(1, draft.repeats), MOST_REPEATS),
    )


def sounding(studio: Studio, draft: Draft, known: Rendering | None = None) -> Sounding:
    """Return how a draft will sound, without making any sound; `known` is its recording, if just made."""
    order = order_for(studio, draft)
    if known is None and order.text.strip():
        known = studio.library.find_order(order)
    return _sounding(studio, draft.text, order, known)


def sounding_of(studio: Studio, announcement: Announcement, draft: Draft) -> Sounding:
    """Return how something submitted sounds: its own recording, even if today's voice would sound different."""
    order = order_for(studio, draft)
    known = studio.library.find_order(order) if order.text.strip() else None
    found = _sounding(studio, draft.text, order, known if _is_its_own(announcement, known) else None)
    if not announcement.audio_sha256:
        return found
    pieces = found.pieces if _spoken(found.pieces) == announcement.spoken else (Piece(announcement.spoken),)
    recording = found.recording or _file_only(studio, announcement)
    return replace(found, total_ms=announcement.audio_ms, exact=True, pieces=pieces, recording=recording)


def record(studio: Studio, draft: Draft) -> Rendering:
    """Make the recording, or find it. Takes seconds: never with a database session open. SpeechFailed."""
    return studio.render(order_for(studio, draft))


def as_spoken(rendering: Rendering) -> Spoken:
    """Return a rendering as it is submitted."""
    sound = Sound(sha256=rendering.sha256, ms=rendering.duration_ms, bytes=rendering.bytes)
    return Spoken(sound=sound, engine=rendering.engine, spoken=rendering.spoken)


def is_there(studio: Studio, announcement: Announcement) -> bool:
    """Return whether loudspeakers could fetch its recording; true for what has none by intent."""
    return not announcement.audio_sha256 or studio.library.path_of(announcement.audio_sha256) is not None


def pieces_of(reading: Reading) -> tuple[Piece, ...]:
    """Return what is spoken with every change marked."""
    pieces: list[Piece] = []
    at = 0
    for change in reading.changes:
        if change.start > at:
            pieces.append(Piece(reading.text[at : change.start]))
        pieces.append(Piece(change.spoken, change.written, change.pinyin))
        at = change.end
    if at < len(reading.text):
        pieces.append(Piece(reading.text[at:]))
    return tuple(pieces)


def _sounding(studio: Studio, text: str, order: RenderOrder, known: Rendering | None) -> Sounding:
    reading = studio.read(order.text)
    speaks = bool(reading.spoken.strip())
    pass_ms = round(1000 * estimate_seconds(reading, order.voice, order.lexicon)) if speaks else 0
    total_ms = studio.estimate_ms(order) if speaks else 0
    return Sounding(
        characters=len(text),
        pass_ms=known.speech_ms if known else pass_ms,
        total_ms=known.duration_ms if known else total_ms,
        exact=known is not None,
        pieces=pieces_of(reading),
        cautions=reading.warnings,
        recording=as_recording(known, order) if known else None,
    )


def as_recording(rendering: Rendering, order: RenderOrder) -> Recording:
    """Return a rendering as a page plays it."""
    stands_in = rendering.engine if rendering.engine != order.voice.engine else ""
    return Recording(rendering.sha256, rendering.duration_ms, rendering.peaks, stands_in)


def _is_its_own(announcement: Announcement, known: Rendering | None) -> bool:
    return known is not None and known.sha256 == announcement.audio_sha256


def _file_only(studio: Studio, announcement: Announcement) -> Recording | None:
    if studio.library.path_of(announcement.audio_sha256) is None:
        return None
    return Recording(announcement.audio_sha256, announcement.audio_ms, ())


def _spoken(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.spoken for piece in pieces)
