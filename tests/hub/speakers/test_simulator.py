"""A hundred loudspeakers in one process."""

import base64
import socket
import threading
import time
import wave
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from soundlab import pieces
from speakerlab import COUNTY, KEY, Recordings, Village, a_chunk, a_play, a_shout, a_village, soon

from hub.speakers.device.actions import ATTENTION_MS
from hub.speakers.device.client import now_ms
from hub.speakers.device.simulator import Simulation, SimulationOptions
from hub.speakers.protocol import (
    Command,
    Configure,
    FaultReport,
    Priority,
    Reached,
    Records,
    Restart,
    SelfTest,
    Settings,
    ToDevice,
    ToRegion,
    seal_command,
)
from hub.speakers.topics import Kind, device_topic, region_command

pytestmark = pytest.mark.slow


MANY = [f"horn-{number:04}" for number in range(100)]
FEW = MANY[:12]


@contextmanager
def a_crowd(village: Village, names: list[str], **options: Any) -> Iterator[Simulation]:
    devices = [village.device(name, number) for number, name in enumerate(names, start=1)]
    simulation = Simulation(devices, SimulationOptions(village.folder / "crowd", **options))
    thread = threading.Thread(target=simulation.run)
    thread.start()
    try:
        yield simulation
    finally:
        simulation.halt()
        thread.join(timeout=20)
        assert not thread.is_alive()


def send(village: Village, command: Command) -> None:
    assert village.link.publish(region_command(COUNTY), seal_command(command, KEY))


def ended(village: Village, command: Command, state: Reached) -> set[str]:
    return {receipt.dev for receipt in village.receipts if receipt.id == command.id and receipt.st is state}


def test_a_hundred_devices_hear_one_message_and_all_finish(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.5)
    with a_village("embedded", tmp_path, MANY) as village, a_crowd(village, MANY, keep_audio=2) as simulation:
        assert soon(lambda: simulation.crowd().up == 100, within_s=20)
        assert soon(lambda: len(village.beats) >= 100)
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99, excluded=(MANY[0],)), audio=audio)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 98, within_s=20)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.DUPLICATE)) == 98, within_s=20)
        started = Counter(r.dev for r in village.receipts if r.st is Reached.STARTED)
        assert set(started.values()) == {1}
        assert not {MANY[0], MANY[99]} & set(started)
        assert len(recordings.asked) == 1
    kept = list((tmp_path / "crowd" / "sounded").rglob("*.wav"))
    assert [path.parent.name for path in kept] == [MANY[1]]
    with wave.open(str(kept[0])) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(0.5, abs=0.1)
    assert soon(lambda: simulation.crowd().sounding == 0)


def test_a_crowd_that_is_started_again_plays_nothing_twice(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village:
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio)
        with a_crowd(village, FEW) as simulation:
            assert soon(lambda: simulation.crowd().up == 12)
            assert soon(lambda: len(village.beats) >= 12)
            send(village, play)
            assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 12)
        before = len(village.beats)
        with a_crowd(village, FEW) as simulation:
            assert soon(lambda: len(village.beats) >= before + 12)
            send(village, play)
            assert soon(lambda: len(ended(village, play, Reached.DUPLICATE)) == 12)
        assert sum(receipt.st is Reached.STARTED for receipt in village.receipts) == 12


def test_some_may_be_away_and_some_may_fail(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village:
        with a_crowd(village, FEW, offline=1.0) as simulation:
            assert not soon(lambda: simulation.crowd().up > 0, within_s=0.5)
        with a_crowd(village, FEW, failing=1.0) as simulation:
            assert soon(lambda: len(village.beats) >= 12)
            play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio)
            send(village, play)
            assert soon(lambda: len(ended(village, play, Reached.RECEIVED)) == 12)
            assert not soon(lambda: len(ended(village, play, Reached.FETCHED)) > 0, within_s=0.5)
    assert recordings.asked == []


def test_each_may_fetch_for_itself(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW, fetch_per_device=True):
        assert soon(lambda: len(village.beats) >= 12)
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 12)
    assert len(recordings.asked) == 12


def test_a_device_that_drops_out_is_missed_and_comes_back(tmp_path: Path) -> None:
    with a_village("embedded", tmp_path, FEW[:1]) as village, a_crowd(village, FEW[:1]) as simulation:
        assert soon(lambda: village.is_up(FEW[0]))
        (speaker,) = simulation.speakers()
        simulation.call_soon(speaker.drop)
        assert soon(lambda: not village.is_up(FEW[0]))
        assert soon(lambda: village.is_up(FEW[0]))


def order(kind: type[Any], name: str, **given: Any) -> Any:
    now = now_ms()
    fields = {"id": a_play().id, "issuer": "hub", "iat": now, "nbf": now, "exp": now + 60_000, "seq": 50}
    return kind(**(fields | {"to": ToDevice(device=name)} | given))


def send_to(village: Village, name: str, command: Command) -> None:
    assert village.link.publish(device_topic(name, Kind.COMMAND), seal_command(command, KEY))


def test_faults_come_and_go_and_values_are_felt(tmp_path: Path) -> None:
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW, faulty=1.0, trouble_s=(0.2, 0.6)):
        reports: list[FaultReport] = []
        village.link.on_faults(reports.extend)
        assert soon(lambda: len(village.beats) >= 12)
        assert soon(lambda: len({report.code for report in reports if report.on}) >= 4)
        assert soon(lambda: {report.code for report in reports if not report.on} != set())
    by_device: dict[tuple[str, str], list[bool]] = {}
    for report in reports:
        by_device.setdefault((report.dev, report.code), []).append(report.on)
    assert all(said == [index % 2 == 0 for index in range(len(said))] for said in by_device.values())
    assert all(beat.temp is not None and beat.signal is not None and beat.battery for beat in village.beats)


