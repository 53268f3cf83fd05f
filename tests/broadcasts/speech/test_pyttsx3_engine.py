"""The offline voice, really speaking."""

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from broadcasts.speech import audio
from broadcasts.speech.engine import Script, Segment, SpeechFailed, VoiceSpec
from broadcasts.speech.pyttsx3_engine import LONGEST_UTTERANCE, Pyttsx3Engine, split_utterances
from broadcasts.speech.reading import as_read, to_script

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SENTENCE = to_script(as_read("各位村民请注意，今天下午3点停水。"))
ENGINE = Pyttsx3Engine()


def speak(script: Script, target: Path, voice: VoiceSpec | None = None, timeout_s: float = 60.0) -> Path:
    ENGINE.synthesize(script, voice or VoiceSpec(), target, timeout_s=timeout_s)
    return target


def seconds(path: Path) -> float:
    with wave.open(str(path)) as recording:
        return float(recording.getnframes() / recording.getframerate())


def workers_of_ours() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]
            command = process.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and b"pyttsx3_worker" in command:
            found.append(process.name)
    return found


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.slow
def test_twenty_at_once_all_complete_with_the_same_bytes(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        paths = list(pool.map(lambda n: speak(SENTENCE, tmp_path / f"{n}.wav"), range(20)))
    assert len({sha256(path.read_bytes()).hexdigest() for path in paths}) == 1
    assert seconds(paths[0]) > 3
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_the_rate_changes_how_long_it_takes(tmp_path: Path) -> None:
    slow = seconds(speak(SENTENCE, tmp_path / "slow.wav", VoiceSpec(rate=120)))
    fast = seconds(speak(SENTENCE, tmp_path / "fast.wav", VoiceSpec(rate=200)))
    assert 1.6 < slow / fast < 2.1


def test_pitch_and_range_change_the_sound(tmp_path: Path) -> None:
    voices = (VoiceSpec(), VoiceSpec(pitch=70), VoiceSpec(pitch_range=20), VoiceSpec(voice="sit/cmn"))
    made = [speak(SENTENCE, tmp_path / f"{n}.wav", voice).read_bytes() for n, voice in enumerate(voices)]
    assert len(set(made)) == len(voices)


def test_a_voice_that_is_not_there_is_an_error_and_not_another_voice(tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed, match="no-such-voice") as caught:
        speak(SENTENCE, tmp_path / "x.wav", VoiceSpec(voice="no-such-voice"))
    assert not caught.value.retryable
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("timeout_s", [0.0, 0.02, 0.1])
def test_a_late_worker_is_killed_and_leaves_nothing(tmp_path: Path, scratch: Path, timeout_s: float) -> None:
    long = to_script(as_read("请大家马上转移，" * 300))
    with pytest.raises(SpeechFailed, match="时间太长") as caught:
        speak(long, tmp_path / "x.wav", timeout_s=timeout_s)
    assert caught.value.retryable
    assert not workers_of_ours()
    assert list(tmp_path.iterdir()) == [scratch]
    assert not list(scratch.iterdir())


def test_nothing_to_say_is_an_error(tmp_path: Path) -> None:
    for script in ((), (Segment("pause", ".", "。"),)):
        with pytest.raises(SpeechFailed, match="没有能读出来的字"):
            speak(script, tmp_path / "x.wav")


def test_a_target_that_cannot_be_written_is_an_error(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(SpeechFailed, match="存不下来"):
        speak(SENTENCE, tmp_path / "no" / "such" / "folder" / "x.wav")
    assert not list(scratch.iterdir())


def test_long_texts_are_spoken_in_pieces_and_whole(tmp_path: Path) -> None:
    sentence = "请大家马上转移到学校操场，不要回家拿东西。"
    once = seconds(speak(to_script(as_read(sentence)), tmp_path / "1.wav"))
    many = to_script(as_read(sentence * 25))
    assert len(split_utterances(many)) == 3
    assert seconds(speak(many, tmp_path / "25.wav")) == pytest.approx(25 * once, rel=0.03)


@pytest.mark.parametrize("text", ["停水。" * 150, "停水，" * 150, "停" * 950, "停App" * 200, "a" * 700 + "停"])
def test_no_piece_is_longer_than_espeak_can_take(text: str) -> None:
    script = to_script(as_read(text))
    pieces = split_utterances(script)
    assert " ".join(pieces).count("ting2") == sum(segment.text.count("ting2") for segment in script)
    for piece in pieces:
        words = re.findall(r"[a-z]+[1-5]|[A-Za-z]", piece)
        assert 0 < len(words) <= LONGEST_UTTERANCE


def test_a_full_stop_is_a_longer_rest_than_a_comma(tmp_path: Path) -> None:
    made = [
        seconds(speak(to_script(as_read(f"停水{sign}停电")), tmp_path / f"{n}.wav")) for n, sign in enumerate(" ，。")
    ]
    assert made[0] + 0.15 < made[1]
    assert made[1] + 0.15 < made[2]


def test_the_hub_process_never_imports_pyttsx3(tmp_path: Path) -> None:
    script = f"""
import pathlib, sys
from broadcasts.speech.library import Library, RenderOrder
from broadcasts.speech.pyttsx3_engine import Pyttsx3Engine
made = Library(pathlib.Path({str(tmp_path)!r}), {{"pyttsx3": Pyttsx3Engine()}}).render(RenderOrder("停水"))
assert made.engine == "pyttsx3", made
print(sorted(m for m in sys.modules if "pyttsx3" in m or "espeak" in m))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['broadcasts.speech.pyttsx3_engine']"


def test_only_the_worker_imports_pyttsx3() -> None:
    sources = [p for room in ("hub", "broadcasts", "schedules") for p in (ROOT / room).rglob("*.py")]
    importers = {path.name for path in sources if "pyttsx3" in _imported(path)}
    assert importers == {"pyttsx3_worker.py"}


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_espeak_finds_its_data_below_a_long_path(tmp_path: Path) -> None:
    """An installation deep in the file system: the path is longer than espeak's buffer."""
    package = Path(
        subprocess.check_output(
            [sys.executable, "-c", "import espeakng_loader; print(espeakng_loader.__path__[0])"], text=True
        ).strip()
    )
    deep = tmp_path / ("a" * 90) / ("b" * 90)
    deep.mkdir(parents=True)
    deep.joinpath("espeakng_loader").symlink_to(package)
    scratch = Path(tempfile.mkdtemp())
    request = {
        "text": "ting2 shui3", "voice": "sit/cmn", "rate": 150, "volume": 1.0, "pitch": 50, "pitch_range": 100,
        "target": str(scratch / "x.wav"), "cpu_s": 20, "wall_s": 20, "file_bytes": 10**7,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "broadcasts.speech.pyttsx3_worker"],
        input=json.dumps(request).encode(), env={"PYTHONPATH": f"{deep}{os.pathsep}{ROOT}"},
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert json.loads(done.stdout) == {"ok": True}, done.stderr
    assert scratch.joinpath("espeak-data").readlink() == deep / "espeakng_loader" / "espeak-ng-data"
    assert seconds(scratch / "x.wav") > 0.5


@pytest.mark.parametrize(
    ("target", "file_bytes", "reason"),
    [("x.wav", 20_000, "File too large"), ("no/such/folder/x.wav", 10**7, "No such file")],
)
def test_a_file_that_cannot_be_written_is_told_at_once(
    tmp_path: Path, target: str, file_bytes: int, reason: str
) -> None:
    """The driver swallows the error in a callback and would wait for ever."""
    request = {
        "text": "ting2 shui3 " * 20, "voice": "sit/cmn", "rate": 150, "volume": 1.0, "pitch": 50, "pitch_range": 100,
        "target": str(tmp_path / target), "cpu_s": 20, "wall_s": 60, "file_bytes": file_bytes,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "broadcasts.speech.pyttsx3_worker"],
        input=json.dumps(request).encode(), env={"PYTHONPATH": str(ROOT)},
        capture_output=True, check=False, timeout=10,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert not answer["ok"]
    assert reason in answer["detail"]
    assert done.returncode == 1
    assert not (tmp_path / target).exists()


def pitches(path: Path) -> npt.NDArray[np.float64]:
    """The pitch in semitones around its median, every 10 ms where there is a voice, by autocorrelation."""
    sound = audio.trim(audio.decode(path)).astype(np.float64)
    width, found = int(0.04 * audio.RATE), []
    for at in range(0, len(sound) - width, audio.RATE // 100):
        window = sound[at : at + width]
        if np.abs(window).max() < 0.1 * np.abs(sound).max():
            continue
        spectrum = np.abs(np.fft.rfft((window - window.mean()) * np.hanning(width), 4 * width)) ** 2
        echo = np.fft.irfft(spectrum)[: audio.RATE // 60]
        low = audio.RATE // 450
        best = low + int(np.argmax(echo[low:]))
        if echo[best] > 0.45 * echo[0]:
            found.append(audio.RATE / best)
    hertz = np.array(found)
    middle = np.median(hertz)
    contour: npt.NDArray[np.float64] = 12 * np.log2(hertz[(hertz > middle / 1.9) & (hertz < middle * 1.9)] / middle)
    return contour


@pytest.mark.parametrize(("syllable", "low", "high"), [("ma1", -1.5, 1.5), ("ma2", 3, 24), ("ma4", -24, -3)])
def test_mandarin_tones_can_be_heard(tmp_path: Path, syllable: str, low: float, high: float) -> None:
    """Flat, rising, falling: from the middle of the vowel to its end."""
    script = (Segment("pinyin", syllable, "妈"),)
    contour = pitches(speak(script, tmp_path / "x.wav", VoiceSpec(rate=110)))
    twelfth = len(contour) // 12
    assert low < contour[-twelfth:].mean() - contour[6 * twelfth : 7 * twelfth].mean() < high
