"""What sounds, what gives way, what is silent: stops, urgency, quiet hours, volume, failures."""

from typing import Any

import pytest
from speakerlab import (
    DAY,
    GRAVE,
    MINUTE,
    NOON,
    SILENCE_SHA,
    Bench,
    a_play,
    a_stop,
    an_audio,
    an_order,
    some_settings,
)

from hub.speakers.device.actions import Fetch, SetLevel
from hub.speakers.protocol import (
    Doing,
    Priority,
    QuietTime,
    Reached,
    SetVolume,
    Severity,
)

NIGHT = NOON + 12 * 60 * MINUTE
EMERGENCY: dict[str, Any] = {"pri": Priority.EMERGENCY, "seq": 2}


def test_a_stop_silences_at_once_and_says_how_much_was_heard() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.now += 3000
    bench.hear(a_stop(broadcasts=(play.broadcast,)))
    assert bench.silences == [play.id]
    assert [(r.st, r.played_ms) for r in bench.receipts if r.id == play.id][-1] == (Reached.STOPPED, 3000)


def test_a_stop_before_its_play_kills_the_play() -> None:
    for names in ("ids", "broadcasts"):
        bench, play = Bench(), a_play()
        bench.hear(a_stop(**{names: (play.id if names == "ids" else play.broadcast,)}))
        bench.restart()
        bench.hear(play)
        assert bench.said(play) == [Reached.STOPPED]
        assert bench.last().reason == "stopped_before"
        assert bench.sounds == []


def test_stop_all_kills_what_was_issued_before_and_nothing_after() -> None:
    bench = Bench()
    sounding, waiting, late, after = (a_play(seq=seq, iat=NOON + seq) for seq in (1, 2, 3, 5))
    bench.now += 10
    bench.hear(sounding, waiting)
    bench.hear(a_stop(all=True, seq=4, iat=NOON + 4), late, after)
    assert bench.said(sounding)[-1] is bench.said(waiting)[-1] is bench.said(late)[-1] is Reached.STOPPED
    assert bench.sounded(after) == 1


def test_stop_all_of_one_issuer_reaches_the_plays_of_another() -> None:
    bench, play = Bench(), a_play(issuer="township", seq=99)
    bench.hear(play)
    bench.hear(a_stop(all=True, seq=1, iat=NOON + 1))
    assert bench.said(play)[-1] is Reached.STOPPED


def test_a_replayed_stop_all_does_not_silence_what_came_after_it() -> None:
    bench, stop = Bench(), a_stop(all=True, seq=4)
    bench.hear(stop)
    play = a_play(seq=5, iat=NOON + 5)
    bench.now += 5
    bench.hear(play, stop)
    assert bench.silences == []
    assert bench.last().st is Reached.DUPLICATE


def test_a_stop_works_whatever_the_device_clock_says() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.now += 5000
    bench.hear(a_stop(ids=(play.id,), iat=NOON - DAY))
    assert bench.silences == [play.id]


def test_a_stop_for_a_lower_class_of_sound_stops_an_emergency_too() -> None:
    bench, play = Bench(), a_play(**EMERGENCY)
    bench.hear(play)
    bench.hear(a_stop(ids=(play.id,)))
    assert bench.said(play)[-1] is Reached.STOPPED


def test_an_emergency_interrupts_and_the_routine_starts_again_once() -> None:
    bench, routine, emergency = Bench(), a_play(), a_play(**EMERGENCY)
    bench.hear(routine)
    bench.now += 4000
    bench.hear(emergency)
    assert bench.silences == [routine.id]
    assert bench.said(routine)[-1] is Reached.INTERRUPTED
    bench.sound_ends()
    assert bench.said(routine)[-1] is Reached.STARTED
    assert bench.sounded(routine) == 2
    bench.sound_ends()
    assert bench.said(routine)[-1] is Reached.FINISHED


