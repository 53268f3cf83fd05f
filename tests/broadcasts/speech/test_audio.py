"""What a speaker fetches, measured on the decoded file."""

from pathlib import Path

import numpy as np
import pytest

from broadcasts.speech import audio, mp3
from broadcasts.speech.audio import RATE, Plan
from broadcasts.speech.engine import SpeechFailed, VoiceSpec
from broadcasts.speech.limiter import true_peak_db
from broadcasts.speech.loudness import loudness
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
from broadcasts.speech.reading import as_read, to_script
from broadcasts.speech.signals import Samples, Signal

TEXT = "各位村民请注意，今天下午三点到五点全村停水。"


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    Pyttsx3Engine().synthesize(to_script(as_read(TEXT)), VoiceSpec(), path, timeout_s=60)
    return audio.prepare_words(audio.read_words(path))


def decoded(encoded: bytes, folder: Path) -> Samples:
    path = folder / "x.mp3"
    path.write_bytes(encoded)
    return audio.decode(path)


def through_mp3(samples: Samples, folder: Path) -> Samples:
    return decoded(audio.encode_mp3(samples), folder)


def seconds(start: float, end: float) -> slice:
    return slice(round(start * RATE), round(end * RATE))


def test_the_file_has_its_lead_tone_words_and_tail(voice: Samples, tmp_path: Path) -> None:
    plan = Plan(signal=Signal.SAFETY, end_signal=Signal.END, repeats=3)
    made = audio.finish(voice, plan)
    heard = decoded(made.encoded, tmp_path)
    assert len(heard) == made.samples == len(made.peaks) * mp3.FRAME
    chime = len(audio.levelled_tone(Signal.SAFETY)) / RATE
    words, grid = len(voice) / RATE, mp3.FRAME / RATE
    lead = grid * round(1.0 / grid)
    first = lead + grid * round((chime + 0.6) / grid)
    assert np.abs(heard[seconds(0, lead - 0.05)]).max() < 0.001
    assert loudness(heard[seconds(lead, lead + chime)], RATE) == pytest.approx(-16, abs=0.5)
    assert np.abs(heard[seconds(lead + chime + 0.05, first - 0.05)]).max() < 0.02
    for repeat in range(3):
        start = first + repeat * grid * round((words + 1.2) / grid)
        assert np.abs(heard[seconds(start - 0.5, start - 0.05)]).max() < 0.02
        assert loudness(heard[seconds(start, start + words)], RATE) == pytest.approx(-16, abs=0.2)
        assert np.abs(heard[seconds(start + words + 0.05, start + words + 0.5)]).max() < 0.02
    assert np.abs(heard[-int(0.4 * RATE) :]).max() < 0.02
    assert made.samples / RATE == pytest.approx(3 * words + audio.around_s(plan), abs=3 * grid)
    assert audio.peaks(made.peaks, 40) == pytest.approx(audio.peaks(heard, 40), abs=12)


def test_every_repeat_is_the_same_to_the_last_bit(voice: Samples, tmp_path: Path) -> None:
    made = audio.finish(voice, Plan(signal=None, lead_s=0.24, repeats=3, gap_s=0.48))
    heard = decoded(made.encoded, tmp_path)
    one = mp3.piece(voice).samples + mp3.silence(0.48, after=mp3.piece(voice)).samples
    repeats = [heard[round(0.24 * RATE) + n * one :][: len(voice) + 1000] for n in range(3)]
    assert np.array_equal(repeats[0], repeats[1])
    assert np.array_equal(repeats[0], repeats[2])
    assert np.abs(repeats[0]).max() > 0.3


def test_a_joined_file_sounds_like_one_that_was_encoded_in_one_go(voice: Samples, tmp_path: Path) -> None:
    made = audio.finish(voice, Plan(signal=None, lead_s=0.24, repeats=2, gap_s=0.48, tail_s=0.24))
    rest = np.zeros(mp3.silence(0.24).samples, np.float32)
    words = mp3.piece(voice)
    one = np.pad(voice, (0, words.samples + mp3.silence(0.48, after=words).samples - len(voice)))
    in_one_go = through_mp3(np.concatenate([rest, one, one])[: made.samples], tmp_path)
    joined = decoded(made.encoded, tmp_path)
    assert 10 * np.log10((joined**2).sum() / ((joined - in_one_go) ** 2).sum()) > 35
    assert np.corrcoef(joined, in_one_go)[0, 1] > 0.999


