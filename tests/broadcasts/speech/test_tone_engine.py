"""Beeps in place of a voice."""

from pathlib import Path

import pytest

from broadcasts.speech.engine import SpeechFailed, VoiceSpec
from broadcasts.speech.reading import as_read, to_script
from broadcasts.speech.tone_engine import ToneEngine

SCRIPT = to_script(as_read("今天下午停水。"))


def test_the_same_script_gives_the_same_beeps(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        ToneEngine().synthesize(SCRIPT, VoiceSpec(engine="tone"), tmp_path / name, timeout_s=1)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_it_is_never_the_default() -> None:
    assert VoiceSpec().engine != ToneEngine.name


def test_what_cannot_be_done_is_an_error(tmp_path: Path) -> None:
    tone = ToneEngine()
    with pytest.raises(SpeechFailed, match="sit/cmn"):
        tone.synthesize(SCRIPT, VoiceSpec(engine="tone", voice="sit/cmn"), tmp_path / "x", timeout_s=1)
    with pytest.raises(SpeechFailed, match="没有能读"):
        tone.synthesize((), VoiceSpec(engine="tone"), tmp_path / "x", timeout_s=1)
    with pytest.raises(SpeechFailed, match="存不下来"):
        tone.synthesize(SCRIPT, VoiceSpec(engine="tone"), tmp_path / "no" / "x", timeout_s=1)
    assert not list(tmp_path.iterdir())
