"""The hub's line: nothing that the broker keeps is lost, whatever is sent, whatever breaks, however full it is."""

import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from speakerlab import soon
from sqlalchemy.exc import IntegrityError, OperationalError
from uuid6 import uuid7

from benchmarks import packets
from hub.speakers.broker.accounts import BrokerAccount, hash_password, write_accounts
from hub.speakers.broker.process import RunningBroker, find_mosquitto, start_broker
from hub.speakers.bulk import BulkClient
from hub.speakers.inbox import Inbox, Said
from hub.speakers.link import BrokerAddress, SpeakerLink, understood
from hub.speakers.protocol import Presence, Reached, Receipt
from hub.speakers.topics import UP, Kind, device_topic

pytestmark = pytest.mark.slow

SECRET = "a-secret-of-this-test"
COMMAND = str(uuid7())


def receipt(n: int, dev: str = "horn-1") -> Receipt:
    return Receipt(id=COMMAND, dev=dev, n=n, st=Reached.RECEIVED, ts=1_795_406_400_000)


@dataclass
class Line:
    """A broker with accounts for the hub and one device."""

    broker: RunningBroker

    def address(self, **given: Any) -> BrokerAddress:
        fields: dict[str, Any] = {"host": self.broker.host, "port": self.broker.port}
        return BrokerAddress(**(fields | {"username": "hub", "password": SECRET} | given))

    def say(self, *messages: tuple[str, bytes], name: str = "horn-1") -> None:
        """Publish as the device, and wait until the broker has everything."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv311)
        client.username_pw_set(name, SECRET)
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        assert soon(client.is_connected)
        for info in [client.publish(topic, payload, 1) for topic, payload in messages]:
            info.wait_for_publish(20)
        if self.broker.kind == "embedded":
            time.sleep(0.5)  # it forgets what a device that leaves has said just before
        client.disconnect()
        client.loop_stop()

    def send(self, *receipts: Receipt) -> None:
        self.say(*((device_topic(each.dev, Kind.RECEIPT), each.to_bytes()) for each in receipts))


def a_line(kind: Any, folder: Path) -> Iterator[Line]:
    accounts = [
        BrokerAccount("hub", hash_password(SECRET), is_hub=True),
        BrokerAccount("hub-2", hash_password(SECRET), is_hub=True),
        BrokerAccount("horn-1", hash_password(SECRET)),
    ]
    write_accounts(folder, accounts)
    broker = start_broker(kind, folder)
    yield Line(broker)
    broker.stop()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """With mosquitto, which brings again what was not acknowledged."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    yield from a_line("mosquitto", tmp_path / "broker")


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Line]:
    yield from a_line("embedded", tmp_path / "broker")


def listening(address: BrokerAddress, take: Callable[[list[Receipt]], None], inbox: Inbox | None = None) -> SpeakerLink:
    link = SpeakerLink(address, inbox)
    link.on_receipts(take)
    assert link.start(wait_s=10), link.problem
    return link


def database_away() -> OperationalError:
    return OperationalError("INSERT", {}, Exception("the server closed the connection"))


def test_what_cannot_be_stored_now_is_tried_until_it_can(embedded: Line) -> None:
    tries: list[list[int]] = []

    def take(found: list[Receipt]) -> None:
        tries.append([each.n for each in found])
        if len(tries) < 4:
            raise database_away()

    link = listening(embedded.address(), take)
    embedded.send(receipt(1))
    assert soon(lambda: len(tries) == 4)
    assert tries == [[1]] * 4
    link.stop()


def test_what_was_not_stored_before_the_end_comes_again(line: Line) -> None:
    asked = threading.Event()
    waits: list[float] = []

    def refuse(found: list[Receipt]) -> None:
        asked.set()
        waits.append(link.behind_s)
        raise database_away()

    link = listening(line.address(), refuse)
    line.send(*(receipt(n) for n in range(1, 301)))
    assert asked.wait(10)
    assert soon(lambda: len(waits) >= 3)
    assert waits == sorted(waits), "and it is known how long this has been waiting"
    assert waits[-1] > 0.2
    link.stop()
    stored: list[int] = []
    link = listening(line.address(), lambda found: stored.extend(each.n for each in found))
    assert soon(lambda: set(stored) == set(range(1, 301)))
    link.stop()


def test_what_was_stored_is_acknowledged_and_does_not_come_again(line: Line) -> None:
    stored: list[int] = []
    link = listening(line.address(), lambda found: stored.extend(each.n for each in found))
    line.send(*(receipt(n) for n in range(1, 2001)))
    assert soon(lambda: len(stored) == 2000)
    time.sleep(0.3)
    link.stop()
    again: list[int] = []
    link = listening(line.address(), lambda found: again.extend(each.n for each in found))
    line.send(receipt(2001))
    assert soon(lambda: bool(again))
    assert again == [2001]
    link.stop()


