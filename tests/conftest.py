"""Fixtures every test may use: an empty database, a small county, an application with people signed in."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import builders
import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from jinja2 import FileSystemBytecodeCache
from postgres import new_database, running_postgres
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import cunxiang
from hub.accounts import passwords
from hub.app import build, open_runtime, provide
from hub.commands.frame import sections
from hub.core.config import load
from hub.core.db import Base, Sessions, make_engine
from hub.core.runtime import KEY, Runtime
from hub.web.menu import Menu

NOON = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Monday, 10:00 in the villages: no quiet hours."""


LONGEST = ("test_main_job", "test_survival", "test_a_county_speaks", "test_every_page", "test_chaos", "test_attacks")
"""Files begun first, so that no process is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that needs a whole application: the quick run does without them. Begin with the longest."""
    for item in items:
        if "app" in getattr(item, "fixturenames", ()):
            item.add_marker("web")
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


class SetClock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    return Sessions(engine)


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    with sessions.begin() as session:
        yield session


POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
IN_POSTGRES = pytest.mark.parametrize("runtime", [POSTGRES], indirect=True)
BOTH_DATABASES = pytest.mark.parametrize("runtime", ["sqlite", POSTGRES], indirect=True)
"""Runs a test with the tables in PostgreSQL, or twice: in a file, and there."""


def open_hub(data_dir: Path, clock: SetClock, database: str = "") -> Runtime:
    """Return a hub with the tone engine, the embedded broker and the local SMS gateway; nothing is started."""
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": data_dir, "port": 8600},
        "speech": {"engines": ("tone",)},
        "mqtt": {"engine": "embedded", "port": 0},
    }
    if database:
        overrides["database"] = {"url": database}
    return open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=clock)


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash passwords with the least argon2 allows: hundreds of sign-ins would otherwise be most of the run."""
    honest, passwords._HASHER = passwords._HASHER, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    passwords._HASHER = honest


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> Path:
    """A data folder with the small county of `builders.a_county`, made once; tests get copies."""
    folder = tmp_path_factory.mktemp("prepared")
    runtime = open_hub(folder, SetClock())
    with runtime.sessions.begin() as session:
        builders.a_county(session)
        builders.signed_plans(session)
    runtime.sessions.engine.dispose()
    return folder


@pytest.fixture
def runtime(tmp_path: Path, prepared: Path, clock: SetClock, request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """A hub of its own for this test, with the small county in it; in PostgreSQL for `BOTH_DATABASES`."""
    folder = tmp_path / "var"
    shutil.copytree(prepared, folder)
    in_postgres = getattr(request, "param", "sqlite") == "postgres"
    runtime = open_hub(folder, clock, request.getfixturevalue("postgres_county") if in_postgres else "")
    yield runtime
    runtime.sessions.engine.dispose()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of a run have in common, for what is made once."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def compiled_templates(shared: Path) -> FileSystemBytecodeCache:
    """Templates compiled once for all tests instead of once for every application in every process."""
    folder = shared / "templates"
    folder.mkdir(exist_ok=True)
    return FileSystemBytecodeCache(str(folder))


@pytest.fixture(scope="session")
def one_app(
    prepared: Path, tmp_path_factory: pytest.TempPathFactory, compiled_templates: FileSystemBytecodeCache
) -> OpenAPI:
    """An application that all tests share: only the runtime behind it changes."""
    folder = tmp_path_factory.mktemp("one") / "var"
    shutil.copytree(prepared, folder)
    app = build(open_hub(folder, SetClock()), cunxiang.FEATURES)
    app.jinja_env.bytecode_cache = compiled_templates
    return app


@pytest.fixture
def app(one_app: OpenAPI, runtime: Runtime) -> OpenAPI:
    """The pages of this test's own hub."""
    menu = one_app.extensions[KEY].get(Menu)
    provide(runtime, cunxiang.FEATURES)
    runtime.provide(Menu, menu)
    one_app.extensions[KEY] = runtime
    one_app.config["WTF_CSRF_ENABLED"] = False
    return one_app


@pytest.fixture
def fresh_app(runtime: Runtime, compiled_templates: FileSystemBytecodeCache) -> OpenAPI:
    """An application of its own, for a test that changes it."""
    app = build(runtime, cunxiang.FEATURES)
    app.config["WTF_CSRF_ENABLED"] = False
    app.jinja_env.bytecode_cache = compiled_templates
    return app


@pytest.fixture
def sign_in(app: OpenAPI) -> Callable[[str], FlaskClient]:
    """Return a browser in which the person of that login is signed in (see `builders.PEOPLE`)."""

    def browser(login: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/sign-in", data={"login": login, "password": builders.PASSWORD})
        assert answer.status_code == 302, answer.text
        return client

    return browser


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server of our own."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    """An empty database on it."""
    engine = make_engine(new_database(postgres_url, f"t{uuid4().hex}"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_pattern(postgres_url: str, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the same small county and the same keys as `prepared`, made once; tests get copies."""
    folder = tmp_path_factory.mktemp("pattern") / "var"
    shutil.copytree(prepared, folder)
    runtime = open_hub(folder, SetClock(), new_database(postgres_url, "pattern"))
    with runtime.sessions.begin() as session:
        builders.a_county(session)
        builders.signed_plans(session)
    runtime.sessions.engine.dispose()
    return "pattern"


@pytest.fixture
def postgres_county(postgres_url: str, postgres_pattern: str) -> str:
    """The address of a copy of that database."""
    return new_database(postgres_url, f"c{uuid4().hex}", like=postgres_pattern)
