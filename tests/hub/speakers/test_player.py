"""Where sound goes."""

import time
import wave
from pathlib import Path

import numpy as np
import pytest
from speakerlab import soon, write_tone

from hub.speakers.device.player import (
    DeviceSink,
    Ended,
    FileSink,
    SilentSink,
    choose_sink,
    find_player,
)


def seconds_of(path: Path) -> float:
    with wave.open(str(path)) as file:
        return float(file.getnframes() / file.getframerate())


def loudness_of(path: Path) -> float:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.mp3"
    write_tone(path, 0.8)
    return path


def test_a_file_is_written_in_the_time_it_sounds(tone: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    playback = FileSink(tmp_path / "out").play("a", tone, 800, 100)
    assert playback.ended() is None
    assert soon(lambda: playback.ended() is not None)
    assert time.monotonic() - began >= 0.75
    (file,) = (tmp_path / "out").iterdir()
    assert seconds_of(file) == pytest.approx(0.8, abs=0.1)
    ended = playback.ended()
    assert ended is not None
    assert ended.error is None
    assert ended.played_ms == pytest.approx(800, abs=100)


def test_what_a_stop_cuts_off_is_not_in_the_file(tone: Path, tmp_path: Path) -> None:
    playback = FileSink(tmp_path / "out").play("a", tone, 800, 100)
    time.sleep(0.35)
    playback.stop()
    (file,) = (tmp_path / "out").iterdir()
    assert 0.2 <= seconds_of(file) <= 0.5


def test_the_volume_is_in_the_samples_and_zero_is_silence(tone: Path, tmp_path: Path) -> None:
    levels = []
    for volume in (100, 50, 0):
        sink = FileSink(tmp_path / str(volume))
        playback = sink.play("a", tone, 800, volume)
        time.sleep(0.3)
        playback.stop()
        (file,) = (tmp_path / str(volume)).iterdir()
        levels.append(loudness_of(file))
    assert levels[1] == pytest.approx(levels[0] / 2, rel=0.1)
    assert levels[2] == 0


@pytest.mark.parametrize("content", [None, b"this is no sound"])
def test_what_cannot_be_sounded_is_said(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.mp3"
    if content is not None:
        path.write_bytes(content)
    playback = FileSink(tmp_path / "out").play("a", path, 800, 100)
    assert soon(lambda: playback.ended() == Ended(0, "playback"))


def test_silence_lasts_as_long_as_the_sound() -> None:
    now = 0.0
    playback = SilentSink(lambda: now).play("a", None, 3000, 50)
    now = 2.9
    assert playback.ended() is None
    now = 3.0
    assert playback.ended() == Ended(3000)


def a_player(tmp_path: Path, script: str) -> tuple[str, ...]:
    path = tmp_path / "player"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return (str(path),)


def test_the_systems_player_is_given_the_decoded_sound(tone: Path, tmp_path: Path) -> None:
    command = a_player(tmp_path, f'cp "$1" {tmp_path}/heard.wav')
    playback = DeviceSink(command, tmp_path / "out").play("a", tone, 800, 100)
    assert soon(lambda: playback.ended() is not None)
    assert seconds_of(tmp_path / "heard.wav") == pytest.approx(0.8, abs=0.1)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_systems_player_can_be_stopped(tone: Path, tmp_path: Path) -> None:
    playback = DeviceSink(a_player(tmp_path, "exec sleep 30"), tmp_path / "out").play("a", tone, 800, 100)
    assert playback.ended() is None
    playback.stop()
    assert playback.ended() is not None


def test_a_player_that_fails_is_a_failure(tone: Path, tmp_path: Path) -> None:
    playback = DeviceSink(a_player(tmp_path, "exit 3"), tmp_path / "out").play("a", tone, 800, 100)
    assert soon(lambda: (ended := playback.ended()) is not None and ended.error == "playback")
    missing = DeviceSink((str(tmp_path / "none"),), tmp_path / "out").play("a", tone, 800, 100)
    assert missing.ended() == Ended(0, "playback")


def test_the_sink_is_a_sound_device_where_there_is_one_and_a_file_elsewhere(tmp_path: Path) -> None:
    expected = FileSink if find_player() is None else DeviceSink
    assert isinstance(choose_sink("auto", tmp_path), expected)
    assert isinstance(choose_sink("file", tmp_path), FileSink)
    assert isinstance(choose_sink("silent", tmp_path), SilentSink)
    with pytest.raises(ValueError, match="trumpet"):
        choose_sink("trumpet", tmp_path)
