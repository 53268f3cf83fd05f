"""What many simulated loudspeakers share costs each of them little."""

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from speakerlab import DAY, KEY, MINUTE, NOON, a_play, an_audio, some_settings

from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.crowd import Memories, read_once
from hub.speakers.device.memory import Memory
from hub.speakers.protocol import seal_command

DEVICES, WAITING = 20, 40


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[Memories]:
    found = Memories(tmp_path / "memories.sqlite")
    yield found
    found.close()


def a_crowd() -> list[SpeakerCore]:
    return [SpeakerCore(f"horn-{n}", some_settings(), Memory(), read=read_once) for n in range(DEVICES)]


def sheet() -> list[bytes]:
    """Forty plays for the coming hours, each one message for all."""
    return [
        seal_command(
            a_play(seq=n, exp=NOON + DAY, start_at=NOON + n * MINUTE, audio=an_audio(sha256=f"{n:064x}")),
            KEY,
        )
        for n in range(1, WAITING + 1)
    ]


@pytest.mark.slow
def test_forty_waiting_plays_cost_a_device_little() -> None:
    crowd, messages = a_crowd(), sheet()
    for message in messages:
        crowd[0].receive(message, NOON)
    gc.collect()
    tracemalloc.start()
    try:
        for core in crowd[1:]:
            for message in messages:
                core.receive(message, NOON)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [len(core.memory.queue) for core in crowd] == [WAITING] * DEVICES
    assert held / (DEVICES - 1) < 30_000


@pytest.mark.slow
def test_a_crowd_that_is_started_again_holds_each_play_once(memories: Memories) -> None:
    crowd = a_crowd()[:2]
    for core in crowd:
        for message in sheet()[:3]:
            core.receive(message, NOON)
        memories.save(core.device, core.memory)
    one, other = (memories.load(core.device, NOON) for core in crowd)
    assert one == crowd[0].memory
    assert [a.command.audio for a in one.queue] == [b.command.audio for b in other.queue]
    again = memories.load(crowd[0].device, NOON)
    assert [a.command is b.command for a, b in zip(one.queue, again.queue, strict=True)] == [True] * 3
