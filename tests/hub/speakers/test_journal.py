"""Receipts that a hub can ask for again."""

from pathlib import Path

import pytest

from hub.speakers.device.crowd import Drawer, Memories
from hub.speakers.device.journal import COMPACT_AT, KEPT, Entry, FileJournal


def entries(first: int, last: int) -> list[Entry]:
    return [(n, b'{"n":%d}' % n) for n in range(first, last + 1)]


def test_what_was_noted_comes_back_in_order_also_after_a_restart(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal.jsonl")
    journal.note(entries(1, 3), final=False)
    journal.note(entries(4, 5), final=True)
    assert journal.after(2) == entries(3, 5)
    again = FileJournal(tmp_path / "journal.jsonl")
    assert again.after(0) == entries(1, 5)
    assert again.after(5) == []


def test_only_the_newest_are_kept_and_the_file_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = FileJournal(path)
    for n in range(1, 3 * COMPACT_AT):
        journal.note(entries(n, n), final=False)
        assert path.stat().st_size < 15 * (COMPACT_AT + 2)
    assert [n for n, _ in journal.after(0)] == list(range(3 * COMPACT_AT - KEPT, 3 * COMPACT_AT))
    assert FileJournal(path).after(0) == journal.after(0)


@pytest.mark.parametrize("spoilt", [b'{"n":4', b"\xff\xfe\x00", b"[]", b'{"n":"4"}', b"{}"])
def test_a_line_that_a_power_cut_has_spoilt_costs_only_itself(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    FileJournal(path).note(entries(1, 3), final=True)
    path.write_bytes(path.read_bytes() + spoilt)
    journal = FileJournal(path)
    journal.note(entries(5, 5), final=True)
    assert FileJournal(path).after(0) == [*entries(1, 3), *entries(5, 5)]


def test_the_crowds_journals_are_committed_with_the_memories_and_pruned(tmp_path: Path) -> None:
    memories = Memories(tmp_path / "memories.sqlite")
    one, two = Drawer(memories, "horn-1"), Drawer(memories, "horn-2")
    for n in range(0, 2 * KEPT, 10):
        one.note(entries(n, n + 9), final=False)
        memories.commit()
    two.note(entries(1, 2), final=True)
    assert two.after(0) == []
    memories.commit()
    assert two.after(0) == entries(1, 2)
    assert two.after(1) == entries(2, 2)
    assert one.after(0) == entries(KEPT, 2 * KEPT - 1)
    memories.close()
    again = Memories(tmp_path / "memories.sqlite")
    assert Drawer(again, "horn-1").after(2 * KEPT - 3) == entries(2 * KEPT - 2, 2 * KEPT - 1)
    rows = again.count_kept("horn-1")
    assert rows <= KEPT + 200
    again.close()