def fill_up(line: Line, chatter: Callable[[SpeakerLink], None] = lambda _link: None) -> None:
    """Send more than there is room for while the database is busy; all of it must have come in the end."""
    busy, go, over = threading.Event(), threading.Event(), threading.Event()
    stored: set[int] = set()

    def take(found: list[Receipt]) -> None:
        busy.set()
        go.wait(20)
        stored.update(each.n for each in found)

    def talk() -> None:
        while not over.wait(0.02):
            chatter(link)

    link = listening(line.address(), take, Inbox(max_kept=90, max_beats=5))
    talker = threading.Thread(target=talk)
    talker.start()
    try:
        line.send(receipt(1))
        assert busy.wait(10)
        line.send(*(receipt(n) for n in range(2, 151)))
        assert soon(lambda: link._missed)
        go.set()
        assert soon(lambda: stored == set(range(1, 151)), within_s=30), f"{len(stored)} of 150"
        assert not link._missed
    finally:
        over.set()
        talker.join()
        link.stop()


def test_what_finds_no_room_comes_when_there_is_room(line: Line) -> None:
    fill_up(line)


def test_what_found_no_room_comes_again_also_while_heartbeats_never_cease(line: Line) -> None:
    fill_up(line, lambda link: link._heard(b"of no interest", b"", 0))


