"""Many open overviews on one process: how long a poll takes while everybody's page asks again and again.

A demo of 120 simulated loudspeakers in a process of its own. The tabs belong to eight people, or to as many as are
asked for, and poll as the overview says in its own markup, each part on its own connection, with ETag and gzip as
browsers do. First nothing is on air, then an emergency is. Beside it, in the same run, a bare Flask page behind the
same server at the same pace. Target: p95 under 100 ms with 100 tabs.
Run: .venv/bin/python benchmarks/tabs.py [tabs=100] [seconds=40] [people=8]
"""

import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import requests

import cunxiang
from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.config import load
from hub.demo import county, seeding
from hub.regions.tree import path_of

ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")
TOKEN: Final = re.compile(r'name="csrf-token" content="([^"]+)"')
POLLED: Final = re.compile(r'id="([\w-]+)"[^>]*hx-get="([^"]+)" hx-trigger="every (\d+)s"')
LOGINS: Final = ("county", "editor", "chief", "clerk", "approver", "duty", "secretary", "viewer")
TARGET_MS: Final = 100.0
PATIENCE_S: Final = 90.0
TICKS: Final = os.sysconf("SC_CLK_TCK")
BARE: Final = """
import sys
from flask import Flask, make_response, request
from waitress.server import create_server
app = Flask("bare")
@app.get("/<path:any>")
def page(any):
    answer = make_response("x" * 4000)
    answer.add_etag()
    return answer.make_conditional(request)
server = create_server(app, host="127.0.0.1", port=0, threads=16, connection_limit=1000)
print(f"http://127.0.0.1:{server.effective_port}", flush=True)
server.run()
"""


@dataclass
class Hub:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    address: str

    @property
    def cpu_s(self) -> float:
        """What it has used so far, and its children that are no more."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


@dataclass(frozen=True)
class Poll:
    """One part of a page that asks again."""

    path: str
    every_s: float


@dataclass
class Counted:
    """What all polls of one series took."""

    ms: list[float] = field(default_factory=list)
    unchanged: int = 0
    refused: int = 0

    def p95(self) -> float:
        return sorted(self.ms)[int(0.95 * (len(self.ms) - 1))]


def started(command: Sequence[str], log: Path) -> Hub:
    """Start a server that says its address."""
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, *command], stdout=out, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := ADDRESS.search(log.read_text(encoding="utf-8", errors="replace")):
            return Hub(process, found[0])
        time.sleep(0.1)
    process.kill()
    raise SystemExit("no server")


def signed_in(address: str, login: str) -> requests.Session:
    """One person's browser."""
    person = requests.Session()
    token = TOKEN.search(person.get(f"{address}/sign-in", timeout=30).text)
    person.headers["X-CSRFToken"] = token[1] if token else ""
    person.post(f"{address}/sign-in", data={"login": login, "password": "cunxiang-demo"}, timeout=30)
    return person


