"""When the recording of an emergency does not come, something else is said, and said at once."""

from typing import Any

import pytest
from speakerlab import DAY, GRAVE, MINUTE, NOON, SILENCE_SHA, Bench, a_play, a_stop, an_audio, some_settings

from hub.speakers.device import sounds, supplies
from hub.speakers.device.actions import Fetch, Keep
from hub.speakers.protocol import Audio, Configure, FaultCode, Play, Priority, Reached, Severity, Used

FLOOD = an_audio(sha256="f" * 64, duration_ms=20_000)
PACKED: dict[str, Any] = GRAVE | {"pack": "flood", "text": "请立即转移"}


def a_bench(pack: dict[str, Audio] | None = None, **options: Any) -> Bench:
    """A device whose line brings no recordings by itself."""
    return Bench(settings=some_settings(pack=pack or {}), audio_at_once=False, **options)


def with_pack(**options: Any) -> Bench:
    """The flood recording is here."""
    bench = a_bench({"flood": FLOOD}, **options)
    bench.restart()
    bench.take(bench.core.fetched(FLOOD.sha256, bench.now))
    return bench


def fails(bench: Bench, reason: str = "http_404") -> None:
    """One attempt fails."""
    bench.take(bench.core.fetch_failed(SILENCE_SHA, reason, bench.now))


def comes(bench: Bench) -> None:
    """The ordered recording is here."""
    bench.take(bench.core.fetched(SILENCE_SHA, bench.now))


def used(bench: Bench) -> list[Used]:
    return [sound.used for sound in bench.sounds]


def test_the_first_failure_is_said_at_once_and_the_later_ones_are_not() -> None:
    bench, play = a_bench(), a_play()
    bench.hear(play)
    fails(bench, "http_503")
    assert [(r.st, r.reason) for r in bench.receipts_of(play)[1:]] == [(Reached.PROGRESS, "http_503")]
    bench.sleep(2000)
    fails(bench)
    assert len(bench.receipts_of(play)) == 2
    comes(bench)
    assert bench.said(play)[-2:] == [Reached.FETCHED, Reached.STARTED]


def test_a_routine_play_waits_for_its_recording_and_is_never_a_mere_tone() -> None:
    bench, play = with_pack(can_speak=True), a_play(pack="flood", text="开会")
    bench.hear(play)
    for _ in range(6):
        fails(bench)
        bench.sleep(MINUTE)
    assert bench.sounds == []
    assert (bench.receipts_of(play)[-1].st, bench.receipts_of(play)[-1].reason) == (Reached.FAILED, "http_404")


def test_an_emergency_whose_recording_cannot_be_fetched_sounds_the_pack() -> None:
    bench, play = with_pack(can_speak=True), a_play(**PACKED)
    bench.hear(play)
    fails(bench)
    assert (bench.sounds[-1].used, bench.sounds[-1].audio) == (Used.PACK, FLOOD)
    assert bench.said(play) == [Reached.RECEIVED, Reached.PROGRESS, Reached.STARTED]
    assert bench.last().used is Used.PACK
    bench.sound_ends()
    assert (bench.last().st, bench.last().used, bench.last().played_ms) == (Reached.FINISHED, Used.PACK, 20_000)


def test_an_emergency_does_not_wait_longer_than_three_seconds() -> None:
    bench, play = with_pack(), a_play(**PACKED)
    bench.hear(play)
    assert bench.core.next_wake(bench.now) == NOON + 3000
    bench.sleep(2999)
    assert bench.sounds == []
    bench.sleep(1)
    assert used(bench) == [Used.PACK]


def test_without_the_pack_the_device_speaks_and_without_a_voice_it_sounds_the_alarm() -> None:
    for can_speak, text, expected in [
        (True, "请转移", Used.SPEECH),
        (True, None, Used.TONE),
        (False, "请转移", Used.TONE),
    ]:
        bench = a_bench({"flood": FLOOD}, can_speak=can_speak)
        bench.hear(a_play(**PACKED | {"text": text}))
        fails(bench)
        assert used(bench) == [expected]
        assert bench.sounds[-1].audio is None


def test_a_pack_recording_that_went_bad_is_not_used() -> None:
    bench = with_pack()
    bench.take(bench.core.lost(FLOOD.sha256, bench.now))
    bench.hear(a_play(**PACKED))
    fails(bench)
    assert used(bench) == [Used.TONE]


