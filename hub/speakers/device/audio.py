"""Recordings on a device: fetched by hash, resumed, checked, and kept as long as there is room."""

import hashlib
import logging
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from hub.speakers.protocol import Audio

log = logging.getLogger(__name__)

CHUNK: Final = 65_536
TIMEOUT_S: Final = (5.0, 15.0)
DEFAULT_LIMIT: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Failed:
    """One attempt did not bring the audio: a reason code of the protocol."""

    reason: str


class AudioCache:
    """Recordings by hash in one folder; the least recently used go first when `limit` bytes are passed."""

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()

    def path(self, sha256: str) -> Path:
        """Where that recording is, or would be."""
        return self._folder / sha256

    def find(self, audio: Audio) -> Path | None:
        """The recording, its hash checked anew; a damaged one is thrown away."""
        path = self.path(audio.sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data).hexdigest() != audio.sha256:
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return path

    def fetch(self, audio: Audio) -> Path | Failed:
        """One attempt: go on where the last one broke off, check the hash, keep it."""
        found = self.find(audio)
        if found is not None:
            return found
        part = self.path(audio.sha256).with_suffix(".part")
        try:
            reason = self._download(audio, part)
        except (requests.RequestException, OSError) as error:
            log.info("audio_fetch_failed", extra={"error": type(error).__name__})
            return Failed("fetch_failed")
        if reason is not None:
            return Failed(reason)
        part.replace(self.path(audio.sha256))
        self._make_room()
        return self.find(audio) or Failed("bad_audio")

    def free(self) -> int:
        """Bytes left on the disk."""
        return shutil.disk_usage(self._folder).free

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
        if hashlib.sha256(part.read_bytes()).hexdigest() != audio.sha256:
            part.unlink()
            return "bad_audio"
        return None

    @staticmethod
    def _receive(answer: requests.Response, part: Path, have: int, size: int) -> None:
        """Write what comes, but never more than was announced by one chunk."""
        with part.open("ab" if have else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > size:
                    break
            file.flush()
            os.fsync(file.fileno())

    def _make_room(self) -> None:
        with self._lock:
            kept = [(path.stat(), path) for path in self._folder.iterdir() if path.suffix != ".part"]
            total = sum(stat.st_size for stat, _ in kept)
            for stat, path in sorted(kept, key=lambda pair: pair[0].st_mtime)[:-1]:
                if total <= self._limit:
                    return
                path.unlink(missing_ok=True)
                total -= stat.st_size
