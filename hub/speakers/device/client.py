"""The reference loudspeaker: what firmware must do, on any machine that runs Python."""

import logging
import queue
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.speakers.device.actions import Action
from hub.speakers.device.audio import AudioCache, Failed
from hub.speakers.device.body import Body
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.player import Sink, choose_sink
from hub.speakers.device.store import FileStore
from hub.speakers.protocol import Audio

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 60
LISTEN_EVERY_S: Final = 0.05
MAX_WAIT_S: Final = 1.0
MAX_EVENTS: Final = 1000

Event = Callable[[int], list[Action]]


@dataclass(frozen=True, slots=True)
class SpeakerSettings:
    """How to run one loudspeaker."""

    device: DeviceFile
    sink: str = "auto"
    cache_bytes: int = 512 * 1024 * 1024
    clock_known: bool = True


def now_ms() -> int:
    """The local clock, in ms UTC."""
    return time.time_ns() // 1_000_000


def new_client(device: DeviceFile) -> mqtt.Client:
    """A paho client with the device's credential, without Nagle's delay, MQTT 3.1.1, clean session."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device.id, protocol=mqtt.MQTTv311)
    client.username_pw_set(device.id, device.secret)
    client.max_queued_messages_set(200)
    client.reconnect_delay_set(1, 60)
    if device.broker_tls:
        client.tls_set(ca_certs=device.broker_ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.on_socket_open = lambda _client, _data, sock: send_at_once(sock)
    return client


def send_at_once(sock: object) -> None:
    """Switch off Nagle's delay, which costs 40 ms for every receipt."""
    if isinstance(sock, socket):
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


class PahoWire:
    """A paho client as the device's line."""

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Hand it to paho, which keeps QoS 1 messages over a reconnection."""
        self._client.publish(topic, payload, qos)

    def subscribe(self, topics: list[str]) -> None:
        """All with QoS 1."""
        if topics:
            self._client.subscribe([(topic, 1) for topic in topics])

    def unsubscribe(self, topics: list[str]) -> None:
        """No longer listen."""
        if topics:
            self._client.unsubscribe(topics)


class ReferenceSpeaker:
    """One loudspeaker: a network thread, a fetching thread, and one thread that owns the rules."""

    def __init__(self, settings: SpeakerSettings, sink: Sink | None = None) -> None:
        device = settings.device
        state = Path(device.state_dir)
        store = FileStore(state / "memory.json")
        self.sink = sink or choose_sink(settings.sink, state / "sounded")
        self._recordings = Fetching(AudioCache(state / "audio", settings.cache_bytes))
        self._events: queue.Queue[Event] = queue.Queue(MAX_EVENTS)
        self._halt = threading.Event()
        self._device = device
        self._client = new_client(device)
        memory = store.load(now_ms())
        core = SpeakerCore(device.id, device.settings(), memory, clock_known=settings.clock_known)
        wire = PahoWire(self._client)
        self.body = Body(core, store, self.sink, wire, self._recordings)
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._wire = wire
        self._dress()

    @property
    def connected(self) -> bool:
        """Whether the broker has let it in."""
        return self._client.is_connected()

    def start(self) -> None:
        """Begin, without waiting for the broker to be there."""
        self._put(self.body.core.boot)
        self._client.connect_async(self._device.broker_host, self._device.broker_port, KEEPALIVE_S)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end. What was sounding is silenced and will be reported at the next start."""
        topic, payload = self.body.presence(up=False, now=now_ms())
        self._client.publish(topic, payload, 1, retain=True)
        self._halt.set()
        self._put(lambda _now: [])
        self._thread.join(timeout=5)
        self.body.hush()
        self._client.disconnect()
        self._client.loop_stop()
        self._recordings.close()

    def wait(self, timeout: float | None = None) -> None:
        """Until `stop` is called from elsewhere."""
        self._halt.wait(timeout)

    def _dress(self) -> None:
        """Give paho its callbacks: each only puts something on the queue."""
        self._recordings.tell = self._on_audio
        topic, payload = self.body.presence(up=False)
        self._client.will_set(topic, payload, 1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if code.is_failure:
            log.error("broker_refused", extra={"device": self._device.id, "reason": str(code)})
            return
        self._wire.subscribe(self.body.topics())
        topic, payload = self.body.presence(up=True, now=now_ms())
        client.publish(topic, payload, 1, retain=True)
        self._put(self.body.core.connected)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, _code: ReasonCode, _p: Properties | None
    ) -> None:
        self._put(self._went_away)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        self._put(lambda now: self.body.core.receive(payload, now))

    def _on_audio(self, audio: Audio, reason: str | None) -> None:
        core = self.body.core
        if reason is None:
            self._put(lambda now: core.fetched(audio.sha256, now))
        else:
            self._put(lambda now: core.fetch_failed(audio.sha256, reason, now))

    def _went_away(self, _now: int) -> list[Action]:
        self.body.core.disconnected()
        return []

    def _put(self, event: Event) -> None:
        try:
            self._events.put_nowait(event)
        except queue.Full:
            log.warning("speaker_overrun", extra={"device": self._device.id})

    def _run(self) -> None:
        while not self._halt.is_set():
            now = now_ms()
            self.body.act(self.body.listen(now), now)
            try:
                event = self._events.get(timeout=self._patience(now))
            except queue.Empty:
                event = self.body.core.tick
            try:
                now = now_ms()
                self.body.act(event(now), now)
            except Exception:  # one bad event must not silence the device for good
                log.exception("speaker_event_failed", extra={"device": self._device.id})

    def _patience(self, now: int) -> float:
        if self.body.is_sounding:
            return LISTEN_EVERY_S
        return max(0.001, min(MAX_WAIT_S, (self.body.core.next_wake(now) - now) / 1000))


class Fetching:
    """The cache of one device with a thread that fills it; results come as events."""

    def __init__(self, cache: AudioCache) -> None:
        self._cache = cache
        self._wanted: set[str] = set()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fetch")
        self.tell: Callable[[Audio, str | None], None] = lambda _audio, _reason: None

    def want(self, audio: Audio) -> None:
        """Fetch it, unless that is under way."""
        if audio.sha256 not in self._wanted:
            self._wanted.add(audio.sha256)
            self._pool.submit(self._bring, audio)

    def find(self, audio: Audio) -> Path | None:
        """Where it is, its hash checked."""
        return self._cache.find(audio)

    def free(self) -> int:
        """Bytes left."""
        return self._cache.free()

    def close(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _bring(self, audio: Audio) -> None:
        reason: str | None = "fetch_failed"
        try:
            result = self._cache.fetch(audio)
            reason = result.reason if isinstance(result, Failed) else None
        except Exception:  # whatever it is, the rules must hear of it and try again
            log.exception("audio_fetch_broke")
        self._wanted.discard(audio.sha256)
        self.tell(audio, reason)


def run_speaker(settings: SpeakerSettings) -> None:
    """Run one loudspeaker until Ctrl-C."""
    speaker = ReferenceSpeaker(settings)
    speaker.start()
    log.info("speaker_started", extra={"device": settings.device.id, "sink": speaker.sink.name})
    try:
        speaker.wait()
    except KeyboardInterrupt:
        log.info("speaker_stopping", extra={"device": settings.device.id})
    finally:
        speaker.stop()
