"""The hub's line to its loudspeakers: one MQTT connection, answers handed over in batches, nothing lost."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.core.db import may_pass
from hub.speakers.bulk import BulkClient
from hub.speakers.device.client import send_at_once
from hub.speakers.envelope import Refused
from hub.speakers.inbox import Inbox, Said
from hub.speakers.protocol import Beat, FaultReport, Presence, Receipt, Wire, read_answer
from hub.speakers.topics import Kind, every_device, read_device_topic

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
MAX_BATCH: Final = 1000
GATHER_S: Final = 0.02
GATHERS: Final = 10
"""So often a batch may wait for more: while a county answers, the processor is needed elsewhere."""
MAX_IN_FLIGHT: Final = 100
MAX_UNSENT: Final = 10_000
RETRY_S: Final = (0.2, 10.0)
"""How long to wait before a batch is tried again, first and at most."""
CUT_EVERY_S: Final = 10.0
HEARS: Final = ((Kind.RECEIPT, 1), (Kind.FAULT, 1), (Kind.PRESENCE, 1), (Kind.BEAT, 0))

Receipts = Callable[[list[Receipt]], None]
Beats = Callable[[list[Beat]], None]
Presences = Callable[[list[Presence]], None]
Faults = Callable[[list[FaultReport]], None]
Any_ = TypeVar("Any_", bound=Wire)


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and the hub's name there. Each name is one connection.

    `others` are further doors to the same cluster, taken in turn when one does not open.
    """

    host: str
    port: int
    username: str
    password: str
    tls: bool = False
    ca_file: str | None = None
    others: tuple[tuple[str, int], ...] = ()
    only_speaks: str = ""
    """The name of a second connection of the same account, which hears nothing; empty: the one that hears."""


