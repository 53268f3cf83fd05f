"""Takers of sound while it is made: a WAV file, or the system's player."""

import subprocess
import wave
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from hub.speakers.device.sounds import RATE, Samples
from hub.speakers.device.system_player import SystemPlayer, wav_head


class Output(Protocol):
    """Takes sound while it is made; `close` returns when all of it was heard, OSError if it was not."""

    def write(self, samples: Samples) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class WavFile:
    """A WAV file whose head is right at any moment: a power cut leaves what was heard."""

    def __init__(self, target: Path) -> None:
        self._below = target.open("wb")
        self._file = wave.open(self._below, "wb")  # noqa: SIM115 - closed by its owner
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(RATE)

    def write(self, samples: Samples) -> None:
        """Add them."""
        self._file.writeframes(samples.tobytes())

    def close(self) -> None:
        """No more comes."""
        with closing(self._below):
            self._file.close()

    def abort(self) -> None:
        """The writing thread sees by itself that it is to end, and closes the file."""


class Pipe:
    """The system's player, reading from its standard input."""

    def __init__(self, player: SystemPlayer) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a player we have found ourselves, with fixed options
            player.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0
        )
        self._aborted = False
        if player.feed == "wav":
            try:
                self._send(wav_head())
            except OSError:  # it has ended already: nobody else knows of it
                self.abort()
                with suppress(OSError):
                    self.close()
                raise

    def write(self, samples: Samples) -> None:
        """Blocks while the player has enough."""
        self._send(samples.tobytes())

    def close(self) -> None:
        """Wait until the player has sounded all of it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        code = self._process.wait()
        if code != 0 and not self._aborted:
            raise OSError(f"the player ended with {code}")

    def abort(self) -> None:
        """End the player."""
        self._aborted = True
        end_process(self._process)

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left and self._process.stdin is not None:
            left = left[self._process.stdin.write(left) :]


class Spool:
    """The system's player, which reads a whole file."""

    def __init__(self, player: SystemPlayer, target: Path) -> None:
        self._player, self._target = player, target
        self._file = WavFile(target)
        self._process: subprocess.Popen[bytes] | None = None
        self._aborted = False

    def write(self, samples: Samples) -> None:
        """Gather it."""
        self._file.write(samples)

    def close(self) -> None:
        """Have all of it sounded."""
        self._file.close()
        try:
            if not self._aborted:
                self._process = subprocess.Popen(  # noqa: S603 - as above
                    [*self._player.command, str(self._target)], stdout=subprocess.DEVNULL
                )
                if self._aborted:  # while it was being started, when there was nothing to end yet
                    end_process(self._process)
                code = self._process.wait()
                if code != 0 and not self._aborted:
                    raise OSError(f"the player ended with {code}")
        finally:
            self._target.unlink(missing_ok=True)

    def abort(self) -> None:
        """End the player."""
        self._aborted = True
        if self._process is not None:
            end_process(self._process)


def end_process(process: subprocess.Popen[bytes]) -> None:
    """End it politely, and after half a second for sure."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
