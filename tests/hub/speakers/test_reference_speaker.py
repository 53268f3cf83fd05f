"""The reference loudspeaker on real brokers, with real sound in a file."""

import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from speakerlab import COUNTY, KEY, VILLAGE, Recordings, Village, a_play, a_stop, kill_broker, soon

from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings, now_ms
from hub.speakers.protocol import (
    Command,
    Configure,
    Play,
    Priority,
    Reached,
    Settings,
    ToDevice,
    ToRegion,
    seal_command,
)
from hub.speakers.topics import Kind, device_topic, region_command

pytestmark = pytest.mark.slow


@contextmanager
def a_speaker(village: Village, name: str = "horn-1") -> Iterator[ReferenceSpeaker]:
    speaker = ReferenceSpeaker(SpeakerSettings(village.device(name), sink="file"))
    speaker.start()
    try:
        assert soon(lambda: village.is_up(name) and any(beat.dev == name for beat in village.beats))
        yield speaker
    finally:
        speaker.stop()


def a_play_now(**given: Any) -> Play:
    return a_play(iat=now_ms(), to=ToRegion(region=VILLAGE, upto=9), **given)


def send(village: Village, command: Command, topic: str = region_command(VILLAGE)) -> None:
    assert village.link.publish(topic, seal_command(command, KEY))


def sounded(village: Village, name: str = "horn-1") -> list[float]:
    """The lengths of what the device has sounded, in seconds, oldest first."""
    lengths = []
    for path in sorted((village.folder / name / "sounded").glob("*.wav")):
        with wave.open(str(path)) as file:
            lengths.append(file.getnframes() / file.getframerate())
    return lengths


def test_an_announcement_is_heard_in_full(village: Village, recordings: Recordings) -> None:
    play = a_play_now(audio=recordings.tone("a.mp3", 1.2))
    with a_speaker(village):
        send(village, play)
        assert soon(lambda: Reached.FINISHED in village.states(play))
    assert village.states(play) == [Reached.RECEIVED, Reached.FETCHED, Reached.STARTED, Reached.FINISHED]
    assert sounded(village) == [pytest.approx(1.2, abs=0.1)]
    assert soon(lambda: not village.is_up("horn-1"))


def test_an_address_in_the_payload_binds_whatever_the_topic(village: Village, recordings: Recordings) -> None:
    play = a_play_now(audio=recordings.tone("a.mp3", 0.3)).model_copy(update={"to": ToDevice(device="horn-2")})
    with a_speaker(village), a_speaker(village, "horn-2"):
        send(village, play)
        assert soon(lambda: Reached.FINISHED in village.states(play))
    assert {receipt.dev for receipt in village.receipts} == {"horn-2"}
    assert sounded(village) == []


def test_a_stop_cuts_the_sound_and_the_file(village: Village, recordings: Recordings) -> None:
    play = a_play_now(audio=recordings.tone("a.mp3", 8))
    with a_speaker(village):
        began = time.monotonic()
        send(village, play)
        assert soon(lambda: Reached.STARTED in village.states(play))
        time.sleep(0.6)
        send(village, a_stop(iat=now_ms(), broadcasts=(play.broadcast,)))
        assert soon(lambda: Reached.STOPPED in village.states(play))
        took = time.monotonic() - began
    (length,) = sounded(village)
    (played,) = [r.played_ms for r in village.receipts if r.st is Reached.STOPPED]
    assert 0.4 <= length <= took + 0.3 < 8
    assert played is not None
    assert played / 1000 == pytest.approx(length, abs=0.6)


def test_an_emergency_breaks_in(village: Village, recordings: Recordings) -> None:
    routine = a_play_now(audio=recordings.tone("routine.mp3", 6))
    emergency = a_play_now(audio=recordings.tone("emergency.mp3", 0.4), seq=2, pri=Priority.EMERGENCY)
    with a_speaker(village):
        send(village, routine)
        assert soon(lambda: Reached.STARTED in village.states(routine))
        send(village, emergency)
        assert soon(lambda: Reached.FINISHED in village.states(emergency))
        assert soon(lambda: village.states(routine).count(Reached.STARTED) == 2)
        send(village, a_stop(iat=now_ms(), all=True))
        assert soon(lambda: Reached.STOPPED in village.states(routine))
    assert Reached.INTERRUPTED in village.states(routine)


