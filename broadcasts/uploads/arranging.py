"""Recordings that were made ready, with tones and pauses around them: put together from what is encoded already."""

from dataclasses import dataclass

from broadcasts.speech import audio, mp3
from broadcasts.speech.audio import Plan
from broadcasts.speech.library import PEAKS, Library
from hub.core.errors import WrongState


@dataclass(frozen=True, slots=True)
class Arranged:
    """What loudspeakers fetch: a file of the library, its length and size."""

    sha256: str
    ms: int
    bytes: int


_MADE: dict[tuple[str, Plan], Arranged] = {}
REMEMBERED = 200


def made_before(library: Library, master_sha256: str, plan: Plan) -> Arranged | None:
    """Return what `arrange` made lately, if it is still there."""
    found = _MADE.get((master_sha256, plan))
    return found if found and library.path_of(found.sha256) else None


def arrange(library: Library, master_sha256: str, plan: Plan) -> Arranged:
    """Keep the arranged recording in the library. Nothing is decoded. WrongState when the recording is gone."""
    path = library.path_of(master_sha256)
    if path is None:
        raise WrongState("recording_gone")
    try:
        made = audio.arrange(mp3.taken_apart(path.read_bytes()), plan)
    except ValueError:
        raise WrongState("recording_gone") from None
    ms = round(made.samples * 1000 / audio.RATE)
    found = Arranged(library.take_in(made.encoded), ms, len(made.encoded))
    _MADE[master_sha256, plan] = found
    for key in list(_MADE)[:-REMEMBERED]:
        _MADE.pop(key, None)
    return found


def outline(peaks: tuple[int, ...], ms: int, plan: Plan) -> tuple[int, ...]:
    """Return the outline of an arranged recording for drawing, from that of the recording in it."""
    total = audio.around_s(plan) * 1000 + plan.repeats * ms
    found = [0] * PEAKS
    if not peaks or not total:
        return tuple(found)
    begins = total - plan.repeats * ms - plan.tail_s * 1000 - (plan.repeats - 1) * plan.gap_s * 1000
    for n in range(PEAKS):
        within, place = divmod(n * total / PEAKS - begins, ms + plan.gap_s * 1000)
        if 0 <= within < plan.repeats and place < ms:
            found[n] = peaks[int(place * len(peaks) / ms)]
    return tuple(found)
