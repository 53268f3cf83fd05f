"""Hundreds of renderings: none is lost, none hangs, and nothing is left over; not even by a process that was killed."""

import gc
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from broadcasts.settings import SpeechSettings
from broadcasts.speech import audio
from broadcasts.speech.engine import VoiceSpec
from broadcasts.speech.finding import context_of, installed_engines, load_engine
from broadcasts.speech.library import Library, Rendering, RenderOrder
from broadcasts.speech.limiter import true_peak_db
from broadcasts.speech.loudness import loudness
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
from broadcasts.speech.scratch import PREFIX, Scratch, sweep
from broadcasts.speech.signals import Signal
from broadcasts.speech.tone_engine import ToneEngine

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Belongings:
    """What this process holds."""

    handles: int
    threads: int
    children: int

    @classmethod
    def now(cls) -> "Belongings":
        gc.collect()
        children = sum(_parent(stat) == os.getpid() for stat in Path("/proc").glob("[0-9]*/stat"))
        return cls(len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), children)


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0


def resident_mb() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files, all our own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def an_order(number: int) -> RenderOrder:
    return RenderOrder(f"第{number}组停水。", repeats=1, signal=None, lead_s=0.2, tail_s=0.1)


def kinds_of_files(root: Path) -> Counter[str]:
    return Counter(p.suffix for p in root.rglob("*") if p.is_file() and p.parent.name != "locks")


def sounds(library: Library, made: Rendering) -> bool:
    path = library.path_of(made.sha256)
    if path is None or path.stat().st_size != made.bytes:
        return False
    heard = audio.decode(path)
    return len(heard) == made.duration_ms * audio.RATE / 1000 and float(np.abs(heard).max()) > 0.3


@pytest.mark.slow
def test_two_hundred_in_a_row_are_all_there_and_leave_nothing_open(tmp_path: Path, temporary: Path) -> None:
    library = Library(tmp_path / "sound", {"pyttsx3": Pyttsx3Engine()})
    made = [library.render(an_order(n)) for n in range(20)]
    before, grown = Belongings.now(), resident_mb()
    made += [library.render(an_order(n)) for n in range(20, 200)]
    assert Belongings.now() == before
    assert resident_mb() - grown < 5
    assert all(sounds(library, each) for each in made)
    assert len({each.sha256 for each in made}) == 200
    assert kinds_of_files(tmp_path / "sound") == {".wav": 200, ".mp3": 200, ".json": 200}
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_twenty_at_once_are_all_there_and_leave_nothing_open(tmp_path: Path, temporary: Path) -> None:
    library = Library(tmp_path / "sound", {"pyttsx3": Pyttsx3Engine()})
    library.render(an_order(0))
    before, ready = Belongings.now(), threading.Barrier(20)

    def render(number: int) -> Rendering:
        ready.wait(30)
        return library.render(an_order(1 + number // 2))  # every one is wanted twice

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(render, range(20), timeout=120))
    assert Belongings.now() == before
    assert len({each.key for each in made}) == 10
    assert all(sounds(library, each) for each in made)
    assert kinds_of_files(tmp_path / "sound") == {".wav": 11, ".mp3": 11, ".json": 11}
    assert not list(temporary.iterdir())


KILLED = """
import pathlib, sys, tempfile
from broadcasts.speech.library import Library, RenderOrder
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
tempfile.tempdir = sys.argv[2]
library = Library(pathlib.Path(sys.argv[1]), {"pyttsx3": Pyttsx3Engine()})
library.render(RenderOrder("预热。"))
print("ready", flush=True)
for number in range(1000):
    library.render(RenderOrder(f"第{number}次，请大家马上转移到学校操场。" * 12, repeats=3))
"""


@pytest.mark.slow
def test_a_process_killed_in_the_middle_leaves_nothing_behind(tmp_path: Path, temporary: Path) -> None:
    """Three times, at different moments; the next one to open the library finds whole files and no others."""
    root = tmp_path / "sound"
    for after_s in (0.05, 0.35, 0.8):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(root), str(temporary)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(after_s)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert list((root / "scratch").iterdir()) or list(temporary.iterdir())  # it was in the middle of something
        library = Library(root, {"pyttsx3": Pyttsx3Engine()})
        assert len(list((root / "scratch").iterdir())) == 1  # our own
        assert not list(temporary.iterdir())
        assert set(kinds_of_files(root)) <= {".wav", ".mp3", ".json"}
        for wav in root.glob("speech/*/*.wav"):
            assert len(audio.read_words(wav).samples)
        for path in root.glob("keys/*/*.json"):
            found = library.find(path.stem)
            assert found is not None
            assert sounds(library, found)
        del library
    assert not list((root / "scratch").iterdir())


def test_a_folder_in_use_is_never_swept_away(tmp_path: Path) -> None:
    held = Scratch(tmp_path)
    assert sweep(tmp_path) == 0
    assert held.path.is_dir()
    held.leave()
    assert not list(tmp_path.iterdir())


def test_only_our_own_leftovers_are_swept_away(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}dead").mkdir()
    (tmp_path / f"{PREFIX}dead" / "x.wav").touch()
    (tmp_path / "else").mkdir()
    (tmp_path / f".{PREFIX}just-made").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "else")
    assert sweep(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".{PREFIX}just-made", f"{PREFIX}link", "else"]


