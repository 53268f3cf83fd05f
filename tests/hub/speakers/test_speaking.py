"""A device's own voice."""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from speakerlab import write_tone

from hub.speakers.device import speaking
from hub.speakers.device.outputs import WavFile
from hub.speakers.device.sounds import RATE, SoundFailed, decoded
from hub.speakers.device.speaking import LONGEST_TEXT, Spoken


def a_voice(tmp_path: Path, script: str) -> str:
    path = tmp_path / "espeak-ng"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    write_tone(tmp_path / "tone.mp3", 0.5)
    file = WavFile(tmp_path / "tone.wav")
    for block in decoded(tmp_path / "tone.mp3"):
        file.write(block)
    file.close()
    return tmp_path / "tone.wav"


def test_the_text_goes_in_and_the_sound_comes_out(tmp_path: Path, wav: Path) -> None:
    voice = a_voice(tmp_path, f'cat > {tmp_path}/heard; echo "$@" > {tmp_path}/given; cp {wav} "$6"')
    sound = np.concatenate(list(Spoken(voice, "山洪来了，\n快走").blocks()))
    assert len(sound) / RATE == pytest.approx(0.5, abs=0.1)
    assert (tmp_path / "heard").read_text() == "山洪来了， 快走"
    assert "山洪" not in (tmp_path / "given").read_text()


def test_a_text_that_looks_like_an_option_is_a_text(tmp_path: Path, wav: Path) -> None:
    voice = a_voice(tmp_path, f'cat > {tmp_path}/heard; echo "$@" > {tmp_path}/given; cp {wav} "$6"')
    list(Spoken(voice, "--version; rm -rf /").blocks())
    assert (tmp_path / "heard").read_text() == "--version; rm -rf /"
    assert "version" not in (tmp_path / "given").read_text()


def test_a_long_text_is_cut(tmp_path: Path, wav: Path) -> None:
    voice = a_voice(tmp_path, f'cat > {tmp_path}/heard; cp {wav} "$6"')
    list(Spoken(voice, "水" * 5000).blocks())
    assert (tmp_path / "heard").read_text() == "水" * LONGEST_TEXT


@pytest.mark.parametrize("script", ["exit 1", "exit 0", 'echo nonsense > "$6"'])
def test_a_voice_that_fails_is_a_failure(tmp_path: Path, script: str) -> None:
    with pytest.raises((SoundFailed, OSError, ValueError)):
        list(Spoken(a_voice(tmp_path, script), "水").blocks())


def test_without_a_voice_there_is_no_speech() -> None:
    with pytest.raises(SoundFailed):
        list(Spoken(None, "水").blocks())


def test_a_voice_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "TIMEOUT_S", 0.3)
    began = time.monotonic()
    with pytest.raises(SoundFailed):
        list(Spoken(a_voice(tmp_path, "exec sleep 30"), "水").blocks())
    assert time.monotonic() - began < 15


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_the_real_voice_speaks_chinese() -> None:
    sound = np.concatenate(list(Spoken(shutil.which("espeak-ng"), "山洪来了，快往高处走").blocks()))
    assert len(sound) / RATE > 1
    assert np.abs(sound).max() > 3000
