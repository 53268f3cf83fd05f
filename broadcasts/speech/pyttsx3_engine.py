"""The offline voice: pyttsx3 with espeak-ng, each utterance in a child process of its own."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from broadcasts.speech.cage import could_not, run_once, too_slow
from broadcasts.speech.engine import (
    N_,
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
from broadcasts.speech.utterances import pieces
from broadcasts.speech.waves import join

# `sit/cmn` is espeak's Mandarin. Of its variants `+f3` is understood best by speech recognisers, `+Annie` within
# the measurement's error of it; but `+f3` breathes with noise seeded by the clock. With `+Annie` the same words are
# the same bytes on every hub: what was approved is what plays, and speakers need not fetch a second copy.
DEFAULT_VOICE = "sit/cmn+Annie"
DEFAULT_OF = {
    Language.MANDARIN: DEFAULT_VOICE,
    Language.CANTONESE: "sit/yue+Annie",
    Language.ENGLISH: "gmw/en-us+Annie",
}
LONGEST_UTTERANCE = 200  # characters of source; the driver's buffer grows quadratically
UTTERANCE_GAP_S = 0.06  # with the rest espeak ends an utterance with: as long as its pause at a full stop
# To espeak a full stop before a small letter ends no sentence, and gets no pause; the Chinese one always does.
STOPS = {".": "。", ",": "，", "!": "！", "?": "？"}
FILE_BYTES = 64 * 1024 * 1024
WORKER = (sys.executable, "-m", "broadcasts.speech.pyttsx3_worker")
_slots = threading.BoundedSemaphore(os.cpu_count() or 1)


class Pyttsx3Engine:
    """Speech from pip packages alone. Mandarin is fed as pinyin, since espeak guesses readings badly."""

    name = "pyttsx3"

    def __init__(self, context: EngineContext | None = None) -> None:
        """It needs nothing of the configuration."""

    def info(self) -> EngineInfo:
        reason = _reason_not_ready()
        return EngineInfo(
            name=self.name,
            label=N_("机器音"),
            version=_versions(),
            voices=(
                VoiceInfo(DEFAULT_VOICE, N_("女声")),
                VoiceInfo("sit/cmn", N_("男声")),
                VoiceInfo(DEFAULT_OF[Language.CANTONESE], N_("女声"), Language.CANTONESE),
                VoiceInfo("sit/yue", N_("男声"), Language.CANTONESE),
                VoiceInfo(DEFAULT_OF[Language.ENGLISH], N_("女声"), Language.ENGLISH),
                VoiceInfo("gmw/en-us", N_("男声"), Language.ENGLISH),
            ),
            reproducible=True,
            ready=not reason,
            reason=reason,
            pitched=True,
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        spec = asdict(replace(_settled(voice), gain_db=0.0))
        return json.dumps({"versions": _versions(), "gap": UTTERANCE_GAP_S, **spec}, sort_keys=True)

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """One child process per utterance, at most as many at once as there are processors."""
        if reason := _reason_not_ready():
            raise SpeechFailed(reason)
        utterances = split_utterances(script, as_written=voice.language is Language.CANTONESE)
        if not utterances:
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        deadline = time.monotonic() + timeout_s
        settled = _settled(voice)
        with scratch_folder() as scratch:
            waves = [(Path(scratch, f"{number}.wav"), UTTERANCE_GAP_S) for number in range(len(utterances))]
            for text, (path, _) in zip(utterances, waves, strict=True):
                _speak_with_one_retry(text, settled, path, deadline)
            join(waves, target)


def split_utterances(script: Script, longest: int = LONGEST_UTTERANCE, *, as_written: bool = False) -> list[str]:
    """The script as texts for espeak, cut at sentence ends, else at commas, else between syllables.

    `as_written` gives characters instead of pinyin: what Cantonese is made of.
    """
    utterances: list[list[str]] = []
    size = longest + 1
    for piece in pieces(script, longest):
        length = sum(len(segment.source) for segment in piece)
        if size + length > longest:
            utterances.append([])
            size = 0
        utterances[-1].append(_espeak_text(piece, as_written=as_written))
        size += length
    joined = (" ".join(texts).strip() for texts in utterances)
    return [text for text in joined if any(c.isalnum() for c in text)]


def _espeak_text(segments: list[Segment], *, as_written: bool = False) -> str:
    words: list[str] = []
    for segment in segments:
        if segment.kind == "pause" and words:
            words[-1] += STOPS[segment.text]
        elif segment.kind != "pause":
            words.append(segment.source if as_written and segment.kind == "pinyin" else segment.text)
    return " ".join(words)


def _settled(voice: VoiceSpec) -> VoiceSpec:
    return voice if voice.voice else replace(voice, voice=DEFAULT_OF[voice.language])


@cache
def _versions() -> str:
    return f"pyttsx3 {version('pyttsx3')}, espeakng-loader {version('espeakng-loader')}"


@cache
def _reason_not_ready() -> str:
    if not sys.platform.startswith("linux"):
        return N_("这个语音引擎只能在 Linux 上用")
    try:
        _versions()
    except PackageNotFoundError:
        return N_("语音组件没有装全，请重新安装")
    return ""


def _speak_with_one_retry(text: str, voice: VoiceSpec, target: Path, deadline: float) -> None:
    try:
        _speak(text, voice, target, deadline)
    except SpeechFailed as failure:
        if not failure.retryable or time.monotonic() >= deadline:
            raise
        _speak(text, voice, target, deadline)


def _speak(text: str, voice: VoiceSpec, target: Path, deadline: float) -> None:
    if not _slots.acquire(timeout=max(0.0, deadline - time.monotonic())):
        raise too_slow("no free slot")
    try:
        _answer_of(run_once(WORKER, _request(text, voice, target, deadline), deadline), voice)
    finally:
        _slots.release()


def _request(text: str, voice: VoiceSpec, target: Path, deadline: float) -> bytes:
    wall_s = max(1, int(deadline - time.monotonic()) + 1)
    request = {
        "text": text,
        "voice": voice.voice,
        "rate": voice.rate,
        "volume": 1.0,
        "pitch": voice.pitch,
        "pitch_range": voice.pitch_range,
        "target": str(target),
        "cpu_s": wall_s,
        "wall_s": wall_s,
        "file_bytes": FILE_BYTES,
    }
    return json.dumps(request).encode()


def _answer_of(done: "subprocess.CompletedProcess[bytes]", voice: VoiceSpec) -> None:
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"ok": False, "problem": "died", "detail": f"exit status {done.returncode}"}
    if answer["ok"]:
        return
    if answer["problem"] == "refused":
        raise SpeechFailed(
            N_("没有叫“%(voice)s”的声音，请换一个声音"),
            detail=answer["detail"],
            values={"voice": voice.voice},
        )
    raise could_not(f"{answer['problem']}: {answer['detail']}")
