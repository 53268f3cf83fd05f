"""What telephones and computers record is taken; what is no recording is refused in words, and nothing is left."""

import io
from pathlib import Path

import numpy as np
import pytest
from shoutlab import a_tone, a_wav, tone_seconds
from uploadlab import FORMATS, HOSTILE, a_float_wav, a_recording, encoded, with_two_streams

from broadcasts.speech.audio import RATE, TARGET_LUFS, decode
from broadcasts.speech.limiter import true_peak_db
from broadcasts.speech.loudness import loudness
from broadcasts.speech.signals import Samples
from broadcasts.uploads.settings import UploadSettings
from broadcasts.uploads.workshop import Made, Manner, Workshop
from hub.core.errors import BadInput
from hub.web.words import catalogue

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "decoding"


@pytest.fixture
def workshop(folder: Path) -> Workshop:
    return Workshop(folder, UploadSettings())


def open_files() -> int:
    """How many files this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


def heard(made: Made, folder: Path) -> Samples:
    path = folder / "heard.mp3"
    path.write_bytes(made.encoded)
    try:
        return decode(path)
    finally:
        path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_recording_in_this_format_comes_out_level_and_whole(name: str, workshop: Workshop, folder: Path) -> None:
    made = workshop.take(io.BytesIO(encoded(*FORMATS[name])))
    sound = heard(made, folder)
    assert 1.9 < len(sound) / RATE < 2.3
    assert abs(len(sound) * 1000 / RATE - made.ms) < 80
    assert tone_seconds(sound, RATE, hz=1000) > 1.7
    assert loudness(sound, RATE) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert true_peak_db(sound) <= -1.0
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_recording_is_refused_in_words_and_leaves_nothing(
    name: str, workshop: Workshop, folder: Path
) -> None:
    make, code = HOSTILE[name]
    with pytest.raises(BadInput) as refused:
        workshop.take(io.BytesIO(make()))
    assert refused.value.code.startswith(code), refused.value
    assert refused.value.field == "recording"
    words = catalogue()[refused.value.code]
    assert words["zh"].format(**refused.value.params)
    assert list(folder.iterdir()) == []


def test_of_two_streams_the_first_is_taken(workshop: Workshop, folder: Path) -> None:
    sound = heard(workshop.take(io.BytesIO(with_two_streams())), folder)
    assert tone_seconds(sound, RATE, hz=1000) > 1.7


def test_samples_that_are_no_numbers_are_left_out(workshop: Workshop, folder: Path) -> None:
    sound = a_tone(3, hz=1000)
    sound[48_000:48_100] = np.nan
    sound[60_000] = np.inf
    out = heard(workshop.take(io.BytesIO(a_float_wav(sound))), folder)
    assert np.isfinite(out).all()
    assert tone_seconds(out, RATE, hz=1000) > 2.5


def test_what_hangs_on_behind_a_recording_is_not_kept(workshop: Workshop) -> None:
    script = b"<script>alert(1)</script>" + b"PK\x03\x04" + bytes(50)
    made = workshop.take(io.BytesIO(a_wav(a_tone(2)) + script))
    assert b"<script>" not in made.encoded
    assert made.encoded.startswith(b"\xff\xf3")


def test_music_keeps_the_low_notes_that_speech_loses(workshop: Workshop, folder: Path) -> None:
    both = (a_tone(3, hz=260) + a_tone(3, hz=2000, peak=0.05)).astype(np.float32)

    def low_share(manner: Manner) -> float:
        sound = heard(workshop.take(io.BytesIO(a_wav(both)), manner=manner), folder)
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        return float(spectrum[: int(600 * len(sound) / RATE)].sum() / spectrum.sum())

    assert low_share(Manner.MUSIC) > 0.7
    assert low_share(Manner.VOICE) < 0.5


def test_the_limits_are_those_of_the_settings(folder: Path) -> None:
    small = Workshop(folder, UploadSettings(max_mb=1, max_minutes=1))
    with pytest.raises(BadInput) as refused:
        small.take(io.BytesIO(bytes(1024 * 1024 + 1)))
    assert (refused.value.code, refused.value.params["most"]) == ("recording_too_big", 1)
    with pytest.raises(BadInput) as refused:
        small.take(io.BytesIO(encoded(*FORMATS["mp3 8 kHz"], seconds=62)))
    assert (refused.value.code, refused.value.params["most"]) == ("recording_too_long", 1)


def test_no_file_of_the_hub_stays_open(workshop: Workshop) -> None:
    before = open_files()
    workshop.take(io.BytesIO(a_recording()))
    with pytest.raises(BadInput):
        workshop.take(io.BytesIO(b"OggS" + bytes(2000)))
    assert open_files() <= before
