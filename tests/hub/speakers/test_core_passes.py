"""Repeating, gaps, lead-in and loudness of what a loudspeaker sounds."""

from typing import Any

import pytest
from speakerlab import GRAVE, MINUTE, NOON, Bench, a_play, a_stop, an_audio, some_settings

from hub.speakers.device.actions import SetLevel
from hub.speakers.protocol import LoudTime, Play, Priority, QuietTime, Reached, Used

SECOND = 1000
THRICE: dict[str, Any] = {"repeat": 3, "gap_ms": 5 * SECOND}


def pause(bench: Bench) -> None:
    """The gap passes, as the device's own clock tells it."""
    bench.sleep(5 * SECOND)


def three_times(bench: Bench, **given: Any) -> Play:
    play = a_play(**THRICE | given)
    bench.hear(play)
    return play


def test_three_passes_with_gaps_are_one_start_two_progresses_and_one_end() -> None:
    bench = Bench()
    play = three_times(bench)
    for _ in range(2):
        bench.sound_ends()
        assert bench.core.next_wake(bench.now) == bench.now + 5 * SECOND
        pause(bench)
    bench.sound_ends()
    assert bench.said(play)[2:] == [Reached.STARTED, Reached.PROGRESS, Reached.PROGRESS, Reached.FINISHED]
    assert [(r.round, r.played_ms) for r in bench.receipts_of(play)[3:]] == [(1, 10_000), (2, 20_000), (3, 30_000)]
    assert bench.sounded(play) == 3
    assert bench.core.memory.playing is None
    assert bench.now == NOON + 40 * SECOND


def test_the_gap_is_silent_for_others_of_the_same_urgency() -> None:
    bench = Bench()
    play = three_times(bench)
    other = a_play(seq=2)
    bench.hear(other)
    bench.sound_ends()
    pause(bench)
    assert (bench.sounded(play), bench.sounded(other)) == (2, 0)


def test_no_gap_means_the_next_pass_follows_at_once() -> None:
    bench, play = Bench(), a_play(repeat=2)
    bench.hear(play)
    bench.sound_ends()
    assert bench.sounded(play) == 2


@pytest.mark.parametrize("in_gap", [True, False])
def test_a_stop_ends_all_passes(in_gap: bool) -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    if not in_gap:
        pause(bench)
        bench.now += 3 * SECOND
    bench.hear(a_stop(ids=(play.id,)))
    bench.sleep(MINUTE)
    last = bench.receipts_of(play)[-1]
    assert (last.st, last.played_ms, last.round) == (Reached.STOPPED, 10_000 if in_gap else 13_000, 1)
    assert bench.sounded(play) == (1 if in_gap else 2)


@pytest.mark.parametrize("in_gap", [True, False])
def test_a_power_cut_ends_all_passes_and_says_what_was_heard(in_gap: bool) -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    if not in_gap:
        pause(bench)
    bench.restart()
    bench.hear(play)
    bench.sleep(MINUTE)
    lost = bench.receipts_of(play)[-2]
    assert (lost.st, lost.reason, lost.played_ms, lost.round) == (Reached.FAILED, "power_lost", 10_000, 1)
    assert bench.sounded(play) == (1 if in_gap else 2)


def test_an_interrupted_pass_starts_again_and_those_before_it_count() -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    pause(bench)
    bench.now += 2 * SECOND
    bench.hear(a_play(seq=2, pri=Priority.EMERGENCY))
    assert bench.receipts_of(play)[-1].played_ms == 12_000
    bench.sound_ends()
    bench.sound_ends()
    pause(bench)
    bench.sound_ends()
    assert bench.said(play)[-3:] == [Reached.STARTED, Reached.PROGRESS, Reached.FINISHED]
    assert (bench.last().played_ms, bench.last().round) == (30_000, 3)
    assert bench.sounded(play) == 4


def test_half_of_all_passes_is_enough_not_to_start_again() -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    pause(bench)
    bench.now += 5 * SECOND
    bench.hear(a_play(seq=2, pri=Priority.EMERGENCY))
    bench.sound_ends()
    last = bench.receipts_of(play)[-1]
    assert (last.st, last.reason, last.played_ms) == (Reached.FAILED, "interrupted", 15_000)
    assert bench.sounded(play) == 2


def test_an_emergency_comes_at_once_in_a_gap() -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    emergency = a_play(seq=2, pri=Priority.EMERGENCY)
    bench.hear(emergency)
    assert bench.sounded(emergency) == 1
    assert bench.said(play)[-1] is Reached.INTERRUPTED


def test_the_end_of_a_pass_told_twice_counts_once() -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    bench.take(bench.core.sound_ended(play.id, 10_000, None, bench.now))
    assert bench.core.memory.queue[0].passes == 1


def test_a_recording_that_vanishes_between_passes_fails_honestly() -> None:
    bench = Bench()
    play = three_times(bench)
    bench.sound_ends()
    bench.audio_at_once = False
    assert play.audio is not None
    bench.take(bench.core.lost(play.audio.sha256, bench.now))
    pause(bench)
    assert (bench.last().st, bench.last().reason, bench.last().played_ms) == (Reached.FAILED, "bad_audio", 10_000)


def test_no_pass_begins_in_quiet_hours() -> None:
    bench = Bench(settings=some_settings(quiet=(QuietTime(start=12 * 60 + 1, end=14 * 60),)))
    play = three_times(bench, gap_ms=MINUTE)
    bench.sound_ends()
    bench.sleep(MINUTE)
    assert (bench.last().st, bench.last().reason, bench.last().round) == (Reached.FAILED, "quiet_hours", 1)
    assert bench.sounded(play) == 1


# ---- lead-in


