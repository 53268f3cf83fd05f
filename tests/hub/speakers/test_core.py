"""The rules of a loudspeaker."""

import json
from typing import Any
from uuid import uuid4

import pytest
from speakerlab import (
    COUNTY,
    DAY,
    KEY,
    MINUTE,
    NOON,
    SILENCE_SHA,
    VILLAGE,
    Bench,
    a_play,
    a_stop,
    an_audio,
    some_settings,
    to_device,
)

from hub.speakers.device.actions import Fetch, Resubscribe, SendBeat, SetLevel
from hub.speakers.envelope import SigningKey
from hub.speakers.protocol import (
    Configure,
    Doing,
    Ping,
    Play,
    Priority,
    QuietTime,
    Reached,
    SetVolume,
    TimeAnswer,
    ToRegion,
    seal_command,
)

NIGHT = NOON + 12 * 60 * MINUTE
EMERGENCY: dict[str, Any] = {"pri": Priority.EMERGENCY, "seq": 2}


def a_command(**given: Any) -> dict[str, Any]:
    fields = {
        "id": str(uuid4()),
        "issuer": "hub",
        "iat": NOON,
        "nbf": NOON,
        "exp": NOON + MINUTE,
        "seq": 5,
        "to": to_device("horn-7"),
    }
    return fields | given


def test_a_play_goes_from_received_to_finished() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.sound_ends()
    assert bench.said(play) == [Reached.RECEIVED, Reached.FETCHED, Reached.STARTED, Reached.FINISHED]
    assert bench.last().played_ms == 10_000
    assert [receipt.n for receipt in bench.receipts] == [1, 2, 3, 4]


def test_the_same_command_again_is_a_duplicate_and_stays_silent() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.sound_ends()
    bench.hear(play)
    assert bench.sounded(play) == 1
    assert (bench.last().st, bench.last().reached) == (Reached.DUPLICATE, Reached.FINISHED)


def test_the_same_command_over_another_topic_with_another_address_is_a_duplicate() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play, play.model_copy(update={"to": to_device("horn-7")}))
    assert bench.sounded(play) == 1
    assert bench.last().st is Reached.DUPLICATE


def test_a_captured_command_is_not_played_again_after_it_has_run_out() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.sound_ends()
    bench.now = NOON + 11 * MINUTE
    later = a_play(iat=bench.now, seq=2)
    bench.hear(later)
    bench.sound_ends()
    bench.hear(play)
    assert bench.sounded(play) == 1


def test_a_clock_set_back_does_not_revive_a_captured_command() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.sound_ends()
    bench.now = NOON + 11 * MINUTE
    bench.hear(a_play(iat=bench.now, seq=2))
    bench.sound_ends()
    bench.now = NOON
    bench.restart()
    bench.hear(play)
    assert bench.last().st is Reached.EXPIRED
    assert bench.sounded(play) == 1


def test_more_commands_than_can_be_remembered_do_not_revive_the_oldest() -> None:
    bench, first = Bench(), a_play(seq=1, exp=NOON + DAY)
    bench.hear(first)
    bench.sound_ends()
    bench.hear(*(Ping(**a_command(seq=number, exp=NOON + DAY)) for number in range(2, 600)))
    assert first.id not in bench.core.memory.seen
    bench.hear(first)
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "replayed")
    assert bench.sounded(first) == 1


def test_a_forged_command_is_refused_without_naming_what_it_claims_to_be() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play, key=SigningKey.generate("h1"))
    assert (bench.last().id, bench.last().reason) == (None, "bad_signature")
    assert bench.sounds == []
    bench.hear(play)
    assert bench.sounded(play) == 1


def test_an_unknown_key_is_refused() -> None:
    bench = Bench()
    bench.hear(a_play(), key=SigningKey.generate("stranger"))
    assert bench.last().reason == "unknown_key"


def test_one_changed_byte_is_refused() -> None:
    bench = Bench()
    wrapped = json.loads(seal_command(a_play(), KEY))
    wrapped["p"] = wrapped["p"][:40] + ("A" if wrapped["p"][40] != "A" else "B") + wrapped["p"][41:]
    bench.hear_bytes(json.dumps(wrapped).encode())
    assert bench.last().reason == "bad_signature"


@pytest.mark.parametrize("message", [b"", b"\xff\xfe", b"{}", b"[1]", b"null", b'{"v":1}', b"x" * 20_000])
def test_nonsense_is_refused_and_harms_nothing(message: bytes) -> None:
    bench = Bench()
    bench.hear_bytes(message)
    assert bench.last().reason == "malformed"


