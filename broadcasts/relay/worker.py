"""The process that listens to a programme: it reaches out to an address, and to nothing and nobody else.

Request: a line of JSON on stdin, `url` and `seconds`. Answer: a line of JSON on stdout.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import av
import numpy as np
from av.container import InputContainer

from broadcasts.relay.addresses import CONNECT_S, Found
from broadcasts.uploads import cage

QUIET_DB: Final = -50.0
FLOOR_DB: Final = -99
PROTOCOLS: Final = "http,https,tcp,tls,crypto"
"""Nothing else is opened, wherever an address leads on to."""
LIMITS: Final = {"cpu_s": 20, "wall_s": 60, "memory": 1024 * 1024 * 1024, "file_bytes": 0, "files": 64}


def listen(url: str, seconds: float) -> dict[str, Any]:
    """Listen, and say what was found."""
    try:
        found, level = _heard(url, seconds)
    except (OSError, av.HTTPError, av.ExitError):  # ExitError: nothing came in time
        return {"found": Found.AWAY}
    except (av.FFmpegError, ValueError, MemoryError):
        return {"found": Found.NO_SOUND}
    return {"found": found, "level_db": level}


def _frames(opened: InputContainer) -> Iterator[av.AudioFrame]:
    """Decode, and pass over what came in damaged: whoever tunes in does so in the middle of something."""
    for packet in opened.demux(opened.streams.audio[0]):
        with suppress(av.InvalidDataError):
            yield from packet.decode()


def _heard(url: str, seconds: float) -> tuple[Found, int | None]:
    options = {"protocol_whitelist": PROTOCOLS, "rw_timeout": str(round(CONNECT_S * 1e6))}
    until = time.monotonic() + CONNECT_S + seconds
    energy, count = 0.0, 0
    with av.open(url, mode="r", options=options, timeout=(CONNECT_S, CONNECT_S), metadata_errors="ignore") as opened:
        if not opened.streams.audio:
            return Found.NO_SOUND, None
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        for frame in _frames(opened):
            frame.pts = None
            for block in resampler.resample(frame):
                samples = block.to_ndarray()[0].astype(np.float64)
                energy += float(np.square(samples).sum())
                count += samples.size
            if count >= seconds * 16_000 or time.monotonic() > until:
                break
    if not count:
        return Found.NO_SOUND, None
    level = 10 * math.log10(max(energy / count, 1e-12))
    return (Found.HEARD if level > QUIET_DB else Found.SILENT), max(FLOOR_DB, round(level))


def main() -> None:
    """Answer and end at once."""
    out = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not stand in the answer
    asked = json.loads(sys.stdin.buffer.readline())
    cage.limit(**LIMITS)
    cage.close_doors(cage.TO_REACH_OUT)
    os.write(out, json.dumps(listen(asked["url"], asked["seconds"])).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
