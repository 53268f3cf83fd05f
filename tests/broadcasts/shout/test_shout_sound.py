"""A voice on its way: levelled, packed, in order; and recordings that are no recordings."""

import io
import threading
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from shoutlab import HZ, PHONE_RATE, a_tone, a_wav, opus_decoded, pieces_of, tone_seconds, unpacked

from broadcasts.kinds import Colour
from broadcasts.shout import taking
from broadcasts.shout.levelling import BLOCK, PEAK, TARGET_DB, Leveller
from broadcasts.shout.live import LiveShout
from broadcasts.shout.models import Ended
from broadcasts.shout.packing import MOST_BYTES, Packer
from broadcasts.shout.pieces import MISSING_S, PIECE_BYTES, SILENCE_S, Pieces
from broadcasts.speech.audio import RATE, TARGET_LUFS, decode
from broadcasts.speech.library import Library
from broadcasts.speech.limiter import true_peak_db
from broadcasts.speech.loudness import loudness
from broadcasts.speech.signals import Samples
from broadcasts.uploads.settings import UploadSettings
from broadcasts.uploads.workshop import Workshop
from hub.core.errors import BadInput, WrongState

pytestmark = pytest.mark.slow


def levelled(sound: Samples) -> Samples:
    leveller = Leveller()
    return np.concatenate([*leveller.push(sound), *leveller.finish()])


def db(sound: Samples) -> float:
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64))))


@pytest.mark.parametrize("peak", [0.02, 0.1, 0.9])
def test_a_whisper_and_a_roar_go_out_equally_loud(peak: float) -> None:
    out = levelled(a_tone(6, peak=peak, rate=RATE))
    assert db(out[-RATE:]) == pytest.approx(TARGET_DB, abs=1.0)


def test_no_peak_comes_through_however_suddenly_somebody_shouts() -> None:
    rng = np.random.default_rng(7)
    sound = np.concatenate([a_tone(1, peak=0.01, rate=RATE), rng.uniform(-1, 1, RATE).astype(np.float32)])
    assert float(np.abs(levelled(sound)).max()) <= PEAK + 1e-6


def test_silence_stays_silent_and_does_not_drive_the_gain_up() -> None:
    hiss = np.random.default_rng(3).normal(0, 0.0005, 4 * RATE).astype(np.float32)
    assert float(np.abs(levelled(hiss)).max()) < 0.02


def test_whatever_is_cut_off_on_the_way_nothing_is_lost_or_doubled() -> None:
    sound = a_tone(1.013, rate=RATE)
    leveller = Leveller()
    parts = [block for start in range(0, len(sound), 701) for block in leveller.push(sound[start : start + 701])]
    whole = np.concatenate([*parts, *leveller.finish()])
    assert len(sound) <= len(whole) < len(sound) + BLOCK
    assert np.array_equal(whole, levelled(sound))


def test_a_second_of_voice_is_one_chunk_that_a_loudspeaker_decodes() -> None:
    packer = Packer()
    for start in range(0, RATE, BLOCK):
        packer.push(a_tone(1, rate=RATE)[start : start + BLOCK])
    (chunk,) = packer.take()
    assert len(unpacked(chunk)) == 50
    assert tone_seconds(opus_decoded(unpacked(chunk)), PHONE_RATE) > 0.85
    assert packer.take() == []


def test_no_chunk_is_larger_than_a_command_may_be() -> None:
    packer = Packer()
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, 10 * RATE).astype(np.float32)
    for start in range(0, len(noise), BLOCK):
        packer.push(noise[start : start + BLOCK])
    pieces = packer.take()
    assert all(len(piece) <= MOST_BYTES for piece in pieces)
    assert sum(len(unpacked(piece)) for piece in pieces) == 500


class Ticking:
    """A clock that runs a hundred times as fast, so that patience can be tested."""

    def __call__(self) -> float:
        return time.monotonic() * 100


def fed(pieces: Pieces) -> list[bytes]:
    found = []
    while data := pieces.read(1024):
        found.append(data)
    return found