def hired(data: Path, count: int) -> list[str]:
    """Make so many accounts more: of the county, its townships and villages, with the roles people have there."""
    settings: dict[str, dict[str, object]] = {"hub": {"mode": "demo", "data_dir": data, "port": 0}}
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=settings))
    logins = []
    for n in range(count):
        township = n % len(county.TOWNSHIPS)
        village = n % len(county.TOWNSHIPS[township][1])
        posts = (
            (Role.CLERK, county.township_code(township)),
            (Role.SECRETARY, county.village_code(township, village)),
            (Role.DUTY_OFFICER, county.township_code(township)),
            (Role.APPROVER, county.township_code(township)),
            (Role.VIEWER, county.COUNTY[0]),
        )
        role, code = posts[n // len(county.TOWNSHIPS) % len(posts)]
        login = f"person{n}"
        with runtime.sessions.begin() as session:
            accounts.create_account(
                session,
                SYSTEM,
                login=login,
                name=f"第{n + 1}个人",
                password=seeding.PASSWORD,
                grants=[(role, path_of(code))],
                now=runtime.now(),
                demo=True,  # need not choose a password of their own first
            )
        logins.append(login)
    runtime.sessions.engine.dispose()
    return logins


def cookie_of(person: requests.Session) -> str:
    return "; ".join(f"{c.name}={c.value}" for c in person.cookies)


def polls_of(person: requests.Session, address: str) -> list[Poll]:
    """What the overview asks again, by its own markup."""
    text = person.get(address, timeout=30).text
    return [Poll(path, float(seconds)) for _, path, seconds in POLLED.findall(text)]


@dataclass
class Line:
    """A connection that is opened again when the server has closed it, as browsers do."""

    host: str
    port: int
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, head: str) -> tuple[int, str]:
        """Send one request; return status and ETag."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        writer.write(head.encode())
        raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(raw.split(" ", 2)[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in raw.split("\r\n")[1:])}
        if status != 304:
            await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers.get("etag", "")

    def close(self) -> None:
        """Hang up."""
        if self.streams is not None:
            self.streams[1].close()
        self.streams = None


async def watch(address: str, poll: Poll, cookie: str, until: float, counted: Counted) -> None:
    """One part of one tab."""
    place = urlsplit(address)
    line = Line(place.hostname or "", place.port or 0)
    etag, due = "", time.monotonic() + random.random() * poll.every_s  # noqa: S311 - tabs were opened at any time
    while due < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        condition = f"If-None-Match: {etag}\r\n" if etag else ""
        head = (
            f"GET {poll.path} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: {cookie}\r\n"
            f"HX-Request: true\r\nAccept-Encoding: gzip\r\n{condition}\r\n"
        )
        begun = time.monotonic()
        status, etag = await line.ask(head)
        counted.ms.append(1000 * (time.monotonic() - begun))
        counted.unchanged += status == 304
        counted.refused += status not in (200, 304)
        due = max(due + poll.every_s, time.monotonic())
    line.close()


async def series(address: str, tabs: list[tuple[str, list[Poll]]], seconds: float) -> Counted:
    """All tabs at once."""
    counted, until = Counted(), time.monotonic() + seconds
    await asyncio.gather(*(watch(address, poll, cookie, until, counted) for cookie, polls in tabs for poll in polls))
    return counted


def told(name: str, hub: Hub, tabs: list[tuple[str, list[Poll]]], seconds: float) -> float:
    """Run one series and say what it took."""
    before = hub.cpu_s
    found = asyncio.run(series(hub.address, tabs, seconds))
    used = (hub.cpu_s - before) / seconds
    found.ms.sort()
    print(
        f"{name}: {len(found.ms)} polls, p50 {found.ms[len(found.ms) // 2]:.1f} ms, p95 {found.p95():.1f} ms, slowest "
        f"{found.ms[-1]:.0f} ms, {100 * found.unchanged / len(found.ms):.0f} % unchanged, {found.refused} refused, "
        f"{100 * used:.0f} % of a core"
    )
    return found.p95()


def speak(address: str) -> None:
    """Put something on the air: the duty officer's own township, red, taken from the plan."""
    duty = signed_in(address, "duty")
    token = TOKEN.search(duty.get(f"{address}/emergency", timeout=30).text)
    duty.headers["X-CSRFToken"] = token[1] if token else ""
    form = {"hazard": "flash_flood", "colour": "red", "area": "990101001000", "sms": "0", "speakers": "30"}
    form["form_key"] = str(uuid4())
    answer = duty.post(f"{address}/emergency", data=form, timeout=30)
    if "/emergency/" not in answer.url:
        raise SystemExit(f"nothing is on air: {answer.status_code}")
    time.sleep(4)  # its countdown


def main(given: dict[str, str]) -> int:
    count, seconds = int(given.get("tabs", "100")), float(given.get("seconds", "40"))
    people_wanted = int(given.get("people", "8"))
    with tempfile.TemporaryDirectory() as folder:
        bare = started(["-c", BARE], Path(folder) / "bare.log")
        hub = started(
            ["-m", "cunxiang", "demo", "--port", "0", "--data-dir", f"{folder}/data"], Path(folder) / "hub.log"
        )
        try:
            time.sleep(10)  # the simulated loudspeakers arrive
            logins = LOGINS[:people_wanted]
            logins += tuple(hired(Path(folder) / "data", people_wanted - len(logins)))
            people = [signed_in(hub.address, login) for login in logins]
            polls = polls_of(people[0], hub.address)
            asked = ", ".join(f"{p.path} every {p.every_s:g} s" for p in polls)
            print(f"{count} tabs of {len(people)} people, each asking {asked}")
            tabs = [(cookie_of(people[n % len(people)]), polls) for n in range(count)]
            told("bare page", bare, tabs, min(seconds, 20))
            quiet = told("nothing on air", hub, tabs, seconds)
            speak(hub.address)
            polls = polls_of(people[0], hub.address)
            tabs = [(cookie, polls) for cookie, _ in tabs]
            busy = told("an emergency on air", hub, tabs, seconds)
        finally:
            hub.close()
            bare.close()
    return int(max(quiet, busy) >= TARGET_MS)


if __name__ == "__main__":
    raise SystemExit(main(dict(word.split("=", 1) for word in sys.argv[1:])))
