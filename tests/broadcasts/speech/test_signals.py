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


@pytest.mark.parametrize("signal", COLOURS)
def test_urgent_signals_are_never_two_tones_at_once(signal: Signal) -> None:
    """EAS is 853 and 960 Hz together: here each note ends before the next begins, and none is near that pair."""
    for now, following in pairwise(SCORES[signal]):
        assert now.start + now.length <= following.start + 1e-9
    assert not {n.pitch for n in SCORES[signal]} & {853.0, 960.0}


def test_the_shared_samples_cannot_be_spoiled() -> None:
    with pytest.raises(ValueError, match="read-only"):
        tone(Signal.ROUTINE, RATE)[0] = 1.0
