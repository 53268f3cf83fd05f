"""Engines are found by entry point, and a wrong name says what there is."""

import tomllib
from pathlib import Path

import pytest

from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import SpeechEngine, SpeechFailed, VoiceSpec
from broadcasts.speech.finding import ENTRY_POINTS, UnknownEngine, context_of, installed_engines, load_engine
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
from broadcasts.speech.tone_engine import ToneEngine

ROOT = Path(__file__).resolve().parents[3]
CONTEXT = context_of(SpeechSettings())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that declares what pyproject declares, and one broken engine."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][ENTRY_POINTS]
    folder = tmp_path / "speech_engines_for_tests-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: speech-engines-for-tests\nVersion: 1\n")
    lines = [f"{name} = {target}" for name, target in declared.items()] + ["broken = builtins:repr"]
    (folder / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n" + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_the_declared_engines_load_by_name() -> None:
    assert isinstance(load_engine("pyttsx3", CONTEXT), Pyttsx3Engine)
    assert isinstance(load_engine("tone", CONTEXT), ToneEngine)
    assert {"pyttsx3", "tone"} <= set(installed_engines())


@pytest.mark.usefixtures("installed")
def test_an_unknown_engine_is_answered_with_those_that_are_installed() -> None:
    with pytest.raises(UnknownEngine, match=r"parrot.*kokoro、.*pyttsx3、.*tone") as caught:
        load_engine("parrot", CONTEXT)
    assert caught.value.values["name"] == "parrot"
    assert not caught.value.retryable


@pytest.mark.usefixtures("installed")
def test_something_else_than_an_engine_is_refused() -> None:
    with pytest.raises(UnknownEngine, match="broken"):
        load_engine("broken", CONTEXT)


@pytest.mark.parametrize("engine", [Pyttsx3Engine(), ToneEngine()])
def test_every_engine_keeps_the_contract(engine: SpeechEngine) -> None:
    info = engine.info()
    assert info.name == engine.name
    assert info.ready
    assert not info.reason
    assert info.voices
    assert engine.fingerprint(VoiceSpec()) == engine.fingerprint(VoiceSpec(voice=info.voices[0].id))
    assert engine.fingerprint(VoiceSpec(rate=120)) != engine.fingerprint(VoiceSpec(rate=150))


def test_a_failure_fills_its_blanks_and_keeps_the_sentence_for_translators() -> None:
    failure = SpeechFailed("没有叫“%(voice)s”的声音", values={"voice": "x"}, detail="d")
    assert str(failure) == "没有叫“x”的声音"
    assert failure.msgid % failure.values == str(failure)
    assert str(SpeechFailed("100% 不行")) == "100% 不行"


@pytest.mark.parametrize("wrong", [{"rate": 79}, {"rate": 301}, {"pitch": -1}, {"pitch_range": 101}])
def test_a_voice_outside_the_bounds_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="from"):
        VoiceSpec(**wrong)  # type: ignore[arg-type]
