"""The voice that sounds like a person: Kokoro's network, in a process of its own that stays warm for a while."""

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from broadcasts.speech import kokoro_weights
from broadcasts.speech.cage import WarmWorker, could_not
from broadcasts.speech.engine import (
    N_,
    NORMAL_RATE,
    EngineInfo,
    Language,
    Script,
    Segment,
    SpeechFailed,
    VoiceInfo,
    VoiceSpec,
)
from broadcasts.speech.finding import EngineContext
from broadcasts.speech.kokoro_sounds import LONGEST
from broadcasts.speech.scratch import scratch_folder
from broadcasts.speech.utterances import gathered, pieces
from broadcasts.speech.waves import join

DEFAULT_VOICE: Final = "zf_xiaobei"
FRONT: Final = 1
"""Raised when the way from script to sounds changes: recordings made before are then made anew."""
MOST_THREADS: Final = 4
AT_FIRST_RTF: Final = 0.9
START_S: Final = 4.0
LEAST_MEMORY_KB: Final = 600 * 1024
ONE_UTTERANCE_S: Final = 120.0
# Symbols. Sentences of this size are what the voice was taught with: it hurries through longer ones, and single words
# on their own come out flat.
USUAL: Final = 240
SHORT: Final = 45
PAUSES_S: Final = {",": 0.22, ".": 0.42, "!": 0.42, "?": 0.42}
SLOWEST, FASTEST = 0.6, 1.8


@dataclass
class Pace:
    """How long this machine really takes for a second of speech: learnt, since no two machines are alike."""

    rtf: float = AT_FIRST_RTF
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, took_s: float, speech_s: float) -> None:
        """Learn from one utterance; slower is believed faster."""
        if speech_s < 1.0:
            return
        with self._lock:
            seen = took_s / speech_s
            self.rtf += (0.5 if seen > self.rtf else 0.2) * (seen - self.rtf)


class KokoroEngine:
    """Mandarin as a person speaks it, with English words in between."""

    name = "kokoro"

    def __init__(self, context: EngineContext) -> None:
        self._weights = context.weights
        self.pace = Pace()
        self.worker = WarmWorker([sys.executable, "-m", "broadcasts.speech.kokoro_worker", self._settings(context)])

    def info(self) -> EngineInfo:
        reason = self._reason_not_ready()
        return EngineInfo(
            name=self.name,
            label=N_("真人感的声音"),
            version=_versions(),
            voices=(
                VoiceInfo(DEFAULT_VOICE, N_("女声"), human=True),
                VoiceInfo("zm_yunxia", N_("男声"), human=True),
            ),
            reproducible=True,
            ready=not reason,
            reason=reason,
            typical_rtf=self.pace.rtf,
            start_s=0.2 if self.worker.pid else START_S,
            remedy="cunxiang voices install",
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        chosen = voice.voice or DEFAULT_VOICE
        shaped = {"model": kokoro_weights.MODEL_SHA256, "style": kokoro_weights.VOICE_SHA256.get(chosen, chosen)}
        return json.dumps({**shaped, "front": FRONT, "rate": voice.rate, "pauses": PAUSES_S}, sort_keys=True)

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """One utterance after the other, so that whoever else needs the process waits for one sentence at most."""
        if reason := self._reason_not_ready():
            raise SpeechFailed(reason)
        style = kokoro_weights.VOICES / f"{voice.voice or DEFAULT_VOICE}.bin"
        if style.stem not in kokoro_weights.VOICE_SHA256 or voice.language is not Language.MANDARIN:
            raise SpeechFailed(N_("没有叫“%(voice)s”的声音，请换一个声音"), values={"voice": voice.voice})
        utterances = split_utterances(script)
        if not utterances:
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        deadline = time.monotonic() + timeout_s
        speed = min(FASTEST, max(SLOWEST, voice.rate / NORMAL_RATE))
        with scratch_folder() as scratch:
            waves = []
            for number, utterance in enumerate(utterances):
                path = Path(scratch, f"{number}.wav")
                self._speak(utterance, style, speed, path, deadline)
                waves.append((path, _pause_after(utterance) / speed))
            join(waves, target)

    def stop(self) -> None:
        """End its process."""
        self.worker.stop()

    def _speak(self, utterance: list[Segment], style: Path, speed: float, path: Path, deadline: float) -> None:
        left = deadline - time.monotonic()
        question = {
            "segments": [[segment.kind, segment.text] for segment in utterance],
            "voice": str(style),
            "speed": speed,
            "target": str(path),
            "wall_s": max(1.0, min(left, ONE_UTTERANCE_S)),
        }
        warm, started = self.worker.pid is not None, time.monotonic()
        if not warm:
            _check_memory()
        said = self.worker.ask(question, min(deadline, started + ONE_UTTERANCE_S))
        if not said.get("ok"):
            raise could_not(f"{said.get('problem')}: {said.get('detail')}")
        if warm:
            self.pace.note(time.monotonic() - started, float(said["seconds"]))

    def _settings(self, context: EngineContext) -> str:
        threads = context.settings.neural_threads or min(os.cpu_count() or 1, MOST_THREADS)
        settings = {
            "model": str(kokoro_weights.model_path(context.weights)),
            "sha256": kokoro_weights.MODEL_SHA256,
            "threads": threads,
            "keep_s": max(1.0, 60 * context.settings.neural_keep_minutes),
        }
        return json.dumps(settings)

    def _reason_not_ready(self) -> str:
        if not sys.platform.startswith("linux"):
            return N_("这个语音引擎只能在 Linux 上用")
        if _runtime() is None:
            return N_("还没有安装：缺 onnxruntime")
        if not kokoro_weights.is_there(self._weights):
            return N_("还没有安装：声音没下载")
        return ""


def split_utterances(script: Script) -> list[list[Segment]]:
    """The script as utterances of a size the voice likes, never longer than it can take."""
    return gathered(pieces(script, USUAL, size_of), SHORT, USUAL, size_of)


def size_of(segment: Segment) -> int:
    """At most so many symbols."""
    if segment.kind == "pinyin":
        return 6 * len(segment.text.split())
    return 4 * len(segment.text) + 2 if segment.kind == "latin" else 2


def _pause_after(utterance: list[Segment]) -> float:
    last = utterance[-1]
    return PAUSES_S[last.text] if last.kind == "pause" else 0.05


def _check_memory() -> None:
    """Rather another voice than a machine that begins to swap: its hub would be late with everything."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return
    free = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    if free.get("MemAvailable", LEAST_MEMORY_KB) < LEAST_MEMORY_KB:
        raise SpeechFailed(N_("内存不够，真人感的声音这次没用上"), detail=f"{free['MemAvailable']} kB available")


def _versions() -> str:
    return f"Kokoro 1.0 int8, onnxruntime {_runtime() or '-'}"


def _runtime() -> str | None:
    """Its version; asked for again until it is there: it may be installed while the hub runs."""
    try:
        return _known_runtime()
    except PackageNotFoundError:
        return None


@cache
def _known_runtime() -> str:
    return version("onnxruntime")


assert USUAL <= LONGEST  # noqa: S101 - else the network would refuse whole sentences