def test_what_comes_in_one_piece_with_the_welcome_is_acknowledged() -> None:
    """A broker that keeps a session sends what it has kept right behind its welcome."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(10)
        stored: list[int] = []
        link = SpeakerLink(BrokerAddress("127.0.0.1", door.getsockname()[1], "hub", SECRET))
        link.on_receipts(lambda found: stored.extend(each.n for each in found))
        link.start()
        hub, _ = door.accept()
        with hub:
            hub.settimeout(10)
            assert hub.recv(4096)[0] == 0x10, "it introduces itself"
            topic = packets.topic_bytes(device_topic("horn-1", Kind.RECEIPT))
            hub.sendall(b"\x20\x02\x01\x00" + packets.publish(topic, 7, receipt(1).to_bytes()))
            heard = b""
            while packets.puback(b"\x00\x07") not in heard:
                heard += hub.recv(4096)
        assert stored == [1]
        link.stop()


def test_what_an_ended_connection_brought_is_not_acknowledged_on_the_next() -> None:
    client = BulkClient(lambda _topic, _payload, _mid: None)
    with socket.create_server(("127.0.0.1", 0)) as door:
        for _ in range(2):
            client.connect(*door.getsockname())
    client.acknowledge([5], client.line - 1)
    assert not [packet for packet in client._out_packet if packet["command"] == 0x40]
    client.acknowledge([6], client.line)
    assert [packet["mid"] for packet in client._out_packet if packet["command"] == 0x40] == [6]
    client._sock_close()


def test_heartbeats_are_the_first_that_find_no_room() -> None:
    inbox = Inbox(max_kept=2, max_beats=1)
    assert inbox.put(Said("t", b"beat", 0, 1, 0.0))
    assert not inbox.put(Said("t", b"beat", 0, 1, 0.0))
    assert inbox.put(Said("t", b"1", 7, 1, 0.0))
    assert inbox.put(Said("t", b"2", 8, 1, 0.0))
    assert not inbox.put(Said("t", b"3", 9, 1, 0.0))
    assert [said.payload for said in inbox.take(10)] == [b"1", b"2", b"beat"]


def test_a_message_that_breaks_the_hub_costs_itself_and_no_other(embedded: Line) -> None:
    stored: list[int] = []

    def take(found: list[Receipt]) -> None:
        if any(each.n == 13 for each in found):
            raise IntegrityError("INSERT", {}, Exception("a fault of ours"))
        stored.extend(each.n for each in found)

    link = listening(embedded.address(), take)
    embedded.send(*(receipt(n) for n in range(1, 51)))
    assert soon(lambda: len(stored) == 49), f"{len(stored)} of 49"
    assert sorted(stored) == [n for n in range(1, 51) if n != 13]
    assert link.healthy()
    link.stop()


def test_a_door_that_is_shut_is_passed_by(embedded: Line) -> None:
    shut = embedded.address(port=1, others=((embedded.broker.host, 2), (embedded.broker.host, embedded.broker.port)))
    link = SpeakerLink(shut)
    assert link.start(wait_s=15), link.problem
    assert link.door == (embedded.broker.host, embedded.broker.port)
    link.stop()


def test_without_a_broker_it_says_so_and_goes_on_trying() -> None:
    link = SpeakerLink(BrokerAddress("127.0.0.1", 1, "hub", SECRET))
    assert not link.start(wait_s=0.5)
    assert link.problem == "no broker answers at 127.0.0.1:1"
    assert not link.healthy()
    link.stop()


def test_a_network_thread_that_dies_is_replaced(embedded: Line) -> None:
    stored: list[int] = []
    link = listening(embedded.address(), lambda found: stored.extend(each.n for each in found))
    before = link._client
    before._thread_terminate = True  # paho's loop ends as it would after a fault in it
    assert soon(lambda: link._client is not before and link.healthy())
    embedded.send(receipt(5))
    assert soon(lambda: stored == [5])
    link.stop()


def nonsense(chance: random.Random) -> tuple[str, bytes]:
    """A topic that may be right, and bytes that nearly are."""
    topic = chance.choice(
        [
            device_topic("horn-1", chance.choice(UP)),
            device_topic("horn-1", chance.choice(UP)),
            f"cx/1/dev/{chance.choice(['', '/', '+', '村', 'x' * 300])}/ack",
            "".join(chance.choice("cx/1dev喇é $") for _ in range(chance.randint(1, 60))),
        ]
    )
    good = bytearray(receipt(chance.randrange(2**53)).to_bytes())
    shape = chance.randrange(5)
    if shape == 0:
        return topic, chance.randbytes(chance.randint(0, 400))
    if shape == 1:
        return topic, b"[" * chance.randint(1, 5000)
    if shape == 2:
        return topic, bytes(good).replace(b"1795406400000", str(10 ** chance.randint(1, 400)).encode())
    for _ in range(chance.randint(1, 6)):
        good[chance.randrange(len(good))] = chance.randrange(256)
    return topic, bytes(good)


def test_no_bytes_on_any_topic_disturb_the_reader(caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(20_261_123)
    caplog.set_level("ERROR")
    link = SpeakerLink(BrokerAddress("127.0.0.1", 1, "hub", SECRET))
    heard: list[object] = []
    link.on_receipts(heard.extend)
    for number in range(2000):
        topic, payload = nonsense(chance)
        link._heard(topic.encode() if number % 9 else b"cx/1/dev/\xff\xfe/ack", payload, number % 2 * (number + 1))
        assert understood(topic, payload) is None or topic.startswith("cx/1/dev/horn-1/")
    link._heard(device_topic("horn-1", Kind.RECEIPT).encode(), receipt(77).to_bytes(), 1)
    while len(link._inbox):
        link._serve()
    assert heard[-1] == receipt(77)
    assert not caplog.records, caplog.text


def as_packets(messages: list[tuple[str, bytes]]) -> bytes:
    return b"".join(
        packets.publish(packets.topic_bytes(topic), mid, payload) + b"\xd0\x00"
        for mid, (topic, payload) in enumerate(messages, start=1)
    )


@given(cuts=st.lists(st.integers(0, 400), max_size=12), sizes=st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_however_the_stream_is_cut_every_message_is_taken_out_and_the_rest_is_left(
    cuts: list[int], sizes: list[int]
) -> None:
    heard: list[tuple[bytes, bytes, int]] = []
    client = BulkClient(lambda topic, payload, mid: heard.append((topic, payload, mid)))
    stream = as_packets([("t", b"x" * size) for size in sizes])
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    rest = b"".join(client._sift(client._half + stream[a:b]) for a, b in itertools.pairwise(places))
    assert heard == [(b"t", b"x" * size, mid) for mid, size in enumerate(sizes, start=1)]
    assert rest == b"\xd0\x00" * len(sizes)


@pytest.mark.parametrize(
    "stream", [b"\x32\xff\xff\xff\xff\x01", b"\x32\xff\xff\xff\x7f", b"\x32\x02\x00\x09", b"\x32\x01\x00"]
)
def test_a_stream_that_makes_no_sense_ends_the_connection(stream: bytes) -> None:
    client = BulkClient(lambda _topic, _payload, _mid: None)
    with pytest.raises(OSError, match="the broker has sent"):
        client._sift(stream)


@pytest.mark.slow
def test_no_bytes_on_any_topic_stop_the_hub_at_a_real_broker(line: Line) -> None:
    chance = random.Random(7)
    heard: list[Receipt] = []
    link = listening(line.address(), heard.extend)
    noise = [nonsense(chance) for _ in range(2000)]
    # The broker itself refuses topics with wildcards and those of others; who may say anything is another hub.
    line.say(*((topic, payload) for topic, payload in noise if "+" not in topic and "#" not in topic), name="hub-2")
    line.send(receipt(77))
    assert soon(lambda: receipt(77) in heard)
    assert link.healthy()
    link.stop()


def test_one_device_does_not_speak_for_another() -> None:
    assert understood(device_topic("horn-1", Kind.RECEIPT), receipt(1, dev="horn-2").to_bytes()) is None
    assert understood(device_topic("horn-1", Kind.PRESENCE), Presence(dev="horn-2", up=True).to_bytes()) is None
    assert understood(device_topic("horn-1", Kind.RECEIPT), receipt(1).to_bytes()) == receipt(1)
