"""Where sound goes: a sound device, a WAV file of exactly what sounded, or nowhere while time passes."""

import contextlib
import logging
import shutil
import subprocess
import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import av
import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

RATE: Final = 24_000
BLOCK: Final = RATE // 10
DECODE_AHEAD_S: Final = 0.2

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Ended:
    """A sound is over: how much was heard, and what went wrong if it did not reach its end."""

    played_ms: int
    error: str | None = None


class Playback(Protocol):
    """One sound that has begun."""

    def ended(self) -> Ended | None: ...

    def stop(self) -> None: ...


class Sink(Protocol):
    """Something to sound on. `volume` 0-100, 0 is silence that lasts as long as the sound."""

    @property
    def name(self) -> str: ...

    def set_level(self, volume: int) -> None: ...

    def play(self, command_id: str, audio: Path | None, duration_ms: int, volume: int) -> Playback: ...


class SilentSink:
    """Nothing sounds; only time passes."""

    name = "silent"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.level = 0

    def set_level(self, volume: int) -> None:
        """Keep the level."""
        self.level = volume

    def play(self, command_id: str, audio: Path | None, duration_ms: int, volume: int) -> Playback:
        """Begin to wait."""
        return _Waiting(self._clock, duration_ms)


class _Waiting:
    def __init__(self, clock: Callable[[], float], duration_ms: int) -> None:
        self._clock, self._duration = clock, duration_ms
        self._began = clock()

    def ended(self) -> Ended | None:
        over = (self._clock() - self._began) * 1000 >= self._duration
        return Ended(self._duration) if over else None

    def stop(self) -> None:
        self._duration = 0


class FileSink:
    """Writes `<time>-<command id>.wav` while it would sound: what a stop cuts off is not in the file."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.level = 0

    def set_level(self, volume: int) -> None:
        """Keep the level; the volume of each sound is in its samples."""
        self.level = volume

    def play(self, command_id: str, audio: Path | None, duration_ms: int, volume: int) -> Playback:
        """Begin to write."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        return _Writing(self._folder / f"{stamp}-{command_id}.wav", audio, volume)


class _Writing:
    """A thread that writes a tenth of a second of sound every tenth of a second."""

    def __init__(self, target: Path, audio: Path | None, volume: int) -> None:
        self._target, self._audio, self._gain = target, audio, volume / 100
        self._halt = threading.Event()
        self._result: Ended | None = None
        self._thread = threading.Thread(target=self._run, name="file-sink", daemon=True)
        self._thread.start()

    def ended(self) -> Ended | None:
        return self._result

    def stop(self) -> None:
        self._halt.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        frames = 0
        try:
            if self._audio is None:
                raise FileNotFoundError("the audio is not here")
            with contextlib.closing(wave.open(str(self._target), "wb")) as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                began = time.monotonic()
                for block in decoded(self._audio):
                    file.writeframes((block * self._gain).astype(np.int16).tobytes())
                    frames += len(block)
                    if self._halt.wait(max(0.0, began + frames / RATE - time.monotonic())):
                        break
            self._result = Ended(frames * 1000 // RATE)
        except (OSError, ValueError, av.FFmpegError) as error:
            log.warning("sound_failed", extra={"error": str(error)})
            self._result = Ended(frames * 1000 // RATE, "playback")


def decoded(audio: Path) -> Iterator[Samples]:
    """The sound as 24 kHz mono blocks of 100 ms. Raises OSError, ValueError or av.FFmpegError."""
    rest = np.zeros(0, dtype=np.int16)
    with av.open(str(audio)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                rest = np.concatenate([rest, part.to_ndarray().reshape(-1)])
            while len(rest) >= BLOCK:
                yield rest[:BLOCK]
                rest = rest[BLOCK:]
        for part in resampler.resample(None):
            rest = np.concatenate([rest, part.to_ndarray().reshape(-1)])
    for start in range(0, len(rest), BLOCK):
        yield rest[start : start + BLOCK]


class DeviceSink:
    """Hands PCM to the system's player, which speaks to the sound device."""

    name = "device"

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._command = command
        self._folder = folder
        self.level = 0

    def set_level(self, volume: int) -> None:
        """Keep the level; the volume of each sound is in its samples, the system's mixer is left alone."""
        self.level = volume

    def play(self, command_id: str, audio: Path | None, duration_ms: int, volume: int) -> Playback:
        """Begin to sound."""
        return _Process(self._command, self._folder / f"{command_id}.wav", audio, volume)


class _Process:
    def __init__(self, command: tuple[str, ...], target: Path, audio: Path | None, volume: int) -> None:
        self._target = target
        self._failed: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if audio is None:
                raise FileNotFoundError("the audio is not here")
            write_wav(audio, target, volume / 100)
            self._process = subprocess.Popen([*command, str(target)], stdout=subprocess.DEVNULL)  # noqa: S603
        except (OSError, ValueError, av.FFmpegError) as error:
            log.warning("sound_failed", extra={"error": str(error)})
            self._failed = "playback"
        self._began = time.monotonic()

    def ended(self) -> Ended | None:
        if self._process is None:
            return Ended(0, self._failed)
        code = self._process.poll()
        if code is None:
            return None
        self._target.unlink(missing_ok=True)
        played = int((time.monotonic() - self._began) * 1000)
        return Ended(played, None if code == 0 else "playback")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._target.unlink(missing_ok=True)


def write_wav(audio: Path, target: Path, gain: float = 1.0) -> None:
    """Decode a whole recording to a WAV file."""
    with contextlib.closing(wave.open(str(target), "wb")) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for block in decoded(audio):
            file.writeframesraw((block * gain).astype(np.int16).tobytes())


PLAYERS: Final = (
    ("aplay", "-q"),
    ("paplay",),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
)


def find_player() -> tuple[str, ...] | None:
    """The system's player, where there is one and a sound device to go with it."""
    for name, *options in PLAYERS:
        path = shutil.which(name)
        if path is not None and _can_sound(name):
            return (path, *options)
    return None


def _can_sound(player: str, cards: Path = Path("/proc/asound/cards")) -> bool:
    if player == "afplay":
        return True
    try:
        text = cards.read_text()
    except OSError:
        return player == "paplay"
    return "no soundcards" not in text and text.strip() != ""


def choose_sink(kind: str, folder: Path) -> Sink:
    """`auto`, `device`, `file` or `silent`. Auto takes the sound device if there is one, else the file."""
    if kind == "silent":
        return SilentSink()
    player = find_player() if kind in {"auto", "device"} else None
    if player is not None:
        return DeviceSink(player, folder)
    if kind == "device":
        raise ValueError("no sound device was found: install aplay, paplay or ffplay, or choose file")
    if kind not in {"auto", "file"}:
        raise ValueError(f"{kind!r} is not a place to sound: auto, device, file or silent")
    return FileSink(folder)
