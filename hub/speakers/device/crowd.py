"""What many simulated loudspeakers share: one file of memories, one cache of recordings."""

import hashlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final

from hub.speakers.device.audio import AudioCache, Failed
from hub.speakers.device.memory import Memory
from hub.speakers.device.store import read_memory
from hub.speakers.envelope import KeyRing, Refused
from hub.speakers.protocol import Audio, Command, read_command

log = logging.getLogger(__name__)

FETCHERS: Final = 4

Tell = Callable[[str | None], None]


@lru_cache(maxsize=512)
def read_once(message: bytes, keys: KeyRing) -> Command | Refused:
    """The same check as every device makes, made once for the same bytes and the same keys."""
    return read_command(message, keys)


class Memories:
    """The memories of all devices in one SQLite file; `commit` makes everything saved so far safe."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS memory (device TEXT PRIMARY KEY, json BLOB NOT NULL)")
        self._kept: dict[str, bytes] = dict(self._db.execute("SELECT device, json FROM memory"))
        self._changed: dict[str, bytes] = {}

    def load(self, device: str, now: int) -> Memory:
        """The device's memory, or a new one."""
        text = self._kept.pop(device, None)
        if text is None:
            return Memory()
        return read_memory(text) or Memory(not_before=now)

    def save(self, device: str, memory: Memory) -> None:
        """Note it for the next `commit`."""
        self._changed[device] = memory.model_dump_json().encode()

    def commit(self) -> None:
        """One transaction and one flush to the disk for all that changed."""
        if not self._changed:
            return
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", self._changed.items())
        self._db.execute("COMMIT")
        self._changed.clear()

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self._db.close()


class MemoryOf:
    """One device's drawer in `Memories`."""

    def __init__(self, memories: Memories, device: str) -> None:
        self._memories = memories
        self._device = device

    def load(self, now: int) -> Memory:
        """The device's memory, or a new one."""
        return self._memories.load(self._device, now)

    def save(self, memory: Memory) -> None:
        """Note it; the simulator commits before it acts."""
        self._memories.save(self._device, memory)


class SharedAudio:
    """Fetches each recording once for all who want it; every device checks the hash for itself.

    Results wait in `ready` until the simulator's one thread collects them; `wake` is called to tell it so.
    """

    def __init__(self, folder: Path, wake: Callable[[], None]) -> None:
        self._cache = AudioCache(folder)
        self._wake = wake
        self._pool = ThreadPoolExecutor(FETCHERS, thread_name_prefix="sim-fetch")
        self._lock = threading.Lock()
        self._wanted: dict[str, list[Tell]] = {}
        self._free = self._cache.free()
        self.ready: queue.SimpleQueue[tuple[Tell, str | None]] = queue.SimpleQueue()

    def want(self, audio: Audio, tell: Tell) -> None:
        """Tell the device when it is here, or why not."""
        with self._lock:
            waiting = self._wanted.setdefault(audio.sha256, [])
            waiting.append(tell)
            if len(waiting) == 1:
                self._pool.submit(self._bring, audio)

    def refuse(self, tell: Tell, reason: str) -> None:
        """Let a device's download fail."""
        self.ready.put((tell, reason))
        self._wake()

    def find(self, audio: Audio) -> Path | None:
        """The recording, checked."""
        data = _bytes_of(str(self._cache.path(audio.sha256)))
        right = data is not None and hashlib.sha256(data).hexdigest() == audio.sha256
        return self._cache.path(audio.sha256) if right else None

    def free(self) -> int:
        """Bytes left when the simulation began."""
        return self._free

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _bring(self, audio: Audio) -> None:
        reason: str | None = "fetch_failed"
        try:
            result = self._cache.fetch(audio)
            reason = result.reason if isinstance(result, Failed) else None
        except Exception:  # every device that waits must hear of it
            log.exception("audio_fetch_broke")
        with self._lock:
            waiting = self._wanted.pop(audio.sha256)
        for tell in waiting:
            self.ready.put((tell, reason))
        self._wake()


@lru_cache(maxsize=8)
def _bytes_of(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None
