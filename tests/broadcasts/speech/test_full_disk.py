"""The disk is full while a recording is made: nobody gets half of one, and with room again it is made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, sys
from pathlib import Path
from broadcasts.speech.engine import SpeechFailed, VoiceSpec
from broadcasts.speech.library import Library, RenderOrder
from broadcasts.speech.tone_engine import ToneEngine

root = Path(sys.argv[1])
library = Library(root / "sound", {"tone": ToneEngine()})
voice = VoiceSpec(engine="tone")

def order(words):
    return RenderOrder(words, voice=voice, repeats=1)

first = library.render(order("今天下午停水。"))
before = sorted(path.name for path in (root / "sound").rglob("*.*"))
filler = root / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while file.write(b"x" * 4096):
            pass
    except OSError as error:
        assert error.errno == 28, error
try:
    library.render(order("山洪红色预警，请马上往高处走。"))
except SpeechFailed as failed:
    assert failed.retryable, "it is worth another try"
else:
    raise SystemExit("there was room for it")
assert library.find_order(order("山洪红色预警，请马上往高处走。")) is None, "nothing half made is found"
after = sorted(path.name for path in (root / "sound").rglob("*.*"))
assert after == before, (before, after)
again = library.render(order("今天下午停水。"))
assert again.sha256 == first.sha256, "what was there is there"
filler.unlink()
made = library.render(order("山洪红色预警，请马上往高处走。"))
assert library.path_of(made.sha256).stat().st_size > 0
print("went on")
"""


def test_a_full_disk_makes_no_half_recording(tmp_path: Path) -> None:
    if sys.platform != "linux" or os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs a small file system of its own, so Linux and root")
    small = tmp_path / "small"
    small.mkdir()
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = f"mount -t tmpfs -o size=1m none {small} && exec {sys.executable} {tmp_path}/program.py {small}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "went on\n"
