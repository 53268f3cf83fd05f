"""A device's own voice: what it says when an emergency's recording cannot be had. It needs espeak-ng."""

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from hub.speakers.device.sounds import Blocks, SoundFailed, decoded

log = logging.getLogger(__name__)

LONGEST_TEXT: Final = 400
TIMEOUT_S: Final = 10.0
LARGEST_WAV: Final = 64_000_000
VOICE: Final = ("-v", "cmn", "-s", "150")


def find_voice() -> str | None:
    """The program that speaks, where it is installed."""
    return shutil.which("espeak-ng")


class Spoken:
    """A text in the device's own voice. It is made when it is to sound."""

    begun, live = True, False

    def __init__(self, program: str | None, text: str) -> None:
        self._program = program
        self._text = text

    def blocks(self) -> Blocks:
        """Speak it. Raises SoundFailed when the program cannot."""
        if self._program is None:
            raise SoundFailed("playback")
        with tempfile.TemporaryDirectory(prefix="voice-") as folder:
            spoken = Path(folder) / "spoken.wav"
            self._speak(self._program, spoken)
            yield from decoded(spoken)

    def close(self) -> None:
        """Nothing is held."""

    def _speak(self, program: str, target: Path) -> None:
        """The text goes in by standard input: nothing in it can be taken for an option."""
        text = "".join(letter if letter.isprintable() else " " for letter in self._text[:LONGEST_TEXT])
        try:
            subprocess.run(  # noqa: S603 - a program we have found ourselves, with fixed options
                [program, *VOICE, "-w", str(target), "--stdin"],
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=True,
            )
            size = target.stat().st_size
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("own_voice_failed", extra={"error": type(error).__name__})
            raise SoundFailed("playback") from error
        if size > LARGEST_WAV:
            raise SoundFailed("playback")
