"""From the press on 立即播发 to the command on the broker, with 3,000 loudspeakers: idle, and with everything queued.

The service call an officer's press makes (`alerts.service.arm` with a plan in force and no countdown, committed), then
the hub's own loops, until a device that is subscribed to the village's topic has the message. Measured idle, then while
100,000 ordinary text messages are being sent (local gateway) and 500 texts are being spoken (pyttsx3), in the same run.
Targets: p95 at most 0.5 s idle; loaded at most 1.2 times that.
Run: .venv/bin/python benchmarks/alarm.py [loudspeakers=3000] [sqlite|postgresql] [rounds=30]
"""

import math
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import insert
from uuid6 import uuid7

from benchmarks.databases import running_database
from benchmarks.village import REGIONS, VILLAGE, Site, a_site, running, until_idle
from broadcasts.alerts import service
from broadcasts.alerts.hazards import hazards
from broadcasts.alerts.plans import starting
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.voice import speak
from broadcasts.alerts.wishes import Spoken, Wish
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour, Theme
from broadcasts.pumps import Pumps
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.states import MessageState, RunState
from broadcasts.studio import Studio
from hub.accounts.roles import PERMISSIONS_OF, Role
from hub.core.actor import Actor, Scope
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from hub.residents.phones import PhoneSafe
from hub.speakers.broker.process import find_mosquitto
from hub.speakers.envelope import KeyRing
from hub.speakers.protocol import Play, read_command
from hub.speakers.station import Station
from hub.speakers.topics import region_command

TEXTS, RENDERINGS = 100_000, 500
PATIENCE_S: Final = 60.0
BETWEEN_S: Final = 2.0


def somebody(role: Role, name: str) -> Actor:
    """Somebody of the county."""
    return Actor(id=uuid7(), name=name, scopes=(Scope(path_of(REGIONS[0]), PERMISSIONS_OF[role]),))


OFFICER: Final = somebody(Role.APPROVER, "值班员")


