"""Right of way ends by itself, and nobody who has work in hand waits long for it; nor for rubbish to be looked for."""

import gc
import time

from hub.core.memory import AFTER_S, settling
from hub.core.way import SHORT_S, RightOfWay


def test_it_is_asked_for_given_and_over() -> None:
    way = RightOfWay()
    begin = time.monotonic()
    way.give()
    assert (way.asked, time.monotonic() - begin < 5) == (0, True)
    way.ask(0.2)
    way.ask(0.05)  # asking for less does not cut it short
    way.give()
    assert time.monotonic() - begin >= 0.2
    assert way.asked == 0


def test_work_in_hand_goes_on_after_half_a_second_whatever_is_asked_for() -> None:
    way, begin = RightOfWay(), time.monotonic()
    way.ask(3600)
    way.give()
    assert SHORT_S <= time.monotonic() - begin < 100
    assert way.asked > 100


def test_what_a_hub_keeps_is_not_looked_through_again() -> None:
    step, before = settling(), gc.get_freeze_count()
    try:
        assert step() == AFTER_S[0]
        assert gc.get_freeze_count() == before, "it is only just starting"
        assert step() == AFTER_S[1]
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()
