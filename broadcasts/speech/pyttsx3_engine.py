"""The offline voice: pyttsx3 with espeak-ng, each utterance in a child process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import wave
from dataclasses import asdict, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from broadcasts.speech.engine import (
    N_,
    EngineInfo,
    Script,
    Segment,
    SpeechFailed,
    VoiceInfo,
    VoiceSpec,
)

# `sit/cmn` is espeak's Mandarin. Of its variants `+f3` is understood best by speech recognisers, `+Annie` within
# the measurement's error of it; but `+f3` breathes with noise seeded by the clock. With `+Annie` the same words are
# the same bytes on every hub: what was approved is what plays, and speakers need not fetch a second copy.
DEFAULT_VOICE = "sit/cmn+Annie"
LONGEST_UTTERANCE = 200  # characters of source; the driver's buffer grows quadratically
UTTERANCE_GAP_S = 0.06  # with the rest espeak ends an utterance with: as long as its pause at a full stop
# To espeak a full stop before a small letter ends no sentence, and gets no pause; the Chinese one always does.
STOPS = {".": "。", ",": "，", "!": "！", "?": "？"}
FILE_BYTES = 64 * 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]
_slots = threading.BoundedSemaphore(os.cpu_count() or 1)


class Pyttsx3Engine:
    """Mandarin from pip packages alone, fed with pinyin since espeak guesses readings badly."""

    name = "pyttsx3"

    def info(self) -> EngineInfo:
        reason = _reason_not_ready()
        return EngineInfo(
            name=self.name,
            label=N_("机器音"),
            version=_versions(),
            voices=(
                VoiceInfo(DEFAULT_VOICE, N_("女声")),
                VoiceInfo("sit/cmn", N_("男声")),
            ),
            reproducible=True,
            ready=not reason,
            reason=reason,
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        spec = asdict(_settled(voice))
        return json.dumps({"versions": _versions(), "gap": UTTERANCE_GAP_S, **spec}, sort_keys=True)

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """One child process per utterance, at most as many at once as there are processors."""
        if reason := _reason_not_ready():
            raise SpeechFailed(reason)
        utterances = split_utterances(script)
        if not utterances:
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        deadline = time.monotonic() + timeout_s
        settled = _settled(voice)
        with tempfile.TemporaryDirectory(prefix="cunxiang-speech-") as scratch:
            waves = []
            for number, text in enumerate(utterances):
                waves.append(Path(scratch, f"{number}.wav"))
                _speak_with_one_retry(text, settled, waves[-1], deadline)
            _join(waves, target)


def split_utterances(script: Script, longest: int = LONGEST_UTTERANCE) -> list[str]:
    """The script as texts for espeak, cut at sentence ends, else at commas, else between syllables."""
    utterances: list[list[str]] = []
    size = longest + 1
    for piece in _pieces(script, longest):
        length = sum(len(segment.source) for segment in piece)
        if size + length > longest:
            utterances.append([])
            size = 0
        utterances[-1].append(_espeak_text(piece))
        size += length
    joined = (" ".join(texts).strip() for texts in utterances)
    return [text for text in joined if any(c.isalnum() for c in text)]


def _pieces(script: Script, longest: int) -> list[list[Segment]]:
    """Sentences; a sentence that is too long comes as its clauses, a clause as runs of syllables."""
    sentences = _cut_after(list(script), ".!?")
    pieces: list[list[Segment]] = []
    for sentence in sentences:
        if sum(len(s.source) for s in sentence) <= longest:
            pieces.append(sentence)
            continue
        for clause in _cut_after([part for s in sentence for part in _chopped(s, longest // 2)], ","):
            pieces.extend(_packed(clause, longest))
    return pieces


def _cut_after(segments: list[Segment], ends: str) -> list[list[Segment]]:
    runs: list[list[Segment]] = [[]]
    for segment in segments:
        runs[-1].append(segment)
        if segment.kind == "pause" and segment.text in ends:
            runs.append([])
    return [run for run in runs if run]


def _chopped(segment: Segment, longest: int) -> list[Segment]:
    """A segment of more than `longest` syllables (or letters) as several."""
    if len(segment.source) <= longest:
        return [segment]
    if segment.kind == "pinyin":  # one syllable for each character of the source
        syllables = segment.text.split()
        runs = [" ".join(syllables[i : i + longest]) for i in range(0, len(syllables), longest)]
    else:
        runs = [segment.text[i : i + longest] for i in range(0, len(segment.text), longest)]
    return [Segment(segment.kind, run, segment.source[i * longest : (i + 1) * longest]) for i, run in enumerate(runs)]


def _packed(clause: list[Segment], longest: int) -> list[list[Segment]]:
    packed: list[list[Segment]] = [[]]
    size = 0
    for segment in clause:
        if packed[-1] and size + len(segment.source) > longest:
            packed.append([])
            size = 0
        packed[-1].append(segment)
        size += len(segment.source)
    return packed


def _espeak_text(segments: list[Segment]) -> str:
    words: list[str] = []
    for segment in segments:
        if segment.kind == "pause" and words:
            words[-1] += STOPS[segment.text]
        elif segment.kind != "pause":
            words.append(segment.text)
    return " ".join(words)


def _settled(voice: VoiceSpec) -> VoiceSpec:
    return voice if voice.voice else replace(voice, voice=DEFAULT_VOICE)


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
        raise _too_slow("no free slot")
    try:
        _answer_of(_run_worker(_request(text, voice, target, deadline), deadline), voice)
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


def _run_worker(request: bytes, deadline: float) -> "subprocess.CompletedProcess[bytes]":
    """Run it in a session of its own, so that a late one can be killed with all it started. No secrets in its env."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.defpath, "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "broadcasts.speech.pyttsx3_worker"]
    with subprocess.Popen(  # noqa: S603 - our own module, nothing of the request on the command line
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(request, timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise _too_slow("killed after its time was up") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)


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
    raise SpeechFailed(
        N_("这段话没能读出来，请再试一次"), retryable=True, detail=f"{answer['problem']}: {answer['detail']}"
    )


def _too_slow(detail: str) -> SpeechFailed:
    return SpeechFailed(N_("读这段话用的时间太长，已经停下。请再试一次，或把话改短"), retryable=True, detail=detail)


def _join(waves: list[Path], target: Path) -> None:
    """One WAV of all utterances, under its own name only when it is whole and on the disk."""
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as raw:
            with wave.open(raw, "wb") as whole:
                for number, path in enumerate(waves):
                    with wave.open(str(path), "rb") as one:
                        if number == 0:
                            whole.setparams(one.getparams())
                        else:
                            whole.writeframes(b"\0\0" * int(UTTERANCE_GAP_S * one.getframerate()))
                        whole.writeframes(one.readframes(one.getnframes()))
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(target)
    except (OSError, wave.Error) as problem:
        raise SpeechFailed(N_("读好的声音存不下来，请看看磁盘是不是满了"), detail=repr(problem)) from problem
    finally:
        part.unlink(missing_ok=True)
