"""Speaks with a model of sherpa-onnx: the only process, and the only module, that holds sherpa_onnx.

`python -m broadcasts.speech.sherpa_worker SETTINGS`, SETTINGS being JSON: family, files, threads, keep_s. A line of
JSON for each utterance on stdin: text, speed, target, wall_s; a line of JSON as the answer, as of kokoro_worker.
"""

import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import sherpa_onnx

from broadcasts.speech.serving import restrict, serve, take_stdout

PEAK = 0.95


class Voice:
    """The model, loaded once."""

    def __init__(self, settings: dict[str, Any]) -> None:
        files = settings["files"]
        part = {
            "vits": sherpa_onnx.OfflineTtsVitsModelConfig,
            "matcha": sherpa_onnx.OfflineTtsMatchaModelConfig,
            "kokoro": sherpa_onnx.OfflineTtsKokoroModelConfig,
        }[settings["family"]]
        model = sherpa_onnx.OfflineTtsModelConfig(
            **{settings["family"]: part(**files)}, num_threads=settings["threads"], provider="cpu"
        )
        self._tts = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model, max_num_sentences=1))

    def answer(self, asked: dict[str, Any]) -> dict[str, object]:
        """Speak one utterance into its file."""
        made = self._tts.generate(asked["text"], sid=0, speed=asked["speed"])
        samples = np.asarray(made.samples, np.float32)
        if not samples.size:
            raise ValueError("no sound came of it")
        loudest = max(float(np.abs(samples).max()), 1e-6)
        with wave.open(str(Path(asked["target"])), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(made.sample_rate)
            out.writeframes((samples * (min(1.0, PEAK / loudest) * 32767)).astype("<i2").tobytes())
        return {"ok": True, "seconds": samples.size / made.sample_rate}


def main() -> None:
    """Serve the hub that started this process."""
    sink = take_stdout()
    restrict()
    settings = json.loads(sys.argv[1])
    serve(lambda: Voice(settings).answer, settings["keep_s"], sink)


if __name__ == "__main__":
    main()
