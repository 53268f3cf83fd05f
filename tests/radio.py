"""A radio station for tests: an MP3 stream over HTTP that goes on, at the pace of a real one, until it dies."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shoutlab import Pcm, a_tone

from broadcasts.speech.audio import BIT_RATE, RATE, encode_mp3

FRAME = 144
AHEAD_S = 1.5
"""So much a station sends at once to whoever tunes in."""


@dataclass
class Radio:
    """The station. `asked` counts who tuned in."""

    server: ThreadingHTTPServer
    programme: bytes
    dead: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/live.mp3"

    def die(self) -> None:
        """Every listener is cut off, and nobody is let in any more."""
        if not self.dead.is_set():
            self.dead.set()
            self.server.shutdown()
            self.server.server_close()


def _frames_of(sound: Pcm) -> bytes:
    """MP3 frames and nothing else, as a station sends them: no tag, no table of contents."""
    data = encode_mp3(sound)
    return data[data.index(b"\xff\xf3") :][FRAME:]


def due_in(began: float, sent: int) -> float:
    """How long the station waits after so many bytes."""
    return max(0.0, began + sent * 8 / BIT_RATE - AHEAD_S - time.monotonic())


@contextmanager
def radio(sound: Pcm | None = None, *, kind: str = "audio/mpeg", body: bytes | None = None) -> Iterator[Radio]:
    """Run a station that sends a tone of 700 Hz, or `sound`, over and over; or `body` once."""
    programme = _frames_of(a_tone(2, hz=700, rate=RATE) if sound is None else sound)

    class Studio(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            station.asked += 1
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if body is not None:
                self.wfile.write(body)
                return
            self._send_for_ever()

        def _send_for_ever(self) -> None:
            began, sent = time.monotonic(), 0
            while not station.dead.is_set():
                piece = programme[sent % len(programme) :][:1200]
                try:
                    self.wfile.write(piece)
                except OSError:
                    return
                sent += len(piece)
                station.dead.wait(due_in(began, sent))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Studio)
    server.daemon_threads = True
    station = Radio(server, programme)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield station
    finally:
        station.die()
