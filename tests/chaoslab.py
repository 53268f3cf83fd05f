"""Real processes that are killed, and lines that are cut at any byte."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIECE = 512


class CutLine:
    """A TCP proxy to the broker, for one client. `cut` lets that many more bytes through, then the line is dead."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._left: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ports: list[int] = []
        self._thread = threading.Thread(target=self._run, name="cut-line", daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    @property
    def port(self) -> int:
        return self._ports[0]

    def cut(self, after_bytes: int) -> None:
        """Cut it once so many bytes have passed, in either direction; a new connection is whole again."""

        def set_limit() -> None:
            self._left = after_bytes

        self._loop.call_soon_threadsafe(set_limit)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._ports.append(server.sockets[0].getsockname()[1])
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        self._left = None
        both = [asyncio.create_task(self._pump(reader, back)), asyncio.create_task(self._pump(there, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            for each in (writer, back):
                if each.transport is not None:
                    each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await source.read(PIECE):
                if self._left is not None and len(data) > self._left:
                    target.write(data[: self._left])
                    await target.drain()
                    return
                if self._left is not None:
                    self._left -= len(data)
                target.write(data)
                await target.drain()


@dataclass
class Child:
    """A process of ours that can be killed and started again. Its words go to a file."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        assert self.process is None
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    @property
    def died_by_itself(self) -> bool:
        return self.process is not None and self.process.poll() is not None


def hub_child(data_dir: Path, broker_port: int, audio_port: int, log: Path) -> Child:
    """A hub on an external broker: `tests/chaoshub.py`."""
    arguments = [str(data_dir), str(broker_port), str(audio_port)]
    return Child("hub", [sys.executable, str(ROOT / "tests" / "chaoshub.py"), *arguments], log)


def speaker_child(name: str, device_file: Path, log: Path) -> Child:
    """A reference loudspeaker that writes WAV files: what `cunxiang speaker run --sink file` runs, started faster."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hub.speakers.device.client import SpeakerSettings, run_speaker\n"
        "from hub.speakers.device.device_file import DeviceFile\n"
        "run_speaker(SpeakerSettings(DeviceFile.load(Path(sys.argv[1])), sink='file'))\n"
    )
    return Child(name, [sys.executable, "-c", program, str(device_file)], log)


@contextmanager
def children() -> Iterator[list[Child]]:
    """A list whose processes do not outlive the test."""
    found: list[Child] = []
    try:
        yield found
    finally:
        for child in found:
            child.kill()


def wait_for_port(port: int, within_s: float = 30) -> None:
    """Until somebody listens there."""
    deadline = threading.Event()
    for _ in range(int(within_s / 0.05)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        deadline.wait(0.05)
    raise AssertionError(f"nobody listens on {port}")
