"""The reference loudspeaker: what firmware must do, on any machine that runs Python."""

import logging
import queue
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.speakers.device.actions import Action
from hub.speakers.device.audio import AudioCache
from hub.speakers.device.body import Body, Event
from hub.speakers.device.brokers import Brokers
from hub.speakers.device.core import SpeakerCore
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.device.fetching import Fetching
from hub.speakers.device.health import Machine, Senses
from hub.speakers.device.journal import FileJournal
from hub.speakers.device.parts import Parts
from hub.speakers.device.player import Sink, choose_sink
from hub.speakers.device.speaking import find_voice
from hub.speakers.device.store import FileStore
from hub.speakers.device.streaming import Opener
from hub.speakers.device.trust import trust_of, why_distrusted
from hub.speakers.protocol import Audio

log = logging.getLogger(__name__)

KEEPALIVE_S: Final = 60
SUBSCRIBE_AGAIN_S: Final = 5.0
LISTEN_EVERY_S: Final = 0.05
MAX_WAIT_S: Final = 1.0
MAX_EVENTS: Final = 1000
FEEL_EVERY_MS: Final = 15_000
FAREWELL_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class SpeakerSettings:
    """How to run one loudspeaker. `voice` None looks for espeak-ng, "" does without."""

    device: DeviceFile
    sink: str = "auto"
    cache_bytes: int = 512 * 1024 * 1024
    clock_known: bool = True
    pack_within_s: float | None = None
    senses: Senses | None = None
    voice: str | None = None
    open_stream: Opener | None = None


def now_ms() -> int:
    """The local clock, in ms UTC."""
    return time.time_ns() // 1_000_000


def new_client(device: DeviceFile) -> mqtt.Client:
    """A paho client with the device's credential, without Nagle's delay, MQTT 3.1.1, clean session."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device.id, protocol=mqtt.MQTTv311)
    client.username_pw_set(device.id, device.secret)
    client.max_queued_messages_set(200)
    if device.broker_tls:
        client.tls_set_context(trust_of(device))
    client.on_socket_open = lambda _client, _data, sock: send_at_once(sock)
    return client


def send_at_once(sock: object) -> None:
    """Switch off Nagle's delay, which costs 40 ms for every receipt."""
    if isinstance(sock, socket):
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


