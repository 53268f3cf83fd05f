"""The brokers we start: who gets in, who hears what, and what happens when one dies."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from speakerlab import VILLAGE, Village, a_village, descendants, is_alive, kill_broker, soon

from hub.speakers.broker.accounts import write_accounts
from hub.speakers.broker.process import BrokerFailed, start_broker

pytestmark = pytest.mark.slow


class Client:
    """A client that may be up to no good."""

    def __init__(self, village: Village, name: str | None, secret: str | None, **options: Any) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.granted: list[bool] = []
        self.refused = False
        self.let_in = False
        self.cut_off = False
        client_id = options.get("client_id", name or "nobody")
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=options.get("comes_back", False),
        )
        if name is not None:
            self.paho.username_pw_set(name, secret)
        if "will" in options:
            self.paho.will_set(options["will"], b"{}", 1, retain=True)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self.paho.on_subscribe = lambda _c, _d, _m, codes, _p: self.granted.extend(not c.is_failure for c in codes)
        self.paho.connect(village.broker.host, village.broker.port)
        self.paho.loop_start()

    def may_hear(self, *topics: str) -> list[bool]:
        """Subscribe, and tell which the broker granted."""
        self.granted.clear()
        self.paho.subscribe([(topic, 1) for topic in topics])
        assert soon(lambda: len(self.granted) == len(topics))
        return self.granted

    def _on_connect(self, _c: Any, _d: Any, _f: Any, code: Any, _p: Any) -> None:
        self.refused, self.let_in = code.is_failure, not code.is_failure

    def _on_disconnect(self, _c: Any, _d: Any, _f: Any, _code: Any, _p: Any) -> None:
        self.cut_off = True


@contextmanager
def a_client(village: Village, name: str | None, secret: str | None = None, **options: Any) -> Iterator[Client]:
    client = Client(village, name, secret or village.secrets.get(name or ""), **options)
    try:
        yield client
    finally:
        client.paho.disconnect()
        client.paho.loop_stop()


def test_nobody_gets_in_without_an_account(village: Village) -> None:
    strangers = [(None, None), ("horn-1", "wrong"), ("stranger", "x"), ("hub-2", "x")]
    with ExitStack() as stack:
        clients = [stack.enter_context(a_client(village, name, secret)) for name, secret in strangers]
        assert soon(lambda: all(client.refused for client in clients))
        assert not any(client.let_in for client in clients)


def test_a_device_hears_its_own_topics_and_its_regions_only(village: Village) -> None:
    with a_client(village, "horn-1") as device:
        assert soon(lambda: device.let_in)
        device.may_hear("cx/1/dev/horn-1/cmd", f"cx/1/region/{VILLAGE}/cmd")
        forbidden = ["cx/1/dev/horn-2/cmd", "cx/1/#", "#", "cx/1/dev/+/cmd", "cx/1/region/990101001002/cmd"]
        device.may_hear(*forbidden)
        topics = ["cx/1/dev/horn-2/cmd", "cx/1/region/990101001002/cmd", "cx/1/dev/horn-2/cfg",
                  "cx/1/dev/horn-1/cmd", f"cx/1/region/{VILLAGE}/cmd"]  # fmt: skip
        for topic in topics:
            assert village.link.publish(topic, b"secret", retain=topic.endswith("cfg"))
        assert soon(lambda: len(device.heard) >= 2)
        time.sleep(0.3)
        assert sorted(topic for topic, _ in device.heard) == ["cx/1/dev/horn-1/cmd", f"cx/1/region/{VILLAGE}/cmd"]


def test_a_device_cannot_speak_for_another_or_for_the_hub(village: Village) -> None:
    with a_client(village, "horn-1") as device, a_client(village, "horn-2") as other:
        assert soon(lambda: device.let_in and other.let_in)
        other.may_hear("cx/1/dev/horn-2/cmd", f"cx/1/region/{VILLAGE}/cmd")
        for topic in ["cx/1/dev/horn-2/state", "cx/1/dev/horn-2/cmd", f"cx/1/region/{VILLAGE}/cmd"]:
            device.paho.publish(topic, b'{"dev":"horn-2","up":false}', 1)
        device.paho.publish("cx/1/dev/horn-1/state", b'{"dev":"horn-1","up":true}', 1)
        assert soon(lambda: village.is_up("horn-1"))
        assert [presence.dev for presence in village.presences] == ["horn-1"]
        assert other.heard == []


def test_a_device_cannot_take_the_place_of_another_by_its_client_name(village: Village) -> None:
    with a_client(village, "horn-2") as victim:
        assert soon(lambda: victim.let_in)
        victim.may_hear("cx/1/dev/horn-2/cmd")
        with a_client(village, "horn-1", client_id="horn-2") as thief:
            assert soon(lambda: thief.let_in)
            with a_client(village, None, client_id="horn-2") as stranger:
                assert soon(lambda: stranger.refused)
            assert village.link.publish("cx/1/dev/horn-2/cmd", b"hello")
            assert soon(lambda: len(victim.heard) == 1)
            assert thief.heard == []
        assert not victim.cut_off


def test_a_last_will_in_anothers_name_is_not_spoken(village: Village) -> None:
    with a_client(village, "horn-1", will="cx/1/dev/horn-2/state") as device:
        soon(lambda: device.let_in or device.refused)
        sock = device.paho.socket()
        if device.let_in and isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)
        time.sleep(0.5)
    with a_client(village, "hub-2", village.hub_secret) as hub:
        assert soon(lambda: hub.let_in)
        hub.may_hear("cx/1/dev/horn-2/state")
        time.sleep(0.3)
        assert hub.heard == []


def test_a_newcomer_is_sent_nothing_that_others_keep(village: Village) -> None:
    with a_client(village, "hub-2", village.hub_secret) as hub:
        assert soon(lambda: hub.let_in)
        hub.may_hear("cx/1/dev/+/cfg")
        assert village.link.publish("cx/1/dev/horn-2/cfg", b"of two", retain=True)
        assert village.link.publish("cx/1/dev/horn-1/cfg", b"of one", retain=True)
        # A device that subscribes while they are still on their way is sent them both as news and as kept.
        assert soon(lambda: len(hub.heard) == 2)
    with a_client(village, "horn-2") as two:
        assert soon(lambda: two.let_in)
        two.may_hear("cx/1/dev/horn-2/cfg")
        assert soon(lambda: two.heard == [("cx/1/dev/horn-2/cfg", b"of two")]), two.heard
        with a_client(village, "horn-1") as one:
            assert soon(lambda: one.let_in)
            one.may_hear("cx/1/dev/horn-1/cfg")
            assert soon(lambda: one.heard == [("cx/1/dev/horn-1/cfg", b"of one")])
            time.sleep(0.3)
            assert len(one.heard) == len(two.heard) == 1


@pytest.mark.slow
def test_who_loses_the_account_is_cut_off_within_two_seconds(village: Village) -> None:
    with a_client(village, "horn-1", comes_back=True) as gone, a_client(village, "horn-2") as stays:
        assert soon(lambda: gone.let_in and stays.let_in)
        began = time.monotonic()
        write_accounts(village.folder / "broker", [village.hub_account(), village.account("horn-2")])
        assert soon(lambda: gone.cut_off and gone.refused, within_s=4)
        assert time.monotonic() - began < 3.5  # up to 2 s to be cut off, 1 s until paho tries again
        assert soon(lambda: village.link.connected)


def test_a_new_account_gets_in_without_a_restart(village: Village) -> None:
    village.secrets["horn-3"] = "a brand new secret"
    names = ["horn-1", "horn-2", "horn-3"]
    write_accounts(village.folder / "broker", [village.hub_account(), *map(village.account, names)])
    time.sleep(1.0)
    with a_client(village, "horn-3") as client:
        assert soon(lambda: client.let_in)


def test_a_packet_that_is_too_large_is_not_spread(village: Village) -> None:
    with a_client(village, "horn-1") as device:
        assert soon(lambda: device.let_in)
        device.paho.publish("cx/1/dev/horn-1/ack", b"x" * 200_000, 0)
        assert soon(lambda: device.cut_off)
    assert village.link.healthy()


def test_a_last_will_is_spoken_and_kept(village: Village) -> None:
    topic = "cx/1/dev/horn-1/state"
    with a_client(village, "horn-1", will=topic) as device:
        assert soon(lambda: device.let_in)
        sock = device.paho.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        with a_client(village, "hub-2", village.hub_secret) as hub:
            assert soon(lambda: hub.let_in)
            hub.may_hear(topic)
            assert soon(lambda: (topic, b"{}") in hub.heard)


def test_the_accounts_files_hold_no_secret(village: Village) -> None:
    for file in (village.folder / "broker").iterdir():
        content = file.read_bytes()
        assert not any(secret.encode() in content for secret in village.secrets.values())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_broker_that_dies_comes_back_and_the_link_with_it(village: Village) -> None:
    kill_broker(village.broker)
    assert soon(lambda: not village.link.connected)
    assert not village.link.publish("cx/1/dev/horn-1/cmd", b"x")
    assert village.link.problem is not None
    assert soon(lambda: village.link.connected, within_s=15)
    assert village.link.publish("cx/1/dev/horn-1/cmd", b"x")
    assert village.link.healthy()


def test_a_taken_port_is_said_at_once(kind: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerFailed, match=f"port {port} .* choose another"):
            start_broker(kind, tmp_path, port=port)


def test_a_broker_that_cannot_start_leaves_its_last_words(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "accounts.json").write_text("[]")
    if kind == "embedded":
        with pytest.raises(BrokerFailed, match="cannot"):
            start_broker(kind, tmp_path, host="203.0.113.1")
        return
    with pytest.raises(BrokerFailed, match=r"has ended: .*password"):
        start_broker(kind, tmp_path)


PARENT = """
import sys, time
from pathlib import Path
from hub.speakers.broker.process import start_broker

