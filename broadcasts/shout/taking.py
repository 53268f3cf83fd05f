"""A recording somebody sends, made ready for loudspeakers: checked, trimmed, level, with the tone in front."""

from dataclasses import dataclass, replace
from typing import BinaryIO

from broadcasts.kinds import Colour
from broadcasts.loudspeaker.orders import Sound
from broadcasts.speech import audio
from broadcasts.speech.library import Library
from broadcasts.speech.signals import Samples, Signal
from broadcasts.studio import ALARM_OF
from broadcasts.uploads.arranging import arrange
from broadcasts.uploads.workshop import Workshop

MOST_BYTES = 20 * 1024 * 1024
LONGEST_S = 180
AROUND = audio.Plan(lead_s=0.5, signal=Signal.ROUTINE, after_signal_s=0.4, repeats=1, tail_s=0.3)


@dataclass(frozen=True, slots=True)
class Take:
    """What loudspeakers will sound, and the voice in it by itself, so that another tone can be put in front."""

    sound: Sound
    voice_sha256: str


def take_in(library: Library, workshop: Workshop, source: BinaryIO) -> Take:
    """Make it ready and put it into the library. BadInput says what is wrong with it. Takes a second or two."""
    made = workshop.take(source, longest_s=LONGEST_S + 1, most_bytes=MOST_BYTES)
    voice_sha256 = library.take_in(made.encoded)
    return Take(_arranged(library, voice_sha256, AROUND), voice_sha256)


def with_alarm(library: Library, voice_sha256: str, colour: Colour) -> Sound:
    """Put the tone of an emergency in front of a voice instead. WrongState when the voice is gone."""
    return _arranged(library, voice_sha256, replace(AROUND, signal=ALARM_OF[colour]))


def keep(library: Library, samples: Samples) -> Sound:
    """Put finished samples into the library."""
    encoded = audio.encode_mp3(samples)
    return Sound(library.take_in(encoded), round(len(samples) * 1000 / audio.RATE), len(encoded))


def _arranged(library: Library, voice_sha256: str, plan: audio.Plan) -> Sound:
    made = arrange(library, voice_sha256, plan)
    return Sound(made.sha256, made.ms, made.bytes)
