"""Where sound goes: a sound device, a WAV file of exactly what sounded, or nowhere while time passes."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

import av
import numpy as np

from hub.speakers.device.actions import ATTENTION_MS
from hub.speakers.device.outputs import Output, Pipe, Spool, WavFile
from hub.speakers.device.shouting import Following, Voice
from hub.speakers.device.sounds import BLOCK, RATE, Ended, Pattern, Samples, SoundFailed, Source
from hub.speakers.device.system_player import SystemPlayer, find_player

log = logging.getLogger(__name__)

AHEAD_S: Final = 0.4
"""So far ahead the system's player is fed: enough against stutter, little enough for a stop."""
PATIENCE_S: Final = 1.0
OPENS_WITHIN_S: Final = 3.0

Amplifier = Literal["on", "off", "fault"]


class Playback(Protocol):
    """One sound that has begun."""

    @property
    def begun(self) -> bool:
        """Whether it is heard: a stream has to come first."""
        ...

    def ended(self) -> Ended | None: ...

    def stop(self) -> None: ...


class Sink(Protocol):
    """Something to sound on. `volume` 0-100, 0 is silence that lasts as long as the sound."""

    @property
    def name(self) -> str: ...

    @property
    def amp(self) -> Amplifier:
        """What heartbeats say of the amplifier."""
        ...

    def set_level(self, volume: int) -> None: ...

    def opens(self) -> bool:
        """Whether a sound could be made now; may take a second."""
        ...

    def play(self, command_id: str, source: Source, duration_ms: int, volume: int, lead_in_ms: int = 0) -> Playback: ...


class SilentSink:
    """Nothing sounds; only time passes, as much of it as the sound would take."""

    name = "silent"
    amp: Amplifier = "off"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.level = 0

    def set_level(self, volume: int) -> None:
        """Keep the level."""
        self.level = volume

    def opens(self) -> bool:
        """Nothing can go wrong."""
        return True

    def play(self, command_id: str, source: Source, duration_ms: int, volume: int, lead_in_ms: int = 0) -> Playback:
        """Begin to wait."""
        if isinstance(source, Voice):
            return Following(source.shout, self._clock, lead_in_ms)
        return _Waiting(self._clock, duration_ms, lead_in_ms)


class _Waiting:
    begun = True

    def __init__(self, clock: Callable[[], float], duration_ms: int, lead_in_ms: int) -> None:
        self._clock, self._duration = clock, duration_ms
        self._began = clock() + lead_in_ms / 1000

    def ended(self) -> Ended | None:
        over = (self._clock() - self._began) * 1000 >= self._duration
        return Ended(self._duration) if over else None

    def stop(self) -> None:
        self._duration = 0


class _Sampled:
    """What makes its sound from samples: the volume is in them, and the last sound tells how the amplifier is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._last: Sounding | None = None
        self.level = 0

    @property
    def amp(self) -> Amplifier:
        """On while something sounds; at fault when the last sound could not be made."""
        if self._last is None:
            return "off"
        ended = self._last.ended()
        if ended is None:
            return "on"
        return "fault" if ended.error == "playback" else "off"

    def set_level(self, volume: int) -> None:
        """Keep the level, and turn what sounds."""
        self.level = volume
        if self._last is not None:
            self._last.turn(volume)


class FileSink(_Sampled):
    """Writes `<time>-<command id>.wav` while it would sound: what a stop cuts off is not in the file."""

    name = "file"

    def opens(self) -> bool:
        """Whether the folder takes files."""
        return os.access(self._folder, os.W_OK)

    def play(self, command_id: str, source: Source, duration_ms: int, volume: int, lead_in_ms: int = 0) -> Playback:
        """Begin to write."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        target = self._folder / f"{stamp}-{command_id}.wav"
        self._last = Sounding(source, volume, lead_in_ms, lambda: WavFile(target))
        return self._last


