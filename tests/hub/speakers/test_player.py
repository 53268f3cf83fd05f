"""Where sound goes."""

import os
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from speakerlab import soon, write_tone

from hub.speakers.device.player import (
    DeviceSink,
    FileSink,
    Playback,
    SilentSink,
    Sink,
    choose_sink,
)
from hub.speakers.device.sounds import RATE, Ended, Recorded, Samples, Source, alarm, trial_tone
from hub.speakers.device.system_player import Feed, SystemPlayer, find_player

pytestmark = pytest.mark.slow


def samples_of(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)


def seconds_of(path: Path) -> float:
    return len(samples_of(path)) / RATE


def loudness_of(path: Path) -> float:
    return float(np.sqrt(np.mean(samples_of(path).astype(np.float64) ** 2)))


def over(playback: Playback) -> Ended:
    assert soon(lambda: playback.ended() is not None)
    ended = playback.ended()
    assert ended is not None
    return ended


@pytest.fixture
def long_tone(tmp_path: Path) -> Source:
    """Long enough that a busy machine comes to its middle."""
    path = tmp_path / "long.mp3"
    write_tone(path, 4)
    return Recorded(path)


@pytest.fixture
def tone(tmp_path: Path) -> Source:
    path = tmp_path / "tone.mp3"
    write_tone(path, 0.8)
    return Recorded(path)


def test_a_file_is_written_in_the_time_it_sounds(tone: Source, tmp_path: Path) -> None:
    began = time.monotonic()
    playback = FileSink(tmp_path / "out").play("a", tone, 800, 100)
    assert playback.ended() is None
    ended = over(playback)
    assert time.monotonic() - began >= 0.75
    (file,) = (tmp_path / "out").iterdir()
    assert seconds_of(file) == pytest.approx(0.8, abs=0.1)
    assert ended.error is None
    assert ended.played_ms == pytest.approx(800, abs=100)


