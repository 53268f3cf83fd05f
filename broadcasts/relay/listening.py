"""Whether a programme can be received: the hub listens to it for a few seconds, as a loudspeaker would."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import av
import numpy as np
from av.container import InputContainer

from broadcasts.relay.addresses import LINE, can_be_relayed

LISTEN_S: Final = 5.0
CONNECT_S: Final = 5.0
QUIET_DB: Final = -50.0
FLOOR_DB: Final = -99
PROTOCOLS: Final = "http,https,tcp,tls,crypto"
"""Nothing else is opened, wherever an address leads on to."""


class Found(StrEnum):
    """What the hub heard."""

    HEARD = "heard"
    SILENT = "silent"
    """It can be reached, and nothing is on."""
    NO_SOUND = "no_sound"
    """What is there is no programme."""
    AWAY = "away"
    """Nobody answers there."""
    LINE = "line"
    """An input of the loudspeakers: the hub cannot listen to it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the hub heard, and how loud (dB below full scale), where there was sound."""

    found: Found
    level_db: int | None = None


def listen(url: str, *, seconds: float = LISTEN_S, clock: Callable[[], float] = time.monotonic) -> Heard:
    """Listen for some seconds. Takes as long, and up to twice that when nobody answers."""
    if url.startswith(LINE):
        return Heard(Found.LINE)
    if not can_be_relayed(url):
        return Heard(Found.NO_SOUND)
    try:
        return _heard(url, seconds, clock)
    except (OSError, av.HTTPError, av.ExitError):  # ExitError: nothing came in time
        return Heard(Found.AWAY)
    except (av.FFmpegError, ValueError):
        return Heard(Found.NO_SOUND)


def _frames(opened: InputContainer) -> Iterator[av.AudioFrame]:
    """Decode, and pass over what came in damaged: whoever tunes in does so in the middle of something."""
    for packet in opened.demux(opened.streams.audio[0]):
        with suppress(av.InvalidDataError):
            yield from packet.decode()


def _heard(url: str, seconds: float, clock: Callable[[], float]) -> Heard:
    options = {"protocol_whitelist": PROTOCOLS, "rw_timeout": str(round(CONNECT_S * 1e6))}
    until = clock() + CONNECT_S + seconds
    energy, count = 0.0, 0
    with av.open(url, mode="r", options=options, timeout=(CONNECT_S, CONNECT_S), metadata_errors="ignore") as opened:
        if not opened.streams.audio:
            return Heard(Found.NO_SOUND)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        for frame in _frames(opened):
            frame.pts = None
            for block in resampler.resample(frame):
                samples = block.to_ndarray()[0].astype(np.float64)
                energy += float(np.square(samples).sum())
                count += samples.size
            if count >= seconds * 16_000 or clock() > until:
                break
    if not count:
        return Heard(Found.NO_SOUND)
    level = 10 * math.log10(max(energy / count, 1e-12))
    return Heard(Found.HEARD if level > QUIET_DB else Found.SILENT, max(FLOOR_DB, round(level)))
