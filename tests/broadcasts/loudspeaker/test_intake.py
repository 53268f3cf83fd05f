"""What loudspeakers say survives a database that is away and a hub that is killed in the middle of writing it down."""

import gc
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from conftest import NOON
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from speakerlab import soon
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.loudspeaker.intake import Intake
from broadcasts.loudspeaker.models import PlayReceipt
from hub.core.db import Sessions
from hub.core.runtime import Runtime
from hub.speakers.broker.accounts import BrokerAccount, hash_password, write_accounts
from hub.speakers.broker.process import RunningBroker, find_mosquitto, start_broker
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.protocol import Beat, Doing, Reached, Receipt, Records
from hub.speakers.topics import Kind, device_topic

HORN = "s1001-1"
BURST = 500
SECRET = "a-secret-of-this-test"
COMMAND = str(uuid7())
ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow


@dataclass
class Asked:
    """Keeps what the hub wants to have again."""

    after: list[int] = field(default_factory=list)

    def send(self, kind: type[Records], speaker_id: str, seq: int, *, after: int) -> str | None:
        self.after.append(after)
        return str(uuid7())


@contextmanager
def a_broker(kind: Literal["embedded", "mosquitto"], folder: Path) -> Iterator[RunningBroker]:
    accounts = [
        BrokerAccount("hub", hash_password(SECRET), is_hub=True),
        BrokerAccount(HORN, hash_password(SECRET)),
    ]
    write_accounts(folder, accounts)
    broker = start_broker(kind, folder)
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def a_device(broker: RunningBroker) -> Iterator[mqtt.Client]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=HORN, protocol=mqtt.MQTTv311)
    client.username_pw_set(HORN, SECRET)
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert soon(client.is_connected)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def say(device: mqtt.Client, *numbers: int) -> None:
    """Send receipts, until the broker has them."""
    said = (Receipt(id=COMMAND, dev=HORN, n=n, st=Reached.RECEIVED, ts=1_795_406_400_000) for n in numbers)
    for info in [device.publish(device_topic(HORN, Kind.RECEIPT), each.to_bytes(), 1) for each in said]:
        info.wait_for_publish(30)


def beat(device: mqtt.Client, n: int) -> None:
    here = Beat(
        dev=HORN,
        st=Doing.IDLE,
        now=None,
        last=(),
        seq=1,
        ts=1,
        free=1,
        vol=80,
        ver="1",
        cfg=1,
        nonce="0" * 8,
        n=n,
    )
    device.publish(device_topic(HORN, Kind.BEAT), here.to_bytes(), 0)


def memory_kb() -> int:
    """What this process holds."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def stored(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return session.scalar(select(func.count()).select_from(PlayReceipt)) or 0


class AwaySessions(Sessions):
    """A database that is away for the first few transactions."""

    def __init__(self, runtime: Runtime, times: int) -> None:
        super().__init__(runtime.sessions.engine)
        self.times = times

    @contextmanager
    def begin(self) -> Iterator[Session]:
        self.times -= 1
        if self.times >= 0:
            raise OperationalError("BEGIN", {}, Exception("the server is starting up"))
        with super().begin() as session:
            yield session


def connected(broker: RunningBroker) -> SpeakerLink:
    return SpeakerLink(BrokerAddress(broker.host, broker.port, "hub", SECRET))


def test_a_database_that_is_away_costs_time_and_no_receipt(runtime: Runtime, tmp_path: Path) -> None:
    with a_broker("embedded", tmp_path / "broker") as broker, a_device(broker) as device:
        link, sessions = connected(broker), AwaySessions(runtime, 3)
        Intake(sessions, Asked(), lambda: NOON).plug_in(link)
        assert link.start(wait_s=10)
        say(device, *range(1, 101))
        assert soon(lambda: stored(runtime) == 100, within_s=20), stored(runtime)
        assert sessions.times < 0
        link.stop()


@pytest.mark.parametrize("moment", ["writing", "committed"])
def test_killed_in_the_middle_everything_comes_again_and_is_stored_once(
    runtime: Runtime, tmp_path: Path, moment: str
) -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    with a_broker("mosquitto", tmp_path / "broker") as broker, a_device(broker) as device:
        with a_hub(runtime, broker, moment) as hub:
            assert hub.stdout is not None
            assert hub.stdout.readline() == b"up\n"
            say(device, *range(1, 1201))
            time.sleep(0.1)
            say(device, *range(1201, 2501))
            assert hub.stdout.readline() == f"{moment}\n".encode()
            hub.kill()
            hub.wait(10)
        before = stored(runtime)
        assert 0 < before < 2500, "killed in the middle"
        with a_hub(runtime, broker, "") as hub:
            assert hub.stdout is not None
            assert hub.stdout.readline() == b"up\n"
            assert soon(lambda: stored(runtime) == 2500, within_s=20), f"{before} and then {stored(runtime)} of 2500"
            hub.stdin and hub.stdin.close()
            assert hub.wait(10) == 0


def test_memory_does_not_grow_with_the_number_of_receipts(runtime: Runtime) -> None:
    link = SpeakerLink(BrokerAddress("127.0.0.1", 1, "hub", SECRET))
    Intake(runtime.sessions, Asked(), lambda: NOON).plug_in(link)
    numbers = itertools.count(1)
    topic = device_topic(HORN, Kind.RECEIPT).encode()

    def burst() -> None:
        command = str(uuid7())
        for n in itertools.islice(numbers, BURST):
            receipt = Receipt(id=command, dev=HORN, n=n, st=Reached.RECEIVED, ts=1_795_406_400_000)
            link._heard(topic, receipt.to_bytes(), 0)
        link._serve()

    for _ in range(20):
        burst()
    before = memory_kb()
    for _ in range(80):
        burst()
    assert stored(runtime) == 100 * BURST
    assert memory_kb() - before < 5_000, "40,000 receipts, of 150 bytes each"


@contextmanager
def a_hub(runtime: Runtime, broker: RunningBroker, halt: str) -> Iterator[subprocess.Popen[bytes]]:
    """A hub as a process of its own, on this test's database."""
    program = str(ROOT / "tests" / "ingestworker.py")
    arguments = [str(runtime.sessions.engine.url.database), str(broker.port), SECRET, halt]
    process = subprocess.Popen(
        [sys.executable, program, *arguments], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()


def test_a_broker_that_brings_nothing_again_is_healed_by_asking_for_the_records(
    runtime: Runtime, tmp_path: Path
) -> None:
    with a_broker("embedded", tmp_path / "broker") as broker, a_device(broker) as device:
        deaf = connected(broker)
        away = AwaySessions(runtime, 1000)
        Intake(away, Asked(), lambda: NOON).plug_in(deaf)
        assert deaf.start(wait_s=10)
        say(device, 1, 2, 3)
        assert soon(lambda: away.times < 1000)
        time.sleep(0.3)
        deaf.stop()  # heard, not stored, not acknowledged: this broker has forgotten them
        hub, asked = connected(broker), Asked()
        intake = Intake(runtime.sessions, asked, lambda: NOON)
        intake.plug_in(hub)
        assert hub.start(wait_s=10)
        say(device, 4)
        assert soon(lambda: stored(runtime) == 1)
        assert not soon(lambda: stored(runtime) > 1, within_s=1)
        beat(device, 4)
        assert soon(lambda: HORN in intake._gaps._open), "seen once, it may still be on its way"
        beat(device, 4)
        assert soon(lambda: asked.after == [0])
        say(device, 1, 2, 3, 4)
        assert soon(lambda: stored(runtime) == 4)
        hub.stop()
