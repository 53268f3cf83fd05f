"""What the page promises is what the loudspeaker plays."""

from pathlib import Path

import pytest

from broadcasts.speech import audio
from broadcasts.speech.engine import VoiceSpec
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
from broadcasts.speech.reading import as_read, estimate_seconds, to_script
from broadcasts.speech.tone_engine import ToneEngine

TEXTS = (
    "各位村民请注意，今天下午15:00到17:00全村停水，请提前做好储水准备。",
    "城乡居民医保缴费12月31日截止，每人400元。还没有缴费的，请尽快到村委会办理。咨询电话：0830-552 6110。",
    "G318国道K12+300处发生塌方，道路中断，请绕行。",
    "请下载国家反诈中心App，ATM机旁的LED屏有说明。",
    "山洪来了！请马上往高处跑，不要回家拿东西！",
    "气温-3℃~5℃，风力8-9级，注意防寒。",
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("rate", [120, 150, 190])
def test_the_estimate_is_within_ten_per_cent_of_the_voice(tmp_path: Path, text: str, rate: int) -> None:
    reading, voice = as_read(text), VoiceSpec(rate=rate)
    Pyttsx3Engine().synthesize(to_script(reading), voice, tmp_path / "x.wav", timeout_s=60)
    spoken = len(audio.trim(audio.decode(tmp_path / "x.wav"))) / audio.RATE
    assert estimate_seconds(reading, voice) == pytest.approx(spoken, rel=0.10)


def test_beeps_last_as_long_as_the_words_would(tmp_path: Path) -> None:
    reading, voice = as_read(TEXTS[0]), VoiceSpec(engine="tone")
    ToneEngine().synthesize(to_script(reading), voice, tmp_path / "x.wav", timeout_s=1)
    beeped = len(audio.trim(audio.decode(tmp_path / "x.wav"))) / audio.RATE
    assert estimate_seconds(reading, voice) == pytest.approx(beeped, rel=0.05)


def test_nothing_takes_no_time() -> None:
    assert estimate_seconds(as_read(""), VoiceSpec()) == 0.0
