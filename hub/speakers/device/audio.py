"""Recordings on a device: fetched by hash, resumed, checked, and kept as long as there is room."""

import errno
import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from hub.speakers.protocol import Audio

log = logging.getLogger(__name__)

CHUNK: Final = 65_536
TIMEOUT_S: Final = (5.0, 15.0)
DEFAULT_LIMIT: Final = 512 * 1024 * 1024
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Failed:
    """One attempt did not bring the audio: a reason code of the protocol, and whether the disk was full."""

    reason: str
    full: bool = False


class AudioCache:
    """Recordings by hash in one folder; the least recently used go first when `limit` bytes are passed.

    What is pinned never goes, nor what `needed` names: recordings of plays that wait.
    """

    def __init__(
        self, folder: Path, limit: int = DEFAULT_LIMIT, needed: Callable[[], Iterable[str]] = lambda: ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limit = limit
        self._needed = needed
        self._lock = threading.Lock()
        self.pinned: frozenset[str] = frozenset()

    def path(self, sha256: str) -> Path:
        """Where that recording is, or would be."""
        return self._folder / sha256

    def find(self, audio: Audio) -> Path | None:
        """The recording, its hash checked anew; a damaged one is thrown away."""
        path = self.path(audio.sha256)
        try:
            right = hash_of(path) == audio.sha256
            if right:
                os.utime(path)
                return path
            path.unlink(missing_ok=True)
        except OSError:
            return None
        return None

    def fetch(self, audio: Audio) -> Path | Failed:
        """One attempt: go on where the last one broke off, check the hash, keep it."""
        found = self.find(audio)
        if found is not None:
            return found
        part = self.path(audio.sha256).with_suffix(".part")
        try:
            reason = self._download(audio, part)
            if reason is None:
                part.replace(self.path(audio.sha256))
        except (requests.RequestException, OSError) as error:
            full = isinstance(error, OSError) and error.errno in NO_ROOM
            log.info("audio_fetch_failed", extra={"error": type(error).__name__, "full": full})
            if full:
                self._make_way(part)
            return Failed("fetch_failed", full)
        if reason is not None:
            return Failed(reason)
        self._make_room()
        return self.find(audio) or Failed("bad_audio")

    def free(self) -> int:
        """Bytes left on the disk; none where there is no disk."""
        try:
            return shutil.disk_usage(self._folder).free
        except OSError:
            return 0

    def _download(self, audio: Audio, part: Path) -> str | None:
        have = part.stat().st_size if part.exists() else 0
        if have < audio.size:
            headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
            with requests.get(audio.url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
                if answer.status_code not in {200, 206}:
                    return f"http_{answer.status_code}"
                self._receive(answer, part, have if answer.status_code == 206 else 0, audio.size)
        if part.stat().st_size < audio.size:
            return "fetch_failed"
        if hash_of(part) != audio.sha256:
            part.unlink()
            return "bad_audio"
        return None

    @staticmethod
    def _receive(answer: requests.Response, part: Path, have: int, size: int) -> None:
        """Write what comes, but never more than was announced by one chunk. A server may ignore the range."""
        with part.open("ab" if have else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > size:
                    break
            file.flush()
            os.fsync(file.fileno())

    def _make_room(self) -> None:
        """Throw away the least recently used until the limit holds; half-fetched ones count and go as well."""
        with self._lock:
            kept = sorted(self._stats(), key=lambda each: each[1])
            total = sum(size for _, _, size in kept)
            spared = self.pinned | frozenset(self._needed())
            for path, _, size in kept[:-1]:
                if total <= self._limit:
                    return
                if path.stem not in spared:
                    path.unlink(missing_ok=True)
                    total -= size

    def _make_way(self, part: Path) -> None:
        """The disk is full: give up the recording that nobody needs and that was used longest ago."""
        with self._lock:
            spared = self.pinned | frozenset(self._needed()) | {part.stem}
            others = [each for each in self._stats() if each[0].stem not in spared]
            if others:
                min(others, key=lambda each: each[1])[0].unlink(missing_ok=True)

    def _stats(self) -> list[tuple[Path, float, int]]:
        found = []
        for path in self._folder.iterdir():
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            found.append((path, stat.st_mtime, stat.st_size))
        return found


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
