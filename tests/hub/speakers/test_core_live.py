"""What runs elsewhere: radio that is relayed, and a voice that is speaking now."""

import pytest
from speakerlab import GRAVE, MINUTE, NOON, SILENCE_SHA, Bench, a_chunk, a_play, a_relay, a_shout, a_stop, an_audio

from hub.speakers.device.actions import Feed, Fetch
from hub.speakers.envelope import SigningKey
from hub.speakers.protocol import FaultCode, Play, Priority, Reached, Used


def opens(bench: Bench, play: Play) -> None:
    """The first sound of the stream has come."""
    bench.take(bench.core.stream_ready(play.id, bench.now))


def relaying(bench: Bench, **given: object) -> Play:
    """A relay that is heard."""
    play = a_relay(**given)
    bench.hear(play)
    opens(bench, play)
    return play


# ---- relay


def test_a_relay_has_started_when_it_is_heard_and_ends_with_its_time() -> None:
    bench, play = Bench(), a_relay()
    bench.hear(play)
    assert (bench.sounds[-1].used, bench.did(Fetch)) == (Used.STREAM, [])
    assert bench.said(play) == [Reached.RECEIVED]
    bench.now += 2000
    opens(bench, play)
    assert (bench.last().st, bench.last().used) == (Reached.STARTED, Used.STREAM)
    bench.sleep(28 * MINUTE)
    assert bench.said(play) == [Reached.RECEIVED, Reached.STARTED]
    bench.sleep(2 * MINUTE)
    assert bench.silences == [play.id]
    assert (bench.last().st, bench.last().played_ms) == (Reached.FINISHED, 30 * MINUTE - 2000)


def test_a_relay_begins_at_its_time_and_ends_at_its_time_even_if_it_came_late() -> None:
    bench, play = Bench(), a_relay(start_at=NOON - 10 * MINUTE, exp=NOON + 20 * MINUTE)
    bench.hear(play)
    opens(bench, play)
    bench.sleep(20 * MINUTE)
    assert (bench.last().st, bench.last().played_ms) == (Reached.FINISHED, 20 * MINUTE)


def test_a_stream_that_dies_without_a_fallback_fails() -> None:
    bench = Bench()
    play = relaying(bench)
    bench.now += 5000
    bench.sound_breaks("stream_lost", 5000)
    assert (bench.last().st, bench.last().reason, bench.last().played_ms) == (Reached.FAILED, "stream_lost", 5000)
    assert FaultCode.PLAYBACK not in bench.core.memory.faults
    bench.hear(play)
    assert bench.sounded(play) == 1


def test_a_stream_that_dies_gives_way_to_its_fallback() -> None:
    bench = Bench()
    play = relaying(bench, fallback=an_audio())
    assert len(bench.did(Fetch)) == 1
    bench.now += 5000
    bench.sound_breaks("stream_lost", 5000)
    assert (bench.last().st, bench.last().reason, bench.last().used) == (Reached.PROGRESS, "stream_lost", Used.STREAM)
    assert (bench.sounds[-1].used, bench.sounds[-1].audio) == (Used.AUDIO, an_audio())
    bench.sound_ends()
    last = bench.receipts_of(play)[-1]
    assert (last.st, last.used, last.played_ms) == (Reached.FINISHED, Used.AUDIO, 15_000)


def test_a_stream_that_never_opened_starts_with_its_fallback() -> None:
    bench, play = Bench(), a_relay(fallback=an_audio())
    bench.hear(play)
    bench.now += 10_000
    bench.sound_breaks("stream_lost")
    assert bench.said(play) == [Reached.RECEIVED, Reached.PROGRESS, Reached.STARTED]
    assert bench.last().used is Used.AUDIO


def test_a_fallback_is_cut_off_at_the_end_of_the_relay() -> None:
    bench = Bench()
    play = relaying(bench, fallback=an_audio(duration_ms=20 * MINUTE))
    bench.now += 25 * MINUTE
    bench.sound_breaks("stream_lost", 25 * MINUTE)
    bench.sleep(5 * MINUTE)
    assert (bench.receipts_of(play)[-1].st, bench.now) == (Reached.FINISHED, NOON + 30 * MINUTE)
    assert bench.receipts_of(play)[-1].played_ms == 30 * MINUTE


