"""A model of your own, run by sherpa-onnx: VITS, Matcha or Kokoro, as they are published for it, one folder each."""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

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
from broadcasts.speech.scratch import scratch_folder
from broadcasts.speech.utterances import gathered, pieces
from broadcasts.speech.waves import join

LONGEST: Final = 120
SHORT: Final = 8
GAP_S: Final = 0.3
STOPS: Final = {".": "。", ",": "，", "!": "！", "?": "？"}
MOST_THREADS: Final = 4
WORKER: Final = (sys.executable, "-m", "broadcasts.speech.sherpa_worker")


@dataclass(frozen=True, slots=True)
class Model:
    """What lies in the folder, by the names sherpa-onnx's own configuration has for it."""

    family: str
    """vits, matcha or kokoro: whose configuration `files` fills."""
    files: dict[str, str]
    size: int


def model_in(folder: Path) -> Model | None:
    """The model in that folder; None when something is missing."""
    tokens = folder / "tokens.txt"
    networks = sorted(path for path in folder.glob("*.onnx") if not path.name.endswith(".int8.onnx")) or sorted(
        folder.glob("*.onnx")
    )
    vocoders = [path for path in networks if path.name.startswith(("vocos", "hifigan"))]
    acoustic = [path for path in networks if path not in vocoders]
    if not tokens.is_file() or len(acoustic) != 1:
        return None
    files = {"tokens": str(tokens), **_beside(folder)}
    if vocoders:
        family, named = "matcha", {"acoustic_model": str(acoustic[0]), "vocoder": str(vocoders[0])}
    elif (folder / "voices.bin").is_file():
        family, named = "kokoro", {"model": str(acoustic[0]), "voices": str(folder / "voices.bin")}
    else:
        family, named = "vits", {"model": str(acoustic[0])}
    return Model(family, {**files, **named}, sum(path.stat().st_size for path in networks))


def _beside(folder: Path) -> dict[str, str]:
    found = {"lexicon": ",".join(str(path) for path in sorted(folder.glob("lexicon*.txt")))}
    for key, name in (("data_dir", "espeak-ng-data"), ("dict_dir", "dict")):
        if (folder / name).is_dir():
            found[key] = str(folder / name)
    return {key: value for key, value in found.items() if value}


class SherpaEngine:
    """Mandarin from the model in the configured folder."""

    name = "sherpa"

    def __init__(self, context: EngineContext, *, command: Sequence[str] = WORKER) -> None:
        settings = context.settings
        self._folder = settings.sherpa_model
        self._threads = settings.neural_threads or min(os.cpu_count() or 1, MOST_THREADS)
        self._keep_s = max(1.0, 60 * settings.neural_keep_minutes)
        self._command = tuple(command)
        self._worker: WarmWorker | None = None

    def info(self) -> EngineInfo:
        reason = self._reason_not_ready()
        name = self._folder.name[:60] if self._folder else ""
        return EngineInfo(
            name=self.name,
            label="sherpa-onnx",
            version=_version() or "-",
            voices=(VoiceInfo(name, name, human=True),) if name else (),
            reproducible=False,
            ready=not reason,
            reason=reason,
            typical_rtf=0.5,
            start_s=4.0,
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        model = model_in(self._folder) if self._folder else None
        known = [model.family, model.files, model.size] if model else []
        return json.dumps([self.name, _version(), known, voice.rate], sort_keys=True)

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """One utterance after the other, from one process that stays warm."""
        if reason := self._reason_not_ready():
            raise SpeechFailed(reason)
        if voice.voice not in {"", self._folder.name[:60] if self._folder else ""} or (
            voice.language is not Language.MANDARIN
        ):
            raise SpeechFailed(N_("没有叫“%(voice)s”的声音，请换一个声音"), values={"voice": voice.voice})
        utterances = gathered(pieces(script, LONGEST), SHORT, LONGEST)
        if not utterances:
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        deadline = time.monotonic() + timeout_s
        with scratch_folder() as scratch:
            waves = [(Path(scratch, f"{number}.wav"), GAP_S) for number in range(len(utterances))]
            for utterance, (path, _) in zip(utterances, waves, strict=True):
                self._speak(utterance, voice.rate / NORMAL_RATE, path, deadline)
            join(waves, target)

    def stop(self) -> None:
        """End its process."""
        if self._worker:
            self._worker.stop()

    def _speak(self, utterance: list[Segment], speed: float, path: Path, deadline: float) -> None:
        self._worker = self._worker or WarmWorker([*self._command, self._settings()])
        wall_s = max(1.0, deadline - time.monotonic())
        question = {"text": _text(utterance), "speed": speed, "target": str(path), "wall_s": wall_s}
        said = self._worker.ask(question, deadline)
        if not said.get("ok"):
            raise could_not(f"{said.get('problem')}: {said.get('detail')}")

    def _settings(self) -> str:
        model = model_in(self._folder) if self._folder else None
        if model is None:
            raise SpeechFailed(self._reason_not_ready())
        settings = {"family": model.family, "files": model.files, "threads": self._threads, "keep_s": self._keep_s}
        return json.dumps(settings)

    def _reason_not_ready(self) -> str:
        if self._folder is None:
            return N_("还没有配置：[speech] sherpa_model")
        if self._command == WORKER and _version() is None:
            return N_("还没有安装：缺 sherpa-onnx（pip 装 cunxiang[sherpa]）")
        return "" if model_in(self._folder) else N_("模型文件夹里缺东西，看看 [speech] sherpa_model")


def _text(utterance: list[Segment]) -> str:
    return "".join(
        STOPS[s.text] if s.kind == "pause" else f" {s.text} " if s.kind == "latin" else s.source for s in utterance
    )


def _version() -> str | None:
    try:
        return version("sherpa-onnx")
    except PackageNotFoundError:
        return None
