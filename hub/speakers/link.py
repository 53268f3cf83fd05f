"""The hub's line to its loudspeakers: one MQTT connection, answers handed over in batches."""

import logging
import queue
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.speakers.device.client import send_at_once
from hub.speakers.envelope import Refused
from hub.speakers.protocol import Beat, Presence, Receipt, Wire, read_answer
from hub.speakers.topics import Kind, every_device, read_device_topic

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 30
MAX_WAITING: Final = 100_000
MAX_BATCH: Final = 1000
GATHER_S: Final = 0.02
MAX_IN_FLIGHT: Final = 100
MAX_UNSENT: Final = 10_000

Receipts = Callable[[list[Receipt]], None]
Beats = Callable[[list[Beat]], None]
Presences = Callable[[list[Presence]], None]


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and the hub's name there. Each name is one connection."""

    host: str
    port: int
    username: str
    password: str
    tls: bool = False
    ca_file: str | None = None


class SpeakerLink:
    """Publishes commands and hears answers. Callbacks run on a worker thread of the link, in batches."""

    def __init__(self, broker: BrokerAddress) -> None:
        self.broker = broker
        self._inbox: queue.Queue[tuple[str, bytes]] = queue.Queue(MAX_WAITING)
        self._on_receipts: list[Receipts] = []
        self._on_beats: list[Beats] = []
        self._on_presences: list[Presences] = []
        self._on_connected: list[Callable[[], None]] = []
        self._halt = threading.Event()
        self._up = threading.Event()
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

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Called on the worker thread after every (re)connection, when retained settings may have to go out."""
        self._on_connected.append(callback)

    # ---- life

    def start(self, *, wait_s: float = 0.0) -> bool:
        """Begin; whether the broker let us in within `wait_s` seconds. It goes on trying in any case."""
        self._client.connect_async(self.broker.host, self.broker.port, KEEPALIVE_S)
        self._client.loop_start()
        self._worker.start()
        return self._up.wait(wait_s)

    def stop(self) -> None:
        """End the connection, after what was heard has been handed over."""
        self._client.disconnect()
        self._client.loop_stop()
        self._halt.set()
        if self._worker.is_alive():
            self._worker.join(timeout=5)
        self._up.clear()

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in and our subscriptions stand."""
        return self._up.is_set() and self._client.is_connected()

    def healthy(self) -> bool:
        """Connected, and both threads alive: paho's says it is connected even after its death."""
        thread = self._client._thread  # paho offers no other way to ask
        return self.connected and thread is not None and thread.is_alive() and self._worker.is_alive()

    @property
    def problem(self) -> str | None:
        """Why there is no connection, in the broker's words; None when there is one."""
        return None if self.connected else self._problem

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the connection. False: not sent and not queued, so the caller tries again.

        True is no promise that a device has it: only its receipt is.
        """
        if not self.connected:
            return False
        info = self._client.publish(topic, payload, qos, retain)
        # NO_CONN means paho has queued a QoS 1 message and will send it: to repeat it would double it
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS or (qos > 0 and info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN)

    # ---- paho's thread: nothing here may wait or raise

    def _new_client(self) -> mqtt.Client:
        broker = self.broker
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.username,
            clean_session=False,  # where the broker can, it keeps receipts while the hub is away
            protocol=mqtt.MQTTv311,
        )
        client.username_pw_set(broker.username, broker.password)
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.max_queued_messages_set(MAX_UNSENT)
        client.reconnect_delay_set(1, 10)
        if broker.tls:
            client.tls_set(ca_certs=broker.ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.on_socket_open = lambda _client, _data, sock: send_at_once(sock)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._heard
        return client

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if code.is_failure:
            self._problem = f"the broker refused the hub: {code}"
            log.error("broker_refused_hub", extra={"reason": str(code)})
            return
        kinds = ((Kind.RECEIPT, 1), (Kind.PRESENCE, 1), (Kind.BEAT, 0))
        client.subscribe([(every_device(kind), qos) for kind, qos in kinds])

    def _subscribed(
        self, _client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        if any(code.is_failure for code in codes):
            self._problem = "the broker does not let the hub hear its loudspeakers"
            log.error("broker_refused_subscription")
            return
        self._up.set()
        self._put("", b"")

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _p: Properties | None
    ) -> None:
        if self._up.is_set():
            self._problem = f"the connection to the broker was lost: {code}"
        self._up.clear()

    def _heard(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._put(message.topic, bytes(message.payload))

    def _put(self, topic: str, payload: bytes) -> None:
        try:
            self._inbox.put_nowait((topic, payload))
        except queue.Full:
            log.warning("speaker_link_overrun")  # heartbeats repeat the states that are lost here

    # ---- the worker thread

    def _work(self) -> None:
        while not (self._halt.is_set() and self._inbox.empty()):
            batch = self._next_batch()
            if any(topic == "" for topic, _ in batch):
                for callback in self._on_connected:
                    self._call(callback)
            self._deliver([(topic, payload) for topic, payload in batch if topic])

    def _next_batch(self) -> list[tuple[str, bytes]]:
        """Wait for one message, then gather what comes within 20 ms."""
        try:
            batch = [self._inbox.get(timeout=0.2)]
        except queue.Empty:
            return []
        self._halt.wait(GATHER_S)
        while len(batch) < MAX_BATCH:
            try:
                batch.append(self._inbox.get_nowait())
            except queue.Empty:
                break
        return batch

    def _deliver(self, batch: list[tuple[str, bytes]]) -> None:
        answers = [answer for topic, payload in batch if (answer := understood(topic, payload)) is not None]
        receipts = [answer for answer in answers if isinstance(answer, Receipt)]
        beats = [answer for answer in answers if isinstance(answer, Beat)]
        presences = [answer for answer in answers if isinstance(answer, Presence)]
        if presences:
            for on_presences in self._on_presences:
                self._call(on_presences, presences)
        if receipts:
            for on_receipts in self._on_receipts:
                self._call(on_receipts, receipts)
        if beats:
            for on_beats in self._on_beats:
                self._call(on_beats, beats)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception:  # a fault above must not make the hub deaf
            log.exception("speaker_link_callback_failed")


KINDS: Final[dict[Kind, type[Wire]]] = {Kind.RECEIPT: Receipt, Kind.BEAT: Beat, Kind.PRESENCE: Presence}


def understood(topic: str, payload: bytes) -> Wire | None:
    """What a device said; None, and a line in the log, when it is wrong or speaks for another."""
    place = read_device_topic(topic)
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
