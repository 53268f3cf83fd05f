"""WAV files that engines leave behind, put together into the one they promised."""

import os
import wave
from collections.abc import Sequence
from pathlib import Path

from broadcasts.speech.engine import N_, SpeechFailed


def join(waves: Sequence[tuple[Path, float]], target: Path) -> None:
    """One WAV of all, each followed by so many seconds of silence but for the last.

    It gets its own name only when it is whole and on the disk. All have the format of the first. SpeechFailed.
    """
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as raw:
            with wave.open(raw, "wb") as whole:
                silence = 0.0
                for number, (path, after) in enumerate(waves):
                    with wave.open(str(path), "rb") as one:
                        if number == 0:
                            whole.setparams(one.getparams())
                        else:
                            whole.writeframes(b"\0\0" * int(silence * one.getframerate()))
                        whole.writeframes(one.readframes(one.getnframes()))
                    silence = after
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(target)
    except (OSError, wave.Error) as problem:
        raise SpeechFailed(
            N_("读好的声音存不下来，请看看磁盘是不是满了"), retryable=True, detail=repr(problem)
        ) from problem
    finally:
        part.unlink(missing_ok=True)