def test_the_ordered_recording_takes_over_with_the_next_pass() -> None:
    bench, play = with_pack(), a_play(**PACKED, repeat=3)
    bench.hear(play)
    fails(bench)
    comes(bench)
    assert used(bench) == [Used.PACK]
    for _ in range(3):
        bench.sound_ends()
    assert used(bench) == [Used.PACK, Used.AUDIO, Used.AUDIO]
    assert [(r.st, r.used) for r in bench.receipts_of(play)[3:]] == [
        (Reached.PROGRESS, Used.PACK),
        (Reached.PROGRESS, Used.AUDIO),
        (Reached.FINISHED, Used.AUDIO),
    ]


def test_what_was_ordered_is_heard_once_even_if_the_stand_in_was_the_last_pass() -> None:
    bench, play = a_bench(), a_play(**GRAVE)
    bench.hear(play)
    fails(bench)
    comes(bench)
    bench.sound_ends()
    bench.sound_ends()
    bench.sleep(MINUTE)
    assert used(bench) == [Used.TONE, Used.AUDIO]
    assert bench.last().st is Reached.FINISHED


def test_the_recording_is_asked_for_again_while_the_stand_in_sounds() -> None:
    bench, play = a_bench(), a_play(**GRAVE, repeat=9)
    bench.hear(play)
    fails(bench)
    bench.sleep(2000)
    assert len(bench.did(Fetch)) == 2
    fails(bench)
    bench.sleep(4000)
    assert len(bench.did(Fetch)) == 3


def test_an_emergency_outlives_six_failures() -> None:
    bench = a_bench()
    first, second = a_play(**GRAVE, repeat=99, exp=NOON + DAY), a_play(**GRAVE, seq=2, exp=NOON + DAY)
    bench.hear(first, second)
    for _ in range(9):
        fails(bench)
        bench.sleep(5000)
        bench.sound_ends()
    assert bench.said(second) == [Reached.RECEIVED, Reached.PROGRESS]
    assert bench.said(first)[-1] is Reached.PROGRESS


def test_an_emergency_interrupts_with_its_stand_in() -> None:
    bench, routine = a_bench(), a_play()
    bench.hear(routine)
    comes(bench)
    bench.hear(a_play(**GRAVE, seq=2, audio=an_audio(sha256="1" * 64)))
    bench.sleep(3000)
    assert bench.silences == [routine.id]
    assert used(bench)[-1] is Used.TONE


def test_quiet_hours_hold_for_stand_ins_too() -> None:
    night = NOON + 12 * 60 * MINUTE
    bench = with_pack()
    bench.now = night
    bench.hear(a_play(**PACKED | {"by": None, "iat": night}))
    fails(bench)
    bench.sleep(MINUTE)
    assert bench.sounds == []


def test_what_breaks_off_in_quiet_hours_is_not_stood_in_for() -> None:
    bench = with_pack()
    bench.now = NOON + 9 * 60 * MINUTE - 5000
    play = a_play(**PACKED | {"severity": Severity.YELLOW, "iat": bench.now})
    bench.hear(play)
    comes(bench)
    assert used(bench) == [Used.AUDIO]
    bench.now += 6000
    bench.sound_breaks("playback", 6000)
    assert used(bench) == [Used.AUDIO]
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "quiet_hours")


def test_a_stop_ends_the_stand_in_and_nothing_follows() -> None:
    bench, play = with_pack(), a_play(**PACKED, repeat=3)
    bench.hear(play)
    fails(bench)
    bench.hear(a_stop(all=True))
    comes(bench)
    bench.sleep(MINUTE)
    assert (len(bench.sounds), bench.said(play)[-1]) == (1, Reached.STOPPED)


def test_an_emergency_that_cannot_be_sounded_falls_back_step_by_step() -> None:
    bench, play = with_pack(can_speak=True), a_play(**PACKED)
    bench.hear(play)
    comes(bench)
    for _ in range(4):
        bench.sound_breaks("playback")
    assert used(bench) == [Used.AUDIO, Used.PACK, Used.SPEECH, Used.TONE]
    assert bench.said(play)[2:] == [Reached.STARTED, *[Reached.PROGRESS] * 3, Reached.FAILED]
    assert bench.core.memory.faults == [FaultCode.PLAYBACK]


def test_a_spoilt_recording_that_was_fetched_anew_is_sounded() -> None:
    bench, play = a_bench(), a_play(**GRAVE, repeat=2)
    bench.hear(play)
    comes(bench)
    bench.take(bench.core.lost(SILENCE_SHA, bench.now))
    assert isinstance(bench.actions[-1], Fetch)
    bench.sound_breaks("bad_audio")
    comes(bench)
    bench.sound_ends()
    assert used(bench) == [Used.AUDIO, Used.TONE, Used.AUDIO]


