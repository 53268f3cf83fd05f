"""How much of an announcement two speech recognisers understand: clean, and through a simulated horn with noise.

Own voices speak benchmarks/sentences.json; the score is the share of syllables (pinyin without tones) that come out
wrong, lost or added, with a 95 % interval by drawing sentences again (bootstrap). Recognisers punish machine voices
more than people do: compare figures with one another, do not read them as what a listener would score.

The recognisers live in an environment of their own (0.8 GB), made by hand:
    python3 -m venv /tmp/asr-venv
    /tmp/asr-venv/bin/pip install -r benchmarks/asr.txt
    /tmp/asr-venv/bin/pip install --no-deps --ignore-requires-python -r benchmarks/asr-plain.txt
Run: .venv/bin/python benchmarks/intelligibility.py /tmp/asr-venv [--voice ENGINE[:VOICE][@RATE]]... [--sentences N]
     [--ears whisper,muggle] [--only clean,horn,bare-horn] [--keep FOLDER]
"""

import argparse
import json
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pypinyin import Style, lazy_pinyin

from broadcasts.settings import SpeechSettings
from broadcasts.speech import audio
from broadcasts.speech.engine import SpeechEngine, VoiceSpec
from broadcasts.speech.finding import context_of, load_engine
from broadcasts.speech.reading import as_read, to_script
from broadcasts.speech.signals import Samples

HERE = Path(__file__).parent
NOISE_DB = -25.0
ECHOES = ((0.12, 0.35), (0.31, 0.20))  # from walls across the village: seconds, strength
DRAWS = 2000
SEED = 20261123


@dataclass(frozen=True, slots=True)
class Score:
    """Of one voice, one way of listening, one recogniser: errors and syllables of each sentence."""

    errors: tuple[int, ...]
    syllables: tuple[int, ...]

    def rate(self) -> float:
        return sum(self.errors) / sum(self.syllables)

    def interval(self) -> tuple[float, float]:
        """Where the rate lies in 95 of 100 draws of sentences like these."""
        drawn = np.random.default_rng(SEED).integers(0, len(self.errors), (DRAWS, len(self.errors)))
        rates = np.array(self.errors)[drawn].sum(axis=1) / np.array(self.syllables)[drawn].sum(axis=1)
        low, high = np.percentile(rates, [2.5, 97.5])
        return float(low), float(high)


def syllables(text: str) -> list[str]:
    """Pinyin without tones of what is spoken, digits read as the hub reads them."""
    spoken = "".join(c for c in as_read(text).spoken if c.isalnum())
    return list(lazy_pinyin(spoken, style=Style.NORMAL))


