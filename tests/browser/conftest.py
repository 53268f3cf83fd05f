"""A hub with the demo county in it, served for browsers; nothing is sent anywhere."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pagelab import ARGUMENTS, CHROMIUM, Served
from playwright.sync_api import Browser, sync_playwright
from waitress.server import create_server

import cunxiang
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.clock import utc_now
from hub.core.config import load
from hub.demo import seeding


def _silent(what: str, done: int, total: int) -> None:
    """Seeding reports its progress to nobody here."""


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[Served]:
    """The demo's county with what its staff left on their desks."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"mode": "demo", "data_dir": tmp_path_factory.mktemp("served") / "var", "port": 0},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
        "broadcast": {"quiet_hours": ()},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=utc_now)
    app = build(runtime, cunxiang.FEATURES)
    seeding.seed(runtime, _silent)
    for feature in cunxiang.FEATURES:
        feature.seed_demo(runtime)
    server: Any = create_server(app, host="127.0.0.1", port=0, threads=4)
    runtime.port = server.effective_port
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.effective_port}", app, runtime)
    server.close()
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=5)
    runtime.sessions.engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for barriers, as text."""
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
