"""The library's folders: whole files only, locks between processes, and eviction.

speech/<k>/<key>.wav   the words alone          keys/<k>/<key>.json    what is known about a rendering
files/<s>/<sha>.mp3    what speakers fetch      locks/                 one of 256 locks for each kind
scratch/               work under way: files get their own name and place only when they are whole and on the disk
"""

import fcntl
import json
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from broadcasts.speech.scratch import Scratch, sweep

LEFTOVER_S = 3600.0  # a .part older than this was left by a process that died


class Store:
    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in ("speech", "files", "keys", "locks", "scratch"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self._forget_leftovers()
        held = Scratch(root / "scratch")
        self._scratch = held.path
        weakref.finalize(self, held.leave)

    def file(self, digest: str) -> Path:
        return self._root / "files" / digest[:2] / f"{digest}.mp3"

    def speech(self, key: str) -> Path:
        return self._root / "speech" / key[:2] / f"{key}.wav"

    def under_way(self, name: str) -> Path:
        """A place for a file that is still being made; `adopt` gives it its own."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch / f"{uuid4().hex[:12]}-{name}"

    def adopt(self, made: Path, path: Path) -> None:
        """Put a file that is whole, and on the disk, where it belongs."""
        path.parent.mkdir(parents=True, exist_ok=True)
        made.replace(path)

    def write_whole(self, path: Path, content: bytes) -> None:
        """All of it under its name, on the disk, or nothing."""
        made = self.under_way(path.name)
        try:
            with made.open("wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            self.adopt(made, path)
        finally:
            made.unlink(missing_ok=True)

    def read_sidecar(self, key: str) -> dict[str, Any] | None:
        try:
            known: dict[str, Any] = json.loads(self._sidecar(key).read_bytes())
        except (OSError, ValueError):
            return None
        return known

    def write_sidecar(self, key: str, content: dict[str, Any]) -> None:
        self.write_whole(self._sidecar(key), json.dumps(content, ensure_ascii=False).encode())

    @contextmanager
    def lock(self, kind: str, key: str) -> Iterator[None]:
        """Exclusive among threads and processes. `final` is always taken before `speech`, never the other way."""
        with (self._root / "locks" / f"{kind}-{key[:2]}").open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def evict(self, max_bytes: int, keep: frozenset[str], older_than: float) -> int:
        """Recordings of words go first, since a finished file does not need them; then the files."""
        found = [*_by_age(self._root / "speech", "*/*.wav"), *_by_age(self._root / "files", "*/*.mp3")]
        excess = sum(size for _, size, _ in found) - max_bytes
        gone: set[str] = set()
        freed = 0
        for used, size, path in found:
            if freed >= excess:
                break
            if path.stem in keep or used >= older_than:
                continue
            path.unlink(missing_ok=True)
            freed += size
            gone.add(path.stem)
        self._forget_keys_of(gone)
        return freed

    def _sidecar(self, key: str) -> Path:
        return self._root / "keys" / key[:2] / f"{key}.json"

    def _forget_keys_of(self, gone: set[str]) -> None:
        if not gone:
            return
        for path in (self._root / "keys").glob("*/*.json"):
            known = self.read_sidecar(path.stem)
            if known is None or known.get("sha256") in gone:
                path.unlink(missing_ok=True)

    def _forget_leftovers(self) -> None:
        """Of processes that died: their folders at once; files beside their places, as once was usual, later."""
        sweep()
        sweep(self._root / "scratch")
        before = time.time() - LEFTOVER_S
        for path in self._root.glob("*/*/*.part"):
            with suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _by_age(folder: Path, pattern: str) -> list[tuple[float, int, Path]]:
    found = []
    for path in folder.glob(pattern):
        with suppress(OSError):  # somebody else evicted it
            state = path.stat()
            found.append((state.st_mtime, state.st_size, path))
    return sorted(found)
