"""The cage holds: a decoder that is broken into, or never ends, finds no way out and is ended."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from uploadlab import a_recording

from broadcasts.uploads import cage
from broadcasts.uploads.settings import UploadSettings
from broadcasts.uploads.workshop import AT_ONCE, Pace, Workshop
from hub.core.errors import BadInput, Unavailable

ROOT = Path(__file__).resolve().parents[3]
CAGED = sys.platform.startswith("linux")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CAGED, reason="the doors are closed on Linux only")]

TRY = """
import os, socket, sys, threading
from broadcasts.uploads import cage
held = open(sys.argv[1], "w+b")
assert cage.close_doors()
found = []
def attempt(name, deed):
    try:
        deed()
    except PermissionError:
        return
    except BaseException as other:
        found.append(f"{name}: {other!r}")
        return
    found.append(f"{name}: went through")
attempt("open", lambda: open("/etc/passwd"))
attempt("write", lambda: open(sys.argv[1] + ".more", "w"))
attempt("socket", lambda: socket.socket())
attempt("local socket", lambda: socket.socket(socket.AF_UNIX))
attempt("fork", lambda: os.posix_spawn("/bin/true", ["true"], {}))
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("delete", lambda: os.unlink(sys.argv[1]))
attempt("rename", lambda: os.rename(sys.argv[1], sys.argv[1] + "2"))
attempt("kill", lambda: os.kill(os.getppid(), 0))
attempt("in a thread", lambda: [None])  # a thread must not escape either
thread = threading.Thread(target=lambda: attempt("thread", lambda: open("/etc/hosts")))
thread.start(); thread.join()
held.write(b"x"); held.flush()  # what was open before still works
print("\\n".join(one for one in found if not one.startswith("in a thread")))
"""


def test_no_file_no_network_no_program_can_be_reached_any_more(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(tmp_path / "held")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr
    assert (tmp_path / "held").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["held"]


@pytest.mark.parametrize(
    ("deed", "limits"),
    [
        ("while True: pass", {"cpu_s": 1}),
        ("import time; time.sleep(30)", {"wall_s": 1}),
        ("held = bytearray(600_000_000)", {"memory": 400_000_000}),
        ("open('big', 'wb').write(bytes(2_000_000))", {"file_bytes": 1_000_000}),
        ("held = [open('/dev/null') for _ in range(100)]", {"files": 20}),
    ],
)
def test_what_takes_too_much_is_ended(tmp_path: Path, deed: str, limits: dict[str, int]) -> None:
    given = {"cpu_s": 20, "wall_s": 20, "memory": 1 << 30, "file_bytes": 1 << 30, "files": 64} | limits
    code = f"import os\nfrom broadcasts.uploads import cage\ncage.limit(**{given})\nos.chdir({str(tmp_path)!r})\n{deed}"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False, timeout=20)
    assert done.returncode != 0
    assert time.monotonic() - began < 15


def test_a_worker_that_is_late_is_killed_and_leaves_nothing(tmp_path: Path) -> None:
    impatient = Workshop(tmp_path, UploadSettings(), pace=Pace(cpu_s=30, wall_factor=0.001))
    began = time.monotonic()
    with pytest.raises(BadInput) as refused:
        impatient.take(io.BytesIO(a_recording()))
    assert refused.value.code == "recording_too_heavy"
    assert time.monotonic() - began < 10
    assert list(tmp_path.iterdir()) == []
    assert workers() == 0


@pytest.mark.slow
def test_a_worker_that_works_too_much_is_ended_by_the_system(tmp_path: Path) -> None:
    stingy = Workshop(tmp_path, UploadSettings(), pace=Pace(cpu_s=1, cpu_s_a_minute=0, wall_factor=60))
    with pytest.raises(BadInput) as refused:
        stingy.take(io.BytesIO(a_recording(600)))
    assert refused.value.code == "recording_too_heavy"
    assert list(tmp_path.iterdir()) == []


def test_a_worker_without_memory_says_so_instead_of_taking_the_machines(tmp_path: Path) -> None:
    small = Workshop(tmp_path, UploadSettings(), memory=150_000_000)
    with pytest.raises(BadInput) as refused:
        small.take(io.BytesIO(a_recording()))
    assert refused.value.code in ("recording_too_heavy", "recording_unreadable")
    assert list(tmp_path.iterdir()) == []


def test_so_many_at_once_and_the_others_are_told_to_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadcasts.uploads.workshop.PATIENCE_S", 0.1)
    workshop = Workshop(tmp_path, UploadSettings())
    for _ in range(AT_ONCE):
        workshop._slots.acquire()
    with pytest.raises(Unavailable) as refused:
        workshop.take(io.BytesIO(a_recording()))
    assert refused.value.code == "upload_busy"


def test_the_kernel_is_told_of_every_forbidden_call_that_the_machine_has() -> None:
    for machine, numbers in cage.NUMBERS.items():
        missing = [name for name in cage.FORBIDDEN if name not in numbers]
        # ARM64 never had the old calls: their `at` successors stand for them.
        allowed = "open creat unlink rename link symlink mkdir mknod chmod chown fork vfork"
        assert machine == "aarch64" or missing == []
        assert set(missing) <= set(allowed.split())


def workers() -> int:
    """How many decoding processes this one has: other tests run beside."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = int((path.parent / "stat").read_text().rpartition(")")[2].split()[1])
            found += parent == os.getpid() and b"broadcasts.uploads.worker" in path.read_bytes()
        except OSError:
            continue
    return found