def test_no_rest_between_two_repeats_is_still_a_short_one(voice: Samples) -> None:
    made = audio.finish(voice, Plan(signal=None, lead_s=0, repeats=2, gap_s=0, tail_s=0))
    assert made.samples == 2 * mp3.piece(voice).samples
    assert 0.072 <= mp3.piece(voice).samples / RATE - len(voice) / RATE < 0.096


def test_the_true_peak_stays_below_the_limit(voice: Samples, tmp_path: Path) -> None:
    assert true_peak_db(voice) == pytest.approx(audio.TRUE_PEAK_DB, abs=0.05)
    assert true_peak_db(decoded(audio.finish(voice, Plan()).encoded, tmp_path)) <= -1.0


def test_a_horn_is_spared_what_it_cannot_play(voice: Samples, tmp_path: Path) -> None:
    power = np.abs(np.fft.rfft(through_mp3(voice, tmp_path))) ** 2
    hertz = np.fft.rfftfreq(len(voice), 1 / RATE)[: len(power)]
    assert power[hertz < 250].sum() / power.sum() < 0.01


def test_the_same_samples_give_the_same_small_file(voice: Samples) -> None:
    made = audio.finish(voice, Plan())
    assert made.encoded == audio.finish(voice.copy(), Plan()).encoded
    assert len(made.encoded) / 1000 / (made.samples / RATE / 60) <= 370


@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_quiet_and_loud_voices_come_out_alike(voice: Samples, gain: float) -> None:
    levelled = audio.level((voice * np.float32(gain)).astype(np.float32))
    assert loudness(levelled, RATE) == pytest.approx(-16, abs=0.5)
    assert true_peak_db(levelled) <= audio.TRUE_PEAK_DB + 0.05


def test_the_limiter_holds_back_sharp_peaks() -> None:
    """Clicks far above a quiet hum: at -16 LUFS without a limiter they would go beyond full scale."""
    sound = np.random.default_rng(1).normal(0, 0.02, 3 * RATE).astype(np.float32)
    sound[::2400] = 0.5
    raised = sound * np.float32(10 ** ((-16 - loudness(sound, RATE)) / 20))
    assert true_peak_db(raised.astype(np.float32)) > 0
    levelled = audio.level(sound)
    assert true_peak_db(levelled) == pytest.approx(audio.TRUE_PEAK_DB, abs=0.1)
    assert loudness(levelled, RATE) == pytest.approx(-16, abs=0.5)


@pytest.mark.parametrize("silent", [np.zeros(0, np.float32), np.zeros(RATE, np.float32)])
def test_silence_is_a_failure_and_not_an_announcement(silent: Samples) -> None:
    with pytest.raises(SpeechFailed, match="没有声音"):
        audio.prepare_voice(silent)


def test_a_file_may_have_no_tone() -> None:
    assert audio.around_s(Plan(signal=None, repeats=1, lead_s=0.25, tail_s=0.5)) == pytest.approx(0.75)


@pytest.mark.parametrize("content", [b"", b"<html></html>", bytes(range(256)) * 40])
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match="sound"):
        audio.decode(tmp_path / "x")


def test_a_sound_that_is_too_long_is_refused(voice: Samples, tmp_path: Path) -> None:
    (tmp_path / "x.mp3").write_bytes(audio.encode_mp3(voice))
    with pytest.raises(ValueError, match="longer than 1 s"):
        audio.decode(tmp_path / "x.mp3", longest_s=1)


def test_the_outline_follows_the_sound() -> None:
    sound = np.concatenate([np.zeros(960), np.full(960, 0.25), np.full(960, -0.5)]).astype(np.float32)
    assert audio.peaks(sound, 3) == (0, 50, 100)
    assert audio.peaks(sound[:5], 96) == (0,) * 96
    assert len(audio.peaks(sound)) == 96


def test_loudness_is_measured_as_the_standard_says() -> None:
    """BS.1770: a 997 Hz sine of full scale in one channel is -3.01 LUFS; silence around it does not count."""
    t = np.arange(5 * RATE) / RATE
    sine = np.sin(2 * np.pi * 997 * t).astype(np.float32)
    assert loudness(sine, RATE) == pytest.approx(-3.01, abs=0.1)
    quiet = (sine * np.float32(0.1)).astype(np.float32)
    assert loudness(quiet, RATE) == pytest.approx(-23.01, abs=0.1)
    padded = np.concatenate([np.zeros(5 * RATE, np.float32), quiet])
    assert loudness(padded, RATE) == pytest.approx(-23.01, abs=0.3)
    assert loudness(np.zeros(RATE, np.float32), RATE) == -np.inf