def test_the_first_word_falls_on_the_start_time_because_the_amplifier_is_on_before() -> None:
    bench = Bench(settings=some_settings(lead_in_ms=1500))
    play = a_play(start_at=NOON + MINUTE)
    bench.hear(play)
    assert bench.core.next_wake(bench.now) == NOON + MINUTE - 1500
    bench.sleep(MINUTE - 1500)
    assert (bench.sounds[-1].lead_in_ms, bench.now) == (1500, NOON + MINUTE - 1500)


def test_a_tick_that_comes_late_shortens_the_lead_in_and_not_the_first_word() -> None:
    bench = Bench(settings=some_settings(lead_in_ms=1500))
    bench.hear(a_play(start_at=NOON + MINUTE))
    bench.wait(MINUTE - 1400)
    assert bench.sounds[-1].lead_in_ms == 1400


def test_what_has_no_start_time_or_is_late_gets_the_whole_lead_in() -> None:
    bench = Bench(settings=some_settings(lead_in_ms=1500))
    bench.hear(a_play(start_at=NOON - 1))
    assert bench.sounds[-1].lead_in_ms == 1500


def test_soon_after_a_sound_no_lead_in_is_needed_and_later_it_is() -> None:
    bench = Bench(settings=some_settings(lead_in_ms=1500))
    bench.hear(a_play(), a_play(seq=2))
    bench.sound_ends()
    assert bench.sounds[-1].lead_in_ms == 0
    bench.sound_ends()
    bench.now += 2 * SECOND
    bench.hear(a_play(seq=3))
    assert bench.sounds[-1].lead_in_ms == 1500


def test_the_lead_in_is_not_counted_as_heard() -> None:
    bench = Bench(settings=some_settings(lead_in_ms=1500))
    bench.hear(play := a_play())
    bench.now += 1000
    bench.hear(a_stop(ids=(play.id,)))
    assert bench.receipts_of(play)[-1].played_ms == 0
    bench.now += 10 * SECOND
    bench.hear(again := a_play(seq=2000))
    bench.now += 4500
    bench.hear(a_stop(ids=(again.id,)))
    assert bench.receipts_of(again)[-1].played_ms == 3000


def test_the_end_of_quiet_hours_may_be_a_start_time_although_the_lead_in_lies_before() -> None:
    quiet = (QuietTime(start=0, end=12 * 60 + 1),)
    bench = Bench(settings=some_settings(lead_in_ms=1500, quiet=quiet))
    play = a_play(start_at=NOON + MINUTE)
    bench.hear(play)
    bench.sleep(MINUTE)
    assert bench.sounded(play) == 1


def test_a_player_with_a_long_lead_in_is_not_stuck_too_early() -> None:
    bench = Bench(settings=some_settings(lead_in_ms=5000))
    bench.hear(a_play())
    assert bench.core.next_wake(bench.now) == bench.now + 5000 + 20_000 + 30_000


# ---- loudness


def test_the_time_of_day_caps_what_is_routine_and_emergencies_are_as_loud_as_ordered() -> None:
    noon = LoudTime(start=12 * 60, end=14 * 60, cap=40)
    bench = Bench(settings=some_settings(volume_cap=90, loudness=(noon,)))
    bench.hear(a_play(volume=80))
    bench.sound_ends()
    bench.hear(a_play(volume=100, seq=2, **GRAVE))
    bench.sound_ends()
    bench.now = NOON + 121 * MINUTE
    bench.hear(a_play(volume=80, seq=3, iat=bench.now))
    assert [sound.volume for sound in bench.sounds] == [40, 100, 80]


def test_a_cap_that_begins_in_the_middle_of_a_sound_waits_for_the_next_one() -> None:
    later = LoudTime(start=12 * 60 + 1, end=14 * 60, cap=30)
    bench = Bench(settings=some_settings(loudness=(later,)))
    bench.hear(a_play(audio=an_audio(duration_ms=2 * MINUTE)), a_play(seq=2))
    before = len(bench.actions)
    bench.sleep(MINUTE)
    assert not any(isinstance(action, SetLevel) for action in bench.actions[before:])
    bench.sound_ends()
    assert SetLevel(30) in bench.actions
    assert [sound.volume for sound in bench.sounds] == [80, 30]


def test_at_power_on_the_level_is_that_of_the_time_of_day() -> None:
    bench = Bench(settings=some_settings(loudness=(LoudTime(start=0, end=1440, cap=25),)))
    bench.restart()
    assert bench.actions[0] == SetLevel(25)


def test_receipts_say_how_loud_and_what() -> None:
    bench, play = Bench(), a_play(volume=0)
    bench.hear(play)
    bench.sound_ends()
    received, fetched, started, finished = bench.receipts_of(play)
    assert (received.volume, fetched.used) == (None, None)
    assert (started.volume, started.used) == (0, Used.AUDIO)
    assert (finished.volume, finished.used, finished.played_ms, finished.round) == (0, Used.AUDIO, 10_000, None)


# ---- drills


def test_a_device_that_serves_people_sounds_no_drills() -> None:
    bench, drill = Bench(), a_play(mode="drill")
    bench.hear(drill)
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "wrong_mode")
    assert bench.sounds == []


def test_a_drill_device_sounds_drills_alone_and_obeys_every_stop() -> None:
    bench = Bench(settings=some_settings(drill=True))
    live, drill = a_play(**GRAVE), a_play(seq=2, mode="drill")
    bench.hear(live, drill)
    assert (bench.said(live), bench.sounded(drill)) == ([Reached.REFUSED], 1)
    bench.hear(a_stop(all=True))
    assert bench.said(drill)[-1] is Reached.STOPPED
