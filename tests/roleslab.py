"""A hub of several processes: PostgreSQL, a mosquitto that is not the hub's, and a process for each role, to be killed.

The processes are forked from one that has imported the program already: what is tried is how they work together, and
eight imports would take the machine longer than that.
"""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import forkserver
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
HERE = "127.0.0.1"
OTHER_HORN = "horn-2"
Call = Callable[..., dict[str, Any]]
HORNS = "SELECT state, count(*) FROM speaker_delivery WHERE speaker_id = 'horn-1' GROUP BY state ORDER BY state"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cunxiang"])


def _be(arguments: list[str], log: str, environment: dict[str, str], begin: Callable[[], None] | None) -> None:
    """What a forked process does: the very command line."""
    if begin is not None:
        begin()
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

    def ask_to_end(self) -> None:
        """SIGTERM."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGTERM)


@dataclass
class Place:
    """A hub that runs, in however many processes, and what a test may do with it."""

    folder: Path
    runtime: Runtime
    keys: dict[str, str]
    port: int
    host: str = field(default=HERE, kw_only=True)

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

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

    brokers: dict[str, External]
    """By the place they are for; empty: for all that have none of their own."""
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    def sounded(self, horn: str = HORN) -> list[Path]:
        """What a horn has begun to write, oldest first."""
        return sorted((self.folder / horn / "sounded").glob("*.wav"))

    @property
    def broker(self) -> External:
        """That of whatever has none of its own."""
        return self.brokers[""]

    def start(self, *command: str, begin: Callable[[], None] | None = None) -> Process:
        """Start one process; `begin` is the first thing it does."""
        name = f"{command[0]}-{len(self.processes)}"
        log = self.folder / f"{name}.log"
        log.touch()
        process = FORKS.Process(
            target=_be, args=([*command, "--json-logs"], str(log), self.environment, begin), name=name
        )
        process.start()
        found = Process(name, process, log)
        self.processes.append(found)
        return found

    def end(self) -> None:
        """Ask all that live to end; they do so in order, within ten seconds."""
        left = [each for each in self.processes if each.alive]
        begin = time.monotonic()
        for each in left:
            each.ask_to_end()
        for each in left:
            each.process.join(max(0.0, begin + 10 - time.monotonic()))
        assert [(each.name, each.process.exitcode) for each in left] == [(each.name, 0) for each in left], self.said()

    def close(self) -> None:
        """Kill what is left, and close what was opened."""
        for each in self.processes:
            if each.alive:
                each.kill()
        for broker in self.brokers.values():
            broker.close()
        self.runtime.sessions.engine.dispose()

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
    builders.signed_plans(session)
    return telephones(session, runtime)


def telephones(session: Session, runtime: Runtime) -> dict[str, str]:
    """Add one telephone to the small county; return the people's keys."""
    now = utc_now()
    given = ResidentInput(name="陈一", phones=(NUMBER,), region_code=builders.BRIDGE)
    residents.add_resident(session, SYSTEM, given, safe=PhoneSafe(runtime.secrets), now=now)
    who = {login: builders.the_actor(session, login) for login in ("clerk", "approver", "duty")}
    return {login: tokens.issue_token(session, actor, name="test", days=1, now=now) for login, actor in who.items()}