def test_settings_arrive_from_the_retained_topic_and_take_effect(village: Village, recordings: Recordings) -> None:
    now = now_ms()
    settings = Settings(version=1, number=1, regions=(COUNTY,), keys={"h1": KEY.public()}, beat_s=1)
    play = a_play_now(audio=recordings.tone("a.mp3", 0.3))
    configure = Configure(
        id=play.broadcast, issuer="hub", iat=now, nbf=now, exp=now + 1, seq=5, to=ToDevice(device="horn-1"),
        settings=settings,
    )  # fmt: skip
    topic = device_topic("horn-1", Kind.CONFIG)
    assert village.link.publish(topic, seal_command(configure, KEY), retain=True)
    with a_speaker(village):
        assert soon(lambda: any(beat.cfg == 1 for beat in village.beats))
        send(village, play)
        everyone = play.model_copy(update={"to": ToRegion(region=COUNTY, upto=9)})
        send(village, everyone, region_command(COUNTY))
        assert soon(lambda: Reached.FINISHED in village.states(play))
    assert len(sounded(village)) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_broker_that_is_killed_costs_nothing_but_time(village: Village, recordings: Recordings) -> None:
    first = a_play_now(audio=recordings.tone("a.mp3", 2.5))
    second = a_play_now(audio=recordings.tone("b.mp3", 0.3), seq=2)
    with a_speaker(village) as speaker:
        send(village, first)
        assert soon(lambda: Reached.STARTED in village.states(first))
        kill_broker(village.broker)
        assert soon(lambda: not speaker.connected)
        assert soon(lambda: Reached.FINISHED in village.knows(first), within_s=30)
        send(village, first)
        assert soon(lambda: Reached.DUPLICATE in village.states(first))
        send(village, second)
        assert soon(lambda: Reached.FINISHED in village.states(second))
    assert sounded(village) == [pytest.approx(2.5, abs=0.15), pytest.approx(0.3, abs=0.1)]


DEVICE = """
import sys
from pathlib import Path
from hub.speakers.device.client import SpeakerSettings, run_speaker
from hub.speakers.device.device_file import DeviceFile

run_speaker(SpeakerSettings(DeviceFile.load(Path(sys.argv[1])), sink="file"))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_device_whose_power_is_cut_in_the_middle_does_not_play_it_again(
    village: Village, recordings: Recordings, tmp_path: Path
) -> None:
    path = tmp_path / "horn-1.toml"
    village.device("horn-1").save(path)
    play = a_play_now(audio=recordings.tone("a.mp3", 8))
    with subprocess.Popen([sys.executable, "-c", DEVICE, str(path)]) as device:
        assert soon(lambda: len(village.beats) == 1)
        send(village, play)
        assert soon(lambda: Reached.STARTED in village.states(play))
        time.sleep(0.5)
        device.send_signal(signal.SIGKILL)
    with a_speaker(village):
        assert soon(lambda: village.states(play)[-1] is Reached.FAILED)
        assert village.receipts[-1].reason == "power_lost"
        send(village, play)
        assert soon(lambda: village.states(play)[-1] is Reached.DUPLICATE)
    (length,) = sounded(village)
    assert 0.3 <= length < 7


def test_a_recording_with_another_hash_never_sounds(village: Village, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.3)
    (recordings.folder / "a.mp3").write_bytes(os.urandom(audio.size))
    play = a_play_now(audio=audio)
    with a_speaker(village) as speaker:
        send(village, play)
        assert soon(lambda: speaker.body.core.memory.queue != [] and speaker.body.core.memory.queue[0].attempts == 1)
        assert soon(lambda: village.states(play) == [Reached.RECEIVED, Reached.PROGRESS])
    assert sounded(village) == []
