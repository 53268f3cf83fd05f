"""What many simulated loudspeakers share: one file of memories, one cache of recordings."""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final

from hub.speakers.device.audio import AudioCache, Failed, hash_of
from hub.speakers.device.journal import KEPT, Entry
from hub.speakers.device.memory import Memory
from hub.speakers.device.store import read_memory
from hub.speakers.envelope import KeyRing, Refused
from hub.speakers.protocol import Audio, Command, Play, read_command

log = logging.getLogger(__name__)

FETCHERS: Final = 4
PRUNE_EVERY: Final = 100

Tell = Callable[[str | None], None]


@lru_cache(maxsize=512)
def read_once(message: bytes, keys: KeyRing) -> Command | Refused:
    """The same check as every device makes, made once for the same bytes and the same keys."""
    return read_command(message, keys)


@lru_cache(maxsize=1024)
def one_of_all(play: Play) -> Play:
    """The same play once for all devices that wait with it, also after they were started again."""
    return play


class Memories:
    """The memories and journals of all devices in one SQLite file; `commit` makes everything saved so far safe."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS memory (device TEXT PRIMARY KEY, json TEXT NOT NULL)")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS journal (device TEXT, n INTEGER, line BLOB NOT NULL, PRIMARY KEY (device, n)) "
            "WITHOUT ROWID"
        )
        self._changed: dict[str, Memory] = {}
        self._entries: list[tuple[str, int, bytes]] = []
        self._old: dict[str, int] = {}

    def load(self, device: str, now: int) -> Memory:
        """The device's memory, or a new one."""
        self.commit()
        row = self._db.execute("SELECT json FROM memory WHERE device = ?", (device,)).fetchone()
        if row is None:
            return Memory()
        memory = read_memory(row[0]) or Memory(not_before=now)
        for item in memory.queue:
            item.command = one_of_all(item.command)
        return memory

    def save(self, device: str, memory: Memory) -> None:
        """Note it for the next `commit`: it is written as it is then."""
        self._changed[device] = memory

    def note(self, device: str, entries: list[Entry]) -> None:
        """Keep receipts, with the next `commit`; old ones go from time to time."""
        self._entries += [(device, number, line) for number, line in entries]
        newest = entries[-1][0]
        if newest % PRUNE_EVERY < len(entries):
            self._old[device] = newest - KEPT

    def after(self, device: str, number: int) -> list[Entry]:
        """The committed receipts of a device with a higher number."""
        query = "SELECT n, line FROM journal WHERE device = ? AND n > ? ORDER BY n DESC LIMIT ?"
        return self._db.execute(query, (device, number, KEPT)).fetchall()[::-1]

    def count_kept(self, device: str) -> int:
        """How many committed receipts of a device there are."""
        return int(self._db.execute("SELECT count(*) FROM journal WHERE device = ?", (device,)).fetchone()[0])

    def commit(self) -> None:
        """One transaction and one flush to the disk for all that changed; never all of it as text at once."""
        if not (self._changed or self._entries):
            return
        memories = ((device, memory.model_dump_json()) for device, memory in self._changed.items())
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", memories)
        self._db.executemany("INSERT OR REPLACE INTO journal VALUES (?, ?, ?)", self._entries)
        self._db.executemany("DELETE FROM journal WHERE device = ? AND n <= ?", self._old.items())
        self._db.execute("COMMIT")
        self._changed.clear()
        self._entries.clear()
        self._old.clear()

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self._db.close()


class Drawer:
    """One device's drawer in `Memories`: its memory and its journal."""

    __slots__ = ("_device", "_memories")

    def __init__(self, memories: Memories, device: str) -> None:
        self._memories = memories
        self._device = device

    def load(self, now: int) -> Memory:
        """The device's memory, or a new one."""
        return self._memories.load(self._device, now)

    def save(self, memory: Memory) -> None:
        """Note it; the simulator commits before it acts."""
        self._memories.save(self._device, memory)

    def note(self, entries: list[Entry], *, final: bool) -> None:
        """Note receipts; the simulator commits before it acts."""
        self._memories.note(self._device, entries)

    def after(self, number: int) -> list[Entry]:
        """The receipts kept with a higher number."""
        return self._memories.after(self._device, number)


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

    def want_alone(self, audio: Audio, own: AudioCache, tell: Tell) -> None:
        """Fetch it for one device alone, into its own cache."""
        self._pool.submit(self._bring_alone, audio, own, tell)

    def refuse(self, tell: Tell, reason: str) -> None:
        """Let a device's download fail."""
        self.ready.put((tell, reason))
        self._wake()

    def find(self, audio: Audio) -> Path | None:
        """The recording, checked: once for the same file, whoever asks."""
        path = self._cache.path(audio.sha256)
        try:
            stat = path.stat()
        except OSError:
            return None
        return path if _hash_once(path, stat.st_mtime_ns, stat.st_size) == audio.sha256 else None

    def free(self) -> int:
        """Bytes left when the simulation began."""
        return self._free

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _bring(self, audio: Audio) -> None:
        reason = _attempt(self._cache, audio)
        with self._lock:
            waiting = self._wanted.pop(audio.sha256)
        for tell in waiting:
            self.ready.put((tell, reason))
        self._wake()

    def _bring_alone(self, audio: Audio, own: AudioCache, tell: Tell) -> None:
        self.ready.put((tell, _attempt(own, audio)))
        self._wake()


def _attempt(cache: AudioCache, audio: Audio) -> str | None:
    """One attempt: None, or why not."""
    try:
        result = cache.fetch(audio)
    except Exception:  # every device that waits must hear of it
        log.exception("audio_fetch_broke")
        return "fetch_failed"
    return result.reason if isinstance(result, Failed) else None


@lru_cache(maxsize=256)
def _hash_once(path: Path, mtime_ns: int, size: int) -> str:
    return hash_of(path)
