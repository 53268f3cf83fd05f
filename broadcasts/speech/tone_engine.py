"""Beeps as long as the words would be: for tests, and for machines without a voice. Never chosen unasked."""

import os
import wave
from pathlib import Path

import numpy as np

from broadcasts.speech.engine import N_, EngineInfo, Language, Script, Segment, SpeechFailed, VoiceInfo, VoiceSpec
from broadcasts.speech.finding import EngineContext
from broadcasts.speech.timing import segment_seconds

RATE = 22_050
PITCH = 660.0
VERSION = "1"


class ToneEngine:
    """A beep for each syllable."""

    name = "tone"

    def __init__(self, context: EngineContext | None = None) -> None:
        """It needs nothing of the configuration."""

    def info(self) -> EngineInfo:
        return EngineInfo(
            name=self.name,
            label=N_("只有滴滴声，不说话"),
            version=VERSION,
            voices=tuple(VoiceInfo("beep", N_("滴滴声"), language) for language in Language),
            reproducible=True,
            ready=True,
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        return f"tone {VERSION} rate={voice.rate}"

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        if voice.voice not in {"", "beep"}:
            raise SpeechFailed(N_("没有叫“%(voice)s”的声音，请换一个声音"), values={"voice": voice.voice})
        if not any(segment.kind != "pause" for segment in script):
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        sound = np.concatenate([_beeps(segment, segment_seconds(segment, voice)) for segment in script])
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as raw:
                with wave.open(raw, "wb") as out:
                    out.setnchannels(1)
                    out.setsampwidth(2)
                    out.setframerate(RATE)
                    out.writeframes((sound * 20_000).astype("<i2").tobytes())
                raw.flush()
                os.fsync(raw.fileno())
            part.replace(target)
        except OSError as problem:
            raise SpeechFailed(
                N_("读好的声音存不下来，请看看磁盘是不是满了"), retryable=True, detail=repr(problem)
            ) from problem
        finally:
            part.unlink(missing_ok=True)


def _beeps(segment: Segment, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """As many beeps as the segment has syllables or letters; the last fills its place, so that lengths agree."""
    t = np.arange(round(seconds * RATE)) / RATE
    if segment.kind == "pause":
        return np.zeros(len(t))
    count = len(segment.text.split()) if segment.kind == "pinyin" else len(segment.source)
    each = seconds / count
    within = t % each
    rest = 0.25 * each * (t < seconds - each)
    envelope = np.clip(np.minimum(within, each - rest - within) / 0.01, 0.0, 1.0)
    return np.asarray(np.sin(2 * np.pi * PITCH * t) * envelope)
