"""What a loudspeaker does beside sounding: fetching ahead, self-test, records, restart, faults, heartbeats."""

import pytest
from speakerlab import (
    DAY,
    GRAVE,
    MINUTE,
    NOON,
    SILENCE_SHA,
    Bench,
    a_play,
    a_prefetch,
    an_audio,
    an_order,
)

from hub.speakers.device.actions import Examine, Fetch, Resend, SendBeat, SendFault, StartAnew
from hub.speakers.protocol import (
    Doing,
    FaultCode,
    FaultReport,
    Ping,
    Priority,
    Reached,
    Records,
    Restart,
    SelfTest,
    TimeAnswer,
)

PLENTY = 10**9
NIGHT = NOON + 12 * 60 * MINUTE


# ---- recordings ordered ahead


def test_a_recording_ordered_ahead_is_fetched_in_its_time_and_reported() -> None:
    bench, ahead = Bench(audio_at_once=False), a_prefetch(within_ms=90_000)
    bench.hear(ahead)
    assert bench.did(Fetch) == [Fetch(ahead.audio, Priority.RELAY, 90_000)]
    bench.take(bench.core.fetched(SILENCE_SHA, bench.now))
    assert bench.said(ahead) == [Reached.RECEIVED, Reached.FINISHED]
    bench.hear(ahead)
    assert (bench.last().st, bench.last().reached, len(bench.did(Fetch))) == (Reached.DUPLICATE, Reached.FINISHED, 1)


def test_what_is_ordered_ahead_survives_a_power_cut() -> None:
    bench, ahead = Bench(audio_at_once=False), a_prefetch()
    bench.hear(ahead)
    bench.restart()
    assert len(bench.did(Fetch)) == 2
    bench.take(bench.core.fetched(SILENCE_SHA, bench.now))
    assert bench.said(ahead)[-1] is Reached.FINISHED


def test_what_cannot_be_fetched_ahead_is_said_at_once_and_given_up_after_six_attempts() -> None:
    bench, ahead = Bench(audio_at_once=False), a_prefetch()
    bench.hear(ahead)
    for _ in range(6):
        bench.take(bench.core.fetch_failed(SILENCE_SHA, "http_404", bench.now))
        bench.sleep(MINUTE)
    assert [(r.st, r.reason) for r in bench.receipts_of(ahead)] == [
        (Reached.RECEIVED, None),
        (Reached.PROGRESS, "http_404"),
        (Reached.FAILED, "http_404"),
    ]
    assert len(bench.did(Fetch)) == 6


def test_what_was_not_fetched_ahead_in_time_expires() -> None:
    bench, ahead = Bench(audio_at_once=False), a_prefetch()
    bench.hear(ahead)
    bench.sleep(60 * MINUTE)
    assert bench.said(ahead) == [Reached.RECEIVED, Reached.EXPIRED]


def test_one_fetch_serves_the_play_and_what_was_ordered_ahead() -> None:
    bench, ahead, play = Bench(audio_at_once=False), a_prefetch(), a_play(seq=6)
    bench.hear(ahead, play)
    bench.take(bench.core.fetched(SILENCE_SHA, bench.now))
    assert bench.said(ahead)[-1] is Reached.FINISHED
    assert bench.sounded(play) == 1


def test_too_much_ordered_ahead_is_refused_for_now() -> None:
    bench = Bench(audio_at_once=False)
    bench.hear(*(a_prefetch(seq=seq, audio=an_audio(sha256=f"{seq:064x}")) for seq in range(1, 66)))
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "busy")
    assert len(bench.core.memory.wanted) == 64


# ---- starting anew


def test_a_restart_is_written_down_before_it_is_done_and_a_replay_does_nothing() -> None:
    bench, restart = Bench(), Restart(**an_order())
    bench.hear(restart)
    assert isinstance(bench.actions[-1], StartAnew)
    assert bench.said(restart) == [Reached.FINISHED]
    assert restart.id in bench.persisted
    bench.restart()
    bench.hear(restart)
    bench.sleep(2 * MINUTE)
    assert (bench.last().st, len(bench.did(StartAnew))) == (Reached.DUPLICATE, 1)


def test_a_restart_waits_for_the_end_of_the_sound_and_nothing_new_begins() -> None:
    bench, waiting = Bench(), a_play(seq=6)
    bench.hear(a_play(), waiting, Restart(**an_order()))
    assert bench.did(StartAnew) == []
    bench.sound_ends()
    assert (len(bench.did(StartAnew)), bench.sounded(waiting)) == (1, 0)
    bench.restart()
    assert bench.sounded(waiting) == 1


def test_a_restart_waits_a_minute_at_most() -> None:
    bench = Bench()
    bench.hear(a_play(audio=an_audio(duration_ms=10 * MINUTE)), Restart(**an_order()))
    bench.sleep(MINUTE - 1)
    assert bench.did(StartAnew) == []
    bench.sleep(1)
    assert len(bench.did(StartAnew)) == 1


