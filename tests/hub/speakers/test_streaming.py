"""A programme that runs elsewhere."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from speakerlab import soon, write_tone

from hub.speakers.device import streaming
from hub.speakers.device.player import FileSink
from hub.speakers.device.sounds import RATE
from hub.speakers.device.streaming import Container, Relay, line_input, open_programme

pytestmark = pytest.mark.slow


class Station:
    """A radio on a web server, which can break off."""

    def __init__(self, sound: bytes) -> None:
        self.sound = sound
        self.listeners = 0
        self.silent = False
        self.asked: list[str] = []
        self.break_after: int | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/radio"


@contextmanager
def a_station(sound: bytes) -> Iterator[Station]:
    station = Station(sound)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            station.asked.append(self.path)
            if station.silent:
                self.send_error(503)
                return
            station.listeners += 1
            self.send_response(200)
            self.send_header("Content-Type", "audio/mpeg")
            self.end_headers()
            left = station.break_after
            for start in range(0, len(station.sound), 1000):
                if left is not None and start >= left:
                    return
                self.wfile.write(station.sound[start : start + 1000])

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A listener that hangs up is no matter."""

    server = Server(("127.0.0.1", 0), Handler)
    station.port = server.socket.getsockname()[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield station
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    write_tone(tmp_path / "radio.mp3", 30)
    return (tmp_path / "radio.mp3").read_bytes()


def relaying() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "relay"]


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    """Each of these tests ends its streams: no thread goes on asking for a radio that nobody hears."""
    yield
    assert soon(lambda: relaying() == [], within_s=6), "a stream is still open"


def seconds_in(folder: Path) -> float:
    (path,) = folder.iterdir()
    return (path.stat().st_size - 44) / 2 / RATE


def test_a_radio_sounds_for_as_long_as_it_was_ordered(sound: bytes, tmp_path: Path) -> None:
    with a_station(sound) as station:
        relay = Relay(station.url, 1500)
        assert not relay.begun
        playback = FileSink(tmp_path / "out").play("a", relay, 1500, 100)
        assert soon(lambda: playback.begun)
        assert soon(lambda: playback.ended() is not None)
    ended = playback.ended()
    assert ended is not None
    assert (ended.played_ms, ended.error) == (1500, None)
    assert seconds_in(tmp_path / "out") == pytest.approx(1.5, abs=0.05)


def test_a_programme_that_runs_faster_is_not_gathered(sound: bytes) -> None:
    """30 s come at once; five are taken, and one block that waits at the door."""
    with a_station(sound) as station:
        relay = Relay(station.url, 60_000)
        blocks = relay.blocks()
        for _ in range(3):
            next(blocks)
        assert soon(lambda: relay.kept_ms > streaming.KEPT_MS - 1000)
        time.sleep(0.3)
        assert relay.kept_ms <= streaming.KEPT_MS
        relay.close()
        assert list(blocks) == []


def test_a_break_is_silent_and_the_radio_comes_back(sound: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "TRY_AGAIN_S", 0.3)
    with a_station(sound) as station:
        station.break_after = 8_000
        blocks = Relay(station.url, 6_000).blocks()
        loud = [bool(np.abs(block).max() > 1000) for block in blocks]
        assert station.listeners >= 2
    assert loud[0]
    assert any(after and not before for before, after in pairwise(loud)), "it came back after a silence"
    assert len(loud) >= 60


def test_a_radio_that_is_not_there_is_tried_again_and_then_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "GIVE_UP_S", 1.0)
    monkeypatch.setattr(streaming, "TRY_AGAIN_S", 0.2)
    with a_station(b"") as station:
        station.silent = True
        playback = FileSink(tmp_path / "out").play("a", Relay(station.url, 60_000), 60_000, 100)
        assert soon(lambda: playback.ended() is not None)
        ended = playback.ended()
        assert ended is not None
        assert (ended.played_ms, ended.error) == (0, "stream_lost")
        assert not playback.begun
        assert len(station.asked) >= 3
    assert list((tmp_path / "out").iterdir()) == [], "nothing sounded"