class PahoWire:
    """A paho client as the device's line. What the broker does not let it subscribe to, it asks for again."""

    def __init__(self, client: mqtt.Client, qos: int = 1) -> None:
        self._client = client
        self._qos = qos
        self._asked: dict[int, list[str]] = {}
        self._guard = threading.Lock()
        client.on_subscribe = self._answered

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        """Hand it to paho, which keeps QoS 1 messages over a reconnection."""
        self._client.publish(topic, payload, qos)

    def subscribe(self, topics: list[str]) -> None:
        """All with the same QoS."""
        if not topics:
            return
        with self._guard:
            _, mid = self._client.subscribe([(topic, self._qos) for topic in topics])
            if mid is not None:
                self._asked[mid] = topics

    def unsubscribe(self, topics: list[str]) -> None:
        """No longer listen."""
        if topics:
            self._client.unsubscribe(topics)

    def _answered(
        self, _client: mqtt.Client, _data: Any, mid: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        """A cluster that has just lost a node may refuse for a moment: connected and deaf is the worst state."""
        with self._guard:
            topics = self._asked.pop(mid, [])
        refused = [topic for topic, code in zip(topics, codes, strict=False) if code.is_failure]
        if refused:
            log.warning("subscription_refused", extra={"topics": refused})
            again = threading.Timer(SUBSCRIBE_AGAIN_S, self.subscribe, [refused])
            again.daemon = True
            again.start()


class ReferenceSpeaker:
    """One loudspeaker: a network thread, fetching threads, and one thread that owns the rules."""

    def __init__(self, settings: SpeakerSettings, sink: Sink | None = None) -> None:
        self._settings = settings
        self._device = settings.device
        self._state = Path(settings.device.state_dir)
        self.sink = sink or choose_sink(settings.sink, self._state / "sounded")
        self._voice = find_voice() if settings.voice is None else settings.voice or None
        self._senses = settings.senses or Machine()
        self._store = FileStore(self._state / "memory.json")
        self._journal = FileJournal(self._state / "journal.jsonl")
        cache = AudioCache(self._state / "audio", settings.cache_bytes, self._needed)
        self._recordings = Fetching(cache, self._device.id, hurry_s=settings.pack_within_s)
        self._events: queue.Queue[Event] = queue.Queue()
        self._halt = threading.Event()
        self._feel_at = 0
        self._brokers = Brokers(self._device.addresses())
        self._was_up = self._was_refused = False
        self._thread = threading.Thread(target=self._run, name="speaker", daemon=True)
        self._assemble()
        self._recordings.tell = self._on_audio
        self._recordings.tell_lost = self._on_lost

    @property
    def connected(self) -> bool:
        """Whether the broker has let it in."""
        return self._client.is_connected()

    def start(self) -> None:
        """Begin, without waiting for the broker to be there."""
        self._put(self.body.core.boot)
        self._dial()
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end. What was sounding is silenced and will be reported at the next start."""
        self._halt.set()
        self._put(lambda _now: [])
        self._thread.join(timeout=5)
        self.body.hush()
        self._hang_up()
        self._recordings.close()

    @property
    def idle(self) -> bool:
        """Whether everything that happened so far was handled."""
        return self._events.unfinished_tasks == 0

    def heard(self, topic: str, payload: bytes) -> None:
        """A message arrived: whatever it is, only what is signed inside counts. From any thread.

        Of a flood the surplus is dropped: the hub says again what matters. What the device itself has seen is not.
        """
        if self._events.qsize() >= MAX_EVENTS:
            log.warning("speaker_overrun", extra={"device": self._device.id})
            return
        self._put(lambda now: self.body.core.receive(payload, now))

    def wait(self, timeout: float | None = None) -> None:
        """Until `stop` is called from elsewhere."""
        self._halt.wait(timeout)

    # ---- life

    def _assemble(self) -> None:
        """Put a device together from what its memory holds, as at every start."""
        self._client = new_client(self._device)
        self._wire = PahoWire(self._client, self._device.broker_qos)
        core = SpeakerCore(
            self._device.id,
            self._device.settings(),
            self._store.load(now_ms()),
            clock_known=self._settings.clock_known,
            can_speak=self._voice is not None,
        )
        parts = Parts(
            store=self._store,
            journal=self._journal,
            sink=self.sink,
            wire=self._wire,
            recordings=self._recordings,
            senses=self._senses,
            folder=self._state,
            later=lambda work: threading.Thread(target=work, name="self-test", daemon=True).start(),
            voice=self._voice,
            open_stream=self._settings.open_stream,
        )
        self.body = Body(core, parts, self._put)
        self._dress()

    def _start_anew(self) -> None:
        """As after a power cut, but with a farewell: on the thread that owns the rules."""
        log.info("speaker_restarts", extra={"device": self._device.id})
        self.body.hush()
        self._hang_up()
        while not self._events.empty():
            self._events.get_nowait()
            self._events.task_done()
        self._assemble()
        self._feel_at = 0
        self._put(self.body.core.boot)
        self._dial()

    def _dial(self) -> None:
        self._client.connect_async(*self._brokers.address, KEEPALIVE_S)
        self._client.loop_start()

    def _hang_up(self) -> None:
        """Say goodbye, and wait a moment until the broker has that and all that was said before."""
        topic, payload = self.body.presence(up=False, now=now_ms())
        if self._client.is_connected():
            with suppress(RuntimeError, ValueError):
                self._client.publish(topic, payload, 1, retain=True).wait_for_publish(FAREWELL_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _needed(self) -> list[str]:
        """Hashes of what waits to sound. From any thread."""
        commands = [item.command for item in list(self.body.core.memory.queue)]
        streams = [command.stream.fallback for command in commands if command.stream is not None]
        wanted = [*(command.audio for command in commands), *streams]
        return [audio.sha256 for audio in wanted if audio is not None]

    # ---- paho: each only puts something on the queue

    def _dress(self) -> None:
        topic, payload = self.body.presence(up=False)
        self._client.will_set(topic, payload, 1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if code.is_failure:
            log.error("broker_refused", extra={"device": self._device.id, "reason": str(code)})
            self._was_refused = True
            return
        self._was_up = True
        self._brokers.came()
        self._wire.subscribe(self.body.topics())
        topic, payload = self.body.presence(up=True, now=now_ms())
        client.publish(topic, payload, 1, retain=True)
        self._put(self.body.core.connected)

    def _on_connect_fail(self, client: mqtt.Client, _data: Any) -> None:
        """Paho calls it while it handles the error, and says nothing of it."""
        words = why_distrusted(sys.exc_info()[1])
        if words is not None:
            log.error("broker_not_trusted", extra={"device": self._device.id, "reason": words})
        self._next_broker(client, self._brokers.failed())

    def _on_disconnect(
        self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _p: Properties | None
    ) -> None:
        was_up, self._was_up = self._was_up, False
        refused, self._was_refused = self._was_refused, False
        self._put(self._went_away)
        if was_up:
            self._next_broker(client, self._brokers.went())
        else:
            self._next_broker(client, self._brokers.refused() if refused else self._brokers.failed())

    def _next_broker(self, client: mqtt.Client, wait_s: float) -> None:
        """Where paho's own loop goes next, and when."""
        if client is not self._client or self._halt.is_set():
            return
        client.reconnect_delay_set(wait_s, wait_s)  # type: ignore[arg-type]  # any number will do
        client.connect_async(*self._brokers.address, KEEPALIVE_S)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard(message.topic, bytes(message.payload))

    def _on_audio(self, audio: Audio, reason: str | None, full: bool) -> None:
        self.body.fetched(audio, reason, full=full)

    def _on_lost(self, audio: Audio) -> None:
        self.body.gone(audio)

    def _went_away(self, _now: int) -> list[Action]:
        self.body.core.disconnected()
        return []

    # ---- the thread that owns the rules

    def _put(self, event: Event) -> None:
        self._events.put(event)

    def _run(self) -> None:
        while not self._halt.is_set():
            try:
                self._turn()
            except Exception:  # one bad event must not silence the device for good
                log.exception("speaker_event_failed", extra={"device": self._device.id})

    def _turn(self) -> None:
        now = now_ms()
        self.body.act(self.body.listen(now), now)
        if now >= self._feel_at:
            self._feel_at = now + FEEL_EVERY_MS
            self.body.act(self.body.feel(now), now)
        if self.body.resends and self.connected:
            self.body.resend(now)
        self._handle(self._patience(now))
        if self.body.starts_anew:
            self._start_anew()

    def _handle(self, patience: float) -> None:
        """The next event, or a tick when none comes."""
        try:
            event = self._events.get(timeout=patience)
        except queue.Empty:
            now = now_ms()
            self.body.act(self.body.core.tick(now), now)
            return
        try:
            now = now_ms()
            self.body.act(event(now), now)
        finally:
            self._events.task_done()

    def _patience(self, now: int) -> float:
        most = LISTEN_EVERY_S if self.body.sounding is not None or self.body.resends else MAX_WAIT_S
        return max(0.001, min(most, (self.body.core.next_wake(now) - now) / 1000))


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