class SpeakerLink:
    """Publishes commands and hears answers. Callbacks run on a worker thread of the link, in batches.

    A message is acknowledged to the broker after every callback has returned: a callback that has stored what it was
    given may be called with the same again, and must not mind. One that raises what `may_pass` is called again with
    the same batch, for as long as it takes; any other exception is a fault of the program, and only the message that
    causes it is given up.
    """

    def __init__(self, broker: BrokerAddress, inbox: Inbox | None = None) -> None:
        self.broker = broker
        self.dropped = 0
        """Heartbeats that found no room."""
        self._inbox = Inbox() if inbox is None else inbox  # an empty one is false
        self._doors = ((broker.host, broker.port), *broker.others)
        self._door = 0
        self._missed = False
        self._cut_at = 0.0
        self._oldest: float | None = None
        self._overheard: tuple[bytes, Callable[[bytes], None]] | None = None
        self._on_receipts: list[Receipts] = []
        self._on_beats: list[Beats] = []
        self._on_presences: list[Presences] = []
        self._on_faults: list[Faults] = []
        self._on_connected: list[Callable[[], None]] = []
        self._halt = threading.Event()
        self._up = threading.Event()
        self._greet = threading.Event()
        self._problem = "not connected yet"
        self._client = self._new_client()
        self._worker = threading.Thread(target=self._work, name="speaker-link", daemon=True)

    # ---- register before `start`

    def on_receipts(self, callback: Receipts) -> None:
        """Called with receipts in the order they came."""
        self._on_receipts.append(callback)

    def on_beats(self, callback: Beats) -> None:
        """Called with heartbeats."""
        self._on_beats.append(callback)

    def on_presences(self, callback: Presences) -> None:
        """Called with connections gained and lost."""
        self._on_presences.append(callback)

    def on_faults(self, callback: Faults) -> None:
        """Called with faults that came or went."""
        self._on_faults.append(callback)

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Called on the worker thread after every (re)connection. It must not take long."""
        self._on_connected.append(callback)

    # ---- life

    def start(self, *, wait_s: float = 0.0) -> bool:
        """Begin; whether the broker let us in within `wait_s` seconds. It goes on trying in any case."""
        self._begin()
        self._worker.start()
        return self._up.wait(wait_s)

    def stop(self) -> None:
        """End the connection, after what was heard has been handed over."""
        self._halt.set()
        if self._worker.is_alive():
            self._worker.join(timeout=5)
        self._client.disconnect()
        self._client.loop_stop()
        self._up.clear()

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and our subscriptions stand."""
        return self._up.is_set() and self._client.is_connected()

    def healthy(self) -> bool:
        """Connected, and both threads alive: paho's says it is connected even after its death."""
        return self.connected and self._alive() and self._worker.is_alive()

    @property
    def behind_s(self) -> float:
        """For callbacks: how long ago the oldest of what they are given was heard. Much, after a database was away."""
        return 0.0 if self._oldest is None else time.monotonic() - self._oldest

    @property
    def problem(self) -> str | None:
        """Why there is no connection, in the broker's words; None when there is one."""
        return None if self.connected else self._problem

    @property
    def door(self) -> tuple[str, int]:
        """Host and port of the broker that is, or is to be, spoken to."""
        return self._doors[self._door]

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the connection. False: not sent and not queued, so the caller tries again.

        True is no promise that a device has it: only its receipt is.
        """
        if not self.connected:
            return False
        info = self._client.publish(topic, payload, qos, retain)
        # NO_CONN means paho has queued a QoS 1 message and will send it: to repeat it would double it
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS or (qos > 0 and info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN)

    def overhear(self, topic: str, heard: Callable[[bytes], None] | None) -> None:
        """Hear one more topic, until it is called with None; `heard` runs on paho's thread and must not wait."""
        self._overheard = (topic.encode(), heard) if heard else None
        if heard:
            self._client.subscribe(topic, 1)
        else:
            self._client.unsubscribe(topic)

    def say_surely(self, topic: str, payload: bytes, *, within_s: float) -> bool:
        """Publish one message and wait until the broker has confirmed it; whether it did."""
        info = self._client.publish(topic, payload, 1)
        with suppress(RuntimeError, ValueError):
            info.wait_for_publish(within_s)
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and info.is_published()

    # ---- paho's thread: nothing here may wait or raise

    def _new_client(self) -> BulkClient:
        broker = self.broker
        client = BulkClient(
            self._heard,
            client_id=broker.only_speaks or broker.username,
            clean_session=bool(broker.only_speaks),  # where the broker can, it keeps receipts while the hub is away
        )
        client.suppress_exceptions = True  # paho's thread would end
        client.username_pw_set(broker.username, broker.password)
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.max_queued_messages_set(MAX_UNSENT)
        client.reconnect_delay_set(1, 10)
        if broker.tls:
            client.tls_set(ca_certs=broker.ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.on_socket_open = lambda _client, _data, sock: send_at_once(sock)
        client.on_connect = self._connected
        client.on_connect_fail = self._no_answer
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        return client

    def _begin(self) -> None:
        self._client.connect_async(*self.door, KEEPALIVE_S)
        self._client.loop_start()

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if code.is_failure:
            self._problem = f"the broker refused the hub: {code}"
            log.error("broker_refused_hub", extra={"reason": str(code)})
            return
        if self.broker.only_speaks:
            self._up.set()
            self._greet.set()
            return
        client.subscribe([(every_device(kind), qos) for kind, qos in HEARS])

    def _subscribed(
        self, _client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        if len(codes) != len(HEARS):
            return  # what is overheard
        if any(code.is_failure for code in codes):
            self._problem = "the broker does not let the hub hear its loudspeakers"
            log.error("broker_refused_subscription")
            self._cut()  # a cluster that has just lost a node may refuse, and grant it a moment later
            return
        self._up.set()
        self._greet.set()

    def _disconnected(
        self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _p: Properties | None
    ) -> None:
        if self._up.is_set():
            self._problem = f"the connection to the broker was lost: {code}"
        self._up.clear()
        self._next_door(client)

    def _no_answer(self, client: mqtt.Client, _data: Any) -> None:
        host, port = self.door
        self._problem = f"no broker answers at {host}:{port}"
        self._next_door(client)

    def _next_door(self, client: mqtt.Client) -> None:
        if len(self._doors) > 1 and not self._halt.is_set():
            self._door = (self._door + 1) % len(self._doors)
            client.connect_async(*self.door, KEEPALIVE_S)  # takes effect at paho's own next attempt

    def _heard(self, topic: bytes, payload: bytes, mid: int) -> None:
        extra = self._overheard
        if extra is not None and topic == extra[0]:
            extra[1](payload)
        # What is no text is read as some other topic: acknowledged with its batch, and forgotten.
        if self._inbox.put(Said(topic.decode(errors="replace"), payload, mid, self._client.line, time.monotonic())):
            return
        if mid:
            self._missed = True  # unacknowledged: the broker brings it again
        else:
            self.dropped += 1

    # ---- the worker thread

    def _work(self) -> None:
        while not (self._halt.is_set() and not len(self._inbox)):
            if self._greet.is_set():
                self._greet.clear()
                for callback in self._on_connected:
                    self._try(callback)
            if self._inbox.wait(0.2):
                self._serve()
            if not self._halt.is_set():
                self._look_after_line()

    def _serve(self) -> None:
        """One batch: gathered while more keeps coming, handed over, and then acknowledged."""
        before = -1
        for _ in range(GATHERS):
            if len(self._inbox) >= MAX_BATCH or len(self._inbox) == before:
                break
            before = len(self._inbox)
            self._halt.wait(GATHER_S)
            if self._inbox.beats:
                break  # their answers set clocks
        batch = self._inbox.take(MAX_BATCH)
        self._oldest = min((said.at for said in batch), default=None)
        if self._deliver([answer for said in batch if (answer := understood(said.topic, said.payload)) is not None]):
            line = self._client.line
            self._client.acknowledge([said.mid for said in batch if said.mid and said.line == line], line)

    def _look_after_line(self) -> None:
        """After every batch: paho's thread must live, and what found no room before must come again."""
        if not self._alive():
            log.error("speaker_link_thread_died")
            self._up.clear()
            self._client = self._new_client()
            self._begin()
        elif self._missed and self._is_ready_for_more():
            self._missed, self._cut_at = False, time.monotonic()
            log.warning("speaker_link_overrun")
            self._cut()

    def _is_ready_for_more(self) -> bool:
        """Whether there is room, the broker knows what it need not bring again, and the last time was long ago."""
        due = time.monotonic() > self._cut_at + CUT_EVERY_S
        return due and self._inbox.is_roomy and not self._client.want_write()

    def _cut(self) -> None:
        """End the connection as a fault would; paho makes a new one."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _alive(self) -> bool:
        thread = self._client._thread  # paho offers no other way to ask
        return thread is not None and thread.is_alive()

    def _deliver(self, answers: list[Wire]) -> bool:
        """Hand everything over; False when the hub ends before it is done."""
        return (
            self._hand_over(self._on_presences, [a for a in answers if isinstance(a, Presence)])
            and self._hand_over(self._on_receipts, [a for a in answers if isinstance(a, Receipt)])
            and self._hand_over(self._on_faults, [a for a in answers if isinstance(a, FaultReport)])
            and self._hand_over(self._on_beats, [a for a in answers if isinstance(a, Beat)])
        )

    def _hand_over(self, callbacks: Sequence[Callable[[list[Any_]], None]], said: list[Any_]) -> bool:
        return not said or all(self._call(callback, said) for callback in callbacks)

    def _call(self, callback: Callable[[list[Any_]], None], said: list[Any_]) -> bool:
        """Call until it has worked; what can never work is narrowed down to one message and given up."""
        wait_s, most_s = RETRY_S
        while (error := _outcome(callback, said)) is not None:
            if not may_pass(error):
                return self._narrow_down(callback, said, error)
            log.warning("speaker_link_waits", extra={"messages": len(said), "why": type(error).__name__})
            if self._halt.wait(wait_s):
                return False
            wait_s = min(2 * wait_s, most_s)
        return True

    def _narrow_down(self, callback: Callable[[list[Any_]], None], said: list[Any_], error: Exception) -> bool:
        if len(said) == 1:  # a fault above must not make the hub deaf
            log.error("speaker_link_callback_failed", exc_info=error)
            return True
        half = len(said) // 2
        return self._call(callback, said[:half]) and self._call(callback, said[half:])

    def _try(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:  # as above
            log.exception("speaker_link_callback_failed")


def _outcome(callback: Callable[[list[Any_]], None], said: list[Any_]) -> Exception | None:
    try:
        callback(said)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller decides by its kind
        return error
    return None


KINDS: Final[dict[Kind, type[Wire]]] = {
    Kind.RECEIPT: Receipt,
    Kind.BEAT: Beat,
    Kind.PRESENCE: Presence,
    Kind.FAULT: FaultReport,
}


_place = lru_cache(maxsize=65_536)(read_device_topic)


def understood(topic: str, payload: bytes) -> Wire | None:
    """What a device said; None, and a line in the log, when it is wrong or speaks for another."""
    place = _place(topic)
    if place is None or place[1] not in KINDS or not payload:
        return None
    device, kind = place
    answer = read_answer(KINDS[kind], payload)
    if isinstance(answer, Refused):
        log.warning("speaker_said_nonsense", extra={"device": device, "kind": kind, "why": answer.detail})
        return None
    if getattr(answer, "dev", None) != device:
        log.warning("speaker_spoke_for_another", extra={"device": device, "kind": kind})
        return None
    return answer
