"""A model of one's own: recognised by what lies in its folder, spoken with in a process of its own."""

import importlib.util
import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import Language, SpeechFailed, VoiceSpec
from broadcasts.speech.finding import EngineContext
from broadcasts.speech.reading import as_read, to_script
from broadcasts.speech.sherpa_engine import SherpaEngine, model_in

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = to_script(as_read("各位村民请注意，今天下午3点停水。"))
LIBRARY = """
from types import SimpleNamespace
class _Kept:
    def __init__(self, **given): self.given = given
class OfflineTtsVitsModelConfig(_Kept): pass
class OfflineTtsMatchaModelConfig(_Kept): pass
class OfflineTtsKokoroModelConfig(_Kept): pass
class OfflineTtsModelConfig(_Kept): pass
class OfflineTtsConfig(_Kept): pass
class OfflineTts:
    def __init__(self, config): self.config = config.given["model"].given["vits"].given
    def generate(self, text, sid, speed):
        assert self.config["tokens"].endswith("tokens.txt")
        return SimpleNamespace(samples=[0.5, -0.5] * int(1000 * len(text) / speed), sample_rate=16000)
"""


def a_model(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SherpaEngine]:
    """The engine and its worker, with a stand-in for the library that the worker imports."""
    stand_in = tmp_path / "modules"
    stand_in.mkdir()
    (stand_in / "sherpa_onnx.py").write_text(LIBRARY)
    code = (
        f"import sys; sys.path.insert(0, {str(stand_in)!r}); from broadcasts.speech.sherpa_worker import main; main()"
    )
    model = a_model(tmp_path / "model", "model.onnx", "tokens.txt", "lexicon.txt")
    made = SherpaEngine(
        EngineContext(SpeechSettings(sherpa_model=model), tmp_path), command=(sys.executable, "-c", code)
    )
    yield made
    made.stop()


def test_it_speaks_with_the_model_in_the_folder(engine: SherpaEngine, tmp_path: Path) -> None:
    assert engine.info().ready
    for rate in (150, 75 + 25):
        engine.synthesize(SCRIPT, VoiceSpec(rate=rate), tmp_path / f"{rate}.wav", timeout_s=60)
    with wave.open(str(tmp_path / "150.wav")) as normal, wave.open(str(tmp_path / "100.wav")) as slow:
        assert normal.getframerate() == 16_000
        assert slow.getnframes() == pytest.approx(1.5 * normal.getnframes(), rel=0.01)
        assert max(normal.readframes(100)) > 0


def test_a_failure_of_the_library_is_told(engine: SherpaEngine, tmp_path: Path) -> None:
    (tmp_path / "modules" / "sherpa_onnx.py").write_text(LIBRARY.replace('"vits"', '"nothing"'))
    with pytest.raises(SpeechFailed, match="没能读出来") as caught:
        engine.synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=60)
    assert "KeyError" in caught.value.detail


def test_the_kind_of_model_is_seen_from_its_files(tmp_path: Path) -> None:
    vits = model_in(
        a_model(tmp_path / "vits", "zh-aishell3.onnx", "zh-aishell3.int8.onnx", "tokens.txt", "lexicon.txt")
    )
    matcha = model_in(a_model(tmp_path / "matcha", "model-steps-3.onnx", "vocos-22khz-univ.onnx", "tokens.txt"))
    kokoro = model_in(a_model(tmp_path / "kokoro", "model.onnx", "voices.bin", "tokens.txt", "lexicon-zh.txt"))
    assert vits
    assert matcha
    assert kokoro
    assert (vits.family, matcha.family, kokoro.family) == ("vits", "matcha", "kokoro")
    assert vits.files["model"].endswith("aishell3.onnx")
    assert matcha.files["vocoder"].endswith("vocos-22khz-univ.onnx")
    assert kokoro.files["lexicon"].endswith("lexicon-zh.txt")


def test_a_folder_that_holds_no_model_is_said(tmp_path: Path) -> None:
    assert model_in(tmp_path) is None
    assert model_in(a_model(tmp_path / "half", "model.onnx")) is None
    assert model_in(a_model(tmp_path / "two", "a.onnx", "b.onnx", "tokens.txt")) is None
    assert model_in(tmp_path / "nowhere") is None
    unset = SherpaEngine(EngineContext(SpeechSettings(), tmp_path)).info()
    assert not unset.ready
    assert "sherpa_model" in unset.reason


def test_another_language_is_refused(engine: SherpaEngine, tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed, match="换一个声音"):
        engine.synthesize(SCRIPT, VoiceSpec(language=Language.ENGLISH), tmp_path / "out.wav", timeout_s=5)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("sherpa_onnx") is None, reason="sherpa-onnx is not installed (extra sherpa)"
)
def test_the_real_library_takes_our_configuration(tmp_path: Path) -> None:
    model = model_in(a_model(tmp_path / "vits", "model.onnx", "tokens.txt", "lexicon.txt"))
    assert model
    settings = {"family": model.family, "files": model.files, "threads": 1, "keep_s": 5}
    question = {"text": "你好。", "speed": 1.0, "target": str(tmp_path / "out.wav"), "wall_s": 20}
    done = subprocess.run(
        [sys.executable, "-m", "broadcasts.speech.sherpa_worker", json.dumps(settings)],
        input=json.dumps(question).encode() + b"\n", cwd=ROOT, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    # The model is one byte long: the library must get as far as reading it, not stumble over our names.
    assert b"TypeError" not in done.stdout
    assert not (tmp_path / "out.wav").exists()
