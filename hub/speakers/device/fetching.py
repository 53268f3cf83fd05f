"""When a device fetches what: the urgent first, the rest at a moment of its own, the pack until it is whole."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from hub.speakers.device.audio import AudioCache, Failed
from hub.speakers.protocol import Audio

log = logging.getLogger(__name__)

AT_ONCE: Final = 2
PACK_PRI: Final = -1
PACK_AGAIN_S: Final = (30.0, 900.0)
CHECK_EVERY_S: Final = 86_400.0
MAX_SLEEP_S: Final = 3600.0


def share_of(device: str, sha256: str) -> float:
    """At which part of a time a device fetches a recording: the same each time, and another for each device."""
    return crc32((device + sha256).encode()) / 2**32


@dataclass(slots=True)
class Job:
    """A recording that is wanted, not before `due`."""

    audio: Audio
    pri: int
    due: float
    asked: bool = False
    """Whether the rules wait for an answer; else it is for the pack alone."""
    tries: int = 0


class Agenda:
    """What is to be fetched, by urgency and time; times in seconds. Not safe for threads."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Take it up; what is there already becomes as urgent and as early as the more urgent of the two."""
        known = self._jobs.get(job.audio.sha256)
        if known is None:
            self._jobs[job.audio.sha256] = job
            return
        known.audio = job.audio
        known.pri, known.due = max(known.pri, job.pri), min(known.due, job.due)
        known.asked = known.asked or job.asked

    def take(self, now: float) -> Job | None:
        """The most urgent of what is due."""
        due = [job for job in self._jobs.values() if job.due <= now]
        if not due:
            return None
        job = max(due, key=lambda each: (each.pri, -each.due))
        return self._jobs.pop(job.audio.sha256)

    def sleep(self, now: float) -> float:
        """Until when nothing is due."""
        return min([max(0.0, job.due - now) for job in self._jobs.values()], default=MAX_SLEEP_S)

    def keep_only(self, pack: frozenset[str]) -> None:
        """Forget what was wanted for a pack that no longer holds."""
        self._jobs = {sha: job for sha, job in self._jobs.items() if job.asked or sha in pack}


class Fetching:
    """The cache of one device with threads that fill it; results come through `tell` and `tell_lost`."""

    def __init__(self, cache: AudioCache, device: str, *, hurry_s: float | None = None) -> None:
        self._cache = cache
        self._device = device
        self._hurry_s = hurry_s  # instead of what the hub says, for who has one device alone
        self._pack: dict[str, Audio] = {}
        self._agenda = Agenda()
        self._under_way: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._halted = False
        self._check_at = time.monotonic() + CHECK_EVERY_S
        self.tell: Callable[[Audio, str | None, bool], None] = lambda _audio, _reason, _full: None
        self.tell_lost: Callable[[Audio], None] = lambda _audio: None
        for _ in range(AT_ONCE):
            threading.Thread(target=self._work, name="fetch", daemon=True).start()

    def want(self, audio: Audio, pri: int, within_ms: int = 0) -> None:
        """Fetch it, unless that is under way; the answer comes by `tell`."""
        wait_s = within_ms / 1000 * share_of(self._device, audio.sha256) if within_ms else 0.0
        self._add(Job(audio, pri, time.monotonic() + wait_s, asked=True))

    def keep(self, pack: tuple[Audio, ...], within_s: float) -> None:
        """These are the emergency pack from now on: each is checked, or fetched, and told when it is right."""
        within_s = within_s if self._hurry_s is None else self._hurry_s
        self._pack = {audio.sha256: audio for audio in pack}
        self._cache.pinned = frozenset(self._pack)
        with self._changed:
            self._agenda.keep_only(self._cache.pinned)
        for audio in self._pack.values():
            here = self._cache.path(audio.sha256).exists()
            wait_s = 0.0 if here else within_s * share_of(self._device, audio.sha256)
            self._add(Job(audio, PACK_PRI, time.monotonic() + wait_s))

    def find(self, audio: Audio) -> Path | None:
        """Where it is, its hash checked."""
        return self._cache.find(audio)

    def free(self) -> int:
        """Bytes left."""
        return self._cache.free()

    def check_pack(self) -> None:
        """Look at each recording of the pack; what is spoilt is told to be lost, and fetched again."""
        for audio in list(self._pack.values()):
            if self._cache.find(audio) is None:
                self.tell_lost(audio)
                self._add(Job(audio, PACK_PRI, time.monotonic()))

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._halted = True
            self._changed.notify_all()

    def _add(self, job: Job) -> None:
        with self._changed:
            current = self._under_way.get(job.audio.sha256)
            if current is not None:
                current.asked = current.asked or job.asked
            else:
                self._agenda.add(job)
                self._changed.notify_all()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._bring(job)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._halted:
                now = time.monotonic()
                job = self._agenda.take(now)
                if job is not None:
                    self._under_way[job.audio.sha256] = job
                    return job
                if now >= self._check_at:
                    self._check_at = now + CHECK_EVERY_S
                    self._check_aside()
                self._changed.wait(min(self._agenda.sleep(now), max(0.01, self._check_at - now)))
        return None

    def _check_aside(self) -> None:
        threading.Thread(target=self.check_pack, name="check-pack", daemon=True).start()

    def _bring(self, job: Job) -> None:
        reason: str | None = "fetch_failed"
        full = False
        try:
            result = self._cache.fetch(job.audio)
            reason, full = (result.reason, result.full) if isinstance(result, Failed) else (None, False)
        except Exception:  # whatever it is, the rules must hear of it and try again
            log.exception("audio_fetch_broke")
        with self._changed:
            self._under_way.pop(job.audio.sha256, None)
        if reason is None or job.asked:
            self.tell(job.audio, reason, full)
        if reason is not None and job.audio.sha256 in self._pack:
            first, most = PACK_AGAIN_S
            wait_s = min(most, first * 2**job.tries) * (0.5 + share_of(self._device, job.audio.sha256))
            self._add(Job(job.audio, PACK_PRI, time.monotonic() + wait_s, tries=min(job.tries + 1, 10)))
