"""Every rendering is made once, kept, found again, and never lost while somebody needs it."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from broadcasts.speech import audio
from broadcasts.speech.engine import EngineInfo, Script, SpeechEngine, SpeechFailed, VoiceSpec
from broadcasts.speech.library import Library, RenderOrder, estimate_ms
from broadcasts.speech.pronunciation import BUILT_IN, Lexicon
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
from broadcasts.speech.reading import as_read
from broadcasts.speech.signals import Signal
from broadcasts.speech.tone_engine import ToneEngine

ROOT = Path(__file__).resolve().parents[3]
BEEP = VoiceSpec(engine="tone")
ORDER = RenderOrder("今天停水。", voice=BEEP, repeats=1)


class CountingEngine(ToneEngine):
    """Beeps, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._counting = threading.Lock()

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        with self._counting:
            self.asked += 1
        super().synthesize(script, voice, target, timeout_s=timeout_s)


class MuteEngine:
    """Has no voice today."""

    name = "mute"

    def __init__(self, problem: str = "今天嗓子哑了") -> None:
        self._problem = problem

    def info(self) -> EngineInfo:
        return EngineInfo("mute", "", "1", (), reproducible=True, ready=False)

    def fingerprint(self, voice: VoiceSpec) -> str:
        return "mute"

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        raise SpeechFailed(self._problem, retryable=True)


class HalfEngine(MuteEngine):
    """Leaves a file that is not a recording."""

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        target.write_bytes(b"RIFF")


def a_library(root: Path, *engines: SpeechEngine) -> Library:
    return Library(root, {engine.name: engine for engine in engines or (ToneEngine(),)})


def files(root: Path) -> list[str]:
    return sorted(p.name for p in root.rglob("*") if p.is_file() and p.parent.name != "locks")


def test_a_rendering_is_a_file_named_by_its_bytes_with_all_that_is_known_about_it(tmp_path: Path) -> None:
    made = a_library(tmp_path).render(ORDER)
    path = a_library(tmp_path).path_of(made.sha256)
    assert path is not None
    content = path.read_bytes()
    assert sha256(content).hexdigest() == made.sha256 == path.stem
    assert len(content) == made.bytes
    assert len(audio.decode(path)) == made.duration_ms * audio.RATE / 1000
    assert len(made.peaks) == 96
    assert (made.engine, made.spoken) == ("tone", "今天停水。")
    assert made.duration_ms - made.speech_ms == pytest.approx(audio.around_s(ORDER.plan) * 1000, abs=40)


def test_the_second_time_it_is_only_looked_up(tmp_path: Path) -> None:
    engine = CountingEngine()
    library = a_library(tmp_path, engine)
    made = library.render(ORDER)
    assert library.render(ORDER) == made
    assert a_library(tmp_path, engine).find(made.key) == made
    assert library.find_order(ORDER) == made
    assert library.key_of(ORDER) == made.key
    assert engine.asked == 1


