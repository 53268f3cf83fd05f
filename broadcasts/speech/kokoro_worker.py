"""Speaks with Kokoro's network: one process that stays while there is work, the only one that holds onnxruntime.

`python -m broadcasts.speech.kokoro_worker SETTINGS`, SETTINGS being JSON: model, sha256, threads, keep_s. Then a
line of JSON for each utterance on stdin: segments, voice (a file), speed, target (a WAV file), wall_s. The answer is a
line of JSON on stdout, {"ok": true, "seconds": ...} or {"ok": false, "problem": ..., "detail": ...}; never the text.

English words become sounds by espeak-ng (GPL-3), which is loaded here, in this process alone, and only for them.
It ends when nobody has asked for keep_s seconds, when stdin is closed, and when an utterance takes too long.
"""

import ctypes
import hashlib
import json
import os
import sys
import tempfile
import wave
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
import numpy.typing as npt
import onnxruntime

from broadcasts.speech.engine import Segment
from broadcasts.speech.espeak_data import short_data_path
from broadcasts.speech.kokoro_sounds import LONGEST, english, numbers_of, symbols_of
from broadcasts.speech.serving import Answer, restrict, serve, take_stdout

RATE = 24_000
STYLE = 256
LOUD = 0.02
KEPT_S = 0.05
PEAK = 0.9

Samples = npt.NDArray[np.float32]


class Voice:
    """The network, loaded once."""

    def __init__(self, model: Path, sha256: str, threads: int) -> None:
        with model.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != sha256:
                raise ValueError("the weights are not those that belong to this program")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the hub needs the processors too
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        # Without the arena the process grows to 1-2 GB while it speaks; without shrinking it keeps what it once needed.
        self._run = onnxruntime.RunOptions()
        self._run.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def speak(self, numbers: Sequence[int], style: Path, speed: float) -> Samples:
        """The sound of one utterance without the silence around it."""
        if not 1 <= len(numbers) <= LONGEST:
            raise ValueError(f"{len(numbers)} symbols")
        rows = np.fromfile(style, np.float32).reshape(-1, STYLE)
        given = {
            "tokens": np.array([[0, *numbers, 0]], np.int64),
            "style": rows[min(len(numbers), len(rows)) - 1][None, :],
            "speed": np.array([speed], np.float32),
        }
        return _trimmed(np.asarray(self._session.run(None, given, self._run)[0], np.float32).ravel())


def _trimmed(samples: Samples) -> Samples:
    """Without the silence at both ends: pauses are made outside, where they are known."""
    loud = np.flatnonzero(np.abs(samples) > LOUD * np.abs(samples).max(initial=1e-6))
    if not loud.size:
        return samples[:0]
    kept = int(KEPT_S * RATE)
    return samples[max(0, int(loud[0]) - kept) : int(loud[-1]) + kept]


@cache
def _espeak() -> Any:
    folder = Path(tempfile.gettempdir())
    os.environ["ESPEAK_DATA_PATH"] = short_data_path(espeakng_loader.get_data_path(), folder)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Initialize(2, 0, None, 0)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    library.espeak_SetVoiceByName(b"en-us")
    return library


@cache
def spelled(text: str) -> str:
    """A Latin word, or letters parted by blanks, as symbols."""
    rest = ctypes.c_char_p(text.encode())
    parts = []
    while rest.value:  # it stops at the end of each clause
        parts.append(_espeak().espeak_TextToPhonemes(ctypes.byref(rest), 1, 2).decode())
    return english(" ".join(parts).replace("_", ""))


def answer(voice: Voice, asked: dict[str, Any]) -> dict[str, object]:
    """Speak one utterance into its file."""
    segments = [Segment(kind, text, "") for kind, text in asked["segments"]]
    words = {segment.text: spelled(segment.text) for segment in segments if segment.kind == "latin"}
    samples = voice.speak(numbers_of(symbols_of(segments, words)), Path(asked["voice"]), asked["speed"])
    if not samples.size:
        raise ValueError("no sound came of it")
    loudest = float(np.abs(samples).max())
    _write(Path(asked["target"]), samples * np.float32(min(1.0, PEAK / loudest)))
    return {"ok": True, "seconds": samples.size / RATE}


def _write(target: Path, samples: Samples) -> None:
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((samples * 32767).astype("<i2").tobytes())


def main() -> None:
    """Serve the hub that started this process."""
    sink = take_stdout()
    restrict()
    settings = json.loads(sys.argv[1])

    def opened() -> Answer:
        voice = Voice(Path(settings["model"]), settings["sha256"], settings["threads"])
        return lambda asked: answer(voice, asked)

    serve(opened, settings["keep_s"], sink)


if __name__ == "__main__":
    main()