def test_a_flood_of_nonsense_is_answered_once_and_counted() -> None:
    bench = Bench()
    for _ in range(50):
        bench.hear_bytes(b"nonsense")
    assert len(bench.receipts) == 1
    assert bench.core.beat(bench.now, 0).bad == 50


@pytest.mark.parametrize(
    "to",
    [
        to_device("horn-8"),
        ToRegion(region="990101001002", upto=100),
        ToRegion(region=VILLAGE, upto=6),
        ToRegion(region=VILLAGE, upto=100, excluded=("horn-7",)),
    ],
)
def test_what_is_for_others_is_passed_over_in_silence(to: ToRegion) -> None:
    bench = Bench()
    bench.hear(a_play(to=to))
    assert bench.receipts == []
    assert bench.sounds == []


def test_a_region_up_the_tree_means_the_device_too() -> None:
    bench, play = Bench(), a_play(to=ToRegion(region=COUNTY, upto=7))
    bench.hear(play)
    assert bench.sounded(play) == 1


def test_what_comes_too_late_is_expired_and_silent() -> None:
    bench, play = Bench(), a_play()
    bench.now = play.exp
    bench.hear(play)
    assert bench.said(play) == [Reached.EXPIRED]
    assert bench.sounds == []


def test_what_runs_out_in_the_queue_is_expired_and_silent() -> None:
    bench, play = Bench(audio_at_once=False), a_play()
    bench.hear(play)
    bench.wait(10 * MINUTE)
    bench.take(bench.core.fetched(SILENCE_SHA, bench.now))
    assert bench.said(play) == [Reached.RECEIVED, Reached.EXPIRED]
    assert bench.sounds == []


def test_what_comes_too_early_may_come_again() -> None:
    bench, play = Bench(), a_play(nbf=NOON + MINUTE)
    bench.hear(play)
    assert bench.last().reason == "not_yet"
    bench.now += MINUTE
    bench.hear(play)
    assert bench.sounded(play) == 1