def test_a_restart_never_cuts_off_an_emergency_nor_keeps_one_from_beginning() -> None:
    bench = Bench()
    bench.hear(a_play(), Restart(**an_order()))
    bench.hear(a_play(seq=6, audio=an_audio(duration_ms=10 * MINUTE), **GRAVE))
    bench.sleep(9 * MINUTE)
    assert bench.did(StartAnew) == []
    bench.sound_ends()
    assert len(bench.did(StartAnew)) == 1


# ---- self-test


def test_a_self_test_reports_what_was_found() -> None:
    bench, test = Bench(), SelfTest(**an_order())
    bench.hear(test)
    assert bench.did(Examine) == [Examine(test.id, False, 80)]
    bench.take(bench.core.examined(test.id, True, {"amp": "on"}, bench.now))
    assert bench.said(test) == [Reached.RECEIVED, Reached.FINISHED]
    assert bench.last().report == {"amp": "on"}


def test_a_failed_self_test_is_a_fault_until_one_passes() -> None:
    bench, test, again = Bench(), SelfTest(**an_order()), SelfTest(**an_order(seq=6))
    bench.hear(test)
    bench.take(bench.core.examined(test.id, False, {"amp": "fault"}, bench.now))
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "self_test")
    assert bench.core.memory.faults == [FaultCode.SELF_TEST]
    bench.hear(again)
    bench.take(bench.core.examined(again.id, True, {}, bench.now))
    assert bench.core.memory.faults == []


def test_a_self_test_nobody_answers_is_stuck() -> None:
    bench, test = Bench(), SelfTest(**an_order())
    bench.hear(test)
    bench.sleep(30_000)
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "stuck")
    bench.take(bench.core.examined(test.id, True, {}, bench.now))
    assert bench.last().reason == "stuck"


def test_a_self_test_ends_with_the_power() -> None:
    bench, test = Bench(), SelfTest(**an_order())
    bench.hear(test)
    bench.restart()
    assert (bench.last().id, bench.last().st, bench.last().reason) == (test.id, Reached.FAILED, "power_lost")


def test_a_long_report_is_cut_to_what_fits_a_receipt() -> None:
    bench, test = Bench(), SelfTest(**an_order())
    bench.hear(test)
    report = {f"{number:02}-{'k' * 50}": "v" * 500 for number in range(30)}
    bench.take(bench.core.examined(test.id, True, report, bench.now))
    assert bench.last().report is not None
    assert len(bench.last().report or {}) == 16


def test_a_test_tone_keeps_quiet_hours_and_the_silent_test_need_not() -> None:
    bench = Bench()
    bench.now = NIGHT
    bench.hear(SelfTest(**an_order(iat=NIGHT, sound=True)))
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "quiet_hours")
    bench.hear(SelfTest(**an_order(iat=NIGHT, seq=6)))
    assert bench.last().st is Reached.RECEIVED


def test_a_test_tone_does_not_sound_over_something_and_may_be_asked_for_again() -> None:
    bench, test = Bench(), SelfTest(**an_order(sound=True))
    bench.hear(a_play(), test)
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "busy")
    bench.sound_ends()
    bench.hear(test)
    assert len(bench.did(Examine)) == 1


def test_during_a_test_tone_only_an_emergency_begins() -> None:
    bench, test = Bench(), SelfTest(**an_order(sound=True))
    routine, emergency = a_play(), a_play(seq=6, **GRAVE)
    bench.hear(test, routine)
    assert bench.sounds == []
    bench.hear(emergency)
    assert bench.sounded(emergency) == 1
    bench.take(bench.core.examined(test.id, True, {}, bench.now))
    bench.sound_ends()
    assert bench.sounded(routine) == 1


def test_only_one_test_at_a_time() -> None:
    bench = Bench()
    bench.hear(SelfTest(**an_order()), SelfTest(**an_order(seq=6)))
    assert bench.last().reason == "busy"


# ---- records


def test_records_are_sent_again_and_then_the_command_is_finished() -> None:
    bench, records = Bench(), Records(**an_order(after=17))
    bench.hear(records)
    assert bench.actions[0] == Resend(17)
    assert bench.said(records) == [Reached.FINISHED]


def test_what_could_not_be_believed_takes_no_number_of_its_own() -> None:
    bench = Bench()
    bench.hear(Ping(**an_order()))
    bench.hear_bytes(b"nonsense")
    bench.hear(Ping(**an_order(seq=6)))
    assert [(receipt.id is None, receipt.n) for receipt in bench.receipts] == [(False, 1), (True, 1), (False, 2)]


def test_heartbeats_say_the_number_of_the_newest_receipt_and_how_long_it_has_been_up() -> None:
    bench = Bench()
    bench.restart()
    bench.hear(Ping(**an_order()))
    bench.now += 90_500
    beat = bench.core.beat(bench.now, PLENTY)
    assert (beat.n, beat.up_s, beat.seq) == (1, 90, 5)