def test_a_second_interruption_ends_it() -> None:
    bench, routine = Bench(), a_play()
    bench.hear(routine)
    bench.hear(a_play(**EMERGENCY))
    bench.sound_ends()
    bench.hear(a_play(**EMERGENCY | {"seq": 3}))
    assert bench.said(routine)[-2:] == [Reached.INTERRUPTED, Reached.FAILED]
    assert [r.reason for r in bench.receipts if r.id == routine.id][-1] == "interrupted"
    bench.sound_ends()
    assert bench.sounded(routine) == 2


def test_what_was_half_heard_does_not_start_again() -> None:
    bench, routine = Bench(), a_play()
    bench.hear(routine)
    bench.now += 5000
    bench.hear(a_play(**EMERGENCY))
    assert bench.said(routine)[-1] is Reached.FAILED
    bench.sound_ends()
    assert bench.sounded(routine) == 1


def test_what_ran_out_while_interrupted_fails_honestly() -> None:
    bench, routine = Bench(), a_play(exp=NOON + 5000)
    bench.hear(routine)
    bench.now += 1000
    bench.hear(a_play(**EMERGENCY))
    bench.sound_ends()
    last = [r for r in bench.receipts if r.id == routine.id][-1]
    assert (last.st, last.reason, last.played_ms) == (Reached.FAILED, "interrupted", 1000)


def test_an_emergency_interrupts_only_when_its_audio_is_there() -> None:
    bench, routine = Bench(audio_at_once=False), a_play()
    emergency = a_play(**EMERGENCY, audio=an_audio(sha256="1" * 64))
    bench.hear(routine)
    bench.take(bench.core.fetched(SILENCE_SHA, bench.now))
    bench.hear(emergency)
    assert bench.silences == []
    bench.take(bench.core.fetched("1" * 64, bench.now))
    assert bench.silences == [routine.id]
    assert bench.sounded(emergency) == 1


def test_equals_wait_for_each_other_in_the_order_of_their_numbers() -> None:
    bench = Bench()
    first, third, second = a_play(seq=1), a_play(seq=3), a_play(seq=2)
    bench.hear(first, third, second)
    bench.sound_ends()
    bench.sound_ends()
    assert [sound.command.seq for sound in bench.sounds] == [1, 2, 3]


@pytest.mark.parametrize("pri", [Priority.RELAY, Priority.ROUTINE, Priority.SHOUT])
def test_quiet_hours_refuse_everything_but_an_emergency(pri: Priority) -> None:
    bench, play = Bench(), a_play(iat=NIGHT, pri=pri)
    bench.now = NIGHT
    bench.hear(play)
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "quiet_hours")
    emergency = a_play(iat=NIGHT, seq=2, **GRAVE)
    bench.hear(emergency)
    assert bench.sounded(emergency) == 1


@pytest.mark.parametrize("severity", [Severity.RED, Severity.ORANGE])
def test_red_and_orange_wake_the_village_if_a_person_answers_for_it(severity: Severity) -> None:
    bench = Bench()
    bench.now = NIGHT
    bench.hear(play := a_play(iat=NIGHT, **GRAVE | {"severity": severity}))
    assert bench.sounded(play) == 1


@pytest.mark.parametrize(
    "lacking",
    [
        {"severity": Severity.YELLOW},
        {"severity": Severity.BLUE},
        {"severity": None},
        {"by": None},
        {"by": ""},
        {"by": "  "},
        {"pri": Priority.SHOUT},
    ],
)
def test_a_lesser_emergency_or_one_nobody_answers_for_waits_for_the_morning(lacking: dict[str, Any]) -> None:
    bench = Bench()
    bench.now = NIGHT
    bench.hear(a_play(iat=NIGHT, **GRAVE | lacking))
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "quiet_hours")
    assert bench.sounds == []


def test_a_drill_is_no_emergency_at_night() -> None:
    bench = Bench(settings=some_settings(drill=True))
    bench.now = NIGHT
    bench.hear(a_play(iat=NIGHT, mode="drill", **GRAVE))
    assert bench.last().reason == "quiet_hours"


def test_a_start_time_inside_quiet_hours_is_refused_at_once() -> None:
    bench = Bench()
    bench.hear(a_play(start_at=NIGHT, exp=NIGHT + MINUTE))
    assert bench.last().reason == "quiet_hours"


