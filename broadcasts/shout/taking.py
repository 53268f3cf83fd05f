"""A recording somebody sends, made ready for loudspeakers: checked, trimmed, level, with the tone in front."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import av
import numpy as np

from broadcasts.kinds import Colour
from broadcasts.loudspeaker.orders import Sound
from broadcasts.shout.containers import ENOUGH, container_of, open_sound
from broadcasts.speech import audio
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import Library
from broadcasts.speech.signals import Samples, Signal
from broadcasts.studio import ALARM_OF
from hub.core.errors import BadInput, WrongState

MOST_BYTES = 20 * 1024 * 1024
LONGEST_S = 180
SHORTEST_S = 0.5
PATIENCE_S = 20.0
"""Decoding three minutes takes a second; a file that takes longer is not meant well."""
AROUND = audio.Plan(lead_s=0.5, signal=Signal.ROUTINE, after_signal_s=0.4, repeats=1, tail_s=0.3)


@dataclass(frozen=True, slots=True)
class Take:
    """What loudspeakers will sound, and the voice in it by itself, so that another tone can be put in front."""

    sound: Sound
    voice_sha256: str


def take_in(library: Library, data: bytes) -> Take:
    """Make it ready and put it into the library. BadInput says what is wrong with it. Takes a second or two."""
    voice = as_voice(data)
    return Take(keep(library, audio.assemble(voice, AROUND)), keep(library, voice).sha256)


def with_alarm(library: Library, voice_sha256: str, colour: Colour) -> Sound:
    """Put the tone of an emergency in front of a voice instead. WrongState when the voice is gone."""
    path = library.path_of(voice_sha256)
    if path is None:
        raise WrongState("recording_gone")
    return keep(library, audio.assemble(audio.decode(path), replace(AROUND, signal=ALARM_OF[colour])))


def keep(library: Library, samples: Samples) -> Sound:
    """Put finished samples into the library."""
    encoded = audio.encode_mp3(samples)
    return Sound(library.take_in(encoded), round(len(samples) * 1000 / audio.RATE), len(encoded))


def as_voice(data: bytes) -> Samples:
    """Return the words of a recording, as a horn needs them. BadInput."""
    samples = decode(data)
    if len(samples) > (LONGEST_S + 1) * audio.RATE:
        raise BadInput("recording_too_long", field="recording", most=LONGEST_S // 60)
    try:
        voice = audio.prepare_voice(samples)
    except SpeechFailed:
        raise BadInput("recording_silent", field="recording") from None
    if len(voice) < SHORTEST_S * audio.RATE:
        raise BadInput("recording_too_short", field="recording")
    return voice


def decode(data: bytes, *, clock: Callable[[], float] = time.monotonic) -> Samples:
    """Return the sound of an untrusted file, a little more than the longest at most. BadInput for what is none."""
    if not data:
        raise BadInput("recording_missing", field="recording")
    if len(data) > MOST_BYTES:
        raise BadInput("recording_too_big", field="recording", most=MOST_BYTES // 1024 // 1024)
    container = container_of(data[:ENOUGH])
    if container is None:
        raise BadInput("recording_unreadable", field="recording")
    try:
        blocks = list(_blocks(data, container, clock))
    except (av.FFmpegError, ValueError):
        raise BadInput("recording_unreadable", field="recording") from None
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _blocks(data: bytes, container: str, clock: Callable[[], float]) -> Iterator[Samples]:
    until = clock() + PATIENCE_S
    count = 0
    with open_sound(io.BytesIO(data), container) as opened:
        if not opened.streams.audio:
            raise ValueError("no sound in it")
        resampler = av.AudioResampler(format="flt", layout="mono", rate=audio.RATE)
        for frame in opened.decode(opened.streams.audio[0]):
            frame.pts = None
            for block in resampler.resample(frame):
                count += block.samples
                yield block.to_ndarray()[0]
            if count > (LONGEST_S + 2) * audio.RATE:
                return
            if clock() > until:
                raise ValueError("takes too long")
        yield from (block.to_ndarray()[0] for block in resampler.resample(None))
