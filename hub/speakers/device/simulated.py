"""One simulated loudspeaker: the real rules and a real MQTT connection, driven by the simulator's loop."""

import logging
import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from paho.mqtt import client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.speakers.device.actions import Action
from hub.speakers.device.audio import AudioCache, Failed
from hub.speakers.device.body import Body
from hub.speakers.device.client import KEEPALIVE_S, PahoWire, new_client, send_at_once
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.crowd import MemoryOf, SharedAudio, read_once
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.player import Sink
from hub.speakers.protocol import Audio

log = logging.getLogger(__name__)

MAX_BACKOFF_S: Final = 60.0
LISTEN_AGAIN_MS: Final = 50
REFUSED_BACKOFF: Final = 6

Event = Callable[[int], list[Action]]


class Loop(Protocol):
    """What a simulated loudspeaker needs of the loop that drives it."""

    def happened(self, speaker: "SimulatedSpeaker", event: Event) -> None: ...

    def opened(self, speaker: "SimulatedSpeaker", sock: Any) -> None: ...

    def closed(self, sock: Any) -> None: ...

    def wants_to_write(self, speaker: "SimulatedSpeaker", sock: Any, wants: bool) -> None: ...

    def call_at(self, when: int, what: Callable[[int], None]) -> None: ...


class Shelf:
    """A device's recordings: shared with the crowd, or fetched for itself alone, or failing."""

    def __init__(self, shared: SharedAudio, own: AudioCache | None, fails: bool) -> None:
        self._shared = shared
        self._own = own
        self._fails = fails
        self.tell: Callable[[Audio, str | None], None] = lambda _audio, _reason: None

    def want(self, audio: Audio) -> None:
        """Answer by `tell`, later."""
        if self._fails:
            self._shared.refuse(lambda reason: self.tell(audio, reason), "fetch_failed")
        elif self._own is None:
            self._shared.want(audio, lambda reason: self.tell(audio, reason))
        else:
            result = self._own.fetch(audio)
            reason = result.reason if isinstance(result, Failed) else None
            self._shared.ready.put((lambda _reason: self.tell(audio, reason), None))

    def find(self, audio: Audio) -> Path | None:
        """The recording, its hash checked by this device."""
        return self._shared.find(audio) if self._own is None else self._own.find(audio)

    def free(self) -> int:
        """Bytes left."""
        return self._shared.free()


class SimulatedSpeaker:
    """Rules, body and connection of one device, without a thread of its own."""

    def __init__(self, device: DeviceFile, sink: Sink, store: MemoryOf, shelf: Shelf, loop: Loop, now: int) -> None:
        self.id = device.id
        self._device = device
        self._loop = loop
        self._tries = 0
        self._halted = False
        self._wake_at = 0
        self.is_up = False
        self.client = new_client(device)
        core = SpeakerCore(device.id, device.settings(), store.load(now), read=read_once)
        self.body = Body(core, store, sink, PahoWire(self.client), shelf)
        shelf.tell = self._on_audio
        self._dress()

    # ---- life

    def boot(self) -> None:
        """The power comes."""
        self._loop.happened(self, self.body.core.boot)

    def connect(self, now: int) -> None:
        """One attempt; the next one follows by itself, later each time."""
        if self._halted or self.is_up:
            return
        try:
            self.client.connect(self._device.broker_host, self._device.broker_port, KEEPALIVE_S)
        except OSError:
            self._try_again(now)

    def drop(self, _now: int) -> None:
        """Cut the connection without a word, as bad reception does; the last will speaks."""
        sock = self.client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        """Say goodbye for good."""
        self._halted = True
        if self.is_up:
            topic, payload = self.body.presence(up=False)
            self.client.publish(topic, payload, 1, retain=True)
            self.client.disconnect()
            self.client.loop_write()
        self.body.hush()

    def keep_alive(self, _now: int) -> None:
        """Ping the broker when it is time."""
        self.client.loop_misc()

    def settle(self, now: int) -> None:
        """Ask for the next tick, and for a look at what sounds."""
        wake = self.body.core.next_wake(now)
        if not now < self._wake_at <= wake:
            self._wake_at = wake
            self._loop.call_at(wake, self._tick)

    def listen_at(self, when: int, command_id: str) -> None:
        """Ask then whether this sound has ended."""

        def listen(now: int) -> None:
            if self.body.sounding != command_id:
                return
            actions = self.body.listen(now)
            if self.body.sounding == command_id:
                self.listen_at(now + LISTEN_AGAIN_MS, command_id)
            elif actions:
                self._loop.happened(self, lambda _now: actions)

        self._loop.call_at(when, listen)

    # ---- events

    def _tick(self, now: int) -> None:
        if now >= self._wake_at:
            self._wake_at = 0
            self._loop.happened(self, self.body.core.tick)

    def _on_audio(self, audio: Audio, reason: str | None) -> None:
        core = self.body.core
        if reason is None:
            self._loop.happened(self, lambda now: core.fetched(audio.sha256, now))
        else:
            self._loop.happened(self, lambda now: core.fetch_failed(audio.sha256, reason, now))

    # ---- paho

    def _dress(self) -> None:
        client = self.client
        topic, payload = self.body.presence(up=False)
        client.will_set(topic, payload, 1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_open = self._on_open
        client.on_socket_close = lambda _client, _data, sock: self._loop.closed(sock)
        client.on_socket_register_write = lambda _client, _data, sock: self._loop.wants_to_write(self, sock, True)
        client.on_socket_unregister_write = lambda _client, _data, sock: self._loop.wants_to_write(self, sock, False)

    def _on_open(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        send_at_once(sock)
        self._loop.opened(self, sock)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if code.is_failure:
            self._tries = max(self._tries, REFUSED_BACKOFF)
            return
        self._tries = 0
        self.is_up = True
        PahoWire(client).subscribe(self.body.topics())

        def greet(now: int) -> list[Action]:
            topic, payload = self.body.presence(up=True, now=now)
            client.publish(topic, payload, 1, retain=True)
            return self.body.core.connected(now)

        self._loop.happened(self, greet)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, _code: ReasonCode, _p: Properties | None
    ) -> None:
        self.is_up = False
        self.body.core.disconnected()
        self._loop.happened(self, self._retry)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        self._loop.happened(self, lambda now: self.body.core.receive(payload, now))

    def _retry(self, now: int) -> list[Action]:
        self._try_again(now)
        return []

    def _try_again(self, now: int) -> None:
        if self._halted:
            return
        self._tries += 1
        most = min(MAX_BACKOFF_S, 2.0 ** min(self._tries, 6))
        self._loop.call_at(now + int(random.uniform(most / 4, most) * 1000), self.connect)  # noqa: S311