def test_a_hit_takes_less_than_five_milliseconds(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    order = RenderOrder("各位村民请注意，2027年度医保缴费12月31日截止，每人400元。电话0830-552 6110。", voice=BEEP)
    library.render(order)
    taken = []
    for _ in range(9):
        as_read.cache_clear()
        started = time.process_time()
        library.render(order)
        taken.append(time.process_time() - started)
    assert sorted(taken)[4] < 0.005


def test_another_tone_needs_no_new_speech(tmp_path: Path) -> None:
    engine = CountingEngine()
    library = a_library(tmp_path, engine)
    made = {library.render(replace(ORDER, signal=signal)).sha256 for signal in (None, Signal.ROUTINE, Signal.RED)}
    assert len(made) == 3
    assert engine.asked == 1


OTHERS = (
    replace(ORDER, text="今天停电。"),
    replace(ORDER, repeats=2),
    replace(ORDER, signal=Signal.RED),
    replace(ORDER, signal=None),
    replace(ORDER, end_signal=Signal.END),
    replace(ORDER, lead_s=2.0),
    replace(ORDER, after_signal_s=0.5),
    replace(ORDER, gap_s=2.0),
    replace(ORDER, tail_s=1.0),
    replace(ORDER, voice=replace(BEEP, rate=120)),
    replace(ORDER, voice=VoiceSpec()),
    replace(ORDER, text="今天{jin1 tian2}停水。"),
    replace(ORDER, lexicon=Lexicon({"停水": "ting1 shui3"})),
)


@pytest.mark.parametrize("other", OTHERS)
def test_whatever_shapes_the_sound_makes_another_key(tmp_path: Path, other: RenderOrder) -> None:
    library = a_library(tmp_path, ToneEngine(), Pyttsx3Engine())
    assert library.key_of(other) != library.key_of(ORDER)


def test_what_does_not_shape_the_sound_does_not(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    grown = BUILT_IN.merged_with(Lexicon({"别处": "bie2 chu4"}))
    for same in (replace(ORDER, lexicon=grown), replace(ORDER, timeout_s=5), replace(ORDER, fallback=("x",))):
        assert library.key_of(same) == library.key_of(ORDER)


def test_a_failure_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    library = a_library(tmp_path, MuteEngine())
    with pytest.raises(SpeechFailed, match="嗓子哑了"):
        library.render(replace(ORDER, voice=VoiceSpec(engine="mute")))
    assert files(tmp_path) == []


def test_half_a_recording_is_a_failure_and_leaves_nothing(tmp_path: Path) -> None:
    library = a_library(tmp_path, HalfEngine())
    with pytest.raises(SpeechFailed, match="没能读出来"):
        library.render(replace(ORDER, voice=VoiceSpec(engine="mute")))
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"), [("", "还没有写"), ("   ", "还没有写"), ("……", "没有能读"), ("😀", "还没有写")]
)
def test_nothing_to_say_is_a_failure(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpeechFailed, match=said):
        a_library(tmp_path).render(replace(ORDER, text=text))
    assert files(tmp_path) == []


def test_an_engine_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed, match="kokoro"):
        a_library(tmp_path).render(replace(ORDER, voice=VoiceSpec(engine="kokoro")))


def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    (tmp_path / "files").rmdir()
    (tmp_path / "files").write_text("in the way")
    with pytest.raises(SpeechFailed, match="存不下来") as caught:
        library.render(ORDER)
    assert caught.value.retryable


def test_the_next_engine_speaks_and_the_record_says_so(tmp_path: Path) -> None:
    library = a_library(tmp_path, MuteEngine(), ToneEngine())
    order = replace(ORDER, voice=VoiceSpec(engine="mute", voice="anna"), fallback=("kokoro", "tone"))
    made = library.render(order)
    assert (made.engine, made.voice) == ("tone", "")
    assert library.find_order(order) is None
    assert library.render(order) == made


def test_when_all_engines_fail_the_first_reason_is_told(tmp_path: Path) -> None:
    library = a_library(tmp_path, MuteEngine())
    with pytest.raises(SpeechFailed, match="嗓子哑了"):
        library.render(replace(ORDER, voice=VoiceSpec(engine="mute"), fallback=("kokoro",)))


def test_threads_that_want_the_same_render_it_once(tmp_path: Path) -> None:
    engine = CountingEngine()
    library = a_library(tmp_path, engine)

    def inode(_: int) -> int:
        """Of the file, at once: making it again would replace it by another."""
        path = library.path_of(library.render(ORDER).sha256)
        assert path is not None
        return path.stat().st_ino

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(inode, range(8)))) == 1
    assert engine.asked == 1


PROCESS = """
import pathlib, sys
from broadcasts.speech.engine import VoiceSpec
from broadcasts.speech.library import Library, RenderOrder
from broadcasts.speech.tone_engine import ToneEngine
class Noting(ToneEngine):
    def synthesize(self, script, voice, target, *, timeout_s):
        with open(sys.argv[2], "a") as notes:
            notes.write("asked\\n")
        super().synthesize(script, voice, target, timeout_s=timeout_s)
library = Library(pathlib.Path(sys.argv[1]), {"tone": Noting()})
sys.stdin.readline()
print(library.render(RenderOrder("今天停水。", voice=VoiceSpec(engine="tone"), repeats=1)).sha256)
"""


