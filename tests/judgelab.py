"""Ask a program of others, in a process of its own, with the packages scripts/judges installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ROOT / ".venv" / "judges" / "python"
PRISM = ROOT / ".venv" / "judges" / "node" / "node_modules" / ".bin" / "prism"


def judge(name: str, asked: object, *, timeout_s: float = 60) -> Any:
    """Return what the judge says; skip when it is not installed."""
    if not PACKAGES.is_dir():
        pytest.skip("the judges are not installed: scripts/judges")
    made = subprocess.run(
        [sys.executable, ROOT / "tests" / "judges" / f"{name}.py"],
        input=json.dumps(asked),
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if "ModuleNotFoundError" in made.stderr:
        pytest.skip(f"the judge {name} is not installed: {made.stderr.strip().splitlines()[-1]}")
    assert made.returncode == 0, made.stderr[-2000:]
    return json.loads(made.stdout)
