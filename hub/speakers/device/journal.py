"""The newest receipts of a device, kept so that a hub can ask for what it has missed."""

import json
import logging
import os
from collections import deque
from itertools import dropwhile
from pathlib import Path
from typing import Final, Protocol

from hub.speakers.protocol import Receipt

log = logging.getLogger(__name__)

KEPT: Final = 1_000
COMPACT_AT: Final = 2 * KEPT

Entry = tuple[int, bytes]


class Journal(Protocol):
    """Keeps receipts. A number never comes back."""

    def note(self, entries: list[Entry], *, final: bool) -> None:
        """Keep receipts as (number, bytes); `final` when one of them ends a command."""
        ...

    def after(self, number: int) -> list[Entry]:
        """What is kept with a higher number, oldest first."""
        ...


class FileJournal:
    """One receipt a line. What ends a command is flushed to the disk; the rest may be lost in a power cut."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._kept: deque[Entry] = deque(_read(path), maxlen=KEPT)
        self._lines = len(self._kept)
        try:
            self._rewrite()
        except OSError as error:  # a disk that takes nothing must not keep the device from starting
            log.warning("journal_not_written", extra={"error": str(error)})

    def note(self, entries: list[Entry], *, final: bool) -> None:
        """Add lines; from time to time the file is written anew without the old ones."""
        self._kept.extend(entries)
        self._lines += len(entries)
        if self._lines > COMPACT_AT:
            self._rewrite()
            return
        with self._path.open("ab") as file:
            file.writelines(line + b"\n" for _, line in entries)
            if final:
                file.flush()
                os.fsync(file.fileno())

    def after(self, number: int) -> list[Entry]:
        """What is kept with a higher number, oldest first."""
        return list(dropwhile(lambda entry: entry[0] <= number, self._kept))

    def _rewrite(self) -> None:
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as file:
            file.writelines(line + b"\n" for _, line in self._kept)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        self._lines = len(self._kept)


def entry_of(receipt: Receipt) -> Entry:
    """A receipt as it is kept and published."""
    return receipt.n, receipt.to_bytes()


def _read(path: Path) -> list[Entry]:
    """What a file holds; lines that a power cut has spoilt are left out."""
    entries: list[Entry] = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        number = _number(line)
        if number is None:
            log.warning("journal_line_spoilt")
        else:
            entries.append((number, line))
    return sorted(entries, key=lambda entry: entry[0])


def _number(line: bytes) -> int | None:
    try:
        found = json.loads(line)["n"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None
