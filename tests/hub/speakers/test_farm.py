"""The farm that benchmarks measure with is honest: every device verifies, answers once, and is counted."""

import queue
import socket
import threading
import time
from pathlib import Path

import pytest
from speakerlab import KEY, VILLAGE, a_play

from benchmarks import packets
from benchmarks.bare import BareHub
from benchmarks.farm import Arrived, Device, Farm, FarmPlan
from hub.speakers.broker.accounts import BrokerAccount, hash_password, new_secret, write_accounts
from hub.speakers.broker.process import find_mosquitto, start_broker
from hub.speakers.protocol import Receipt, ToRegion, read_answer, seal_command
from hub.speakers.topics import Kind, device_topic, region_command

COUNT = 20
NAMED = (("d1", 1), ("d2", 2))


@pytest.mark.slow
def test_every_device_of_the_farm_hears_and_answers_once(tmp_path: Path) -> None:
    devices = [(f"d{n}", n, new_secret()) for n in range(1, COUNT + 1)]
    password = new_secret()
    hub = BrokerAccount("hub", hash_password(password), is_hub=True)
    horns = [BrokerAccount(name, hash_password(secret), regions=(VILLAGE,)) for name, _, secret in devices]
    write_accounts(tmp_path / "broker", [hub, *horns])
    broker = start_broker("mosquitto" if find_mosquitto() else "embedded", tmp_path / "broker")
    up: queue.Queue[int] = queue.Queue()
    arrived: queue.Queue[Arrived] = queue.Queue()
    plan = FarmPlan(
        host=broker.host, port=broker.port, regions=(VILLAGE,), keys={KEY.kid: KEY.public()}, devices=devices
    )
    farm = Farm(plan, up.put, arrived.put)
    thread = threading.Thread(target=farm.run)
    thread.start()
    try:
        assert up.get(timeout=20) == COUNT
        peer = BareHub.enter((broker.host, broker.port), "hub", password)
        for _ in range(3):
            play = a_play(to=ToRegion(region=VILLAGE, upto=COUNT))
            begin, end = peer.ask_all(region_command(VILLAGE), seal_command(play, KEY), COUNT)
            found = arrived.get(timeout=10)
            assert (found.id, found.count) == (play.id, COUNT)
            assert begin < found.first <= found.last < end <= time.monotonic()
            assert peer.seen == {device_topic(name, Kind.RECEIPT).encode() for name, _, _ in devices}
        peer.leave()
    finally:
        farm.halt()
        thread.join(10)
        broker.stop()


def test_who_is_not_meant_stays_silent_and_who_is_meant_sends_a_receipt_of_the_protocol() -> None:
    plan = FarmPlan(host="", port=1, regions=(VILLAGE,), keys={KEY.kid: KEY.public()}, devices=[("d1", 1, "")])
    farm = Farm(plan, lambda _up: None, lambda _arrived: None)
    play = a_play(to=ToRegion(region=VILLAGE, upto=1))
    with socket.socket() as unused:
        horns = [
            Device(name, number, "", unused, packets.topic_bytes(device_topic(name, Kind.RECEIPT)))
            for name, number in NAMED
        ]
        answers = [farm.answer(horn, seal_command(play, KEY)) for horn in horns]
    assert answers[1] == b""
    [(kind, flags, body, _)] = packets.packets(answers[0])
    topic, _mid, payload = packets.published(flags, body)
    receipt = read_answer(Receipt, payload)
    assert kind == packets.PUBLISH
    assert topic == device_topic("d1", Kind.RECEIPT).encode()
    assert isinstance(receipt, Receipt)
    assert (receipt.id, receipt.dev, receipt.n, receipt.st.value) == (play.id, "d1", 1, "received")
