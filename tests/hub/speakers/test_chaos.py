"""Real processes, real kills: broker, hub and four loudspeakers, a hundred rounds, and then the books agree."""

import logging
import os
import random
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from brokerlab import External
from chaoslab import Child, CutLine, children, hub_child, speaker_child, wait_for_port
from countylab import BRIDGE, HILL, TOWN, County, fill, open_hub, sounds_of
from speakerlab import recordings_served, soon
from sqlalchemy import select

from broadcasts.loudspeaker.models import PlayReceipt, SpeakerDelivery
from broadcasts.loudspeaker.states import FINAL, PlayState
from hub.speakers.protocol import Priority

pytestmark = pytest.mark.slow
log = logging.getLogger("chaos")
ROUNDS = 110
PAUSES = (0.05, 0.25, 0.6)
LENGTHS = (0.3, 0.5, 1.0)
DOWN_S = (0.0, 1.5)
HEAL_S = 60.0
HORNS = ("bridge-1", "bridge-2", "bridge-3", "hill-1")


@dataclass
class Item:
    """One release."""

    id: UUID
    priority: Priority
    valid_s: float
    stopped: bool = False


@dataclass
class Chaos:
    """What runs, what may come back when, and what was released."""

    county: County
    broker: External
    hub: Child
    speakers: dict[str, Child]
    lines: dict[str, CutLine]
    chance: random.Random
    items: list[Item] = field(default_factory=list)
    comes_back: dict[str, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    def step(self) -> None:
        """One round."""
        deeds = (self.release, self.stop, self.kill_speaker, self.cut_line, self.kill_hub, self.kill_broker)
        deed = self.chance.choices(deeds, weights=(34, 16, 12, 24, 7, 7))[0]
        deed()
        self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1
        self.bring_back(time.monotonic())

    def release(self) -> None:
        emergency = self.chance.random() < 0.5
        priority = Priority.EMERGENCY if emergency else Priority.ROUTINE
        valid_s = 600.0 if emergency else self.chance.choice((3.0, 600.0))
        region = self.chance.choice((BRIDGE, HILL, TOWN))
        seconds = self.chance.choice(LENGTHS)
        self.items.append(
            Item(self.county.release(region, seconds=seconds, priority=priority, valid_s=valid_s), priority, valid_s)
        )

    def stop(self) -> None:
        open_ = [item for item in self.items[-4:] if not item.stopped]
        if open_:
            item = self.chance.choice(open_)
            self.county.stop(item.id)
            item.stopped = True

    def kill_speaker(self) -> None:
        name = self.chance.choice(HORNS)
        if name not in self.comes_back:
            self.speakers[name].kill()
            self.later(name)

    def cut_line(self) -> None:
        self.lines[self.chance.choice(HORNS)].cut(self.chance.randint(0, 1500))

    def kill_hub(self) -> None:
        if "hub" not in self.comes_back:
            self.hub.kill()
            self.later("hub")

    def kill_broker(self) -> None:
        if "broker" not in self.comes_back:
            self.broker.crash(self.county.station)
            self.later("broker")

    def later(self, name: str) -> None:
        self.comes_back[name] = time.monotonic() + self.chance.uniform(*DOWN_S)

    def bring_back(self, now: float) -> None:
        """Start again whose time has come."""
        for name in [name for name, at in self.comes_back.items() if at <= now]:
            del self.comes_back[name]
            if name == "broker":
                self.broker.mend()
            else:
                (self.hub if name == "hub" else self.speakers[name]).start()

    def settled(self) -> bool:
        """Whether every loudspeaker has come to an end, with a reason for what failed, of all that did not run out."""
        with self.county.runtime.sessions.read() as session:
            query = select(SpeakerDelivery.state, SpeakerDelivery.reason).where(
                SpeakerDelivery.broadcast_id.in_([item.id for item in self.items if item.valid_s > 60]),
                SpeakerDelivery.speaker_id.in_(HORNS),
            )
            return all(s in FINAL and (s is not PlayState.FAILED or reason) for s, reason in session.execute(query))


@contextmanager
def chaos(folder: Path, seed: int) -> Iterator[Chaos]:
    """Start everything."""
    (folder / "web").mkdir()
    with recordings_served(folder / "web") as recordings, children() as started:
        broker = External(folder / "broker")
        runtime = open_hub(folder / "var", broker, recordings.port)
        county = County(folder, broker, runtime, recordings, fill(runtime))
        broker.open(runtime, county.secrets)
        lines = {name: CutLine(("127.0.0.1", broker.port)) for name in HORNS}
        hub = hub_child(folder / "var", broker.port, recordings.port, folder / "hub.log")
        speakers = {}
        for name, line in lines.items():
            device = county.device(name).model_copy(update={"broker_port": line.port})
            device.save(folder / f"{name}.toml")
            speakers[name] = speaker_child(name, folder / f"{name}.toml", folder / f"{name}.log")
        started += [hub, *speakers.values()]
        wait_for_port(broker.port)
        for child in started:
            child.start()
        try:
            assert soon(lambda: county.online() >= set(HORNS), 120), (folder / "hub.log").read_text()[-2000:]
            yield Chaos(county, broker, hub, speakers, lines, random.Random(seed))
        finally:
            for child in started:
                child.kill()
            for line in lines.values():
                line.close()
            broker.close()
            runtime.sessions.engine.dispose()


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    """A hundred rounds, then everything comes back and has a minute."""
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    log.warning("CHAOS_SEED=%d", seed)
    with chaos(tmp_path_factory.mktemp("chaos"), seed) as running:
        for _ in range(ROUNDS):
            running.step()
            time.sleep(running.chance.choice(PAUSES))
        running.bring_back(float("inf"))
        log.warning("rounds: %s, released: %d", running.done, len(running.items))
        began = time.monotonic()
        soon(running.settled, HEAL_S)
        log.warning("healed after %.1f s", time.monotonic() - began)
        time.sleep(1)
        yield running


def test_all_processes_live_and_everyone_is_back(aftermath: Chaos) -> None:
    gone = [child.name for child in (aftermath.hub, *aftermath.speakers.values()) if child.died_by_itself]
    assert gone == [], "killed is one thing, but nobody ended by himself"
    assert soon(lambda: aftermath.county.online() >= set(HORNS), 30)
    assert aftermath.settled(), open_deliveries(aftermath)


def test_no_loudspeaker_sounded_anything_twice(aftermath: Chaos) -> None:
    for item, name, delivery in deliveries(aftermath):
        said = receipts_of(aftermath, delivery)
        stood_in = sum(receipt.state == "progress" for receipt in said)
        again = sum(receipt.state == "interrupted" for receipt in said)
        assert len(wavs(aftermath, delivery)) <= 1 + again + stood_in, f"{name} {item.priority.name} {item.id}"


def test_no_emergency_was_lost_to_anybody(aftermath: Chaos) -> None:
    emergencies = [item for item in aftermath.items if item.priority is Priority.EMERGENCY and not item.stopped]
    assert emergencies
    for item, name, delivery in deliveries(aftermath, emergencies):
        cut_off = delivery.state is PlayState.FAILED and delivery.reason == "power_lost"
        assert delivery.state is PlayState.FINISHED or cut_off, f"{name}: {delivery.state} {delivery.reason} {item.id}"
        if delivery.state is PlayState.FINISHED:
            assert wavs(aftermath, delivery), f"{name} says it sounded {item.id}, but there is no sound"


def test_what_was_stopped_did_not_begin_afterwards(aftermath: Chaos) -> None:
    stopped = [item for item in aftermath.items if item.stopped]
    assert stopped
    for _, name, delivery in deliveries(aftermath, stopped):
        said = receipts_of(aftermath, delivery)
        ended = [receipt.number for receipt in said if receipt.state == "stopped"]
        begun = [receipt.number for receipt in said if receipt.state in ("started", "interrupted")]
        if ended:
            assert max(begun, default=0) < max(ended), f"{name} began after its stop"
            at = next(receipt.device_at for receipt in said if receipt.state == "stopped")
            assert all(began_at(path) <= at + timedelta(milliseconds=50) for path in wavs(aftermath, delivery))


def test_the_books_agree_with_what_was_heard(aftermath: Chaos) -> None:
    silent = {PlayState.EXPIRED, PlayState.REFUSED}
    for item, name, delivery in deliveries(aftermath):
        files = wavs(aftermath, delivery)
        if delivery.state is PlayState.FINISHED:
            assert any(seconds_of(path) > 0.25 for path in files), f"{name} {item.id}"
        elif delivery.state in silent:
            assert files == [], f"{name}: {delivery.state}, but it sounded {item.id}"
        elif delivery.state is PlayState.STOPPED and delivery.started_at is None:
            assert files == [], f"{name} is said to have been stopped before it began {item.id}"


def deliveries(run: Chaos, items: list[Item] | None = None) -> Iterator[tuple[Item, str, SpeakerDelivery]]:
    """Every item on every loudspeaker that ran and was meant."""
    with run.county.runtime.sessions.read() as session:
        for item in items or run.items:
            query = select(SpeakerDelivery).where(SpeakerDelivery.broadcast_id == item.id)
            for delivery in session.scalars(query):
                if delivery.speaker_id in HORNS:
                    yield item, delivery.speaker_id, delivery


def open_deliveries(run: Chaos) -> list[str]:
    return [
        f"{name} {item.priority.name} {delivery.state} {'stopped' if item.stopped else ''} {item.id}"
        for item, name, delivery in deliveries(run)
        if delivery.state not in FINAL and item.valid_s > 60
    ]


def receipts_of(run: Chaos, delivery: SpeakerDelivery) -> list[PlayReceipt]:
    query = (
        select(PlayReceipt)
        .where(PlayReceipt.speaker_id == delivery.speaker_id, PlayReceipt.command_id == delivery.command_id)
        .order_by(PlayReceipt.number)
    )
    with run.county.runtime.sessions.read() as session:
        return list(session.scalars(query))


def wavs(run: Chaos, delivery: SpeakerDelivery) -> list[Path]:
    return sounds_of(run.county.folder / delivery.speaker_id, delivery.command_id)


def began_at(path: Path) -> datetime:
    stamp = path.name.split("-")[0]
    return datetime.strptime(stamp + "000+0000", "%Y%m%dT%H%M%S.%f%z")


def seconds_of(path: Path) -> float:
    with suppress(wave.Error, EOFError), wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()
    return 0.0
