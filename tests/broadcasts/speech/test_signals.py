"""Attention tones are told apart, grow in urgency, and are like no public siren."""

from itertools import pairwise

import numpy as np
import pytest

from broadcasts.speech.signals import LABELS, SCORES, Signal, tone

RATE = 24_000
COLOURS = (Signal.BLUE, Signal.YELLOW, Signal.ORANGE, Signal.RED)


def notes_a_second(signal: Signal) -> float:
    return len(SCORES[signal]) / (len(tone(signal, RATE)) / RATE)


@pytest.mark.parametrize("signal", Signal)
def test_every_signal_sounds_and_is_short(signal: Signal) -> None:
    sound = tone(signal, RATE)
    assert 0.5 < len(sound) / RATE < 6
    assert np.abs(sound).max() == pytest.approx(0.9)
    assert signal in LABELS


def test_no_two_signals_are_alike() -> None:
    assert len({tone(signal, RATE).tobytes() for signal in Signal}) == len(Signal)


def test_the_more_urgent_colour_is_quicker_and_longer_and_not_lower() -> None:
    for calmer, graver in pairwise(COLOURS):
        assert notes_a_second(calmer) < notes_a_second(graver)
        assert len(tone(calmer, RATE)) < len(tone(graver, RATE))
        assert max(n.pitch for n in SCORES[calmer]) <= max(n.pitch for n in SCORES[graver])
        assert SCORES[calmer][0].brightness < SCORES[graver][0].brightness


@pytest.mark.parametrize("signal", Signal)
def test_no_note_sweeps_or_wails_like_a_siren(signal: Signal) -> None:
    """A note keeps its pitch: both halves of it have their strongest tone at the same place."""
    for note in SCORES[signal]:
        assert note.length < 1.0
    first = SCORES[signal][0]
    until = min([n.start for n in SCORES[signal][1:]] + [first.length])
    sounding = tone(signal, RATE)[: int(until * RATE)]
    halves = np.array_split(sounding, 2)
    strongest = [np.argmax(np.abs(np.fft.rfft(half, RATE))) for half in halves]
    assert strongest[0] == pytest.approx(first.pitch, abs=12)
    assert strongest[1] == pytest.approx(first.pitch, abs=12)


@pytest.mark.parametrize("signal", Signal)
def test_no_signal_climbs_a_chord_like_an_earthquake_chime(signal: Signal) -> None:
    score = SCORES[signal]
    for one, two, three in zip(score, score[1:], score[2:], strict=False):
        assert not one.pitch < two.pitch < three.pitch


@pytest.mark.parametrize("signal", Signal)
def test_no_signal_sounds_on_without_a_rest_like_a_siren(signal: Signal) -> None:
    """In every second the sound falls, at least for a moment, to a third of its height or less."""
    sound = np.abs(tone(signal, RATE))
    step = RATE // 100
    heights = sound[: len(sound) // step * step].reshape(-1, step).max(axis=1)
    for at in range(0, max(1, len(heights) - 100), 10):
        second = heights[at : at + 100]
        assert second.min() < second.max() / 3


def test_a_drill_and_a_test_sound_like_no_emergency() -> None:
    """Bells at the pace of a doorbell, no call of short-short-long, and less bright than the calmest emergency."""
    for signal in (Signal.DRILL, Signal.TEST, Signal.END):
        assert notes_a_second(signal) < notes_a_second(Signal.BLUE) / 1.5
        assert len({note.start for note in SCORES[signal]}) == len(SCORES[signal])
        assert all(two.start - one.start >= 0.5 for one, two in pairwise(SCORES[signal]))
    rhythms = {signal: tuple(round(n.start - SCORES[signal][0].start, 2) for n in SCORES[signal]) for signal in Signal}
    assert len({(rhythms[s], tuple(n.pitch for n in SCORES[s])) for s in Signal}) == len(Signal)


@pytest.mark.parametrize("signal", COLOURS)
def test_urgent_signals_are_never_two_tones_at_once(signal: Signal) -> None:
    """EAS is 853 and 960 Hz together: here each note ends before the next begins, and none is near that pair."""
    for now, following in pairwise(SCORES[signal]):
        assert now.start + now.length <= following.start + 1e-9
    assert not {n.pitch for n in SCORES[signal]} & {853.0, 960.0}


def test_the_shared_samples_cannot_be_spoiled() -> None:
    with pytest.raises(ValueError, match="read-only"):
        tone(Signal.ROUTINE, RATE)[0] = 1.0
