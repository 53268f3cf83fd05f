"""A hub with the demo county in it, served for browsers; nothing is sent anywhere."""

from collections.abc import Iterator
from pathlib import Path

import builders
import pytest
from pagelab import ARGUMENTS, OLD_CHROMIUM, Served, chromium, serving
from playwright.sync_api import Browser
from strangerlab import somebody_for_all

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
    with serving(app, runtime, "cunxiang-demo") as hub:
        yield hub


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Iterator[Served]:
    """A small county with something behind every address there is; `all` may do everything in it."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": tmp_path_factory.mktemp("full") / "var", "port": 0},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
        "broadcast": {"quiet_hours": ()},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=utc_now)
    app = build(runtime, cunxiang.FEATURES)
    with runtime.sessions.begin() as session:
        builders.a_county(session)
        builders.signed_plans(session)
        somebody_for_all(session, builders.COUNTY)
    with serving(app, runtime, builders.PASSWORD) as hub:
        yield hub


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def old_browser(browser: Browser) -> Iterator[Browser]:
    """Chromium 109, the last one that Windows 7 can have."""
    if not OLD_CHROMIUM.exists():
        pytest.skip("no old Chromium (scripts/old-browser brings it by npm)")
    old = browser.browser_type.launch(executable_path=OLD_CHROMIUM, args=[*ARGUMENTS, "--no-zygote"])
    yield old
    old.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for barriers, as text."""
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
