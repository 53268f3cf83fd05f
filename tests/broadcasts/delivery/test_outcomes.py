"""What people are told about a broadcast follows from what loudspeakers reported, and from nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from broadcasts.delivery.models import BroadcastState
from broadcasts.delivery.outcomes import OPEN, Course, Numbers, Outcome, Phase, outcome
from broadcasts.delivery.village_map import HEIGHT, WIDTH, shapes
from broadcasts.delivery.visibility import touches
from broadcasts.loudspeaker.states import FINAL, PlayState

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize("state", PlayState)
@pytest.mark.parametrize("heard", [True, False])
def test_what_is_final_on_a_loudspeaker_is_not_open_on_the_page(state: PlayState, heard: bool) -> None:
    assert (outcome(state, heard) in OPEN) == (state not in FINAL)


def test_a_failure_after_the_first_sound_is_not_silence() -> None:
    assert outcome(PlayState.FAILED, heard=True) is Outcome.PARTLY
    assert outcome(PlayState.STOPPED, heard=False) is Outcome.SILENT


def test_the_numbers_always_add_up() -> None:
    n = Numbers.of((kind, 2**i) for i, kind in enumerate(Outcome))
    assert n.meant == n.sounding + n.played + n.partly + n.unheard == 2 ** len(Outcome) - 1
    assert n.heard == n.sounding + n.played + n.partly


def course(state: BroadcastState = BroadcastState.GOING, *, texts_open: bool = False) -> Course:
    return Course(state, START, 90_000, texts_open)


def numbers(**counts: int) -> Numbers:
    return Numbers({Outcome(kind): n for kind, n in counts.items()})


@pytest.mark.parametrize(
    ("at_s", "counts", "phase"),
    [
        (-5, {"ready": 3}, Phase.COMING),
        (1, {"waiting": 3}, Phase.SOUNDING),
        (60, {"sounding": 2, "waiting": 1}, Phase.SOUNDING),
        (120, {"played": 2, "sounding": 1}, Phase.SOUNDING),
        (120, {"played": 2, "waiting": 1}, Phase.TRAILING),
        (120, {"played": 2, "silent": 1}, Phase.DONE),
    ],
)
def test_the_phase_says_what_can_still_be_heard(at_s: int, counts: dict[str, int], phase: Phase) -> None:
    assert course().phase(numbers(**counts), START + timedelta(seconds=at_s)) is phase


def test_text_messages_keep_a_broadcast_going_in_words_after_its_sound_is_over() -> None:
    later = START + timedelta(hours=1)
    assert course(BroadcastState.DONE, texts_open=True).phase(numbers(played=1), later) is Phase.TEXTING
    assert course(BroadcastState.STOPPED, texts_open=True).phase(numbers(played=1), later) is Phase.STOPPED


def test_elapsed_time_stays_within_the_recording() -> None:
    assert course().elapsed_ms(START - timedelta(seconds=9)) == 0
    assert course().elapsed_ms(START + timedelta(seconds=9)) == 9_000
    assert course().elapsed_ms(START + timedelta(days=1)) == 90_000


def test_who_lives_in_it_or_around_it_is_touched() -> None:
    assert touches(["a/b/"], ["a/b/c/"])
    assert touches(["a/b/c/"], ["a/b/"])
    assert not touches(["a/b/"], ["a/c/"])
    assert not touches([], ["a/"])


def test_the_map_fills_the_picture_and_leaves_out_what_has_no_outline() -> None:
    square, nothing, broken, corner = shapes(["0,0 10,0 10,10 0,10", "", "1,2 x,y 3,4", "10,0 20,0 20,10 10,10"])
    assert square is not None
    assert corner is not None
    assert nothing is None
    assert broken is None
    assert square.x < WIDTH / 2 < corner.x
    assert 0 < square.y < HEIGHT
    assert square.path.startswith("M")
    assert shapes(["", ""]) == [None, None]


def test_an_outline_without_extent_still_has_a_place_for_its_name() -> None:
    assert shapes(["5,5 5,5 5,5"])[0] is not None