@dataclass
class Ear:
    """A device's connection: when each new play on the village's topic arrived."""

    keys: KeyRing
    heard: list[float] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    news: threading.Condition = field(default_factory=threading.Condition)

    def listen(self, site: Site) -> mqtt.Client:
        """Connect as the first loudspeaker."""
        name, _, secret = site.devices[0]
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        client.username_pw_set(name, secret)
        client.on_message = self._note
        client.connect(site.broker.host, site.broker.port)
        client.subscribe(region_command(VILLAGE), 1)
        client.loop_start()
        return client

    def _note(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        at = time.monotonic()
        command = read_command(bytes(message.payload), self.keys)
        if isinstance(command, Play) and command.id not in self.seen:
            with self.news:
                self.seen.add(command.id)
                self.heard.append(at)
                self.news.notify_all()

    def after(self, begin: float, count: int) -> float:
        """When the `count`th message after that moment came."""
        with self.news:
            if not self.news.wait_for(lambda: len([t for t in self.heard if t > begin]) >= count, PATIENCE_S):
                raise SystemExit("no command came")
            return [t for t in self.heard if t > begin][count - 1]


def call(runtime: Runtime, spoken: Spoken) -> UUID:
    """What the press does."""
    kind = hazards()["flash_flood"]
    words = usual_words(kind, Colour.RED).at("试县")
    audience = Audience((VILLAGE,), sms=False)
    rules = replace(runtime.get(Rules), countdown=timedelta(0))
    wish = Wish(str(uuid4()), kind, Colour.RED, words, audience, 3000, place="试县")
    with runtime.sessions.begin() as session:
        return service.arm(session, OFFICER, wish, spoken, rules=rules, now=runtime.now()).id


def rounds(runtime: Runtime, ear: Ear, spoken: Spoken, number: int) -> list[float]:
    """Return the seconds of each alert."""
    alerts = []
    for _ in range(number):
        begin = time.monotonic()
        runtime.get(Pumps).make_way()
        alert_id = call(runtime, spoken)
        alerts.append(ear.after(begin, 1) - begin)
        with runtime.sessions.begin() as session:
            service.stop(session, OFFICER, alert_id, now=runtime.now())
        time.sleep(BETWEEN_S)
    return alerts


def queue_texts(runtime: Runtime) -> None:
    """Put 100,000 ordinary messages into the outbox."""
    safe, now, run_id = runtime.get(PhoneSafe), runtime.now(), uuid7()
    sealed = safe.seal("+8613800000000")
    rows = [
        {
            "broadcast_id": run_id,
            "phone_index": n.to_bytes(16),
            "sealed": sealed,
            "masked": "138****0000",
            "resident_id": run_id,
            "region_path": path_of(VILLAGE),
            "state": MessageState.CREATED,
            "parts": 1,
            "next_try_at": now,
            "changed_at": now,
        }
        for n in range(TEXTS)
    ]
    with runtime.sessions.begin() as session:
        session.add(
            SmsRun(
                broadcast_id=run_id,
                priority=2,
                text="【村响】明天停水。",
                parts=1,
                price_hundredths=500,
                audience=Audience((VILLAGE,), sms=True).as_json(),
                state=RunState.GOING,
                created_at=now,
                served_at=now,
                expires_at=now + timedelta(hours=6),
                expanded_at=now,
            )
        )
        session.flush()
        session.execute(insert(SmsMessage), rows)


def speak_all(runtime: Runtime, over: threading.Event) -> None:
    """Speak 500 texts, one after the other."""
    studio = runtime.get(Studio)
    for n in range(RENDERINGS):
        if over.is_set():
            return
        text = f"第{n}条通知：明天上午八点在村委会开会，请准时参加。"
        order = studio.announcement(text, theme=Theme.NOTICE, speed="normal", repeats=2)
        studio.render(replace(order, voice=replace(order.voice, engine="pyttsx3", voice="")))


def p95(found: Sequence[float]) -> float:
    """The 95th percentile: a value that was measured, the one that 95 of 100 do not exceed."""
    return sorted(found)[math.ceil(0.95 * len(found)) - 1]


def show(name: str, found: Sequence[float]) -> float:
    """Print a line; return the p95."""
    print(f"  {name:40} median {statistics.median(found):.3f}  p95 {p95(found):.3f}  last {max(found):.3f} s")
    return p95(found)


def measure(site: Site, number: int) -> None:
    """Idle first, then loaded, in one run."""
    runtime = site.runtime
    key = runtime.get(Station).key
    ear = Ear(KeyRing(((key.kid, key.public()),)))
    with runtime.sessions.begin() as session:
        writer, signers = somebody(Role.CLERK, "编辑"), [somebody(Role.APPROVER, name) for name in ("甲", "乙")]
        starting.begin(session, writer, REGIONS[0], signature="村响", now=runtime.now())
        starting.sign_all(session, REGIONS[0], signers, now=runtime.now())
    spoken = speak(runtime.get(Studio), "紧急通知！", Colour.RED)
    client = ear.listen(site)
    with running(runtime):
        until_idle()
        idle = rounds(runtime, ear, spoken, number)
        first = show("idle: press to command", idle)
        queue_texts(runtime)
        over = threading.Event()
        worker = threading.Thread(target=speak_all, args=(runtime, over), daemon=True)
        worker.start()
        time.sleep(2)
        loaded = rounds(runtime, ear, spoken, number)
        second = show("loaded: press to command", loaded)
        over.set()
        worker.join(30)
    client.loop_stop()
    print(f"  loaded / idle, p95: {second / first:.2f}")


def main() -> None:
    """Measure once."""
    words = sys.argv[1:]
    count = next((int(word) for word in words if word.isdigit()), 3000)
    database = next((word for word in words if word in {"sqlite", "postgresql"}), "sqlite")
    number = next((int(word.removeprefix("rounds=")) for word in words if word.startswith("rounds=")), 30)
    if find_mosquitto() is None:
        raise SystemExit("mosquitto is not installed")
    with tempfile.TemporaryDirectory(prefix="cunxiang-bench-") as name:
        folder = Path(name)
        with running_database(database, folder) as url, a_site(folder, url, count) as site:
            print(f"{count} loudspeakers, {database}, {number} rounds")
            measure(site, number)


if __name__ == "__main__":
    main()