@contextmanager
def several_processes(
    folder: Path,
    postgres_url: str,
    amqp: str = "",
    *,
    host: str = HERE,
    apart: str = "",
    like: tuple[str, Path] | None = None,
    heartbeat_s: int = 5,
) -> Iterator[SeveralProcesses]:
    """Prepare everything several processes need; the test starts them. All are gone at the end.

    `amqp`: where RabbitMQ answers, if Celery is to hand out the work. `host`: where the broker and the pages do.
    `apart`: a village with a broker of its own, and a second horn there. `like`: a database there that holds the small
    county already, and the data folder with its keys.
    """
    forkserver.ensure_running()  # it begins to import, beside what follows
    pattern, keys_of = like or ("template1", None)
    if keys_of is not None:
        shutil.copytree(keys_of, folder / "var")
    brokers = {
        place: External(folder / f"broker{place}", for_processes=True, host=host)
        for place in dict.fromkeys(("", apart))
    }
    url = new_database(postgres_url, f"roles{uuid4().hex}", like=pattern)
    port = free_port()
    overrides: dict[str, dict[str, object]] = {
        "hub": {
            "data_dir": folder / "var",
            "host": HERE if host == HERE else "0.0.0.0",  # noqa: S104
            "port": port,
            "threads": 8,
            "public_url": f"http://{host}:{port}",
        },
        "database": {"url": url},
        "speech": {"engines": ("tone",)},
        "mqtt": {**_doors(host, brokers), "heartbeat_seconds": heartbeat_s},
        "broadcast": {"quiet_hours": (), "prepare_seconds": 3, "countdown_seconds": 1.0},
        "sms": {"window_from": "00:00", "window_until": "23:59"},
        "work": {"engine": "celery" if amqp else "local", "broker_url": amqp},
    }
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    provide(runtime, cunxiang.FEATURES)
    horns = {HORN: builders.BRIDGE, **({OTHER_HORN: apart} if apart else {})}
    if like is None:
        with runtime.sessions.begin() as session:
            builders.a_county(session)
            builders.signed_plans(session)
    with runtime.sessions.begin() as session:
        keys = telephones(session, runtime)
        numbers = {horn: _enrol(session, horn, region) for horn, region in horns.items()}
    for broker in brokers.values():
        broker.open(runtime, {})
    (folder / "config.toml").write_text(toml(overrides))
    environment = {"CUNXIANG_CONFIG": str(folder / "config.toml")}
    lab = SeveralProcesses(folder, runtime, keys, port, brokers, environment, host=host)
    try:
        with _sounding([_device(lab, horn, numbers[horn], region) for horn, region in horns.items()], folder):
            yield lab
    finally:
        lab.close()


@contextmanager
def _sounding(devices: list[DeviceFile], folder: Path) -> Iterator[None]:
    """Have real loudspeakers that write down what they sound."""
    speakers = [ReferenceSpeaker(SpeakerSettings(each), FileSink(folder / each.id / "sounded")) for each in devices]
    try:
        for speaker in speakers:
            speaker.start()
        until(lambda: all(speaker.connected for speaker in speakers), 20, what="the loudspeakers")
        yield
    finally:
        for speaker in speakers:
            speaker.stop()


def _doors(host: str, brokers: dict[str, External]) -> dict[str, object]:
    """`[mqtt]` with a door for processes at each broker, and another one for loudspeakers."""
    places = [place for place in brokers if place]
    found = external_settings([(host, brokers[""].inner_port)])
    return found | {
        "public_host": host,
        "public_port": brokers[""].port,
        "shards": tuple(f"{place}={host}:{brokers[place].inner_port}" for place in places),
        "public_shards": tuple(f"{place}={host}:{brokers[place].port}" for place in places),
    }


def _enrol(session: Session, horn: str, region: str) -> int:
    yesterday = utc_now() - timedelta(days=1)
    made = registry.enrol(
        session, SYSTEM, speaker_id=horn, name="晒坝", region_code=region, now=yesterday, secret=SECRET
    )
    return made.speaker.number


def _device(lab: SeveralProcesses, horn: str, number: int, region: str) -> DeviceFile:
    signing = lab.runtime.secrets.signing
    key = key_of(signing.active, signing.active_seed)
    return DeviceFile(
        id=horn,
        number=number,
        secret=SECRET,
        broker_host=lab.host,
        broker_port=lab.brokers[region if region in lab.brokers else ""].port,
        regions=codes_in(path_of(region)),
        state_dir=str(lab.folder / horn / "device"),
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
