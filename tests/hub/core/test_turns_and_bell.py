"""Whose turn it is among several processes, what they tell each other, and which configuration they refuse."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from conftest import NOON, SetClock
from livehub import until
from postgres import new_database
from sqlalchemy import Engine, text

from hub.app import RefusedToStart
from hub.commands.roles import require_shared
from hub.core.bell import Bell
from hub.core.config import load
from hub.core.db import make_engine
from hub.core.lanes import WorkSettings
from hub.core.roles import WHOLE, Duties, Role, WorkLane
from hub.core.runtime import Runtime
from hub.core.turns import HOUSE, Turns
from hub.speakers.settings import MqttSettings
from hub.watching import processes
from hub.watching.models import HubProcess


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(new_database(postgres_url, f"turns{uuid4().hex}"))
    yield engine
    engine.dispose()


def test_a_whole_hub_has_every_turn(engine: Engine) -> None:
    turns = Turns(engine, shared=False)
    turns.start()
    assert turns.mine("anything")
    assert not turns.taken(HOUSE)
    turns.stop()


@pytest.mark.postgres
def test_a_turn_is_one_processs_until_it_ends_or_its_line_is_cut(postgres: Engine) -> None:
    first, second = (Turns(postgres, ("bridge",), shared=True) for _ in range(2))
    first.start()
    second.start()
    try:
        assert first.mine("bridge")
        assert (second.mine("bridge"), second.taken("bridge")) == (False, True)
        with postgres.connect() as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid <> :house"
            house = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' LIMIT 1"
            connection.execute(text(cut), {"house": connection.scalar(text(house))})
        until(lambda: first.mine("bridge") is not second.mine("bridge"))
        first.stop()
        until(lambda: second.mine("bridge"))
    finally:
        second.stop()


@pytest.mark.postgres
def test_run_and_roles_do_not_go_together(postgres: Engine) -> None:
    role, whole = Turns(postgres, ("scheduler",), shared=True), Turns(postgres, shared=False)
    role.start()
    whole.start()
    try:
        assert whole.taken(HOUSE)
        assert not role.taken(HOUSE)
    finally:
        whole.stop()
        role.stop()


@pytest.mark.postgres
def test_others_hear_the_bell_and_the_ringer_does_not(postgres: Engine) -> None:
    one, other = Bell(postgres, active=True), Bell(postgres, active=True)
    heard, own = threading.Event(), threading.Event()
    for bell, event in ((one, own), (other, heard)):
        bell.hear("send", event.set)
        bell.start()
    try:
        assert heard.wait(30), "it is called once when it begins to listen: something may have been missed"
        assert own.wait(30)
        heard.clear()
        own.clear()
        one.ring("send")
        assert heard.wait(30)
        assert not own.is_set()
    finally:
        one.stop()
        other.stop()


def test_a_bell_that_cannot_be_rung_is_no_failure() -> None:
    Bell(make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"), active=True).ring("send")


def test_several_processes_say_what_they_lack() -> None:
    with pytest.raises(RefusedToStart) as refused:
        require_shared(load(None, [MqttSettings, WorkSettings], environ={}))
    for word in ("PostgreSQL", "external", "public_url"):
        assert word in str(refused.value)


def test_duties() -> None:
    worker = Duties.of(Role.WORKER, frozenset({WorkLane.EMERGENCY, WorkLane.BULK}))
    assert worker.has(Role.WEB, WorkLane.BULK)
    assert not worker.has(WorkLane.NORMAL)
    assert (worker.turns, Duties.of(Role.BRIDGE).turns, WHOLE.turns) == (("bulk",), ("bridge",), ())
    assert (worker.name, WHOLE.name) == ("worker", "run")


def test_the_status_says_which_role_nobody_plays_and_who_is_gone(runtime: Runtime, clock: SetClock) -> None:
    runtime.duties = Duties.of(Role.WEB)
    register = processes.Register(runtime)
    register.on_duty()
    register.note()
    with runtime.sessions.begin() as session:
        for number, (role, lanes, seen) in enumerate(
            [("scheduler", "", NOON), ("worker", "emergency,normal", NOON), ("bridge", "", NOON - timedelta(minutes=1))]
        ):
            session.add(
                HubProcess(
                    id=uuid4(),
                    role=role,
                    lanes=lanes,
                    machine="m",
                    pid=number,
                    started_at=NOON,
                    seen_at=seen,
                    on_duty=True,
                    trouble=["closing"] if role == "scheduler" else [],
                )
            )
    found = [(each.code, each.params.get("name")) for each in processes.processes(runtime)]
    assert found == [
        ("check_role_missing", "bridge"),
        ("check_role_missing", "worker bulk"),
        ("check_process_gone", "bridge"),
        ("check_process_trouble", "scheduler"),
    ]
    with runtime.sessions.read() as session:
        counted = processes.running(clock).read(session)
        gauge = {(each.labels["role"], each.labels["how"]): each.value for each in counted if each.value}
        assert gauge == {
            ("web", "on duty"): 1,
            ("scheduler", "on duty"): 1,
            ("worker", "on duty"): 1,
            ("bridge", "gone"): 1,
        }
        assert processes.serving(session, WorkLane.NORMAL, now=clock()) == 1
        assert processes.serving(session, WorkLane.BULK, now=clock()) == 0
    register.stop()
    with runtime.sessions.read() as session:
        assert {each.role for each in processes.all_known(session)} == {"scheduler", "worker", "bridge"}
