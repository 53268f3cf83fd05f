"""Attention tones: what a villager hears before the words, told apart by rhythm and pitch.

None sweeps, none holds a note for a second, no call sounds two notes at once, none climbs a chord: they cannot be
taken for the air-raid siren (long tones, rising and falling), for earthquake chimes (a chord that climbs) or for
foreign alert tones (EAS, J-ALERT). Urgency comes from tempo, number and brightness. A drill and a test of loudspeakers
have tones of their own, which nobody runs from. All of it lies above 500 Hz, which horns can play.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from broadcasts.speech.engine import N_

Samples = npt.NDArray[np.float32]

VERSION = 2
C5, E5, G5, A5, C6, D6, E6 = 523.25, 659.26, 783.99, 880.0, 1046.5, 1174.66, 1318.51


class Signal(StrEnum):
    """What a tone announces; BLUE to RED are the colours of an emergency. DRILL stands before and after a drill."""

    ROUTINE = "routine"
    SAFETY = "safety"
    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"
    CORRECTION = "correction"
    END = "end"
    DRILL = "drill"
    TEST = "test"


LABELS = {
    Signal.ROUTINE: N_("叮咚"),
    Signal.SAFETY: N_("三声提示"),
    Signal.BLUE: N_("应急提示音（蓝）"),
    Signal.YELLOW: N_("应急提示音（黄）"),
    Signal.ORANGE: N_("应急提示音（橙）"),
    Signal.RED: N_("应急提示音（红）"),
    Signal.CORRECTION: N_("更正、解除提示音"),
    Signal.END: N_("结束音"),
    Signal.DRILL: N_("演练提示音"),
    Signal.TEST: N_("试音提示音"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """One note: when it starts, how long it may ring (s), how fast it dies away (1/s), how bright it is (0-1)."""

    pitch: float
    start: float
    length: float
    decay: float
    brightness: float


def _bells(*notes: tuple[float, float], length: float = 0.95, decay: float = 4.0) -> tuple[Note, ...]:
    return tuple(Note(pitch, start, length, decay, 0.35) for pitch, start in notes)


def _calls(times: int, beat: float, pitches: tuple[float, float], brightness: float) -> tuple[Note, ...]:
    """short-short-long, `times` over: two beats low, then one high and held."""
    notes: list[Note] = []
    for call in range(times):
        at = call * beat * 6
        for offset, pitch, held in ((0.0, pitches[0], 0.7), (1.0, pitches[0], 0.7), (2.0, pitches[1], 2.2)):
            notes.append(Note(pitch, at + offset * beat, held * beat, 1.2, brightness))
    return tuple(notes)


SCORES: dict[Signal, tuple[Note, ...]] = {
    Signal.ROUTINE: _bells((E5, 0.0), (C5, 0.6)),
    Signal.SAFETY: _bells((A5, 0.0), (A5, 0.45), (E5, 0.9), decay=5.0),
    Signal.BLUE: _calls(2, 0.24, (G5, C6), 0.3),
    Signal.YELLOW: _calls(3, 0.20, (G5, C6), 0.45),
    Signal.ORANGE: _calls(4, 0.17, (A5, D6), 0.6),
    Signal.RED: _calls(6, 0.14, (C6, E6), 0.8),
    Signal.CORRECTION: _bells((G5, 0.0), (E5, 0.5), (C5, 1.0), decay=3.2),
    Signal.END: _bells((C5, 0.0), decay=4.5),
    Signal.DRILL: _bells((G5, 0.0), (E5, 0.55), (G5, 1.1), (E5, 1.65)),
    Signal.TEST: _bells((C6, 0.0), decay=6.0),
}


@lru_cache(maxsize=len(Signal))
def tone(signal: Signal, rate: int) -> Samples:
    """The tone at `rate` samples a second, its peak at 0.9; the same on every machine and read-only."""
    score = SCORES[signal]
    length = max(note.start + note.length for note in score)
    sound = np.zeros(int(length * rate) + 1, np.float64)
    for note in score:
        at = int(note.start * rate)
        played = _play(note, rate)
        sound[at : at + len(played)] += played[: len(sound) - at]
    made: Samples = (0.9 * sound / np.abs(sound).max()).astype(np.float32)
    made.flags.writeable = False
    return made


def _play(note: Note, rate: int) -> npt.NDArray[np.float64]:
    """A fundamental with overtones, 6 ms of attack, 15 ms of release."""
    t = np.arange(int(note.length * rate)) / rate
    overtones = ((1, 1.0), (2, 0.6 * note.brightness), (3, 0.5 * note.brightness), (4, 0.25 * note.brightness))
    sound = sum(
        (strength * np.sin(2 * np.pi * note.pitch * k * t) for k, strength in overtones),
        np.zeros_like(t),
    )
    envelope = np.exp(-t * note.decay) * np.minimum(1.0, t / 0.006)
    release = np.minimum(1.0, (note.length - t) / 0.015)
    return np.asarray(sound * envelope * release, np.float64)
