"""Where a loudspeaker keeps its memory: one file, whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from hub.speakers.device.memory import Memory


class Store(Protocol):
    """Keeps memories. When `save` returns, the power may fail."""

    def load(self, now: int) -> Memory: ...

    def save(self, memory: Memory) -> None: ...


class FileStore:
    """One JSON file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def load(self, now: int) -> Memory:
        """The memory, or an empty one. A damaged file is set aside, and nothing issued before now is played."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return Memory()
        return read_memory(text) or self._set_aside(now)

    def save(self, memory: Memory) -> None:
        """Write beside, flush to the disk, then rename."""
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(memory.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        _flush_folder(self._path.parent)

    def _set_aside(self, now: int) -> Memory:
        with suppress(OSError):  # a disk that takes nothing must not keep the device from starting
            self._path.replace(self._path.with_suffix(".damaged"))
        return Memory(not_before=now)


def read_memory(text: bytes | str) -> Memory | None:
    """A memory from JSON; None when it is damaged."""
    try:
        return Memory.model_validate_json(text)
    except ValidationError:
        return None


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
