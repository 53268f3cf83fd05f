"""A programme that runs elsewhere: a radio stream by address, or the device's own input."""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import av
import numpy as np

from hub.speakers.device.sounds import BLOCK, BLOCK_MS, RATE, Blocks, Samples, SoundFailed, blocks_of

log = logging.getLogger(__name__)

KEPT_MS: Final = 5_000
IN_HAND_MS: Final = 1_000
GATHER_S: Final = 2.0
GIVE_UP_S: Final = 10.0
TRY_AGAIN_S: Final = 1.0
LEAVE_S: Final = 0.3
TIMEOUTS_S: Final = (5.0, 5.0)
LINE: Final = "line:"
STREAM_LOST: Final = "stream_lost"
NETWORK_ONLY: Final = "http,https,httpproxy,tcp,tls,crypto"
"""What a stream may open: a list of songs on a web server must not make the device read its own files."""

Container = av.container.InputContainer
Opener = Callable[[str], Container]


class Relay:
    """One stream. A thread opens, decodes and, when it dies, tries again for ten seconds; at most 5 s are kept."""

    live = True

    def __init__(self, url: str, duration_ms: int, open_stream: Opener | None = None) -> None:
        self._url = url
        self._open = open_stream or open_programme
        self._left = duration_ms * RATE // 1000
        self._queue: queue.Queue[Samples] = queue.Queue(KEPT_MS // BLOCK_MS)
        self._closed = threading.Event()
        self._heard_at = time.monotonic()
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether its first sound has come."""
        return self._begun

    @property
    def kept_ms(self) -> int:
        """How much has come and not sounded yet."""
        return self._queue.qsize() * BLOCK_MS

    def blocks(self) -> Blocks:
        """Until it has lasted its time. Short breaks are silent; raises SoundFailed after ten seconds of nothing."""
        thread = threading.Thread(target=self._run, name="relay", daemon=True)
        thread.start()
        self._heard_at = time.monotonic()
        try:
            yield from self._heard()
        finally:
            self.close()
            thread.join(timeout=LEAVE_S)

    def _heard(self) -> Blocks:
        quiet = np.zeros(BLOCK, dtype=np.int16)
        self._gather()
        while self._left > 0 and not self._closed.is_set():
            block = self._next()
            if block is None and time.monotonic() - self._heard_at >= GIVE_UP_S:
                raise SoundFailed(STREAM_LOST)
            if block is None and not self._begun:
                continue
            block = quiet if block is None else block
            self._left -= len(block)
            yield block

    def close(self) -> None:
        """Hear no more. The thread ends at once, or when the network lets go of it, in five seconds at most."""
        self._closed.set()

    def _gather(self) -> None:
        """Have a second in hand before it sounds, so that a jerk on the line is not heard."""
        first: float | None = None
        while not self._closed.is_set() and self._queue.qsize() * BLOCK_MS < IN_HAND_MS:
            now = time.monotonic()
            first = now if first is None and not self._queue.empty() else first
            if now - self._heard_at >= GIVE_UP_S or (first is not None and now - first >= GATHER_S):
                return
            self._closed.wait(0.02)

    def _next(self) -> Samples | None:
        try:
            block = self._queue.get(timeout=BLOCK_MS / 1000)
        except queue.Empty:
            return None
        self._heard_at, self._begun = time.monotonic(), True
        return block

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._open(self._url) as container:
                    self._read(container)
                if self._closed.is_set():
                    return
                log.info("stream_ended", extra={"line": self._url.startswith(LINE)})
            except (OSError, ValueError, av.FFmpegError) as error:
                if self._closed.is_set():
                    return
                log.warning("stream_broke", extra={"error": str(error)[:200], "line": self._url.startswith(LINE)})
            except Exception:  # it must go on trying
                log.exception("stream_broke")
            self._closed.wait(TRY_AGAIN_S)

    def _read(self, container: Container) -> None:
        for block in blocks_of(container):
            while not self._closed.is_set():
                try:
                    self._queue.put(block, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if self._closed.is_set():
                return


def open_programme(url: str) -> Container:
    """Open an address, or `line:<name>`. Raises OSError, ValueError or av.FFmpegError."""
    if url.startswith(LINE):
        return _open_line(url.removeprefix(LINE))
    return av.open(url, timeout=TIMEOUTS_S, metadata_errors="ignore", options={"protocol_whitelist": NETWORK_ONLY})


def _open_line(name: str) -> Container:
    kind, place = line_input(name, sys.platform)
    if kind not in av.formats_available:
        raise ValueError(f"this machine's FFmpeg cannot read {kind}: install PyAV built with it, or relay by address")
    _show_alsa_its_settings()
    return av.open(place, format=kind, timeout=TIMEOUTS_S)


def line_input(name: str, platform: str) -> tuple[str, str]:
    """FFmpeg's name for the kind of input of that platform, and for the input itself."""
    if platform == "darwin":
        return "avfoundation", f":{name}"
    if platform == "win32":
        return "dshow", f"audio={name}"
    return "alsa", name


def _show_alsa_its_settings(settings: Path = Path("/usr/share/alsa/alsa.conf")) -> None:
    """PyAV's wheels look for ALSA's settings where they were built, not where they are."""
    if sys.platform == "linux" and settings.exists():
        os.environ.setdefault("ALSA_CONFIG_PATH", str(settings))