class DeviceSink(_Sampled):
    """Hands PCM to the system's player, which speaks to the sound device: one process for each sound.

    The system's mixer is left alone.
    """

    name = "device"

    def __init__(self, player: SystemPlayer, folder: Path) -> None:
        super().__init__(folder)
        self._player = player

    def opens(self) -> bool:
        """Whether the player takes a tenth of a second of nothing."""
        moment = self.play("self-test", Pattern(lambda: np.zeros(BLOCK, dtype=np.int16), 100), 100, 0)
        deadline = time.monotonic() + OPENS_WITHIN_S
        while (ended := moment.ended()) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        moment.stop()
        return ended is not None and ended.error is None

    def play(self, command_id: str, source: Source, duration_ms: int, volume: int, lead_in_ms: int = 0) -> Playback:
        """Begin to sound."""
        if self._player.feed != "file":
            self._last = Sounding(source, volume, lead_in_ms, lambda: Pipe(self._player), ahead_s=AHEAD_S)
        else:
            target = self._folder / f"{command_id}.wav"
            self._last = Sounding(source, volume, lead_in_ms, lambda: Spool(self._player, target), ahead_s=None)
        return self._last


class Sounding:
    """A thread that makes a sound and hands it on as it sounds; `ahead_s` None hands it on as fast as it is made."""

    def __init__(
        self,
        source: Source,
        volume: int,
        lead_in_ms: int,
        open_output: Callable[[], Output],
        *,
        ahead_s: float | None = 0.0,
    ) -> None:
        self._source, self._gain = source, volume / 100
        self._lead_in = lead_in_ms * RATE // 1000
        self._uncounted = ATTENTION_MS * RATE // 1000 if isinstance(source, Voice) else 0
        self._open, self._ahead = open_output, ahead_s
        self._halt = threading.Event()
        self._output: Output | None = None
        self._frames = 0
        self._began = 0.0
        self._result: Ended | None = None
        self._thread = threading.Thread(target=self._run, name="sound", daemon=True)
        self._thread.start()

    @property
    def begun(self) -> bool:
        """Whether it is heard."""
        return self._source.begun

    def ended(self) -> Ended | None:
        """How it ended, once it has."""
        return self._result

    def turn(self, volume: int) -> None:
        """Make the rest of it louder or softer."""
        self._gain = volume / 100

    def stop(self) -> None:
        """Silence at once."""
        self._halt.set()
        self._source.close()
        output = self._output
        if output is not None:
            output.abort()
        self._thread.join(timeout=PATIENCE_S)

    def _run(self) -> None:
        error: str | None = None
        try:
            self._sound()
        except SoundFailed as failed:
            error = failed.reason
        except (OSError, ValueError, av.FFmpegError) as failed:
            log.warning("sound_failed", extra={"error": str(failed)[:200], "kind": type(failed).__name__})
            error = "playback"
        except Exception:  # the rules must hear of it, whatever it is
            log.exception("sound_failed")
            error = "playback"
        finally:
            self._source.close()
        self._result = Ended(self._heard_ms(), None if self._halt.is_set() else error)

    def _sound(self) -> None:
        """The output is opened when there is something to sound, so that the lead-in comes right before it."""
        if self._ahead is None and self._source.live:
            raise ValueError("this player reads only whole files: install ffplay to hear streams and shouts")
        with closing(self._source.blocks()) as blocks:
            first = next(blocks, None)
            if first is None:
                return
            self._output = self._open()
            try:
                self._hand_on(first, blocks, self._output)
            except BaseException:
                self._output.abort()
                with suppress(OSError):
                    self._output.close()
                raise
            if self._ahead is None:
                self._began = time.monotonic() + self._lead_in / RATE
            self._output.close()

    def _hand_on(self, first: Samples, blocks: Iterator[Samples], output: Output) -> None:
        before = self._lead_in + self._uncounted
        written, self._began = -before, time.monotonic() + before / RATE
        for block in _in_order(self._lead_in, first, blocks):
            if self._halt.is_set():
                output.abort()
                return
            output.write(block if written < -self._uncounted else (block * self._gain).astype(np.int16))
            written += len(block)
            self._frames = max(0, written)
            if self._ahead is not None:
                self._halt.wait(max(0.0, self._began + written / RATE - self._ahead - time.monotonic()))

    def _heard_ms(self) -> int:
        """What was handed on, but no more than there was time for."""
        made = self._frames * 1000 // RATE
        passed = int((time.monotonic() - self._began) * 1000)
        return max(0, min(made, passed)) if self._began else 0


def _in_order(lead_in: int, first: Samples, blocks: Iterator[Samples]) -> Iterator[Samples]:
    for at in range(0, lead_in, BLOCK):
        yield np.zeros(min(BLOCK, lead_in - at), dtype=np.int16)
    yield first
    yield from blocks


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
