"""Which tone stands before what, and which bell behind it."""

from pathlib import Path

import pytest

from broadcasts.kinds import Colour, Theme
from broadcasts.settings import SpeechSettings
from broadcasts.speech.library import Library
from broadcasts.speech.signals import Signal
from broadcasts.speech.tone_engine import ToneEngine
from broadcasts.studio import ALARM_OF, SIGNAL_OF, Studio


def a_studio(folder: Path, *, closing_tone: bool = True) -> Studio:
    settings = SpeechSettings(engines=("tone",), closing_tone=closing_tone)
    return Studio(Library(folder, {"tone": ToneEngine()}), settings)


@pytest.mark.parametrize("closing_tone", [True, False])
def test_an_announcement_ends_with_a_bell_unless_the_county_wants_none(tmp_path: Path, closing_tone: bool) -> None:
    studio = a_studio(tmp_path, closing_tone=closing_tone)
    order = studio.announcement("今天停水。", theme=Theme.NOTICE, speed="normal", repeats=2)
    assert (order.signal, order.end_signal) == (Signal.ROUTINE, Signal.END if closing_tone else None)
    assert studio.estimate_ms(order) == pytest.approx(studio.render(order).duration_ms, abs=100)


def test_an_emergency_has_the_tone_of_its_colour_and_no_closing_bell(tmp_path: Path) -> None:
    for colour in Colour:
        order = a_studio(tmp_path).alarm("山洪来了！", colour=colour, repeats=3)
        assert (order.signal, order.end_signal) == (ALARM_OF[colour], None)
    assert len(set(ALARM_OF.values())) == len(Colour)


def test_nothing_routine_has_the_tone_of_an_emergency() -> None:
    assert set(SIGNAL_OF) == set(Theme)
    assert not set(SIGNAL_OF.values()) & {*ALARM_OF.values(), Signal.DRILL, Signal.TEST}
    assert not set(ALARM_OF.values()) & {Signal.DRILL, Signal.TEST}
