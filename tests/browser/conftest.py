"""Hubs served for browsers; nothing is sent anywhere."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import builders
import crowdlab
import pytest
from conftest import SetClock
from jinja2 import FileSystemBytecodeCache
from pagelab import Served, chromium, old_chromium, serving
from playwright.sync_api import Browser
from strangerlab import somebody_for_all

import cunxiang
from hub.app import build, open_runtime, provide
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.clock import Clock, utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.demo import seeding
from hub.regions import service as regions


def _silent(what: str, done: int, total: int) -> None:
    """Seeding reports its progress to nobody here."""


def _open(folder: Path, mode: str = "production", clock: Clock = utc_now, quiet: tuple[str, ...] = ()) -> Runtime:
    overrides: dict[str, dict[str, object]] = {
        "hub": {"mode": mode, "data_dir": folder, "port": 0},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
        "broadcast": {"quiet_hours": quiet},
    }
    return open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=clock)


Serve = Callable[[Runtime, str], AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def serve(compiled_templates: FileSystemBytecodeCache) -> Serve:
    """Serve a hub with its pages; the password is everybody's."""

    @contextmanager
    def begin(runtime: Runtime, password: str) -> Iterator[Served]:
        app = build(runtime, cunxiang.FEATURES)
        app.jinja_env.bytecode_cache = compiled_templates
        with serving(app, runtime, password) as hub:
            yield hub

    return begin


@pytest.fixture(scope="session")
def demo(shared: Path, cheap_passwords: None) -> Path:
    """The demo's county with what its staff left on their desks, made once for all processes; tests copy it."""
    made = shared / "demo-county"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            making = made.with_suffix(f".{os.getpid()}")
            runtime = _open(making, "demo")
            seeding.seed(runtime, _silent)
            provide(runtime, cunxiang.FEATURES)
            for feature in cunxiang.FEATURES:
                feature.seed_demo(runtime)
            runtime.sessions.engine.dispose()
            making.rename(made)
    return made


def _copy(county: Path, folders: pytest.TempPathFactory, name: str) -> Path:
    folder = folders.mktemp(name) / "var"
    shutil.copytree(county, folder)
    return folder


@pytest.fixture(scope="session")
def served(demo: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo's county, for looking at."""
    folder = _copy(demo, tmp_path_factory, "served")
    with serve(_open(folder, "demo"), seeding.PASSWORD) as hub:
        yield hub


@pytest.fixture(scope="module")
def worn(demo: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo's county once more, for tests that press what they find."""
    folder = _copy(demo, tmp_path_factory, "worn")
    with serve(_open(folder, "demo"), seeding.PASSWORD) as hub:
        yield hub


@pytest.fixture(scope="module")
def full(prepared: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A small county with something behind every address there is; `all` may do everything in it."""
    runtime = _open(_copy(prepared, tmp_path_factory, "full"))
    with runtime.sessions.begin() as session:
        somebody_for_all(session, builders.COUNTY)
    with serve(runtime, builders.PASSWORD) as hub:
        yield hub


@pytest.fixture(scope="module")
def empty(cheap_passwords: None, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A county as it is right after the first sign-in: a name, and `all`, who may do everything in it."""
    runtime = _open(tmp_path_factory.mktemp("empty") / "var")
    with runtime.sessions.begin() as session:
        regions.add_region(session, SYSTEM, code=builders.COUNTY, name="试县", now=runtime.now())
        somebody_for_all(session, builders.COUNTY)
    with serve(runtime, builders.PASSWORD) as hub:
        yield hub


@pytest.fixture(scope="module")
def crowded(prepared: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A county of long names with a crowded week; its clock stands still on a Monday at ten."""
    folder, clock = _copy(prepared, tmp_path_factory, "crowded"), SetClock()
    runtime = _open(folder, clock=clock)
    provide(runtime, cunxiang.FEATURES)
    crowdlab.crowd(runtime)
    with runtime.sessions.begin() as session:
        somebody_for_all(session, builders.COUNTY)
    runtime.sessions.engine.dispose()
    with serve(_open(folder, clock=clock, quiet=("21:00-06:30", "12:30-14:00")), builders.PASSWORD) as hub:
        yield hub


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def old_browser(browser: Browser) -> Iterator[Browser]:
    """Chromium 109, the last one that Windows 7 can have."""
    with old_chromium("109", browser) as old:
        yield old


@pytest.fixture(scope="module", params=["92", "88"])
def older_browser(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """What old office computers may still have; 88 is the floor."""
    with old_chromium(request.param, browser) as older:
        yield older


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for barriers, as text."""
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