def test_a_fallback_that_cannot_be_fetched_leaves_the_stream_alone() -> None:
    bench = Bench(audio_at_once=False)
    play = a_relay(fallback=an_audio())
    bench.hear(play)
    opens(bench, play)
    for _ in range(8):
        bench.take(bench.core.fetch_failed(SILENCE_SHA, "http_404", bench.now))
        bench.sleep(MINUTE)
    assert bench.core.memory.playing == play.id
    assert len(bench.did(Fetch)) == 6


def test_a_relay_yields_to_what_is_scheduled_and_comes_back_for_the_rest_as_often_as_needed() -> None:
    bench = Bench()
    play = relaying(bench)
    for seq in (2, 3, 4):
        bench.now += MINUTE
        bench.hear(a_play(seq=seq, iat=bench.now))
        assert bench.said(play)[-1] is Reached.INTERRUPTED
        bench.sound_ends()
        opens(bench, play)
        assert bench.said(play)[-1] is Reached.STARTED
    bench.sleep(30 * MINUTE)
    last = bench.receipts_of(play)[-1]
    assert (last.st, last.played_ms) == (Reached.FINISHED, 30 * MINUTE - 30_000)
    assert bench.now >= NOON + 30 * MINUTE


def test_a_relay_whose_time_ran_out_under_an_emergency_says_what_was_heard() -> None:
    bench = Bench()
    play = relaying(bench, duration_ms=5 * MINUTE)
    bench.now += MINUTE
    bench.hear(a_play(**GRAVE, seq=2, audio=an_audio(duration_ms=10 * MINUTE), iat=bench.now))
    bench.sleep(5 * MINUTE)
    last = bench.receipts_of(play)[-1]
    assert (last.st, last.reason, last.played_ms) == (Reached.FAILED, "interrupted", MINUTE)


def test_a_relay_does_not_come_back_after_a_power_cut() -> None:
    bench = Bench()
    play = relaying(bench)
    bench.restart()
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "power_lost")
    bench.hear(play)
    assert bench.sounded(play) == 1


def test_a_relay_ends_with_a_stop() -> None:
    bench = Bench()
    play = relaying(bench)
    bench.hear(a_stop(broadcasts=(play.broadcast,)))
    assert bench.silences == [play.id]
    opens(bench, play)
    assert bench.said(play)[-1] is Reached.STOPPED


# ---- shout


def shouting(bench: Bench, **given: object) -> Play:
    """A voice that is heard."""
    play = a_shout(**given)
    bench.hear(play, a_chunk(play, 0), a_chunk(play, 1))
    bench.take(bench.core.shout_ready(play.id, bench.now))
    return play


def test_a_voice_sounds_when_enough_of_it_is_here_and_ends_with_its_last_piece() -> None:
    bench, play = Bench(), a_shout()
    bench.hear(play, a_chunk(play, 0))
    assert (bench.said(play), bench.sounds) == ([Reached.RECEIVED], [])
    bench.take(bench.core.shout_ready(play.id, bench.now))
    assert bench.sounds[-1].used is Used.SHOUT
    bench.hear(a_chunk(play, 1, last=True))
    assert bench.did(Feed) == [Feed(play.id, 0, b"\x00\x01\x00", False), Feed(play.id, 1, b"\x00\x01\x00", True)]
    bench.take(bench.core.sound_ended(play.id, 2000, None, bench.now))
    assert bench.said(play) == [Reached.RECEIVED, Reached.FETCHED, Reached.STARTED, Reached.FINISHED]
    assert (bench.last().played_ms, bench.last().used) == (2000, Used.SHOUT)


def test_pieces_leave_no_trace() -> None:
    bench = Bench()
    play = shouting(bench)
    before, said = bench.core.memory.model_dump_json(), len(bench.receipts)
    for n in range(2, 1000):
        bench.hear(a_chunk(play, n, seq=n), a_chunk(play, n, seq=n))
    assert bench.core.memory.model_dump_json() == before
    assert not bench.core.dirty
    assert (len(bench.receipts), len(bench.did(Feed))) == (said, 1000)
    bench.take(bench.core.sound_ended(play.id, 1000, None, bench.now))
    bench.hear(other := a_shout(seq=2), a_chunk(other, 0))
    assert len(bench.core._chunks) == 1


