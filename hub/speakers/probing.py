"""Ask a broker what it really does: whether strangers come in, and whether it keeps and carries what we send it."""

import secrets
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hub.speakers.envelope import MAX_MESSAGE
from hub.speakers.link import BrokerAddress, SpeakerLink
from hub.speakers.topics import ROOT

WAIT_S: Final = 5.0
KEEPALIVE_S: Final = 15
ASKED_EVERY_S: Final = 3600.0
ASKED_AGAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a broker does."""

    reached: bool = False
    strangers: bool = False
    """Whether it lets in who names no account."""
    asked: bool = False
    """Whether it was asked what follows: over the hub's own line, so only while that stands."""
    keeps: bool = False
    """Whether it keeps a message for who comes later (retained): settings of loudspeakers are such."""
    echo_ms: int | None = None
    """How long a message of the largest size took there and back, acknowledged (QoS 1); None: it did not come."""


def lets_strangers_in(broker: BrokerAddress, *, wait_s: float = WAIT_S) -> Found:
    """Knock without an account. The hub's own is left alone: where a name is one connection, it would push it out."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"stranger-{secrets.token_hex(4)}")
    client.connect_timeout = wait_s
    if broker.tls:
        client.tls_set(ca_certs=broker.ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
    answered, let_in = threading.Event(), threading.Event()

    def on_connect(_client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if not code.is_failure:
            let_in.set()
        answered.set()

    client.on_connect = on_connect
    for host, port in ((broker.host, broker.port), *broker.others):
        with suppress(OSError, ValueError):
            client.connect(host, port, KEEPALIVE_S)
            break
    else:
        return Found()
    client.loop_start()
    answered.wait(wait_s)  # some brokers close the door without a word: that is a no
    client.disconnect()
    client.loop_stop()
    return Found(reached=True, strangers=let_in.is_set())


def try_out(link: SpeakerLink, *, wait_s: float = WAIT_S) -> tuple[bool, int | None]:
    """Return whether the broker keeps a message, and how many milliseconds one takes there and back."""
    topic, heard, came = f"{ROOT}/probe/{secrets.token_hex(8)}", threading.Event(), []

    def note(payload: bytes) -> None:
        if len(payload) == MAX_MESSAGE:
            came.append(payload[:1])
            heard.set()

    if not link.publish(topic, b"k" * MAX_MESSAGE, retain=True):
        return False, None
    try:
        link.overhear(topic, note)
        kept = heard.wait(wait_s) and came == [b"k"]  # nobody has said anything since: it comes from the shelf
        heard.clear()
        began = time.monotonic()
        link.publish(topic, b"e" * MAX_MESSAGE)
        echoed = heard.wait(wait_s) and b"e" in came
        return kept, max(1, round((time.monotonic() - began) * 1000)) if echoed else None
    finally:
        link.publish(topic, b"", retain=True)
        link.overhear(topic, None)


class BrokerQuestion:
    """Asks now and then, and remembers. `step` fits `hub.core.background.Loop`."""

    def __init__(self, address: Callable[[], BrokerAddress | None], link: Callable[[], SpeakerLink | None]) -> None:
        self._address, self._link = address, link
        self.found: Found | None = None
        """None: not asked yet."""

    def step(self) -> float:
        """Ask; return the seconds until the next time."""
        broker = self._address()
        if broker is None:
            return 1.0
        found, link = lets_strangers_in(broker), self._link()
        if found.reached and link is not None and link.connected:
            keeps, echo_ms = try_out(link)
            found = replace(found, asked=link.connected, keeps=keeps, echo_ms=echo_ms)
        self.found = found
        return ASKED_EVERY_S if found.asked else ASKED_AGAIN_S