@pytest.mark.slow
def test_processes_that_want_the_same_render_it_once(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "library"), str(notes)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0].strip() for process in running}
    assert answers == {a_library(tmp_path / "library").render(ORDER).sha256}
    assert notes.read_text() == "asked\n"


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    made = library.render(ORDER)
    path = library.path_of(made.sha256)
    assert path is not None
    path.write_bytes(b"short")
    assert library.find(made.key) is None
    assert library.render(ORDER) == made
    assert path.stat().st_size == made.bytes


def test_a_damaged_sidecar_is_made_again(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    made = library.render(ORDER)
    sidecar = next((tmp_path / "keys").rglob("*.json"))
    assert json.loads(sidecar.read_text())["sha256"] == made.sha256
    sidecar.write_text("{")
    assert library.find(made.key) is None
    assert library.render(ORDER) == made


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64])
def test_only_a_known_digest_has_a_path(tmp_path: Path, digest: str) -> None:
    assert a_library(tmp_path).path_of(digest) is None


def test_leftovers_of_a_dead_process_are_cleared_and_work_under_way_is_not(tmp_path: Path) -> None:
    a_library(tmp_path).render(ORDER)
    folder = next((tmp_path / "speech").iterdir())
    dead, alive = folder / "dead.wav.part", folder / "alive.wav.part"
    for part in (dead, alive):
        part.touch()
    os.utime(dead, (1, 1))
    a_library(tmp_path)
    assert not dead.exists()
    assert alive.exists()


def used(library: Library, order: RenderOrder, at: float) -> str:
    digest = library.render(order).sha256
    path = library.path_of(digest)
    assert path is not None
    os.utime(path, (at, at))
    return digest


def test_eviction_takes_the_longest_unused_and_nothing_that_is_kept(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    old, kept, new = (used(library, replace(ORDER, text=t), at) for t, at in (("甲", 2e9), ("乙", 1e9), ("丙", 3e9)))
    key_of_old = library.key_of(replace(ORDER, text="甲"))
    size = library.render(replace(ORDER, text="丙")).bytes
    for path in (tmp_path / "speech").rglob("*.wav"):
        os.utime(path, (1, 1))
    used(library, replace(ORDER, text="丙"), 3e9)
    freed = library.evict(2 * size + 1000, {kept}, spare_s=-4e9)
    assert freed > size
    assert library.path_of(old) is None
    assert library.find(key_of_old) is None
    assert library.path_of(kept) is not None
    assert library.path_of(new) is not None
    assert not list((tmp_path / "speech").rglob("*.wav"))
    library.evict(0, {kept}, spare_s=-4e9)
    assert library.path_of(new) is None
    assert library.path_of(kept) is not None


def test_what_was_just_used_is_spared(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    made = library.render(ORDER)
    assert library.evict(0) == 0
    assert library.path_of(made.sha256) is not None


def test_a_hit_counts_as_use(tmp_path: Path) -> None:
    library = a_library(tmp_path)
    digest = used(library, ORDER, 1e9)
    library.render(ORDER)
    library.evict(0)
    assert library.path_of(digest) is not None


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"repeats": 21}, {"gap_s": -1.0}, {"lead_s": 61.0}])
def test_an_order_outside_the_bounds_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="from"):
        RenderOrder("停水", **wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_page_promises_what_the_speaker_plays(tmp_path: Path) -> None:
    library = a_library(tmp_path, Pyttsx3Engine())
    for order in (
        RenderOrder("各位村民请注意，今天下午15:00全村停水，请提前做好准备。"),
        RenderOrder("山洪来了！请马上往高处跑！", repeats=3, signal=Signal.RED),
    ):
        assert estimate_ms(order) == pytest.approx(library.render(order).duration_ms, rel=0.10)


@pytest.mark.slow
def test_the_same_words_are_the_same_bytes_on_every_hub(tmp_path: Path) -> None:
    order = RenderOrder("今天下午停水。")
    made = {a_library(tmp_path / hub, Pyttsx3Engine()).render(order).sha256 for hub in ("one", "two")}
    assert len(made) == 1
