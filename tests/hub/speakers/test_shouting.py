"""A voice that is speaking now, piece by piece."""

import itertools
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from soundlab import pieces
from speakerlab import soon

from hub.speakers.device.actions import ATTENTION_MS
from hub.speakers.device.player import FileSink, SilentSink
from hub.speakers.device.shouting import MAX_PIECES, Gap, Shout, Voice, packets, piece_ms
from hub.speakers.device.sounds import (
    BLOCK_MS,
    RATE,
    Ended,
    Samples,
    SoundFailed,
    alarm_figure,
    attention_figure,
    trial_figure,
)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shout(clock: Clock) -> Shout:
    return Shout(clock)


def test_one_piece_is_enough_to_begin_or_the_end(shout: Shout, clock: Clock) -> None:
    """The next one comes while the tone of attention sounds."""
    assert not shout.ready
    shout.feed(0, b"a", last=False)
    assert shout.ready
    empty = Shout(clock)
    empty.feed(3, b"", last=True)
    assert empty.ready


def test_pieces_come_out_in_order_and_once(shout: Shout) -> None:
    for n, data in ((1, b"b"), (0, b"a"), (1, b"x"), (2, b"c")):
        shout.feed(n, data, last=n == 2)
    assert [shout.take() for _ in range(4)] == [b"a", b"b", b"c", Gap.OVER]
    shout.feed(0, b"again", last=False)
    assert shout.take() is Gap.OVER


def test_a_missing_piece_is_waited_for_a_second_and_then_passed_over(shout: Shout, clock: Clock) -> None:
    shout.feed(0, b"a", last=False)
    shout.feed(2, b"c", last=False)
    assert shout.take() == b"a"
    assert shout.take() is Gap.WAIT
    clock.now += 0.9
    assert shout.take() is Gap.WAIT
    clock.now += 0.2
    assert shout.take() == b"c"
    shout.feed(1, b"late", last=False)
    shout.feed(3, b"d", last=True)
    assert [shout.take(), shout.take()] == [b"d", Gap.OVER]


def test_a_piece_that_comes_while_it_is_waited_for_sounds(shout: Shout, clock: Clock) -> None:
    shout.feed(0, b"a", last=False)
    shout.feed(2, b"c", last=False)
    shout.take()
    assert shout.take() is Gap.WAIT
    clock.now += 0.5
    shout.feed(1, b"b", last=False)
    assert [shout.take(), shout.take()] == [b"b", b"c"]


def test_five_seconds_of_nothing_is_the_end(shout: Shout, clock: Clock) -> None:
    shout.feed(0, b"a", last=False)
    shout.take()
    clock.now += 4.9
    assert shout.take() is Gap.WAIT
    clock.now += 0.2
    assert shout.take() is Gap.LOST


def test_a_last_piece_that_never_comes_does_not_hang(shout: Shout, clock: Clock) -> None:
    shout.feed(0, b"a", last=False)
    shout.feed(5, b"f", last=True)
    heard = []
    for _ in range(20):
        taken = shout.take()
        heard.append(taken)
        clock.now += 0.3
        if taken is Gap.OVER:
            break
    assert [one for one in heard if isinstance(one, bytes)] == [b"a", b"f"]
    assert heard[-1] is Gap.OVER


def test_what_cannot_sound_yet_does_not_grow_for_ever(shout: Shout) -> None:
    for n in range(3 * MAX_PIECES):
        shout.feed(n, b"%d" % n, last=False)
    assert shout.take() == b"%d" % (2 * MAX_PIECES)


@pytest.mark.parametrize("packet_ms", [10, 20, 60])
def test_the_length_of_a_piece_is_read_from_its_packets(packet_ms: int) -> None:
    (piece,) = pieces(1, packet_ms=packet_ms)
    assert piece_ms(piece) == pytest.approx(1000, abs=packet_ms * 1.1)


@pytest.mark.parametrize("piece", [b"", b"\x00", b"\x00\x00", b"\x00\x05ab", b"\xff\xff" + b"x" * 100, b"\x00\x01"])
def test_a_piece_that_is_cut_short_has_no_packets(piece: bytes) -> None:
    assert list(packets(piece)) == []
    assert piece_ms(piece) == 0


