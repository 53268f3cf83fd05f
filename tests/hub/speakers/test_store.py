"""What survives a power cut."""

from pathlib import Path

from speakerlab import NOON, Bench, a_play

from hub.speakers.device.crowd import Memories
from hub.speakers.device.memory import Memory
from hub.speakers.device.store import FileStore


def a_memory() -> Memory:
    bench = Bench()
    bench.hear(a_play())
    return bench.core.memory


def test_a_memory_comes_back_as_saved(tmp_path: Path) -> None:
    store, memory = FileStore(tmp_path / "memory.json"), a_memory()
    assert store.load(NOON) == Memory()
    store.save(memory)
    assert FileStore(tmp_path / "memory.json").load(NOON) == memory


def test_a_half_written_file_does_not_touch_the_whole_one(tmp_path: Path) -> None:
    store, memory = FileStore(tmp_path / "memory.json"), a_memory()
    store.save(memory)
    (tmp_path / "memory.new").write_text('{"volume": 1')
    assert store.load(NOON) == memory


def test_a_damaged_memory_is_set_aside_and_nothing_older_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "memory.json").write_text('{"volume": "loud"}')
    assert FileStore(tmp_path / "memory.json").load(NOON) == Memory(not_before=NOON)
    assert (tmp_path / "memory.damaged").exists()


def test_the_crowds_memories_come_back_after_a_commit_and_not_before(tmp_path: Path) -> None:
    path, memory = tmp_path / "memories.sqlite", a_memory()
    first = Memories(path)
    first.save("horn-1", memory)
    other = Memories(path)
    assert other.load("horn-1", NOON) == Memory()
    other.close()
    first.commit()
    again = Memories(path)
    assert again.load("horn-1", NOON) == memory
    again.close()
    first.close()
