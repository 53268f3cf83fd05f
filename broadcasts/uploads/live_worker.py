"""The process that decodes a voice while it speaks: bytes come in on stdin, samples go out on stdout.

Caged like the one for files: it is given no name and no path, and closes every door behind it before the first byte.
Its one argument is JSON with the limits. Samples are 32-bit floats, one channel, at the hub's own rate.
"""

import importlib
import io
import json
import os
import sys

import av
import numpy as np

from broadcasts.speech import mp3
from broadcasts.speech.audio import RATE
from broadcasts.uploads import cage, decoding
from broadcasts.uploads.containers import ENOUGH, container_of, open_sound
from broadcasts.uploads.worker import LATE

UNREADABLE = 3


class Spoken:
    """Stdin as a file: whatever has come, waited for when there is nothing; the first bytes can be looked at."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._rest = b""

    def peek(self, size: int) -> bytes:
        """Wait for the first bytes and leave them to be read."""
        while len(self._rest) < size and (more := os.read(self._source, size)):
            self._rest += more
        return self._rest[:size]

    def read(self, size: int) -> bytes:
        """Return at least one byte; nothing at the end."""
        if not self._rest:
            return os.read(self._source, size)
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def warm_up() -> None:
    """Load whatever is loaded at its first use, while files can still be opened."""
    for module in LATE:
        importlib.import_module(module)
    tone = np.sin(np.arange(RATE // 4, dtype=np.float32) / 4)
    decoding.decode(io.BytesIO(mp3.encode(tone)), "mp3", io.BytesIO(), longest_s=2)


def speak(source: Spoken, out: int) -> None:
    """Decode until the end."""
    container = container_of(source.peek(ENOUGH))
    if container is None:
        return
    with open_sound(source, container, at_once=True) as opened:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in opened.decode(audio=0):
            frame.pts = None
            for block in resampler.resample(frame):
                _write(out, block.to_ndarray()[0].astype("<f4").tobytes())


def _write(out: int, data: bytes) -> None:
    while data:
        data = data[os.write(out, data) :]


def main() -> None:
    """Decode and end at once."""
    out = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not stand among the samples
    cage.limit(**json.loads(sys.argv[1]))
    warm_up()
    cage.close_doors()
    try:
        speak(Spoken(0), out)
    except (av.FFmpegError, ValueError, MemoryError):
        os._exit(UNREADABLE)
    except BrokenPipeError:
        os._exit(0)  # nobody wants to hear more
    os._exit(0)


if __name__ == "__main__":
    main()
