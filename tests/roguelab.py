"""A client that is up to no good, with whatever account it has got hold of."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from speakerlab import soon


class Rogue:
    """Connects, subscribes and publishes as it likes, and remembers what it heard."""

    def __init__(
        self, name: str | None, secret: str | None = None, *, client_id: str = "", ca: Path | None = None
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.let_in = threading.Event()
        self.refused = threading.Event()
        self.answered: set[int] = set()
        self.paho = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or name or "nobody", protocol=mqtt.MQTTv311
        )
        if name is not None:
            self.paho.username_pw_set(name, secret)
        if ca is not None:
            self.paho.tls_set(ca_certs=str(ca), tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.paho.reconnect_delay_set(1, 1)
        self.paho.on_connect = self._on_connect
        self.paho.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self.paho.on_subscribe = lambda _c, _d, mid, _codes, _p: self.answered.add(mid)

    def listen(self, *topics: str) -> None:
        """Subscribe to each on its own; a broker may answer, or hang up."""
        for topic in topics:
            _, mid = self.paho.subscribe(topic, 1)
            soon(lambda mid=mid: mid in self.answered or not self.paho.is_connected(), 3)  # type: ignore[misc]

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has taken or refused it."""
        info = self.paho.publish(topic, payload, 1, retain)
        soon(lambda: info.is_published() or not self.paho.is_connected(), 3)

    def _on_connect(self, _c: Any, _d: Any, _f: Any, code: Any, _p: Any) -> None:
        (self.refused if code.is_failure else self.let_in).set()


@contextmanager
def a_rogue(address: tuple[str, int], name: str | None, secret: str | None = None, **options: Any) -> Iterator[Rogue]:
    """A rogue at that broker."""
    rogue = Rogue(name, secret, **options)
    rogue.paho.connect_async(*address)
    rogue.paho.loop_start()
    try:
        yield rogue
    finally:
        rogue.paho.disconnect()
        rogue.paho.loop_stop()
