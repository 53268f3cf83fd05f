"""Piper, a program of its own that somebody installed beside the hub: it is started for each utterance.

Piper is under the GPL. It stays a program that is spoken to by its documented command line; nothing of it is imported.
"""

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from broadcasts.speech.cage import could_not, run_once
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
GAP_S: Final = 0.25
STOPS: Final = {".": "。", ",": "，", "!": "！", "?": "？"}
FAMILIES: Final = {"zh": Language.MANDARIN, "cmn": Language.MANDARIN, "yue": Language.CANTONESE, "en": Language.ENGLISH}
WAV_HEADER: Final = 44


@dataclass(frozen=True, slots=True)
class _Voice:
    """What the file beside the voice says of it."""

    id: str
    language: Language
    fingerprint: str


class PiperEngine:
    """One voice of Piper, as it stands in the configuration."""

    name = "piper"

    def __init__(self, context: EngineContext) -> None:
        self._program, self._model = context.settings.piper_program, context.settings.piper_voice

    def info(self) -> EngineInfo:
        voice = self._voice()
        reason = self._reason_not_ready(voice)
        return EngineInfo(
            name=self.name,
            label="Piper",
            version=str(self._program or "-"),
            voices=(VoiceInfo(voice.id, voice.id, voice.language, human=True),) if voice else (),
            reproducible=False,
            ready=not reason,
            reason=reason,
            typical_rtf=0.2,
            start_s=1.0,
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        known = self._voice()
        return json.dumps(["piper", known.fingerprint if known else "", voice.rate])

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """One run of the program for each sentence."""
        known = self._voice()
        if reason := self._reason_not_ready(known):
            raise SpeechFailed(reason)
        if known is None or voice.voice not in {"", known.id} or voice.language is not known.language:
            raise SpeechFailed(N_("没有叫“%(voice)s”的声音，请换一个声音"), values={"voice": voice.voice})
        utterances = gathered(pieces(script, LONGEST), SHORT, LONGEST)
        if not utterances:
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        deadline = time.monotonic() + timeout_s
        with scratch_folder() as scratch:
            waves = [(Path(scratch, f"{number}.wav"), GAP_S) for number in range(len(utterances))]
            for utterance, (path, _) in zip(utterances, waves, strict=True):
                self._speak(_text(utterance), NORMAL_RATE / voice.rate, path, deadline)
            join(waves, target)

    def _speak(self, text: str, length_scale: float, path: Path, deadline: float) -> None:
        options = ["--model", str(self._model), "--output_file", str(path), "--length_scale", f"{length_scale:.3f}"]
        done = run_once([str(self._program), *options], text.encode() + b"\n", deadline)
        if done.returncode != 0 or not path.is_file() or path.stat().st_size <= WAV_HEADER:
            raise could_not(f"piper ended with {done.returncode}")

    def _voice(self) -> _Voice | None:
        if self._model is None:
            return None
        beside = self._model.with_name(self._model.name + ".json")
        try:
            stamp = beside.stat().st_mtime_ns, self._model.stat().st_size
        except OSError:
            return None
        return _read(beside, stamp)

    def _reason_not_ready(self, voice: _Voice | None) -> str:
        if self._program is None or self._model is None:
            return N_("还没有配置：[speech] piper_program 和 piper_voice")
        if not self._program.is_file():
            return N_("找不到 piper 程序，看看 [speech] piper_program 写得对不对")
        return "" if voice else N_("找不到 piper 的声音文件，看看 [speech] piper_voice 写得对不对")


def _text(utterance: list[Segment]) -> str:
    """As it is read, in characters: Piper finds the sounds itself."""
    return "".join(
        STOPS[s.text] if s.kind == "pause" else f" {s.text} " if s.kind == "latin" else s.source for s in utterance
    )


@lru_cache(maxsize=8)
def _read(beside: Path, stamp: tuple[int, int]) -> _Voice | None:
    try:
        known = json.loads(beside.read_bytes())
        code = known["language"]["code"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    language = FAMILIES.get(str(code).replace("-", "_").partition("_")[0])
    name = beside.name.removesuffix(".onnx.json")[:60]
    return _Voice(name, language, f"{name} {stamp}") if language else None