def test_closing_a_library_leaves_no_folder_and_no_handle(tmp_path: Path) -> None:
    before = Belongings.now()
    for _ in range(3):
        Library(tmp_path, {"tone": ToneEngine()})
    assert Belongings.now() == before
    assert not list((tmp_path / "scratch").iterdir())


READY = [
    name
    for name in installed_engines()
    if name != "cloud" and load_engine(name, context_of(SpeechSettings())).info().ready
]


@pytest.fixture(scope="module", params=READY)
def spoken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Library, str]]:
    """A library with one engine, which is let go afterwards."""
    engine = load_engine(request.param, context_of(SpeechSettings()))
    yield Library(tmp_path_factory.mktemp("sound"), {request.param: engine}), request.param
    getattr(engine, "stop", lambda: None)()


@pytest.mark.slow
@pytest.mark.parametrize("end_signal", [None, Signal.END])
def test_what_every_engine_speaks_comes_out_as_a_horn_needs_it(
    spoken: tuple[Library, str], end_signal: Signal | None
) -> None:
    """Heard as a speaker plays it: whole from the first sound, as loud as promised, no higher, and not too low."""
    library, name = spoken
    order = RenderOrder(
        "各位村民请注意，今天下午三点停水。",
        voice=VoiceSpec(engine=name),
        signal=None,
        lead_s=0.24,
        end_signal=end_signal,
        timeout_s=300,
    )
    made = library.render(order)
    path = library.path_of(made.sha256)
    assert path is not None
    heard = audio.decode(path)
    assert 2_500 < made.speech_ms < 9_000
    assert len(heard) == made.duration_ms * audio.RATE / 1000
    assert loudness(heard, audio.RATE) == pytest.approx(-16, abs=0.5)
    assert true_peak_db(heard) <= -1.0
    power = np.abs(np.fft.rfft(heard)) ** 2
    low = power[np.fft.rfftfreq(len(heard), 1 / audio.RATE) < 250].sum()
    assert low / power.sum() <= 0.02
    assert made.bytes / 1000 / (made.duration_ms / 60_000) <= 370
    start, third = round(0.24 * audio.RATE), round(0.3 * audio.RATE)
    recording = next((path.parents[2] / "speech").rglob("*.wav"))
    words = audio.prepare_words(audio.read_words(recording))
    assert np.abs(heard[: start - 1000]).max() < 0.01
    assert np.corrcoef(heard[start : start + third], words[:third])[0, 1] > 0.9
    assert np.abs(heard[start : start + third]).max() > 0.1