@pytest.mark.parametrize(
    "chunk",
    [{"exp": NOON + 1, "iat": NOON - 1}, {"iat": NOON + 6000}, {"data": "A"}, {"data": "=AAA"}, {"n": 0}],
)
def test_pieces_that_are_late_early_broken_or_here_already_are_passed_over(chunk: dict[str, object]) -> None:
    bench = Bench()
    play = shouting(bench)
    bench.now += 1
    bench.hear(a_chunk(play, **{"n": 5} | chunk))  # type: ignore[arg-type]
    assert len(bench.did(Feed)) == 2
    assert bench.last().st is Reached.STARTED


def test_pieces_of_what_is_not_waiting_and_pieces_from_strangers_are_passed_over() -> None:
    bench, play, recorded = Bench(), a_shout(), a_play(seq=2)
    bench.hear(a_chunk(play, 0), recorded, a_chunk(recorded, 0), play)
    bench.hear(a_chunk(play, 1), key=SigningKey.generate("h1"))
    assert bench.did(Feed) == []


def test_a_voice_that_breaks_off_fails_and_says_how_much_was_heard() -> None:
    bench = Bench()
    shouting(bench)
    bench.now += 7000
    bench.sound_breaks("stream_lost", 2000)
    assert (bench.last().st, bench.last().reason, bench.last().played_ms) == (Reached.FAILED, "stream_lost", 2000)
    assert bench.core.memory.faults == []


def test_a_voice_interrupted_by_an_emergency_never_goes_on() -> None:
    bench = Bench()
    play = shouting(bench)
    bench.now += 1000
    bench.hear(a_play(**GRAVE, seq=2))
    bench.hear(a_chunk(play, 2))
    bench.sound_ends()
    assert bench.said(play)[-2:] == [Reached.INTERRUPTED, Reached.FAILED]
    assert bench.receipts_of(play)[-1].reason == "interrupted"
    assert (bench.sounded(play), len(bench.did(Feed))) == (1, 2)


def test_a_voice_interrupts_what_is_scheduled() -> None:
    bench, routine = Bench(), a_play()
    bench.hear(routine)
    play = shouting(bench, seq=2)
    assert bench.silences == [routine.id]
    assert bench.core.memory.playing == play.id


def test_a_voice_that_waited_is_gone_after_a_power_cut() -> None:
    bench, play = Bench(), a_shout()
    bench.hear(play, a_chunk(play, 0))
    bench.restart()
    assert (bench.last().st, bench.last().reason) == (Reached.FAILED, "power_lost")
    assert bench.core.memory.queue == []


def test_a_voice_nobody_hears_in_time_expires() -> None:
    bench, play = Bench(), a_shout(exp=NOON + 30_000)
    bench.hear(play)
    bench.sleep(30_000)
    assert bench.said(play) == [Reached.RECEIVED, Reached.EXPIRED]
    bench.take(bench.core.shout_ready(play.id, bench.now))
    assert bench.sounds == []


def test_an_urgent_voice_is_an_emergency_too() -> None:
    bench = Bench()
    bench.now = NOON + 12 * 60 * MINUTE
    play = a_shout(**GRAVE, iat=bench.now)
    bench.hear(play, a_shout(iat=bench.now, seq=2, pri=Priority.SHOUT))
    assert bench.last().reason == "quiet_hours"
    bench.take(bench.core.shout_ready(play.id, bench.now))
    assert bench.sounds[-1].used is Used.SHOUT
    bench.sound_breaks("stream_lost", 10)
    assert len(bench.sounds) == 1


def test_a_report_about_what_does_not_exist_is_passed_over() -> None:
    bench, play = Bench(), a_play()
    bench.hear(play)
    core = bench.core
    for command_id in ("", play.id, a_shout().id):
        assert core.shout_ready(command_id, NOON) == core.stream_ready(command_id, NOON) == []
