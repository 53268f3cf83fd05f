"""A whole hub whose disk is full, or whose cables are cut: what it says meanwhile, and that it heals by itself."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from postgres import programs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("CUNXIANG_LONG") != "1", reason="takes a minute; CUNXIANG_LONG=1 tries it"),
]
TESTS = Path(__file__).resolve().parents[1]
DISK = "48m"
GONE_WITH_US = ("--pid", "--fork", "--kill-child", "--mount-proc")
"""Whatever the program has started ends with it."""


def seen_by(worker: str, folder: Path, *namespace: str, before: str = "true") -> dict[str, Any]:
    """Run a program in a namespace of its own; return what it has seen."""
    if sys.platform != "linux" or os.getuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs a namespace of its own, so Linux and root")
    command = f"{before} && exec {sys.executable} {TESTS / worker} {folder}"
    done = subprocess.run(
        ["unshare", *namespace, *GONE_WITH_US, "sh", "-c", command],
        env={
            **{name: value for name, value in os.environ.items() if name != "CUNXIANG_LONG"},
            "PYTHONPATH": f"{TESTS}:{TESTS.parent}",
        },
        capture_output=True,
        text=True,
        timeout=420,
        check=False,
    )
    log = folder / "hub.log"
    said = log.read_text(encoding="utf-8", errors="replace")[-3000:] if log.exists() else ""
    assert done.returncode == 0, f"{done.stderr[-3000:]}\n{said}"
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    mount = f"mount -t tmpfs -o size={DISK} none {tmp_path}/disk"
    seen = seen_by("diskworker.py", tmp_path, "--mount", before=mount)
    assert "check_disk_low" in seen["bad"], "it is an alarm"
    assert "speech_failed" in seen["announcement"], "no recording can be made, and whoever asks is told"
    assert (seen["emergency"], seen["sounded while full"]) == ("done", 2), "with what loudspeakers keep"
    assert seen["page"] == 200
    status, words = seen["backup"]
    assert seen["backup before"] == 0
    assert status != 0
    assert "No backup was made" in words
    assert set(seen["kept"]) == {".backup"}, "the earlier one is there, and no half one"
    assert (seen["anchor after"][0], seen["verify after"][0], seen["backup after"][0]) == (0, 0, 0), seen
    assert seen["healed after"] < 15, "what failed for want of room is tried again every two seconds"
    assert seen["announcement after"] == "done"
    assert seen["integrity"] == "ok"


@pytest.mark.postgres
def test_cables_that_are_cut(tmp_path: Path) -> None:
    if shutil.which("nft") is None or shutil.which("ip") is None:
        pytest.skip("cables are cut by nft and ip (Debian: apt install nftables iproute2)")
    if programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    seen = seen_by("cutworker.py", tmp_path, "--net")
    assert seen["503 after"] < 20, "a question is given up after ten seconds"
    assert seen["200 after"] < 10
    assert seen["heard after"] < 30, "what was planned for the time without a database is made up for"
    assert seen["broker missed after"] < 60, "it is an alarm"
    assert seen["broker back after"] < 60
    assert (seen["horns"], seen["sounded"]) == ([["finished", 3]], 3), "each was heard once"