@pytest.mark.slow
def test_a_radio_that_dies_is_lost_after_what_was_heard(
    sound: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "GIVE_UP_S", 1.0)
    with a_station(sound) as station:
        station.break_after = 10_000
        playback = FileSink(tmp_path / "out").play("a", Relay(station.url, 60_000), 60_000, 100)
        assert soon(lambda: station.listeners == 1)
        station.silent = True
        assert soon(lambda: playback.ended() is not None)
    ended = playback.ended()
    assert ended is not None
    assert ended.error == "stream_lost"
    assert 1000 < ended.played_ms < 6000


def test_a_server_that_accepts_and_says_nothing_is_no_radio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "TIMEOUTS_S", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        with pytest.raises((OSError, av.FFmpegError)):
            open_programme(f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert time.monotonic() - began < 15


def test_a_stop_ends_a_stream_that_never_came(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        playback = FileSink(tmp_path / "out").play("a", Relay(url, 60_000), 60_000, 100)
        time.sleep(0.2)
        began = time.monotonic()
        playback.stop()
        assert time.monotonic() - began < 5
        assert playback.ended() is not None


def test_a_stream_that_has_lasted_its_time_leaves_nothing_behind(sound: bytes) -> None:
    with a_station(sound) as station:
        assert len(list(Relay(station.url, 300).blocks())) == 3
        assert relaying() == []


def test_what_breaks_after_the_end_is_not_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    opened, fall = threading.Event(), threading.Event()

    def stubborn(_url: str) -> Container:
        opened.set()
        fall.wait(10)
        raise OSError("the line is gone")

    relay = Relay("line:hw:1,0", 60_000, stubborn)
    ear = threading.Thread(target=lambda: list(relay.blocks()))
    ear.start()
    assert opened.wait(30)
    relay.close()
    ear.join()
    fall.set()
    assert soon(lambda: relaying() == [])
    assert caplog.records == []


def test_a_list_on_a_server_cannot_make_the_device_read_its_own_files(tmp_path: Path) -> None:
    write_tone(tmp_path / "own.mp3", 0.5)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{tmp_path}/own.mp3\n#EXT-X-ENDLIST\n"
    with (
        a_station(playlist.encode()) as station,
        pytest.raises((OSError, ValueError, av.FFmpegError)),
        open_programme(f"{station.url}.m3u8") as container,
    ):
        next(container.decode(audio=0))


def test_a_radio_that_comes_as_a_list_of_pieces_is_heard(sound: bytes, tmp_path: Path) -> None:
    with a_station(sound) as pieces:
        address = f"http://127.0.0.1:{pieces.port}"
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXTINF:30,\n{address}/one.mp3\n#EXT-X-ENDLIST\n"
        with a_station(playlist.encode()) as station:
            blocks = Relay(f"http://127.0.0.1:{station.port}/radio.m3u8", 500).blocks()
            assert sum(map(len, blocks)) >= RATE // 2
    assert "/one.mp3" in pieces.asked


def test_an_input_of_the_device_is_named_as_its_platform_names_it() -> None:
    assert line_input("hw:1,0", "linux") == ("alsa", "hw:1,0")
    assert line_input("2", "darwin") == ("avfoundation", ":2")
    assert line_input("Line", "win32") == ("dshow", "audio=Line")


def test_an_input_sounds_like_a_radio(tmp_path: Path) -> None:
    asked = []

    def generator(url: str) -> Container:
        asked.append(url)
        return av.open("sine=frequency=600:sample_rate=44100", format="lavfi")

    playback = FileSink(tmp_path).play("a", Relay("line:hw:1,0", 800, generator), 800, 100)
    assert soon(lambda: playback.ended() is not None)
    assert asked == ["line:hw:1,0"]
    (path,) = tmp_path.iterdir()
    sound = np.frombuffer(path.read_bytes()[44:], dtype=np.int16).astype(np.float64)
    assert np.abs(np.fft.rfft(sound[: RATE // 2])).argmax() * 2 == pytest.approx(600, abs=4)


def test_an_input_that_is_not_there_is_a_foreseen_failure() -> None:
    with pytest.raises((OSError, ValueError, av.FFmpegError)):
        open_programme("line:no-such-card")