def test_what_waited_into_quiet_hours_is_refused_and_interrupts_nothing() -> None:
    bench = Bench(settings=some_settings(quiet=(QuietTime(start=12 * 60 + 1, end=13 * 60),)))
    long = a_play(audio=an_audio(duration_ms=2 * MINUTE))
    waiting = a_play(seq=2)
    nameless = a_play(iat=NOON + MINUTE, seq=3, pri=Priority.EMERGENCY)
    bench.hear(long, waiting)
    bench.wait(MINUTE)
    bench.hear(nameless)
    assert bench.said(waiting) == [Reached.RECEIVED, Reached.FETCHED, Reached.REFUSED]
    assert bench.said(nameless) == [Reached.REFUSED]
    assert bench.silences == []


def test_the_volume_of_a_play_is_its_own_and_the_lasting_one_comes_back() -> None:
    bench = Bench()
    bench.hear(SetVolume(**an_order(level=60)))
    play = a_play(volume=90)
    bench.hear(play)
    assert bench.sounds[-1].volume == 90
    bench.sound_ends()
    assert bench.actions[-1] == SetLevel(60)
    bench.restart()
    assert SetLevel(60) in bench.actions[-1:]


def test_a_new_volume_holds_at_once_for_what_sounds_but_not_for_an_emergency() -> None:
    bench, play = Bench(), a_play(volume=90)
    bench.hear(play, SetVolume(**an_order(level=20)))
    assert bench.actions[-1] == SetLevel(20)
    bench.sound_ends()
    assert bench.receipts_of(play)[-1].volume == 20
    alarm = a_play(volume=100, **EMERGENCY)
    bench.hear(alarm)
    before = len(bench.did(SetLevel))
    bench.hear(SetVolume(**an_order(level=0, seq=10, id=a_play().id)))
    assert len(bench.did(SetLevel)) == before
    bench.sound_ends()
    assert bench.receipts_of(alarm)[-1].volume == 100
    assert bench.did(SetLevel)[-1] == SetLevel(0)


def test_the_lasting_volume_comes_back_after_a_power_cut_in_the_middle() -> None:
    bench = Bench()
    bench.hear(SetVolume(**an_order(level=55)), a_play(volume=100))
    before = len(bench.actions)
    bench.restart()
    assert bench.actions[before] == SetLevel(55)


def test_the_cap_holds_for_everything_but_emergencies_and_zero_is_mute() -> None:
    bench = Bench(settings=some_settings(volume_cap=50))
    bench.hear(a_play(volume=90))
    assert bench.sounds[-1].volume == 50
    bench.hear(a_play(volume=90, **EMERGENCY))
    assert bench.sounds[-1].volume == 90
    bench.sound_ends()
    bench.sound_ends()
    bench.hear(a_play(volume=0, seq=9))
    assert bench.sounds[-1].volume == 0


def test_a_failed_download_is_tried_again_later_and_later_and_then_given_up() -> None:
    bench, play = Bench(audio_at_once=False), a_play(exp=NOON + DAY)
    bench.hear(play)
    waits = []
    for _ in range(6):
        bench.take(bench.core.fetch_failed(SILENCE_SHA, "http_404", bench.now))
        if bench.core.memory.queue:
            wake = bench.core.memory.queue[0].next_try
            waits.append(wake - bench.now)
            bench.wait(wake - bench.now)
            assert isinstance(bench.actions[-1], Fetch)
    assert waits == [2000, 4000, 8000, 16_000, 32_000]
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "http_404")


def test_a_player_that_fails_is_reported_and_shown_as_a_fault() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.take(bench.core.sound_ended(play.id, 200, "playback", bench.now))
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "playback")
    assert bench.core.beat(bench.now, 0).st is Doing.FAULT


def test_a_player_that_never_ends_is_silenced() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.wait(20_000 + 30_000)
    assert bench.silences == [play.id]
    assert bench.last().reason == "stuck"
