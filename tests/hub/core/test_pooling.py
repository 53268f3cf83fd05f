"""PgBouncer before PostgreSQL: by session the hub works through it, by transaction it says so and does not start."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from livehub import until
from poolerlab import a_pooler
from postgres import new_database
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from hub.app import RefusedToStart
from hub.commands.check import pooler
from hub.core.bell import Bell
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.db import Sessions, make_engine
from hub.core.pooling import by_transaction
from hub.core.runtime import Runtime
from hub.core.secrets import load_or_create
from hub.core.turns import Turns
from hub.running import Server

pytestmark = pytest.mark.postgres
LET_IT = "ignore_startup_parameters = options"


@pytest.fixture
def url(postgres_url: str) -> str:
    return new_database(postgres_url, f"pooled{uuid4().hex}")


@pytest.fixture
def through(url: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    with a_pooler(url, request.param, LET_IT) as address:
        engine = make_engine(address)
        yield engine
        engine.dispose()


def two_bridges(engine: Engine) -> list[bool]:
    """Which of two processes believe that it is their turn."""
    both = [Turns(engine, ("bridge",), shared=True) for _ in range(2)]
    with ExitStack() as ends:
        for turns in both:
            turns.start()
            ends.callback(turns.stop)
        return [turns.mine("bridge") for turns in both]


def test_without_a_pooler_nothing_is_found(url: str, sessions: Sessions) -> None:
    engine = make_engine(url)
    assert not by_transaction(engine)
    assert not by_transaction(sessions.engine)
    engine.dispose()


@pytest.mark.parametrize("through", ["session"], indirect=True)
def test_by_session_turns_hold_the_bell_is_heard_and_statements_stay_prepared(through: Engine) -> None:
    assert not by_transaction(through)
    assert two_bridges(through) == [True, False]
    assert two_bridges(through) == [True, False], "who ends gives back what they had"
    heard, ear, mouth = threading.Event(), Bell(through, active=True), Bell(through, active=True)
    ear.hear("send", heard.set)
    ear.start()
    until(heard.is_set, 5, what="it listens")
    heard.clear()
    mouth.ring("send")
    assert heard.wait(5)
    ear.stop()
    for n in range(20):
        with through.connect() as connection:
            assert connection.execute(text("SELECT CAST(:n AS integer)"), {"n": n}).scalar_one() == n


@pytest.mark.parametrize("through", ["transaction"], indirect=True)
def test_by_transaction_two_would_believe_that_it_is_their_turn_so_no_hub_starts(
    through: Engine, tmp_path: Path
) -> None:
    assert by_transaction(through)
    assert two_bridges(through) == [True, True]
    config = load(None, [], environ={}, overrides={"hub": {"data_dir": tmp_path}})
    secrets = load_or_create(tmp_path, "production")
    runtime = Runtime(config=config, secrets=secrets, sessions=Sessions(through), clock=utc_now)
    with pytest.raises(RefusedToStart, match="pool_mode = session"):
        Server(None, runtime, ()).serve()
    assert [found.code for found in pooler(runtime)] == ["check_database_pooled"]


def test_a_pooler_that_refuses_our_settings_says_which(url: str) -> None:
    with a_pooler(url, "session") as address:
        engine = make_engine(address)
        with pytest.raises(OperationalError, match="unsupported startup parameter: options"):
            engine.connect()
        engine.dispose()