def test_a_file_that_spoils_again_and_again_does_not_keep_it_busy_for_ever() -> None:
    bench = a_bench()
    bench.hear(a_play(**GRAVE, repeat=99))
    comes(bench)
    for _ in range(20):
        if bench.core.memory.playing and bench.sounds[-1].used is Used.AUDIO:
            bench.take(bench.core.lost(SILENCE_SHA, bench.now))
            bench.sound_breaks("bad_audio")
        comes(bench)
        bench.sound_ends()
    assert used(bench).count(Used.AUDIO) <= 6


def test_a_routine_recording_that_cannot_be_sounded_fails() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.sound_breaks("playback", 200)
    assert (bench.last().st, bench.last().reason, bench.last().played_ms) == (Reached.FAILED, "playback", 200)


def test_the_pack_is_named_first_at_power_on_and_again_when_it_changes() -> None:
    bench = a_bench({"flood": FLOOD})
    bench.restart()
    assert bench.actions[0] == Keep((FLOOD,), 60)
    other = an_audio(sha256="e" * 64)
    fresh = some_settings(version=1, pack={"fire": other})
    bench.hear(Configure(**settings_command(fresh)))
    assert bench.did(Keep)[-1] == Keep((other,), 60)
    bench.hear(Configure(**settings_command(some_settings(version=2, pack={"fire": other}))))
    assert len(bench.did(Keep)) == 2
    bench.hear(Configure(**settings_command(some_settings(version=3))))
    assert bench.did(Keep)[-1] == Keep((), 60)


def test_heartbeats_say_how_much_of_the_pack_is_here() -> None:
    bench = with_pack()
    assert bench.core.beat(bench.now, 10**9).pack == 1
    bench.take(bench.core.lost(FLOOD.sha256, bench.now))
    assert bench.core.beat(bench.now, 10**9).pack == 0
    assert Bench().core.beat(NOON, 10**9).pack is None


@pytest.mark.parametrize(
    ("given", "within"),
    [
        ({"fetch_within_ms": 60_000, "start_at": NOON + MINUTE, "pri": Priority.ROUTINE}, 30_000),
        ({"fetch_within_ms": 10_000, "start_at": NOON + MINUTE, "pri": Priority.ROUTINE}, 10_000),
        ({"fetch_within_ms": 60_000, "start_at": NOON - 1, "pri": Priority.ROUTINE}, 0),
        ({"fetch_within_ms": 60_000, "pri": Priority.ROUTINE}, 0),
        ({"fetch_within_ms": 60_000, "start_at": NOON + MINUTE} | GRAVE, 0),
    ],
)
def test_fetching_is_spread_over_the_first_half_of_the_time_that_is_left(given: dict[str, Any], within: int) -> None:
    bench = a_bench()
    bench.hear(a_play(**given))
    assert bench.did(Fetch)[-1].within_ms == within


def test_an_emergency_that_waits_for_its_time_does_not_sound_a_stand_in_before() -> None:
    bench, play = a_bench(), a_play(**GRAVE, start_at=NOON + MINUTE)
    bench.hear(play)
    fails(bench)
    bench.sleep(MINUTE - 1)
    assert bench.sounds == []
    bench.sleep(1)
    assert used(bench) == [Used.TONE]


def settings_command(settings: Any) -> dict[str, Any]:
    """A command that carries these settings."""
    fields = dict(a_play(seq=50 + settings.version))
    return {name: fields[name] for name in ("id", "issuer", "iat", "nbf", "exp", "seq", "to")} | {"settings": settings}


def test_a_play_is_remembered_whole_over_a_power_cut() -> None:
    bench = with_pack()
    play: Play = a_play(**PACKED, start_at=NOON + MINUTE, repeat=2, gap_ms=500)
    bench.hear(play)
    bench.restart()
    assert bench.core.memory.queue[0].command == play


def test_the_rules_and_the_sound_agree_on_how_long_the_alarm_is() -> None:
    assert (supplies.SHORTEST_ALARM_MS, supplies.ALARM_MS) == (sounds.SHORTEST_ALARM_MS, sounds.ALARM_MS)


def test_an_alarm_in_place_of_a_long_text_is_given_its_own_time_before_it_counts_as_stuck() -> None:
    bench = a_bench()
    bench.hear(a_play(**GRAVE, audio=an_audio(duration_ms=10 * MINUTE)))
    fails(bench)
    bench.sleep(90_000)
    assert (bench.receipts[-1].st, bench.receipts[-1].reason) == (Reached.FAILED, "stuck")
