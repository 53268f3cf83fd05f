"""Real hubs, killed afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flows_support import RunningDemo


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    running = RunningDemo(tmp_path / "demo")
    yield running
    if running.process is not None and running.process.poll() is None:
        running.kill()