def test_after_a_reconnection_the_first_heartbeat_says_what_it_saw_last() -> None:
    bench, play = Bench(), a_play(seq=9)
    bench.hear(play)
    bench.core.disconnected()
    bench.sound_ends()
    bench.take(bench.core.connected(bench.now))
    assert isinstance(bench.actions[-1], SendBeat)
    beat = bench.core.beat(bench.now, PLENTY)
    assert (beat.seq, beat.last, beat.n) == (9, ((play.id, Reached.FINISHED),), 4)


def test_heartbeats_say_what_the_body_measures() -> None:
    core = Bench().core
    assert core.beat(NOON, PLENTY).amp is None
    core.set_health(amp="on", mains=False, battery=40, temp=-12, signal=-80)
    core.set_health(battery=39)
    beat = core.beat(NOON, PLENTY)
    assert (beat.amp, beat.mains, beat.battery, beat.temp, beat.signal) == ("on", False, 39, -12, -80)


# ---- faults


def test_a_fault_is_said_when_it_comes_and_when_it_goes_and_repeated_by_heartbeats() -> None:
    bench = Bench()
    for on, times in [(True, 3), (False, 2)]:
        for _ in range(times):
            bench.take(bench.core.fault(FaultCode.MAINS_LOST, on, "230 V gone", bench.now))
    assert [action.report for action in bench.did(SendFault)] == [
        FaultReport(dev="horn-7", code="mains_lost", on=on, ts=NOON, detail="230 V gone") for on in (True, False)
    ]
    bench.take(bench.core.fault("door_open", True, None, bench.now))
    bench.restart()
    assert bench.core.beat(bench.now, PLENTY).faults == ("door_open",)


def test_more_faults_than_a_heartbeat_holds_are_not_kept() -> None:
    bench = Bench()
    for number in range(40):
        bench.take(bench.core.fault(f"{number}-{'x' * 40}", True, "y" * 200, bench.now))
    assert len(bench.core.beat(bench.now, PLENTY).faults) == 16


def test_a_sound_that_could_not_be_made_is_a_fault_until_the_next_one_could() -> None:
    bench = Bench()
    bench.hear(a_play(), a_play(seq=2))
    bench.sound_breaks("playback")
    assert bench.core.beat(bench.now, PLENTY).faults == ("playback",)
    bench.sound_ends()
    assert bench.core.beat(bench.now, PLENTY).st is Doing.IDLE
    assert [(fault.report.code, fault.report.on) for fault in bench.did(SendFault)] == [
        ("playback", True),
        ("playback", False),
    ]


def test_little_room_is_noticed_at_a_heartbeat_and_said_soon() -> None:
    bench = Bench()
    assert bench.core.beat(bench.now, 19_999_999).faults == ("storage_low",)
    bench.sleep(10)
    assert [fault.report.code for fault in bench.did(SendFault)] == ["storage_low"]
    assert bench.core.beat(bench.now, PLENTY).faults == ()
    bench.sleep(10)
    assert [fault.report.on for fault in bench.did(SendFault)] == [True, False]


@pytest.mark.parametrize("ahead_ms", [7_200_000, -5_001])
def test_a_clock_that_was_wrong_is_a_fault_until_the_next_answer_finds_it_right(ahead_ms: int) -> None:
    bench = Bench()
    for offset in (ahead_ms, 12):
        nonce = bench.core.beat(bench.now, PLENTY).nonce
        bench.hear(TimeAnswer(**an_order(iat=bench.now), nonce=nonce, offset_ms=offset))
    assert [(fault.report.code, fault.report.on) for fault in bench.did(SendFault)] == [
        ("clock_wrong", True),
        ("clock_wrong", False),
    ]


def test_receipts_say_how_far_the_clock_was_moved_once_it_was() -> None:
    bench = Bench()
    bench.hear(Ping(**an_order()))
    nonce = bench.core.beat(bench.now, PLENTY).nonce
    bench.hear(TimeAnswer(**an_order(iat=NOON - 2500), nonce=nonce))
    bench.hear(Ping(**an_order(seq=6, iat=NOON - 2500)))
    assert [receipt.offset_ms for receipt in bench.receipts] == [None, 2500]
    assert bench.last().ts == NOON - 2500


def test_days_of_all_kinds_of_commands_do_not_make_the_memory_grow() -> None:
    bench = Bench()
    sizes = []
    for day in range(3):
        for number in range(60):
            bench.now = NOON + day * DAY + number * 1000
            at = {"iat": bench.now, "seq": day * 10_000 + number}
            bench.hear(
                Ping(**an_order(**at)), Records(**an_order(**at, after=0)), a_prefetch(**at), Restart(**an_order(**at))
            )
        sizes.append(len(bench.persisted))
    assert sizes[-1] <= sizes[0] * 1.1