def test_pieces_come_out_in_order_and_once() -> None:
    pieces = Pieces(lambda: None)
    for number, data in ((1, b"b"), (0, b"a"), (1, b"B"), (2, b"c"), (0, b"A")):
        assert pieces.put(number, data)
    pieces.end(3)
    assert b"".join(fed(pieces)) == b"abc"
    assert not pieces.put(3, b"d"), "nothing after the end"


def test_a_missing_piece_is_waited_for_and_then_left_out() -> None:
    pieces = Pieces(lambda: None, clock=Ticking())
    pieces.put(0, b"a")
    pieces.put(2, b"c")
    pieces.end(3)
    began = time.monotonic()
    assert b"".join(fed(pieces)) == b"ac"
    assert pieces.lost == 1
    assert (time.monotonic() - began) * 100 >= MISSING_S


def test_a_late_piece_still_comes_in_its_place() -> None:
    pieces = Pieces(lambda: None)
    pieces.put(0, b"a")
    pieces.put(2, b"c")

    def come_late() -> None:
        pieces.put(1, b"b")
        pieces.end(3)

    threading.Timer(0.3, come_late).start()
    assert b"".join(fed(pieces)) == b"abc"
    assert pieces.lost == 0


def test_a_telephone_that_is_gone_ends_it() -> None:
    pieces = Pieces(lambda: None, clock=Ticking())
    pieces.put(0, b"a")
    began = time.monotonic()
    assert b"".join(fed(pieces)) == b"a"
    assert (time.monotonic() - began) * 100 >= SILENCE_S


def test_what_no_telephone_sends_is_not_taken() -> None:
    pieces = Pieces(lambda: None)
    assert not pieces.put(0, bytes(PIECE_BYTES + 1))
    assert not pieces.put(1000, b"x")


class Ear:
    """Hears what a live shout says."""

    def __init__(self) -> None:
        self.chunks: list[tuple[float, bytes, bool]] = []

    def say(self, packets: bytes, *, last: bool = False) -> None:
        self.chunks.append((time.monotonic(), packets, last))

    @property
    def sound(self) -> Samples:
        return opus_decoded([packet for _, packets, _ in self.chunks for packet in unpacked(packets)])


class Spoken:
    """A live shout, and how it ended."""

    def __init__(self, length_ms: int = 180_000) -> None:
        self.ear = Ear()
        self.over = threading.Event()
        self.why: Ended | None = None
        self.kept: Samples = np.zeros(0, np.float32)
        self.live = LiveShout(uuid4(), uuid4(), self.ear, length_ms=length_ms, done=self._done)
        self.live.start()

    def _done(self, live: LiveShout, why: Ended, said: Samples) -> None:
        self.why, self.kept = why, said
        self.over.set()

    def wait(self) -> None:
        assert self.over.wait(20)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("ogg", "libopus"), ("mp4", "aac")])
def test_what_a_telephone_sends_is_said_while_it_still_speaks(container: str, codec: str) -> None:
    spoken = Spoken()
    pieces = pieces_of(a_tone(5), container=container, codec=codec)
    for number, piece in enumerate(pieces[:-1]):
        spoken.live.pieces.put(number, piece)
    deadline = time.monotonic() + 5
    while len(spoken.ear.chunks) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(spoken.ear.chunks) >= 3, "heard before the end is known"
    spoken.live.pieces.put(len(pieces) - 1, pieces[-1])
    spoken.live.release(len(pieces))
    spoken.wait()
    assert spoken.why is Ended.RELEASED
    assert [last for _, _, last in spoken.ear.chunks].count(True) == 1
    assert spoken.ear.chunks[-1][2]
    assert tone_seconds(spoken.ear.sound, PHONE_RATE) > 4.5
    assert tone_seconds(spoken.kept, RATE) > 4.5


def test_a_hole_in_the_middle_costs_only_the_hole() -> None:
    spoken = Spoken()
    pieces = pieces_of(a_tone(6), container="ogg")
    for number, piece in enumerate(pieces):
        if number != 2:
            spoken.live.pieces.put(number, piece)
    spoken.live.release(len(pieces))
    spoken.wait()
    assert 4.0 < tone_seconds(spoken.kept, RATE) < 5.6


