"""The rules of a loudspeaker."""

import json

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
    an_order,
    some_settings,
    to_device,
)

from hub.speakers.device.actions import Resubscribe, SendBeat
from hub.speakers.envelope import SigningKey
from hub.speakers.protocol import (
    Configure,
    Doing,
    Ping,
    Play,
    Reached,
    TimeAnswer,
    ToRegion,
    seal_command,
)


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
    bench.hear(*(Ping(**an_order(seq=number, exp=NOON + DAY)) for number in range(2, 600)))
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


def test_a_clock_that_is_a_little_slow_does_not_refuse_what_was_said_just_now() -> None:
    bench = Bench()
    bench.hear(soon := a_play(iat=NOON + 5000), a_play(iat=NOON + 11_000, seq=2))
    assert bench.sounded(soon) == 1
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "not_yet")


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


def test_new_settings_move_the_device_and_old_ones_do_not_move_it_back() -> None:
    bench = Bench()
    moved = some_settings(version=2, regions=(COUNTY, "990101002000"), quiet=())
    older = some_settings(version=1)
    bench.hear(Configure(**an_order(settings=moved)))
    assert Resubscribe(gone=("990101001000", VILLAGE), new=("990101002000",)) in bench.actions
    bench.restart()
    bench.hear(Configure(**an_order(settings=older, seq=9)))
    assert bench.last().reason == "replayed"
    assert bench.core.settings == moved
    bench.hear(a_play())
    assert bench.sounds == []


def test_new_settings_are_confirmed_by_a_heartbeat_and_set_its_period() -> None:
    bench = Bench()
    bench.take(bench.core.connected(bench.now))
    bench.hear(Configure(**an_order(settings=some_settings(version=1, beat_s=5))))
    assert isinstance(bench.actions[-1], SendBeat)
    assert bench.core.next_wake(bench.now) == bench.now + 5000


def test_settings_can_change_the_keys() -> None:
    bench, fresh = Bench(), SigningKey.generate("h2")
    bench.hear(Configure(**an_order(settings=some_settings(version=1, keys={"h2": fresh.public()}))))
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
    answer = an_order(iat=NOON, to=to_device("horn-7"))
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
    bench.hear(TimeAnswer(**an_order(iat=NOON - DAY), nonce=nonce))
    assert bench.core.beat(bench.now, 0).ts == bench.now


def set_clock(bench: Bench, iat: int) -> None:
    nonce = bench.core.beat(bench.now, 0).nonce
    bench.hear(TimeAnswer(**an_order(iat=iat, exp=iat + MINUTE), nonce=nonce))


def test_a_clock_that_goes_back_makes_nothing_valid_again_that_was_forgotten() -> None:
    bench, play = Bench(), a_play(seq=7, exp=NOON + 5 * MINUTE)
    bench.hear(play)
    bench.sound_ends()
    set_clock(bench, NOON + 10 * MINUTE)
    bench.hear(a_play(seq=8, iat=NOON + 10 * MINUTE, exp=NOON + 20 * MINUTE))
    bench.sound_ends()
    assert play.id not in bench.core.memory.seen, "it has expired, and is forgotten"
    set_clock(bench, NOON + MINUTE)
    bench.hear(play)
    assert (bench.last().st, bench.last().reason) == (Reached.REFUSED, "replayed")
    bench.hear(new := a_play(seq=9, iat=NOON + MINUTE, exp=NOON + 5 * MINUTE))
    assert (bench.sounded(play), bench.sounded(new)) == (1, 1)


def test_a_clock_that_goes_back_a_little_refuses_nothing() -> None:
    bench = Bench()
    bench.hear(a_play(seq=8, exp=NOON + MINUTE))
    bench.sound_ends()
    set_clock(bench, NOON + 10 * MINUTE)
    bench.hear(a_play(seq=9, iat=NOON + 10 * MINUTE, exp=NOON + 20 * MINUTE))
    bench.sound_ends()
    set_clock(bench, NOON + 9 * MINUTE)
    bench.hear(late := a_play(seq=7, iat=NOON + 8 * MINUTE, exp=NOON + 20 * MINUTE))
    assert bench.sounded(late) == 1


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