def test_the_lead_in_is_silence_before_the_first_word_and_not_counted_as_heard(tone: Source, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = over(FileSink(tmp_path / "out").play("a", tone, 800, 100, 550))
    assert time.monotonic() - began >= 1.3
    (file,) = (tmp_path / "out").iterdir()
    samples = samples_of(file)
    assert not samples[: int(0.55 * RATE)].any()
    assert np.abs(samples[int(0.65 * RATE) : int(1.2 * RATE)]).max() > 1000
    assert len(samples) / RATE == pytest.approx(1.35, abs=0.1)
    assert ended.played_ms == pytest.approx(800, abs=100)


def test_what_a_stop_cuts_off_is_not_in_the_file(long_tone: Source, tmp_path: Path) -> None:
    began = time.monotonic()
    playback = FileSink(tmp_path / "out").play("a", long_tone, 4000, 100)
    time.sleep(0.35)
    playback.stop()
    took = time.monotonic() - began
    (file,) = (tmp_path / "out").iterdir()
    assert 0.2 <= seconds_of(file) <= took + 0.15 < 4
    ended = over(playback)
    assert ended.error is None
    assert ended.played_ms <= 1000 * took + 150


def test_the_volume_is_in_the_samples_and_zero_is_silence(tone: Source, tmp_path: Path) -> None:
    levels = []
    for volume in (100, 50, 0):
        playback = FileSink(tmp_path / str(volume)).play("a", tone, 800, volume)
        time.sleep(0.3)
        playback.stop()
        (file,) = (tmp_path / str(volume)).iterdir()
        levels.append(loudness_of(file))
    assert levels[1] == pytest.approx(levels[0] / 2, rel=0.1)
    assert levels[2] == 0


def test_what_sounds_is_turned_down_at_once(long_tone: Source, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    began = time.monotonic()
    playback = sink.play("a", long_tone, 4000, 100)
    time.sleep(0.35)
    sink.set_level(0)
    took = time.monotonic() - began
    time.sleep(0.6)
    playback.stop()
    (file,) = (tmp_path / "out").iterdir()
    samples = samples_of(file)
    assert np.abs(samples[: RATE // 5]).max() > 1000
    assert len(samples) > int((took + 0.3) * RATE)
    assert not samples[int((took + 0.3) * RATE) :].any()


@pytest.mark.parametrize("content", [None, b"this is no sound"])
def test_what_cannot_be_sounded_is_said_and_seen_on_the_amplifier(tmp_path: Path, content: bytes | None) -> None:
    path, sink = tmp_path / "bad.mp3", FileSink(tmp_path / "out")
    if content is not None:
        path.write_bytes(content)
    felt = [sink.amp]
    assert over(sink.play("a", Recorded(path), 800, 100)) == Ended(0, "playback")
    assert [*felt, sink.amp] == ["off", "fault"]


def test_a_disk_that_takes_no_more_is_a_failure(tone: Source, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    (tmp_path / "out").rmdir()
    assert over(sink.play("a", tone, 800, 100)) == Ended(0, "playback")


def test_silence_lasts_as_long_as_the_sound_and_its_lead_in(tone: Source) -> None:
    now = 0.0
    playback = SilentSink(lambda: now).play("a", tone, 3000, 50, 500)
    now = 3.4
    assert playback.ended() is None
    now = 3.5
    assert playback.ended() == Ended(3000)


def a_player(tmp_path: Path, script: str, feed: Feed = "raw") -> SystemPlayer:
    path = tmp_path / "player"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return SystemPlayer((str(path),), feed)


def test_the_systems_player_is_given_pcm_as_it_sounds(tone: Source, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = over(DeviceSink(a_player(tmp_path, f"cat > {tmp_path}/heard"), tmp_path).play("a", tone, 800, 100, 200))
    assert time.monotonic() - began >= 0.5
    heard = np.frombuffer((tmp_path / "heard").read_bytes(), dtype=np.int16)
    assert len(heard) / RATE == pytest.approx(1.0, abs=0.1)
    assert not heard[: RATE // 10].any()
    assert ended.error is None


def test_a_player_that_wants_a_head_gets_one(tone: Source, tmp_path: Path) -> None:
    over(DeviceSink(a_player(tmp_path, f"cat > {tmp_path}/heard", "wav"), tmp_path).play("a", tone, 800, 100))
    heard = (tmp_path / "heard").read_bytes()
    assert heard[:4] + heard[8:16] == b"RIFFWAVEfmt "
    assert (len(heard) - 44) / 2 / RATE == pytest.approx(0.8, abs=0.1)


def test_a_player_that_reads_files_gets_a_file_that_is_gone_afterwards(tone: Source, tmp_path: Path) -> None:
    player = a_player(tmp_path, f'cp "$1" {tmp_path}/heard.wav', "file")
    assert over(DeviceSink(player, tmp_path / "out").play("a", tone, 800, 100)).error is None
    assert seconds_of(tmp_path / "heard.wav") == pytest.approx(0.8, abs=0.1)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("feed", ["raw", "file"])
def test_the_systems_player_can_be_stopped_whatever_it_is_doing(tmp_path: Path, feed: Feed) -> None:
    pid = tmp_path / "pid"
    player = a_player(tmp_path, f"echo $$ > {pid}; exec sleep 30", feed)
    playback = DeviceSink(player, tmp_path / "out").play("a", alarm(9000), 9000, 100)
    assert soon(lambda: pid.exists() and pid.read_text() != "")
    assert playback.ended() is None
    began = time.monotonic()
    playback.stop()
    assert time.monotonic() - began < 5
    assert over(playback).error is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("feed", ["raw", "wav", "file"])
def test_a_player_that_fails_is_a_failure(tone: Source, tmp_path: Path, feed: Feed) -> None:
    sink: Sink = DeviceSink(a_player(tmp_path, "exit 3", feed), tmp_path / "out")
    assert over(sink.play("a", tone, 800, 100)).error == "playback"
    assert sink.amp == "fault"
    missing = DeviceSink(SystemPlayer((str(tmp_path / "none"),), feed), tmp_path / "out").play("a", tone, 800, 100)
    ended = over(missing)
    assert ended.error == "playback"
    assert ended.played_ms < 50


def test_a_player_that_dies_in_the_middle_says_how_far_it_came(tmp_path: Path) -> None:
    sink = DeviceSink(a_player(tmp_path, "head -c 40000 > /dev/null"), tmp_path)
    ended = over(sink.play("a", alarm(9000), 9000, 100))
    assert ended.error == "playback"
    assert 0 < ended.played_ms < 5000


def test_the_amplifier_is_on_while_something_sounds(tone: Source, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    playback = sink.play("a", tone, 800, 100)
    felt = [sink.amp]
    over(playback)
    assert [*felt, sink.amp] == ["on", "off"]


def test_the_sink_is_a_sound_device_where_there_is_one_and_a_file_elsewhere(tmp_path: Path) -> None:
    expected = FileSink if find_player() is None else DeviceSink
    assert isinstance(choose_sink("auto", tmp_path), expected)
    assert isinstance(choose_sink("file", tmp_path), FileSink)
    assert isinstance(choose_sink("silent", tmp_path), SilentSink)
    with pytest.raises(ValueError, match="trumpet"):
        choose_sink("trumpet", tmp_path)


def test_the_built_in_tones_last_as_long_as_they_should(tmp_path: Path) -> None:
    assert sum(map(len, trial_tone().blocks())) == 3 * RATE
    assert sum(map(len, alarm(12_345).blocks())) == 12_345 * RATE // 1000
    assert sum(map(len, alarm(1).blocks())) == 4 * RATE
    assert sum(map(len, alarm(86_400_000).blocks())) == 30 * RATE


def test_the_alarm_is_loud_has_rests_and_neither_holds_nor_sweeps_a_tone() -> None:
    """An air-raid siren holds or sweeps for seconds; this one raps."""
    sound = np.concatenate(list(alarm(10_000).blocks())).astype(np.float64)
    loud = np.abs(sound).reshape(-1, RATE // 100).max(axis=1) > 1000
    assert np.abs(sound).max() > 20_000
    assert loud.mean() > 0.3
    runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]]))))[::2]
    assert runs.max() <= 50, "no tone of more than half a second"
    for start in np.flatnonzero(np.diff(loud.astype(int)) == 1)[:12]:
        rap = sound[(start + 2) * RATE // 100 :][: RATE // 10]
        pitch = np.abs(np.fft.rfft(rap * np.hanning(len(rap)))).argmax() * 10
        assert min(abs(pitch - 1175), abs(pitch - 784)) <= 20