def test_none_is_faulty_unless_asked(tmp_path: Path) -> None:
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW):
        assert soon(lambda: len(village.beats) >= 12)
        assert all(beat.faults == () and beat.amp == "off" for beat in village.beats)


def test_a_simulated_device_tests_itself_sends_records_and_restarts(tmp_path: Path, recordings: Recordings) -> None:
    name = FEW[0]
    test, restart = order(SelfTest, name, sound=True), order(Restart, name, seq=51)
    records = order(Records, name, seq=52, after=0)
    with a_village("auto", tmp_path, FEW[:1]) as village, a_crowd(village, FEW[:1]):
        assert soon(lambda: len(village.beats) >= 1)
        began = time.monotonic()
        send_to(village, name, test)
        assert soon(lambda: Reached.FINISHED in village.states(test))
        report = village.receipts[-1].report
        assert report is not None
        assert report["tone"] == "ok"
        beats = len(village.beats)
        send_to(village, name, restart)
        # a broker that was still sending when the device hung up may add its last will to the farewell
        assert soon(lambda: [up for up, _ in groupby(each.up for each in village.presences)] == [True, False, True])
        assert soon(lambda: len(village.beats) > beats)
        assert (village.beats[-1].up_s or 0) <= time.monotonic() - began - 3, "it counts from the restart"
        send_to(village, name, records)
        assert soon(lambda: Reached.FINISHED in village.states(records))
        send_to(village, name, restart)
        assert soon(lambda: Reached.DUPLICATE in village.states(restart))
    assert village.states(test) == [Reached.RECEIVED, Reached.FINISHED] * 2


def test_a_crowd_follows_a_live_voice(tmp_path: Path) -> None:
    shout, spoken = a_shout(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99)), pieces(3)
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW, keep_audio=1):
        assert soon(lambda: len(village.beats) >= 12)
        send(village, shout)
        for n, piece in enumerate(spoken):
            data = base64.b64encode(piece).decode()
            send(village, a_chunk(shout, n, iat=now_ms(), data=data, last=n == 2))
        assert soon(lambda: len(ended(village, shout, Reached.FINISHED)) == 12)
    heard = [receipt.played_ms for receipt in village.receipts if receipt.st is Reached.FINISHED]
    assert heard == [pytest.approx(3000, abs=100)] * 12
    (kept,) = (tmp_path / "crowd" / "sounded").rglob("*.wav")
    with wave.open(str(kept)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(3 + ATTENTION_MS / 1000, abs=0.2)


def test_the_pack_comes_to_all_and_stands_in(tmp_path: Path, recordings: Recordings) -> None:
    flood = recordings.tone("flood.mp3", 0.3)
    missing = flood.model_copy(update={"sha256": "e" * 64, "url": f"{flood.url}.none"})
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW):
        assert soon(lambda: len(village.beats) >= 12)
        for number, name in enumerate(FEW, start=1):
            settings = Settings(
                version=1, number=number, regions=(COUNTY,), keys={"h1": KEY.public()}, beat_s=1, pack={"flood": flood}
            )
            message = seal_command(order(Configure, name, settings=settings), KEY)
            assert village.link.publish(device_topic(name, Kind.CONFIG), message, retain=True)
        assert soon(lambda: {beat.dev for beat in village.beats if beat.pack == 1} == set(FEW))
        play = a_play(
            iat=now_ms(),
            to=ToRegion(region=COUNTY, upto=99),
            audio=missing,
            pri=Priority.EMERGENCY,
            pack="flood",
        )
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.FINISHED)) == 12)
    started = [receipt.used for receipt in village.receipts if receipt.st is Reached.STARTED]
    assert started == ["pack"] * 12
    assert sum(path == "/flood.mp3" for path, _ in recordings.asked) == 1


def test_a_host_that_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    """A listener whose queue is full lets a connection hang for seconds."""
    with (
        a_village("auto", tmp_path, FEW[:2]) as village,
        socket.create_server(("127.0.0.1", 0), backlog=1) as deaf,
        closing(socket.create_connection(deaf.getsockname())),
        closing(socket.create_connection(deaf.getsockname())),
    ):
        hangs, well = village.device(FEW[0], 1), village.device(FEW[1], 2)
        lost = hangs.model_copy(update={"broker_port": deaf.getsockname()[1]})
        simulation = Simulation([lost, well], SimulationOptions(tmp_path / "crowd"))
        thread = threading.Thread(target=simulation.run)
        began = time.monotonic()
        thread.start()
        try:
            assert soon(lambda: village.is_up(FEW[1]), within_s=4.5)
            assert time.monotonic() - began < 4.5, "a connection that hangs takes five"
            assert simulation.crowd().up == 1
        finally:
            simulation.halt()
            thread.join(timeout=20)


def test_what_may_be_fetched_later_is_spread_over_the_crowd(tmp_path: Path, recordings: Recordings) -> None:
    audio = recordings.tone("a.mp3", 0.2)
    with a_village("auto", tmp_path, FEW) as village, a_crowd(village, FEW, fetch_per_device=True):
        assert soon(lambda: len(village.beats) >= 12)
        at = now_ms() + 6000
        play = a_play(iat=now_ms(), to=ToRegion(region=COUNTY, upto=99), audio=audio, start_at=at, fetch_within_ms=2000)
        send(village, play)
        assert soon(lambda: len(ended(village, play, Reached.FETCHED)) == 12)
    times = sorted(receipt.ts for receipt in village.receipts if receipt.st is Reached.FETCHED)
    assert times[-1] - times[0] > 800
