"""Piper is spoken to by its command line; here by a program of the test's own that understands the same."""

import json
import sys
import time
import wave
from pathlib import Path

import pytest

from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import Language, SpeechFailed, VoiceSpec
from broadcasts.speech.finding import EngineContext
from broadcasts.speech.piper_engine import PiperEngine
from broadcasts.speech.reading import as_read, to_script

SCRIPT = to_script(as_read("各位村民请注意，今天下午3点停水。请大家提前把水接好。"))
STAND_IN = """#!{python}
import argparse, sys, time, wave
parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--output_file", required=True)
parser.add_argument("--length_scale", type=float, default=1.0)
given = parser.parse_args()
text = sys.stdin.readline().strip()
open({log!r}, "a").write(text + "\\n")
if "{mood}" == "hangs": time.sleep(600)
if "{mood}" == "fails": sys.exit(1)
with wave.open(given.output_file, "wb") as out:
    out.setnchannels(1); out.setsampwidth(2); out.setframerate(22050)
    if "{mood}" == "works": out.writeframes(b"\\x10\\x10" * int(2205 * len(text) * given.length_scale))
"""


def an_engine(folder: Path, mood: str = "works", code: str = "zh_CN") -> PiperEngine:
    program, model = folder / "piper", folder / "zh_CN-someone-medium.onnx"
    program.write_text(STAND_IN.format(python=sys.executable, log=str(folder / "texts"), mood=mood))
    program.chmod(0o755)
    model.write_bytes(b"onnx")
    model.with_name(model.name + ".json").write_text(json.dumps({"language": {"code": code}}))
    settings = SpeechSettings(piper_program=program, piper_voice=model)
    return PiperEngine(EngineContext(settings, folder))


def seconds(path: Path) -> float:
    with wave.open(str(path)) as recording:
        return float(recording.getnframes() / recording.getframerate())


def test_it_speaks_sentence_by_sentence_what_is_read(tmp_path: Path) -> None:
    an_engine(tmp_path).synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=30)
    assert (tmp_path / "texts").read_text().splitlines() == [
        "各位村民请注意，今天下午三点停水。",
        "请大家提前把水接好。",
    ]
    assert seconds(tmp_path / "out.wav") > 2.5


def test_a_slower_voice_takes_longer(tmp_path: Path) -> None:
    engine = an_engine(tmp_path)
    for rate in (100, 150):
        engine.synthesize(SCRIPT, VoiceSpec(rate=rate), tmp_path / f"{rate}.wav", timeout_s=30)
    assert seconds(tmp_path / "100.wav") == pytest.approx(1.5 * seconds(tmp_path / "150.wav"), rel=0.1)
    assert engine.fingerprint(VoiceSpec(rate=100)) != engine.fingerprint(VoiceSpec())


def test_its_voice_and_language_are_those_of_the_file(tmp_path: Path) -> None:
    info = an_engine(tmp_path, code="en_GB").info()
    assert info.ready
    assert [(v.id, v.language) for v in info.voices] == [("zh_CN-someone-medium", Language.ENGLISH)]
    assert not info.at_once


@pytest.mark.parametrize("mood", ["fails", "silent"])
def test_a_program_that_fails_or_writes_nothing_is_a_failure(tmp_path: Path, mood: str) -> None:
    with pytest.raises(SpeechFailed, match="没能读出来"):
        an_engine(tmp_path, mood).synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=30)
    assert not (tmp_path / "out.wav").exists()


def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SpeechFailed, match="时间太长"):
        an_engine(tmp_path, "hangs").synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=0.5)
    assert time.monotonic() - began < 10


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    assert "piper_program" in PiperEngine(EngineContext(SpeechSettings(), tmp_path)).info().reason
    engine = an_engine(tmp_path)
    (tmp_path / "zh_CN-someone-medium.onnx.json").write_text("{}")
    assert "piper_voice" in engine.info().reason
    with pytest.raises(SpeechFailed, match="piper_voice"):
        engine.synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=5)
    (tmp_path / "piper").unlink()
    assert "piper_program" in engine.info().reason


def test_another_voice_or_language_is_refused(tmp_path: Path) -> None:
    for spec in (VoiceSpec(voice="other"), VoiceSpec(language=Language.ENGLISH)):
        with pytest.raises(SpeechFailed, match="换一个声音"):
            an_engine(tmp_path).synthesize(SCRIPT, spec, tmp_path / "out.wav", timeout_s=5)