broker = start_broker(sys.argv[1], Path(sys.argv[2]))
print(broker.port, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_broker_ends_with_its_parent(kind: Any, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, kind, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        children = descendants(parent.pid)
        assert children
        parent.send_signal(signal.SIGKILL)
    assert soon(lambda: not any(map(is_alive, children)))
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_the_links_users_fault_does_not_make_it_deaf(village: Village) -> None:
    def stumble(_presences: object) -> None:
        raise RuntimeError("a fault above")

    village.link.on_presences(stumble)
    with a_client(village, "horn-1") as device:
        assert soon(lambda: device.let_in)
        for _ in range(2):
            device.paho.publish("cx/1/dev/horn-1/state", b'{"dev":"horn-1","up":true}', 1)
        device.paho.publish("cx/1/dev/horn-1/state", b"nonsense", 1)
        device.paho.publish("cx/1/dev/horn-1/state", b'{"dev":"horn-2","up":true}', 1)
        device.paho.publish("cx/1/dev/horn-1/state", b'{"dev":"horn-1","up":false}', 1)
        assert soon(lambda: len(village.presences) == 3)
        assert {presence.dev for presence in village.presences} == {"horn-1"}
        assert village.link.healthy()


def test_a_hub_with_a_wrong_password_is_told_why(tmp_path: Path, kind: Any) -> None:
    with a_village(kind, tmp_path, []) as village:
        link = type(village.link)(village.link.broker.__class__(village.broker.host, village.broker.port, "hub", "x"))
        try:
            assert not link.start(wait_s=1)
            assert link.problem is not None
            assert "refused" in link.problem
        finally:
            link.stop()