def test_a_start_time_is_waited_for_over_a_restart() -> None:
    bench, play = Bench(), a_play(start_at=NOON + MINUTE)
    bench.hear(play)
    bench.wait(MINUTE // 2)
    bench.restart()
    assert bench.sounds == []
    assert bench.core.next_wake(bench.now) == NOON + MINUTE
    bench.wait(MINUTE // 2)
    assert bench.sounded(play) == 1


def test_a_power_cut_in_the_middle_never_plays_twice_and_says_so() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    bench.restart()
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "power_lost")
    bench.hear(play)
    assert bench.sounded(play) == 1
    assert bench.last().reached is Reached.FAILED


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
    emergency = a_play(iat=NIGHT, **EMERGENCY)
    bench.hear(emergency)
    assert bench.sounded(emergency) == 1


def test_a_drill_is_no_emergency_at_night() -> None:
    bench = Bench()
    bench.now = NIGHT
    bench.hear(a_play(iat=NIGHT, mode="drill", **EMERGENCY))
    assert bench.last().reason == "quiet_hours"


def test_a_start_time_inside_quiet_hours_is_refused_at_once() -> None:
    bench = Bench()
    bench.hear(a_play(start_at=NIGHT, exp=NIGHT + MINUTE))
    assert bench.last().reason == "quiet_hours"


def test_what_waited_into_quiet_hours_is_refused_and_interrupts_nothing() -> None:
    bench = Bench(settings=some_settings(quiet=(QuietTime(start=12 * 60 + 1, end=13 * 60),)))
    long = a_play(audio=an_audio(duration_ms=2 * MINUTE))
    waiting = a_play(seq=2)
    drill = a_play(iat=NOON + MINUTE, seq=3, pri=Priority.EMERGENCY, mode="drill")
    bench.hear(long, waiting)
    bench.wait(MINUTE)
    bench.hear(drill)
    assert bench.said(waiting) == [Reached.RECEIVED, Reached.FETCHED, Reached.REFUSED]
    assert bench.said(drill) == [Reached.REFUSED]
    assert bench.silences == []


def test_the_volume_of_a_play_is_its_own_and_the_lasting_one_comes_back() -> None:
    bench = Bench()
    bench.hear(SetVolume(**a_command(level=60)))
    play = a_play(volume=90)
    bench.hear(play)
    assert bench.sounds[-1].volume == 90
    bench.sound_ends()
    assert bench.actions[-1] == SetLevel(60)
    bench.restart()
    assert SetLevel(60) in bench.actions[-1:]


def test_the_lasting_volume_comes_back_after_a_power_cut_in_the_middle() -> None:
    bench = Bench()
    bench.hear(SetVolume(**a_command(level=55)), a_play(volume=100))
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


def test_new_settings_move_the_device_and_old_ones_do_not_move_it_back() -> None:
    bench = Bench()
    moved = some_settings(version=2, regions=(COUNTY, "990101002000"), quiet=())
    older = some_settings(version=1)
    bench.hear(Configure(**a_command(settings=moved)))
    assert Resubscribe(gone=("990101001000", VILLAGE), new=("990101002000",)) in bench.actions
    bench.restart()
    bench.hear(Configure(**a_command(settings=older, seq=9)))
    assert bench.last().reason == "replayed"
    assert bench.core.settings == moved
    bench.hear(a_play())
    assert bench.sounds == []


def test_new_settings_are_confirmed_by_a_heartbeat_and_set_its_period() -> None:
    bench = Bench()
    bench.take(bench.core.connected(bench.now))
    bench.hear(Configure(**a_command(settings=some_settings(version=1, beat_s=5))))
    assert isinstance(bench.actions[-1], SendBeat)
    assert bench.core.next_wake(bench.now) == bench.now + 5000


def test_settings_can_change_the_keys() -> None:
    bench, fresh = Bench(), SigningKey.generate("h2")
    bench.hear(Configure(**a_command(settings=some_settings(version=1, keys={"h2": fresh.public()}))))
    bench.hear(a_play())
    assert bench.last().reason == "unknown_key"
    play = a_play(seq=2)
    bench.hear(play, key=fresh)
    assert bench.sounded(play) == 1


def test_a_device_without_a_clock_waits_for_the_hub_to_answer_its_heartbeat() -> None:
    bench, play = Bench(clock_known=False), a_play()
    bench.now = 0
    bench.hear(play)
    assert bench.sounds == []
    nonce = bench.core.beat(bench.now, 0).nonce
    bench.now += 40
    answer = a_command(iat=NOON, to=to_device("horn-7"))
    bench.hear(TimeAnswer(**answer, nonce="00" * 8))
    bench.hear(play)
    assert bench.sounds == []
    bench.hear(TimeAnswer(**answer, nonce=nonce))
    bench.hear(play)
    assert bench.sounded(play) == 1
    assert bench.last().ts == NOON + 20


def test_an_answer_to_an_old_heartbeat_does_not_set_the_clock() -> None:
    bench = Bench()
    nonce = bench.core.beat(bench.now, 0).nonce
    bench.now += 60_000
    bench.hear(TimeAnswer(**a_command(iat=NOON - DAY), nonce=nonce))
    assert bench.core.beat(bench.now, 0).ts == bench.now


def test_the_heartbeat_repeats_the_newest_states() -> None:
    bench = Bench()
    plays = [a_play(seq=seq, exp=NOON + DAY) for seq in range(1, 11)]
    for play in plays:
        bench.hear(play)
        bench.sound_ends()
    bench.hear(last := a_play(seq=11, exp=NOON + DAY))
    beat = bench.core.beat(bench.now, 123)
    assert (beat.st, beat.now, beat.seq, beat.free) == (Doing.PLAYING, last.id, 11, 123)
    assert beat.last == (*((play.id, Reached.FINISHED) for play in plays[3:]), (last.id, Reached.STARTED))


def test_heartbeats_come_twice_after_connecting_then_in_their_period_and_not_without_a_connection() -> None:
    bench = Bench(settings=some_settings(beat_s=30))
    assert bench.core.tick(bench.now) == []
    assert len(bench.core.connected(bench.now)) == 1
    assert bench.core.tick(bench.now + 9_999) == []
    assert len(bench.core.tick(bench.now + 10_000)) == 1
    assert bench.core.tick(bench.now + 39_999) == []
    assert bench.core.next_wake(bench.now + 10_000) == bench.now + 40_000
    assert len(bench.core.tick(bench.now + 40_000)) == 1
    bench.core.disconnected()
    assert bench.core.tick(bench.now + 99_000) == []


def test_a_full_queue_says_busy() -> None:
    bench = Bench()
    plays: list[Play] = [a_play(seq=seq) for seq in range(1, 66)]
    bench.hear(*plays)
    assert (bench.last().id, bench.last().reason) == (plays[64].id, "busy")


def test_after_a_damaged_memory_nothing_issued_before_is_played() -> None:
    bench = Bench()
    bench.core.memory.not_before = NOON
    bench.hear(a_play(iat=NOON - 1))
    assert bench.last().reason == "replayed"
    play = a_play(iat=NOON)
    bench.hear(play)
    assert bench.sounded(play) == 1
