"""One simulated loudspeaker: the real rules and a real MQTT connection, driven by the simulator's loop."""

import logging
import random
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from paho.mqtt import client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.speakers.device.actions import Action
from hub.speakers.device.audio import AudioCache
from hub.speakers.device.body import RESEND_EVERY_MS, Body, Event
from hub.speakers.device.brokers import Brokers
from hub.speakers.device.client import KEEPALIVE_S, PahoWire, new_client, send_at_once
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.crowd import Drawer, SharedAudio, read_once
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.fetching import share_of
from hub.speakers.device.parts import Parts
from hub.speakers.device.player import Sink
from hub.speakers.device.troubles import FELT, Troubles
from hub.speakers.device.trust import why_distrusted
from hub.speakers.protocol import Audio, FaultCode

log = logging.getLogger(__name__)

PACK_WITHIN_MS: Final = 5_000
PACK_AGAIN_MS: Final = 30_000


class Loop(Protocol):
    """What a simulated loudspeaker needs of the loop that drives it. `call_soon` alone is for other threads."""

    def happened(self, speaker: "SimulatedSpeaker", event: Event) -> None: ...

    def opened(self, speaker: "SimulatedSpeaker", sock: Any) -> None: ...

    def closed(self, sock: Any) -> None: ...

    def wants_to_write(self, speaker: "SimulatedSpeaker", sock: Any, wants: bool) -> None: ...

    def call_at(self, when: int, what: Callable[[int], None]) -> None: ...

    def call_soon(self, what: Callable[[int], None]) -> None: ...

    def complain(self, words: str) -> None:
        """Say once what goes wrong, though it goes wrong for a thousand devices. From any thread."""
        ...

    def dial(self, what: Callable[[], None]) -> None:
        """Have another thread do it: it may block."""
        ...

    def now(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """A recording that is asked for later; small, for a thousand devices wait for fifty each."""

    ask: Callable[[Audio], None]
    audio: Audio

    def __call__(self, _now: int) -> None:
        """It is time."""
        self.ask(self.audio)


class Shelf:
    """A device's recordings: shared with the crowd, or fetched for itself alone, or failing."""

    __slots__ = ("_device", "_fails", "_loop", "_own", "_pack", "_shared", "tell")

    def __init__(self, device: str, shared: SharedAudio, own: AudioCache | None, fails: bool, loop: Loop) -> None:
        self._device = device
        self._shared = shared
        self._own = own
        self._fails = fails
        self._loop = loop
        self._pack: tuple[Audio, ...] = ()
        self.tell: Callable[[Audio, str | None], None] = lambda _audio, _reason: None

    def want(self, audio: Audio, pri: int, within_ms: int) -> None:
        """Answer by `tell`, later."""
        wait = int(within_ms * share_of(self._device, audio.sha256)) if within_ms else 0
        if wait:
            self._loop.call_at(self._loop.now() + wait, Asking(self._ask, audio))
        else:
            self._ask(audio)

    def keep(self, pack: tuple[Audio, ...], within_s: float) -> None:
        """Fetch what is missing of the pack, until all of it is here."""
        self._pack = pack
        if self._own is not None:
            self._own.pinned = frozenset(audio.sha256 for audio in pack)
        for audio in pack:
            self._keep(audio, 0 if self.find(audio) else min(PACK_WITHIN_MS, round(within_s * 1000)))

    def find(self, audio: Audio) -> Path | None:
        """The recording, its hash checked."""
        return self._shared.find(audio) if self._own is None else self._own.find(audio)

    def free(self) -> int:
        """Bytes left."""
        return self._shared.free()

    def _keep(self, audio: Audio, within_ms: int) -> None:
        wait = int(within_ms * share_of(self._device, audio.sha256))
        self._loop.call_at(self._loop.now() + wait, lambda _now: self._ask(audio, for_pack=True))

    def _ask(self, audio: Audio, *, for_pack: bool = False) -> None:
        def tell(reason: str | None) -> None:
            if reason is None or not for_pack:
                self.tell(audio, reason)
            elif audio in self._pack:
                self._loop.call_at(self._loop.now() + PACK_AGAIN_MS, lambda _now: self._ask(audio, for_pack=True))

        if self._fails:
            self._shared.refuse(tell, "fetch_failed")
        elif self._own is None:
            self._shared.want(audio, tell)
        else:
            self._shared.want_alone(audio, self._own, tell)


class SimulatedSpeaker:
    """Rules, body and connection of one device, without a thread of its own."""

    def __init__(self, device: DeviceFile, sink: Sink, drawer: Drawer, shelf: Shelf, loop: Loop, folder: Path) -> None:
        self.id = device.id
        self.is_up = False
        self._device = device
        self._sink = sink
        self._drawer = drawer
        self._shelf = shelf
        self._loop = loop
        self._folder = folder
        self._brokers = Brokers(device.addresses())
        self._troubles = Troubles(device.id)
        self._halted = False
        self._dialling = self._refused = False
        self._wake_at = 0
        self._watched: object | None = None
        shelf.tell = self._on_audio
        self._assemble()

    # ---- life

    def boot(self) -> None:
        """The power comes."""
        self._happened(self.body.core.boot)
        self._happened(self.body.feel)

    def connect(self, _now: int) -> None:
        """One attempt, away from the loop; the next one follows by itself, later each time."""
        if self._halted or self.is_up or self._dialling:
            return
        self._dialling = True
        client = self.client
        self._loop.dial(lambda: self._dial(client))

    def drop(self, _now: int) -> None:
        """Cut the connection without a word, as bad reception does; the last will speaks."""
        sock = None if self._dialling else self.client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def leave(self) -> None:
        """Say goodbye for good."""
        self._halted = True
        self._farewell()
        self.body.hush()

    def start_anew(self, now: int) -> None:
        """As after a power cut, but with a farewell."""
        self.body.hush()
        self._farewell()
        self.is_up, self._wake_at, self._watched = False, 0, None
        self._assemble()
        self.boot()
        self._loop.call_at(now + int(self._brokers.went() * 1000), self.connect)

    def get_into_trouble(self, chance: random.Random) -> None:
        """A fault comes, or goes."""
        went, came = self._troubles.turn(chance)
        for code, on in ((went, False), (came, True)):
            if code is not None and code not in FELT:
                self._happened(partial(self._fault, code, on))
        self._happened(self.body.feel)

    def _fault(self, code: FaultCode, on: bool, now: int) -> list[Action]:
        return self.body.core.fault(code, on, "simulated", now)

    @property
    def trouble(self) -> FaultCode | None:
        """What is wrong with it at present."""
        return self._troubles.trouble

    def keep_alive(self, _now: int) -> None:
        """Ping the broker when it is time."""
        if not self._dialling:
            self.client.loop_misc()

    def read(self) -> None:
        """There is something to read; a line with TLS may hold more than the socket shows."""
        self.client.loop_read()
        sock = self.client.socket()
        while isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending():
            self.client.loop_read()
            sock = self.client.socket()

    def settle(self, now: int) -> None:
        """Ask for the next tick, for a look at what sounds, for the next receipts to be sent again."""
        body = self.body
        wake = body.core.next_wake(now)
        if not now < self._wake_at <= wake:
            self._wake_at = wake
            self._loop.call_at(wake, self._tick)
        if body.current is not None and body.current is not self._watched:
            self._watched = body.current
            self._loop.call_at(now + body.look_in_ms(now), self._listen)
        if body.resends and self.is_up:
            self._loop.call_at(now + RESEND_EVERY_MS, self._resend)

    # ---- events

    def _happened(self, event: Event) -> None:
        self._loop.happened(self, event)

    def _assemble(self) -> None:
        self.client = new_client(self._device)
        core = SpeakerCore(self.id, self._device.settings(), self._drawer.load(self._loop.now()), read=read_once)
        parts = Parts(
            store=self._drawer,
            journal=self._drawer,
            sink=self._sink,
            wire=PahoWire(self.client, self._device.broker_qos),
            recordings=self._shelf,
            senses=self._troubles,
            folder=self._folder,
            later=lambda work: work(),
        )
        self.body = Body(core, parts, self._happened)
        self._dress()

    def _farewell(self) -> None:
        if self.is_up:
            topic, payload = self.body.presence(up=False)
            self.client.publish(topic, payload, 1, retain=True)
            self.client.disconnect()
            self.client.loop_write()

    def _listen(self, now: int) -> None:
        """Look whether what sounds has ended."""
        if self.body.current is None or self.body.current is not self._watched:
            return
        actions = self.body.listen(now)
        if self.body.current is not None:
            self._loop.call_at(now + self.body.look_in_ms(now), self._listen)
        if actions:
            self._happened(lambda _now: actions)

    def _resend(self, now: int) -> None:
        if self.is_up and self.body.resends:
            self.body.resend(now)
            self._loop.call_at(now + RESEND_EVERY_MS, self._resend)

    def _tick(self, now: int) -> None:
        if now >= self._wake_at:
            self._wake_at = 0
            self._happened(self.body.core.tick)

    def _on_audio(self, audio: Audio, reason: str | None) -> None:
        self.body.fetched(audio, reason)

    # ---- paho

    def _dial(self, client: mqtt.Client) -> None:
        """On another thread: what paho calls back meanwhile goes to the loop in its order."""
        try:
            client.connect(*self._brokers.address, KEEPALIVE_S)
            came = True
        except (OSError, ValueError) as error:
            came, words = False, why_distrusted(error)
            if words is not None:
                self._loop.complain(words)
        self._loop.call_soon(lambda now: self._dialled(came, now))

    def _dialled(self, came: bool, now: int) -> None:
        self._dialling = False
        if not came:
            self._try_again(now, self._brokers.failed())

    def _dress(self) -> None:
        client, loop = self.client, self._loop
        topic, payload = self.body.presence(up=False)
        client.will_set(topic, payload, 1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_open = self._on_open
        client.on_socket_close = lambda _client, _data, sock: loop.closed(sock)
        client.on_socket_register_write = lambda _client, _data, sock: loop.wants_to_write(self, sock, True)
        client.on_socket_unregister_write = lambda _client, _data, sock: loop.wants_to_write(self, sock, False)

    def _on_open(self, _client: mqtt.Client, _data: Any, sock: Any) -> None:
        send_at_once(sock)
        self._loop.opened(self, sock)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if code.is_failure:
            self._refused = True
            return
        self._brokers.came()
        self.is_up = True
        PahoWire(client, self._device.broker_qos).subscribe(self.body.topics())

        def greet(now: int) -> list[Action]:
            topic, payload = self.body.presence(up=True, now=now)
            client.publish(topic, payload, 1, retain=True)
            return self.body.core.connected(now)

        self._happened(greet)

    def _on_disconnect(
        self, client: mqtt.Client, _data: Any, _flags: Any, _code: ReasonCode, _p: Properties | None
    ) -> None:
        if client is not self.client:
            return
        was_up, self.is_up = self.is_up, False
        refused, self._refused = self._refused, False
        self.body.core.disconnected()

        def retry(now: int) -> list[Action]:
            lost = self._brokers.refused() if refused else self._brokers.failed()
            self._try_again(now, self._brokers.went() if was_up else lost)
            return []

        self._happened(retry)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        self._happened(lambda now: self.body.core.receive(payload, now))

    def _try_again(self, now: int, wait_s: float) -> None:
        if not self._halted:
            self._loop.call_at(now + int(wait_s * 1000), self.connect)
