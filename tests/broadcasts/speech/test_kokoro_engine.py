"""The voice that sounds like a person: when it may speak, how it is cut, and that it cannot hold up the hub."""

import json
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from broadcasts.settings import SpeechSettings
from broadcasts.speech import kokoro_weights
from broadcasts.speech.cage import WarmWorker
from broadcasts.speech.engine import Language, Script, Segment, SpeechFailed, VoiceSpec
from broadcasts.speech.finding import EngineContext, context_of
from broadcasts.speech.kokoro_engine import USUAL, KokoroEngine, Pace, size_of, split_utterances
from broadcasts.speech.kokoro_sounds import LONGEST, symbols_of
from broadcasts.speech.reading import as_read, to_script

SENTENCE = to_script(as_read("各位村民请注意，今天下午3点停水。"))
CONTEXT = context_of(SpeechSettings(neural_keep_minutes=0.5))
MISSING = "" if kokoro_weights.is_complete(CONTEXT.weights) else "the neural voice is not here: cunxiang voices install"
real = pytest.mark.skipif(bool(MISSING), reason=MISSING)

STAND_IN = """
import json, sys, time, wave
for line in sys.stdin:
    asked = json.loads(line)
    if "1" in "".join(text for kind, text in asked["segments"] if kind == "latin"): time.sleep(600)
    with wave.open(asked["target"], "wb") as out:
        out.setnchannels(1); out.setsampwidth(2); out.setframerate(24000)
        out.writeframes(b"\\x10\\x10" * 2400)
    with open(sys.argv[1], "a") as log: log.write(line)
    print(json.dumps({"ok": True, "seconds": 0.1}), flush=True)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KokoroEngine]:
    """The engine with its network replaced by a program that writes a tenth of a second."""
    weights = tmp_path / "weights"
    path = kokoro_weights.model_path(weights)
    path.parent.mkdir(parents=True)
    with path.open("wb") as sparse:
        sparse.truncate(kokoro_weights.MODEL_BYTES)
    monkeypatch.setattr("broadcasts.speech.kokoro_engine._known_runtime", lambda: "1.0")
    engine = KokoroEngine(EngineContext(SpeechSettings(), weights))
    engine.worker = WarmWorker([sys.executable, "-c", STAND_IN, str(tmp_path / "asked")])
    yield engine
    engine.stop()


def seconds(path: Path) -> float:
    with wave.open(str(path)) as recording:
        return float(recording.getnframes() / recording.getframerate())


def test_without_its_files_it_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    engine = KokoroEngine(EngineContext(SpeechSettings(), tmp_path))
    info = engine.info()
    assert not info.ready
    assert "还没有安装" in info.reason
    assert info.remedy == "cunxiang voices install"
    with pytest.raises(SpeechFailed, match="还没有安装"):
        engine.synthesize(SENTENCE, VoiceSpec(engine="kokoro"), tmp_path / "out.wav", timeout_s=5)
    assert not (tmp_path / "out.wav").exists()


def test_it_never_speaks_emergencies_however_fast_the_machine(stand_in: KokoroEngine) -> None:
    stand_in.pace.rtf = 0.001
    assert stand_in.info().ready
    assert not stand_in.info().at_once


def test_the_fingerprint_holds_what_shapes_the_sound_and_not_how_loud_it_is(stand_in: KokoroEngine) -> None:
    def of(**how: object) -> str:
        return stand_in.fingerprint(VoiceSpec(engine="kokoro", **how))  # type: ignore[arg-type]

    assert of() == of(voice="zf_xiaobei") == of(pitch=80) == of(gain_db=-3.0)
    assert len({of(), of(voice="zm_yunxia"), of(rate=120)}) == 3


def test_sentences_are_spoken_one_by_one_with_pauses_between_them(stand_in: KokoroEngine, tmp_path: Path) -> None:
    text = "各位村民请注意，今天下午停水，请大家提前接好水。明天上午来电，不要着急，电工正在抢修。"
    stand_in.synthesize(to_script(as_read(text)), VoiceSpec(engine="kokoro"), tmp_path / "out.wav", timeout_s=20)
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    assert len(asked) == 2
    assert asked[0]["segments"][-1] == ["pause", "."]
    assert seconds(tmp_path / "out.wav") == pytest.approx(0.1 + 0.42 + 0.1, abs=0.01)


def test_a_network_that_hangs_is_killed_and_nothing_is_left(stand_in: KokoroEngine, tmp_path: Path) -> None:
    stand_in.synthesize(SENTENCE, VoiceSpec(engine="kokoro"), tmp_path / "warm.wav", timeout_s=20)
    hanging: Script = (Segment("latin", "1", "1"), Segment("pause", ".", "。"))
    began = time.monotonic()
    with pytest.raises(SpeechFailed, match="时间太长"):
        stand_in.synthesize(hanging, VoiceSpec(engine="kokoro"), tmp_path / "out.wav", timeout_s=0.5)
    assert time.monotonic() - began < 15
    assert stand_in.worker.pid is None
    assert not (tmp_path / "out.wav").exists()
    stand_in.synthesize(SENTENCE, VoiceSpec(engine="kokoro"), tmp_path / "again.wav", timeout_s=20)


@pytest.mark.parametrize("spec", [VoiceSpec(voice="zf_nobody"), VoiceSpec(language=Language.CANTONESE)])
def test_a_voice_it_has_not_got_is_refused(stand_in: KokoroEngine, tmp_path: Path, spec: VoiceSpec) -> None:
    with pytest.raises(SpeechFailed, match="换一个声音") as caught:
        stand_in.synthesize(SENTENCE, spec, tmp_path / "out.wav", timeout_s=5)
    assert not caught.value.retryable


def test_no_utterance_is_longer_than_the_network_can_take() -> None:
    endless = to_script(as_read("请大家注意安全" * 120))
    sentences = to_script(as_read("今天停电。" * 60 + "请下载国家反诈中心App，" * 30))
    for script in (endless, sentences):
        cut = split_utterances(script)
        assert max(sum(map(size_of, piece)) for piece in cut) <= USUAL
        spelled = {s.text: "x" * 4 * len(s.text) for s in script if s.kind == "latin"}
        assert max(len(symbols_of(piece, spelled)) for piece in cut) <= LONGEST
        said = "".join(s.text.replace(" ", "") for piece in cut for s in piece if s.kind != "pause")
        assert said == "".join(s.text.replace(" ", "") for s in script if s.kind != "pause")


def test_short_sentences_are_said_together() -> None:
    assert len(split_utterances(to_script(as_read("注意！开会！")))) == 1


def test_it_learns_how_slow_this_machine_is() -> None:
    pace = Pace()
    pace.note(12.0, 4.0)
    assert pace.rtf > 1.5
    slow = pace.rtf
    pace.note(0.1, 0.3)  # a word says nothing
    assert pace.rtf == slow
    for _ in range(20):
        pace.note(2.0, 4.0)
    assert pace.rtf == pytest.approx(0.5, abs=0.05)


@real
@pytest.mark.slow
def test_it_really_speaks(tmp_path: Path) -> None:
    engine = KokoroEngine(CONTEXT)
    script = to_script(as_read("各位村民请注意，今天下午3点停水。请下载App，看LED屏。"))
    try:
        for name, spec in (("she", VoiceSpec()), ("he", VoiceSpec(voice="zm_yunxia")), ("slow", VoiceSpec(rate=120))):
            engine.synthesize(script, spec, tmp_path / f"{name}.wav", timeout_s=300)
        again = tmp_path / "again.wav"
        engine.synthesize(script, VoiceSpec(), again, timeout_s=300)
    finally:
        engine.stop()
    assert 4.5 < seconds(tmp_path / "she.wav") < 10
    assert seconds(tmp_path / "slow.wav") > 1.12 * seconds(tmp_path / "she.wav")
    assert again.read_bytes() == (tmp_path / "she.wav").read_bytes() != (tmp_path / "he.wav").read_bytes()
    with wave.open(str(again)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2").astype(float)
    assert np.abs(samples).max() > 3000
    assert np.abs(samples[: int(0.3 * 24_000)]).max() > 1000, "the beginning is there"


@real
@pytest.mark.slow
def test_weights_that_were_changed_are_not_used(tmp_path: Path) -> None:
    path = kokoro_weights.model_path(tmp_path)
    path.parent.mkdir(parents=True)
    content = bytearray(kokoro_weights.model_path(CONTEXT.weights).read_bytes())
    content[1_000_000] ^= 1
    path.write_bytes(content)
    engine = KokoroEngine(EngineContext(SpeechSettings(), tmp_path))
    try:
        with pytest.raises(SpeechFailed, match="没能读出来") as caught:
            engine.synthesize(SENTENCE, VoiceSpec(), tmp_path / "out.wav", timeout_s=120)
    finally:
        engine.stop()
    assert "weights" in caught.value.detail
