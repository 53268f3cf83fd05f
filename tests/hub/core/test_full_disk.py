"""The disk is full: what was committed is there, what was not leaves no trace, and with room again it goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, resource, signal, sys
from sqlalchemy import text
from hub.core.db import Sessions, make_engine, may_pass

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python has it: writing fails instead
sessions = Sessions(make_engine(f"sqlite:///{sys.argv[1]}"))

def write(count):
    with sessions.begin() as session:
        for _ in range(count):
            session.execute(text("INSERT INTO deed (words) VALUES (hex(randomblob(2000)))"))

with sessions.begin() as session:
    session.execute(text("CREATE TABLE deed (id INTEGER PRIMARY KEY, words TEXT)"))
write(5)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
written, failed = 5, []
for _ in range(60):
    try:
        write(5)
        written += 5
    except Exception as error:
        failed.append(error)
assert failed, "the disk was to be full"
assert all(may_pass(error) for error in failed), failed
with sessions.read() as session:
    assert session.scalar(text("SELECT count(*) FROM deed")) == written, "all of a unit of work, or nothing"
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
write(5)
with sessions.read() as session:
    assert session.scalar(text("SELECT count(*) FROM deed")) == written + 5
    assert session.scalar(text("PRAGMA integrity_check")) == "ok"
print("went on", len(failed))
"""


def test_a_full_disk_loses_nothing_that_was_committed_and_heals(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("file sizes are limited by setrlimit here")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "hub.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("went on")
