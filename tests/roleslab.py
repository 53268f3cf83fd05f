"""A hub of several processes: PostgreSQL, a mosquitto that is not the hub's, and a process for each role, to be killed.

The processes are forked from one that has imported the program already: what is tried is how they work together, and
eight imports would take the machine longer than that.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import builders
import requests
from brokerlab import External, external_settings, free_port
from livehub import HORN, SECRET, until
from postgres import new_database
from sqlalchemy import text
from sqlalchemy.orm import Session

import cunxiang
from hub.accounts import tokens
from hub.app import open_runtime, provide
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions.tree import codes_in, path_of
from hub.residents import service as residents
from hub.residents.phones import PhoneSafe
from hub.residents.service import ResidentInput
from hub.speakers import registry
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.player import FileSink
from hub.speakers.keys import key_of

NUMBER = "13900000001"
Call = Callable[..., dict[str, Any]]
HORNS = "SELECT state, count(*) FROM speaker_delivery WHERE speaker_id = 'horn-1' GROUP BY state ORDER BY state"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cunxiang"])


def _be(arguments: list[str], log: str, environment: dict[str, str]) -> None:
    """What a forked process does: the very command line."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.environ.pop("CUNXIANG_LONG", None)  # the tests' own; a hub refuses what it does not know
    os.environ.update(environment)
    cunxiang.main(arguments)


@dataclass
class Process:
    """One process of the hub."""

    name: str
    process: ForkServerProcess
    log: Path

    @property
    def alive(self) -> bool:
        return self.process.is_alive()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join(10)

    def end(self) -> float:
        """SIGTERM; return the seconds it took."""
        assert self.process.pid is not None
        begin = time.monotonic()
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.join(15)
        assert not self.alive, f"{self.name} does not end"
        return time.monotonic() - begin


@dataclass
class Place:
    """A hub that runs, in however many processes, and what a test may do with it."""

    folder: Path
    runtime: Runtime
    keys: dict[str, str]
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, login: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Speak to the API as one of the PEOPLE."""
        headers = {"Authorization": f"Bearer {self.keys[login]}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        answer = requests.request(method, f"{self.address}/api/v1{path}", headers=headers, data=data, timeout=20)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Look into the database from outside."""
        with self.runtime.sessions.read() as session:
            return [tuple(row) for row in session.execute(text(query), values)]

    def sounded(self) -> list[Path]:
        """What the horn has begun to write, oldest first."""
        return sorted((self.folder / "sounded").glob("*.wav"))


@dataclass
class SeveralProcesses(Place):
    """One in several processes, on a broker of its own."""

    broker: External
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    def start(self, *command: str) -> Process:
        """Start one process."""
        name = f"{command[0]}-{len(self.processes)}"
        log = self.folder / f"{name}.log"
        log.touch()
        process = FORKS.Process(target=_be, args=([*command, "--json-logs"], str(log), self.environment), name=name)
        process.start()
        found = Process(name, process, log)
        self.processes.append(found)
        return found

    def roles(self) -> set[str]:
        """Who works now, by the hub's own list."""
        rows = self.ask("SELECT role FROM hub_process WHERE on_duty AND seen_at > now() - interval '20 seconds'")
        return {str(role) for (role,) in rows}

    def said(self) -> str:
        """The ends of all logs, for who has to find out."""
        return "\n".join(f"== {each.name}\n{each.log.read_text()[-1500:]}" for each in self.processes)


def release(call: Call, **given: object) -> str:
    """Write an announcement, hand it in, have it approved; return its id."""
    body = {"title": "停水通知", "text": "下午停水。", "regions": [builders.BRIDGE], "repeats": 1, **given}
    made = call("clerk", "POST", "/announcements", body)["id"]
    seen = call("clerk", "POST", f"/announcements/{made}/submit")
    call("approver", "POST", f"/announcements/{made}/approve", {"content_hash": seen["content_hash"]})
    return str(made)


def people(session: Session, runtime: Runtime) -> dict[str, str]:
    """Add one telephone and signed plans to the small county; return the people's keys."""
    now = utc_now()
    builders.signed_plans(session)
    given = ResidentInput(name="陈一", phones=(NUMBER,), region_code=builders.BRIDGE)
    residents.add_resident(session, SYSTEM, given, safe=PhoneSafe(runtime.secrets), now=now)
    who = {login: builders.the_actor(session, login) for login in ("clerk", "approver", "duty")}
    return {login: tokens.issue_token(session, actor, name="test", days=1, now=now) for login, actor in who.items()}


@contextmanager
def several_processes(folder: Path, postgres_url: str, amqp: str = "") -> Iterator[SeveralProcesses]:
    """Prepare everything several processes need; the test starts them. All are gone at the end.

    `amqp`: where RabbitMQ answers, if Celery is to hand out the work.
    """
    broker = External(folder / "broker", for_processes=True)
    url = new_database(postgres_url, f"roles{uuid4().hex}")
    port = free_port()
    mqtt = external_settings([("127.0.0.1", broker.inner_port)])
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": folder / "var", "port": port, "threads": 8, "public_url": f"http://127.0.0.1:{port}"},
        "database": {"url": url},
        "speech": {"engines": ("tone",)},
        "mqtt": {**mqtt, "public_host": "127.0.0.1", "public_port": broker.port, "heartbeat_seconds": 5},
        "broadcast": {"quiet_hours": (), "prepare_seconds": 3},
        "sms": {"window_from": "00:00", "window_until": "23:59"},
        "work": {"engine": "celery" if amqp else "local", "broker_url": amqp},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    provide(runtime, cunxiang.FEATURES)
    with runtime.sessions.begin() as session:
        builders.a_county(session)
        keys = people(session, runtime)
        yesterday = utc_now() - timedelta(days=1)
        number = registry.enrol(
            session, SYSTEM, speaker_id=HORN, name="晒坝", region_code=builders.BRIDGE, now=yesterday, secret=SECRET
        ).speaker.number
    broker.open(runtime, {})
    (folder / "config.toml").write_text(toml(overrides))
    environment = {"CUNXIANG_CONFIG": str(folder / "config.toml")}
    lab = SeveralProcesses(folder, runtime, keys, port, broker, environment)
    speaker = ReferenceSpeaker(SpeakerSettings(_device(lab, number)), FileSink(folder / "sounded"))
    try:
        speaker.start()
        until(lambda: speaker.connected, 20, what="the loudspeaker")
        yield lab
    finally:
        speaker.stop()
        for each in lab.processes:
            if each.alive:
                each.kill()
        broker.close()
        runtime.sessions.engine.dispose()


def _device(lab: SeveralProcesses, number: int) -> DeviceFile:
    signing = lab.runtime.secrets.signing
    key = key_of(signing.active, signing.active_seed)
    return DeviceFile(
        id=HORN,
        number=number,
        secret=SECRET,
        broker_host="127.0.0.1",
        broker_port=lab.broker.port,
        regions=codes_in(path_of(builders.BRIDGE)),
        state_dir=str(lab.folder / "device"),
        hub_keys={key.kid: key.public()},
    )


def toml(settings: dict[str, dict[str, object]]) -> str:
    def value(given: object) -> str:
        if isinstance(given, tuple):
            return json.dumps(list(given))
        return json.dumps(str(given) if isinstance(given, Path) else given)

    tables = (
        "\n".join([f"[{table}]", *(f"{key} = {value(given)}" for key, given in keys.items())])
        for table, keys in settings.items()
    )
    return "\n".join(tables) + "\n"