def heard(shout: Shout) -> Iterator[float]:
    """How loud each block of the voice is, after the tone of attention."""
    for block in itertools.islice(Voice(shout).blocks(), ATTENTION_MS // BLOCK_MS, None):
        yield float(np.abs(block).max())


def test_a_tone_of_attention_comes_first_and_once(shout: Shout) -> None:
    for n, piece in enumerate(pieces(3)):
        shout.feed(n, piece, last=n == 2)
    sound = np.concatenate(list(Voice(shout).blocks()))
    assert np.array_equal(sound[: RATE * 8 // 10], attention_figure()[: RATE * 8 // 10])
    times = [start for start in range(0, len(sound) - 4800, 2400) if 500 < pitch(sound[start : start + 4800]) < 700]
    assert 0 in times
    assert max(times) < RATE
    for other in (alarm_figure(), trial_figure()):
        assert not np.array_equal(other[:4800], sound[:4800])


def test_a_stop_in_the_tone_of_attention_ends_it(shout: Shout) -> None:
    for n, piece in enumerate(pieces(2)):
        shout.feed(n, piece, last=n == 1)
    voice = Voice(shout)
    blocks = voice.blocks()
    next(blocks)
    voice.close()
    assert len(list(blocks)) <= 1


def pitch(sound: Samples) -> int:
    return round(int(np.abs(np.fft.rfft(sound.astype(np.float64))).argmax()) * RATE / len(sound))


def test_a_voice_is_decoded(shout: Shout) -> None:
    for n, piece in enumerate(pieces(3)):
        shout.feed(n, piece, last=n == 2)
    sound = np.concatenate(list(Voice(shout).blocks()))[ATTENTION_MS * RATE // 1000 :]
    assert len(sound) / RATE == pytest.approx(3.0, abs=0.1)
    middle = sound[RATE : RATE + RATE // 2].astype(np.float64)
    assert np.abs(np.fft.rfft(middle)).argmax() * 2 == pytest.approx(440, abs=4)
    assert np.abs(middle).max() == pytest.approx(9000, rel=0.2)


def test_what_is_no_opus_is_passed_over_and_the_rest_sounds(shout: Shout) -> None:
    good = pieces(2)
    bad = b"".join(len(one).to_bytes(2, "big") + one for one in (b"\xff" * 40, b"\x03", b"\xfb\xff\x00"))
    shout.feed(0, bad, last=False)
    shout.feed(1, good[0], last=False)
    shout.feed(2, good[1], last=True)
    assert max(heard(shout)) > 5000


def test_a_voice_that_is_lost_says_so(shout: Shout, clock: Clock) -> None:
    shout.feed(0, pieces(1)[0], last=False)
    blocks = Voice(shout).blocks()

    def listen() -> None:
        for _ in blocks:
            clock.now += 0.1

    with pytest.raises(SoundFailed, match="stream_lost"):
        listen()


@pytest.mark.slow
def test_a_shout_sounds_into_the_file_while_it_comes(tmp_path: Path) -> None:
    shout = Shout()
    first, second, third = pieces(3)
    shout.feed(0, first, last=False)
    shout.feed(1, second, last=False)
    playback = FileSink(tmp_path).play("a", Voice(shout), 60_000, 100)
    assert not soon(lambda: playback.ended() is not None, within_s=0.5)
    shout.feed(2, third, last=True)
    assert soon(lambda: playback.ended() is not None)
    (path,) = tmp_path.iterdir()
    with wave.open(str(path)) as file:
        assert file.getnframes() / RATE == pytest.approx(3.0 + ATTENTION_MS / 1000, abs=0.15)
    ended = playback.ended()
    assert ended is not None
    assert ended.error is None
    assert ended.played_ms == pytest.approx(3000, abs=150)


def test_a_silent_device_follows_a_shout_by_the_clock(clock: Clock) -> None:
    shout = Shout(clock)
    first, second = pieces(2)
    shout.feed(0, first, last=False)
    shout.feed(1, second, last=False)
    playback = SilentSink(clock).play("a", Voice(shout), 60_000, 100, 500)
    clock.now += 2.4 + ATTENTION_MS / 1000
    assert playback.ended() is None
    clock.now += 0.2
    shout.feed(2, first, last=True)
    assert playback.ended() is None
    clock.now += 1.1
    ended = playback.ended()
    assert ended is not None
    assert ended.error is None
    assert ended.played_ms == pytest.approx(3000, abs=60)


def test_a_silent_device_notices_that_a_shout_is_lost(clock: Clock) -> None:
    shout = Shout(clock)
    shout.feed(0, pieces(1)[0], last=False)
    playback = SilentSink(clock).play("a", Voice(shout), 60_000, 100)
    assert playback.ended() is None
    for _ in range(15):
        clock.now += 0.5
        playback.ended()
    assert playback.ended() == Ended(piece_ms(pieces(1)[0]), "stream_lost")
