"""A hundred loudspeakers in one process."""

import threading
import wave
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from speakerlab import COUNTY, KEY, Recordings, Village, a_play, a_village, soon

from hub.speakers.device.client import now_ms
from hub.speakers.device.simulator import Simulation, SimulationOptions
from hub.speakers.protocol import Command, Reached, ToRegion, seal_command
from hub.speakers.topics import region_command

pytestmark = pytest.mark.slow


MANY = [f"horn-{number:04}" for number in range(100)]
FEW = MANY[:12]


@contextmanager
def a_crowd(village: Village, names: list[str], **options: Any) -> Iterator[Simulation]:
    devices = [village.device(name, number) for number, name in enumerate(names, start=1)]
    simulation = Simulation(devices, SimulationOptions(village.folder / "crowd", **options))
    thread = threading.Thread(target=simulation.run)
    thread.start()
    try:
        yield simulation
    finally:
        simulation.halt()
        thread.join(timeout=20)
        assert not thread.is_alive()


def send(village: Village, command: Command) -> None:
    assert village.link.publish(region_command(COUNTY), seal_command(command, KEY))


def ended(village: Village, command: Command, state: Reached) -> set[str]:
    return {receipt.dev for receipt in village.receipts if receipt.id == command.id and receipt.st is state}


def test_a_hundred_devices_hear_one_message_and_all_finish(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.5)
    with a_village("embedded", tmp_path, MANY) as village, a_crowd(village, MANY, keep_audio=2) as simulation:
        assert soon(lambda: simulation.crowd().up == 100, within_s=20)
        assert soon(lambda: len(village.beats) >= 100)
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99, excluded=(MANY[0],)), audio=audio)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 98, within_s=20)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.DUPLICATE)) == 98, within_s=20)
        started = Counter(r.dev for r in village.receipts if r.st is Reached.STARTED)
        assert set(started.values()) == {1}
        assert not {MANY[0], MANY[99]} & set(started)
        assert len(recordings.asked) == 1
    kept = list((tmp_path / "crowd" / "sounded").rglob("*.wav"))
    assert [path.parent.name for path in kept] == [MANY[1]]
    with wave.open(str(kept[0])) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(0.5, abs=0.1)
    assert soon(lambda: simulation.crowd().sounding == 0)


def test_a_crowd_that_is_started_again_plays_nothing_twice(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village:
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio)
        with a_crowd(village, FEW) as simulation:
            assert soon(lambda: simulation.crowd().up == 12)
            assert soon(lambda: len(village.beats) >= 12)
            send(village, play)
            assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 12)
        before = len(village.beats)
        with a_crowd(village, FEW) as simulation:
            assert soon(lambda: len(village.beats) >= before + 12)
            send(village, play)
            assert soon(lambda: len(ended(village, play, Reached.DUPLICATE)) == 12)
        assert sum(receipt.st is Reached.STARTED for receipt in village.receipts) == 12


def test_some_may_be_away_and_some_may_fail(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village:
        with a_crowd(village, FEW, offline=1.0) as simulation:
            assert not soon(lambda: simulation.crowd().up > 0, within_s=0.5)
        with a_crowd(village, FEW, failing=1.0) as simulation:
            assert soon(lambda: len(village.beats) >= 12)
            play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio)
            send(village, play)
            assert soon(lambda: len(ended(village, play, Reached.RECEIVED)) == 12)
            assert not soon(lambda: len(ended(village, play, Reached.FETCHED)) > 0, within_s=0.5)
    assert recordings.asked == []


def test_each_may_fetch_for_itself(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW, fetch_per_device=True):
        assert soon(lambda: len(village.beats) >= 12)
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 12)
    assert len(recordings.asked) == 12


def test_a_device_that_drops_out_is_missed_and_comes_back(tmp_path: Path) -> None:
    with a_village("embedded", tmp_path, FEW[:1]) as village, a_crowd(village, FEW[:1]) as simulation:
        assert soon(lambda: village.is_up(FEW[0]))
        (speaker,) = simulation.speakers()
        simulation.call_soon(speaker.drop)
        assert soon(lambda: not village.is_up(FEW[0]))
        assert soon(lambda: village.is_up(FEW[0]))