def distance(one: list[str], other: list[str]) -> int:
    """How many syllables must be changed, added or taken away."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


def horn(samples: Samples, seed: int) -> Samples:
    """A re-entrant horn across the village: 300 Hz to 6 kHz, coloured, two echoes, pink noise; a model, not a horn."""
    size = 1 << (len(samples) + audio.RATE).bit_length()
    hertz = np.fft.rfftfreq(size, 1 / audio.RATE)
    safe = np.maximum(hertz, 1.0)
    response = 1 / np.sqrt(1 + (300 / safe) ** 8) / np.sqrt(1 + (safe / 6000) ** 8)
    response *= (
        1 + 0.58 * np.exp(-((np.log2(safe / 1100) / 0.5) ** 2)) - 0.29 * np.exp(-((np.log2(safe / 4200) / 0.5) ** 2))
    )
    for delay, strength in ECHOES:
        response = response.astype(complex) + strength * np.exp(-2j * np.pi * hertz * delay) * np.abs(response)
    length = len(samples) + audio.RATE // 2
    played = np.fft.irfft(np.fft.rfft(samples, size) * response)[:length]
    random = np.random.default_rng(seed).standard_normal(size)
    noise = np.fft.irfft(np.fft.rfft(random) / np.sqrt(np.maximum(hertz, 50)))[:length]
    noise *= 10 ** (NOISE_DB / 20) / np.sqrt(np.mean(noise**2))
    return (played + noise).astype(np.float32)


def save(samples: Samples, path: Path) -> None:
    """For the recognisers: 16 bits, just below full scale."""
    scaled = samples * np.float32(0.9 / max(float(np.abs(samples).max()), 1e-6))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(audio.RATE)
        out.writeframes((scaled * 32767).astype("<i2").tobytes())


def versions(words: audio.Words, folder: Path, seed: int) -> Iterator[tuple[str, Samples]]:
    """What is listened to: the voice itself, what a speaker plays of it over a horn, and that without our shaping."""
    voice = audio.heard(words)
    yield "clean", voice
    encoded = folder / "played.mp3"
    encoded.write_bytes(audio.encode_mp3(audio.prepare_words(words)))
    yield "horn", horn(audio.decode(encoded), seed)
    peak = np.float32(10 ** (audio.TRUE_PEAK_DB / 20) / float(np.abs(voice).max()))
    yield "bare-horn", horn(voice * peak, seed)


def speak(engine: SpeechEngine, spec: VoiceSpec, texts: list[str], folder: Path, only: set[str]) -> None:
    """Write FOLDER/<way>-<number>.wav for every sentence."""
    spoken = folder / "spoken.wav"
    for number, text in enumerate(texts):
        engine.synthesize(to_script(as_read(text)), spec, spoken, timeout_s=300)
        for way, samples in versions(audio.read_words(spoken), folder, SEED + number):
            if way in only:
                save(samples, folder / f"{way}-{number:02d}.wav")
        spoken.unlink()


def listen(python: Path, folder: Path, ears: str) -> dict[str, dict[str, str]]:
    """What the recognisers wrote down."""
    subprocess.run([str(python), str(HERE / "listener.py"), str(folder), ears], check=True)
    heard: dict[str, dict[str, str]] = json.loads((folder / "heard.json").read_text(encoding="utf-8"))
    return heard


def scores(texts: list[str], heard: dict[str, dict[str, str]]) -> dict[tuple[str, str], Score]:
    """By way of listening and recogniser."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for name, written in heard.items():
        way, _, number = name.rpartition("-")
        meant = syllables(texts[int(number)])
        for ear, text in written.items():
            found.setdefault((way, ear), []).append((distance(meant, syllables(text)), len(meant)))
    return {key: Score(*zip(*pairs, strict=True)) for key, pairs in sorted(found.items())}


def spec_of(name: str) -> VoiceSpec:
    """From ENGINE[:VOICE][@RATE]."""
    name, _, rate = name.partition("@")
    engine, _, voice = name.partition(":")
    return VoiceSpec(engine=engine, voice=voice, rate=int(rate or 150))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("environment", type=Path)
    parser.add_argument("--voice", action="append")
    parser.add_argument("--sentences", type=int, default=0)
    parser.add_argument("--ears", default="whisper,muggle")
    parser.add_argument("--only", default="clean,horn")
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    texts = json.loads((HERE / "sentences.json").read_text(encoding="utf-8"))[: asked.sentences or None]
    for name in asked.voice or ["pyttsx3"]:
        spec = spec_of(name)
        with tempfile.TemporaryDirectory() as scratch:
            folder = (asked.keep / name.replace("/", "_")) if asked.keep else Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            speak(
                load_engine(spec.engine, context_of(SpeechSettings())), spec, texts, folder, set(asked.only.split(","))
            )
            heard = listen(asked.environment / "bin" / "python", folder, asked.ears)
        for (way, ear), score in scores(texts, heard).items():
            low, high = score.interval()
            print(
                f"{name:24s} {way:10s} {ear:8s} {100 * score.rate():5.1f} %  ({100 * low:.1f} to {100 * high:.1f})"
                f"  of {sum(score.syllables)} syllables in {len(score.syllables)} sentences",
                flush=True,
            )


if __name__ == "__main__":
    main()
