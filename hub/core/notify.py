"""Tell systemd that the hub is ready and alive (sd_notify(3)), without a library: one datagram to a socket it names."""

import os
import socket
import threading
import time
from collections.abc import Callable

Say = Callable[[str], bool]


def say_to_systemd(words: str) -> bool:
    """Send one line, as `READY=1`; False when nobody asked for it or the socket is gone."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = f"\0{path[1:]}" if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(words.encode(), address)
    except OSError:
        return False
    return True


class Pulse:
    """When the clock of the timetable last went round; while it does, systemd is told that the hub lives.

    A hub that hangs is killed and started again. Without a clock in this process the web server's life is enough.
    """

    def __init__(self, say: Say = say_to_systemd) -> None:
        self._say = say
        self._beaten: float | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def beat(self) -> None:
        """Note one round."""
        self._beaten = time.monotonic()

    def alive(self, within_s: float) -> bool:
        """Whether the last round is recent enough; true when there never was one."""
        return self._beaten is None or time.monotonic() - self._beaten < within_s

    def start(self) -> None:
        """Say that the hub is ready, and then, as often as systemd wants to hear it, that it lives."""
        self._say("READY=1")
        wanted_s = int(os.environ.get("WATCHDOG_USEC", "0") or 0) / 1e6
        if wanted_s > 0:
            self._thread = threading.Thread(target=self._go, args=(wanted_s,), name="pulse", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Say that the hub is ending."""
        self._stopping.set()
        self._say("STOPPING=1")

    def _go(self, wanted_s: float) -> None:
        while not self._stopping.wait(wanted_s / 3):
            if self.alive(wanted_s / 2):
                self._say("WATCHDOG=1")