def test_it_ends_by_itself_when_the_time_is_up() -> None:
    spoken = Spoken(length_ms=2000)
    for number, piece in enumerate(pieces_of(a_tone(5))):
        spoken.live.pieces.put(number, piece)
    spoken.wait()
    assert spoken.why is Ended.FULL
    assert 1.9 < len(spoken.kept) / RATE < 2.3


def test_being_stopped_leaves_what_was_said_and_says_the_end() -> None:
    spoken = Spoken()
    for number, piece in enumerate(pieces_of(a_tone(3))[:2]):
        spoken.live.pieces.put(number, piece)
    spoken.live.halt(Ended.STOPPED)
    spoken.wait()
    assert spoken.ear.chunks[-1][2]


@pytest.mark.parametrize("rubbish", [b"", b"MZ" * 50, b"\x1a\x45\xdf\xa3" + bytes(500), b"OggS" + bytes(500)])
def test_rubbish_instead_of_a_voice_ends_quietly(rubbish: bytes) -> None:
    spoken = Spoken()
    spoken.live.pieces.put(0, rubbish)
    spoken.live.release(1)
    spoken.wait()
    assert spoken.why is Ended.UNHEARD
    assert [(packets, last) for _, packets, last in spoken.ear.chunks] == [(b"", True)]


# ---- recordings


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "sound", {})


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "decoding", UploadSettings())


def test_a_recording_is_trimmed_levelled_and_has_the_tone_in_front(library: Library, workshop: Workshop) -> None:
    quiet = np.zeros(2 * PHONE_RATE, np.float32)
    sent = a_wav(np.concatenate([quiet, a_tone(3, peak=0.02), quiet]))
    take = taking.take_in(library, workshop, io.BytesIO(sent))
    path, alone = library.path_of(take.sound.sha256), library.path_of(take.voice_sha256)
    assert path is not None
    assert alone is not None
    voice = decode(alone)
    assert 2.9 < len(voice) / RATE < 3.3, "the silence at both ends is gone"
    assert loudness(voice, RATE) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert true_peak_db(voice) <= -1.0
    whole = decode(path)
    assert abs(len(whole) * 1000 / RATE - take.sound.ms) < 100
    assert tone_seconds(whole, RATE, hz=HZ) > 2.7
    assert tone_seconds(whole[: len(whole) - len(voice)], RATE, hz=HZ) < 0.3, "before it comes the chime, not the voice"
    assert path.stat().st_size == take.sound.bytes


def test_another_tone_is_put_in_front_without_decoding_anything(library: Library, workshop: Workshop) -> None:
    take = taking.take_in(library, workshop, io.BytesIO(a_wav(a_tone(2))))
    alarm = taking.with_alarm(library, take.voice_sha256, Colour.RED)
    assert alarm.sha256 != take.sound.sha256
    path = library.path_of(alarm.sha256)
    assert path is not None
    assert tone_seconds(decode(path), RATE, hz=HZ) > 1.7


def test_a_voice_that_is_gone_is_said(library: Library) -> None:
    with pytest.raises(WrongState) as refused:
        taking.with_alarm(library, "ab" * 32, Colour.RED)
    assert refused.value.code == "recording_gone"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "recording_missing"),
        (b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", "recording_list"),
        (a_wav(np.zeros(2 * PHONE_RATE, np.float32)), "recording_silent"),
        (a_wav(a_tone(0.2)), "recording_too_short"),
        (a_wav(a_tone(190, rate=8000), rate=8000), "recording_too_long"),
        (b"\xff\xfb" + bytes(taking.MOST_BYTES), "recording_too_big"),
    ],
)
def test_what_cannot_be_sent_is_told_why(library: Library, workshop: Workshop, data: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        taking.take_in(library, workshop, io.BytesIO(data))
    assert (refused.value.code, refused.value.field) == (code, "recording")
