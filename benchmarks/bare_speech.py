"""The bare peers of a rendering: espeak-ng by ctypes in the smallest process, and MP3 by PyAV in the fewest lines.

As a programme: python -I -S benchmarks/bare_speech.py LIBRARY DATA VOICE RATE RANGE TARGET < text
"""

import ctypes
import sys
import wave

RETRIEVAL, UTF8, END_PAUSE = 1, 1, 0x1000
RATE, RANGE = 1, 4


def main() -> None:
    library, data, voice, rate, pitch_range, target = sys.argv[1:]
    espeak = ctypes.CDLL(library)
    hertz = espeak.espeak_Initialize(RETRIEVAL, 1000, data.encode(), 0)
    spoken: list[bytes] = []

    def keep(samples: "ctypes._Pointer[ctypes.c_int16]", count: int, events: int) -> int:
        if count > 0:
            spoken.append(ctypes.string_at(samples, 2 * count))
        return 0

    kept = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)(keep)
    espeak.espeak_SetSynthCallback(kept)
    espeak.espeak_SetVoiceByName(voice.encode())
    espeak.espeak_SetParameter(RATE, int(rate), 0)
    espeak.espeak_SetParameter(RANGE, int(pitch_range), 0)
    text = sys.stdin.buffer.read() + b"\0"
    espeak.espeak_Synth(text, len(text), 0, 0, 0, UTF8 | END_PAUSE, None, None)
    espeak.espeak_Synchronize()
    with wave.open(target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(hertz)
        out.writeframes(b"".join(spoken))


if __name__ == "__main__":
    main()
