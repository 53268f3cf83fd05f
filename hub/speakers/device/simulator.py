"""Thousands of loudspeakers in one process and one loop: for demonstrations, tests and measurements."""

import heapq
import itertools
import logging
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hub.speakers.broker.child import raise_file_limit
from hub.speakers.device.actions import Action
from hub.speakers.device.audio import AudioCache
from hub.speakers.device.body import Event
from hub.speakers.device.client import now_ms
from hub.speakers.device.crowd import Drawer, Memories, SharedAudio
from hub.speakers.device.device_file import DeviceFile, load_devices
from hub.speakers.device.player import FileSink, SilentSink, Sink
from hub.speakers.device.simulated import Shelf, SimulatedSpeaker
from hub.speakers.device.trust import trust_of

log = logging.getLogger(__name__)

KEEP_ALIVE_EVERY_MS: Final = 15_000
DIALLERS: Final = 16
MAX_WAIT_S: Final = 0.5
FLAKY_UP_MS: Final = (5_000, 60_000)


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """How the crowd behaves. Shares are 0-1; which devices they fall on follows from `seed`."""

    state_dir: Path
    keep_audio: int = 0
    offline: float = 0.0
    flaky: float = 0.0
    failing: float = 0.0
    faulty: float = 0.0
    fetch_per_device: bool = False
    connects_per_s: int = 300
    trouble_s: tuple[float, float] = (60.0, 600.0)
    """How long a faulty device is well, or in trouble, at least and at most."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Crowd:
    """How the simulation stands."""

    devices: int
    up: int
    sounding: int


class Simulation:
    """The loop. `run` blocks; `halt` may be called from another thread or a signal handler."""

    def __init__(self, devices: list[DeviceFile], options: SimulationOptions) -> None:
        self._options = options
        self._selector = selectors.DefaultSelector()
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._halt = threading.Event()
        self._timers: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = itertools.count()
        self._happened: list[tuple[SimulatedSpeaker, Event]] = []
        self._audio = SharedAudio(options.state_dir / "audio", self._wake)
        self._diallers = ThreadPoolExecutor(DIALLERS, thread_name_prefix="sim-dial")
        self._chance = random.Random(options.seed)  # noqa: S311 - a play, and the same at each start
        self._thread = 0
        self._devices = devices
        self._complained: set[str] = set()
        self._speakers: list[SimulatedSpeaker] = []

    # ---- for the outside

    def run(self) -> None:
        """Until `halt`."""
        raise_file_limit()
        self._thread = threading.get_ident()
        memories = Memories(self._options.state_dir / "memories.sqlite")
        self._selector.register(self._inner, selectors.EVENT_READ, None)
        try:
            self._populate(memories)
            while not self._halt.is_set():
                self._turn(memories)
        finally:
            self._diallers.shutdown(wait=False, cancel_futures=True)
            for speaker in self._speakers:
                speaker.leave()
            self._audio.close()
            memories.close()
            self._selector.close()
            self._inner.close()
            self._outer.close()

    def halt(self) -> None:
        """End soon."""
        self._halt.set()
        self._wake()

    def crowd(self) -> Crowd:
        """How many there are, are connected, and sound."""
        speakers = list(self._speakers)
        return Crowd(
            devices=len(speakers),
            up=sum(speaker.is_up for speaker in speakers),
            sounding=sum(speaker.body.sounding is not None for speaker in speakers),
        )

    def speakers(self) -> list[SimulatedSpeaker]:
        """The devices; touch them only by `call_soon`."""
        return list(self._speakers)

    def call_soon(self, what: Callable[[int], None]) -> None:
        """Have the loop call it; the one way in from another thread."""
        self._audio.ready.put((lambda _reason: what(now_ms()), None))
        self._wake()

    # ---- for the speakers

    def happened(self, speaker: SimulatedSpeaker, event: Event) -> None:
        """Handle this event in the present turn."""
        self._happened.append((speaker, event))

    def now(self) -> int:
        """The local clock, in ms UTC."""
        return now_ms()

    def complain(self, words: str) -> None:
        """Say it once."""
        if words not in self._complained:
            self._complained.add(words)
            log.error("broker_not_trusted", extra={"reason": words})

    def dial(self, what: Callable[[], None]) -> None:
        """Have another thread do what may block."""
        if not self._halt.is_set():
            self._diallers.submit(what)

    def opened(self, speaker: SimulatedSpeaker, sock: Any) -> None:
        """A socket is there."""
        if self._is_elsewhere():
            self.call_soon(lambda _now: self.opened(speaker, sock))
        elif sock.fileno() >= 0:
            self._selector.register(sock, selectors.EVENT_READ, speaker)

    def closed(self, sock: Any) -> None:
        """A socket goes."""
        if self._is_elsewhere():
            self.call_soon(lambda _now: self.closed(sock))
            return
        try:
            self._selector.unregister(sock)
        except (KeyError, ValueError):
            log.debug("socket_was_gone")

    def wants_to_write(self, speaker: SimulatedSpeaker, sock: Any, wants: bool) -> None:
        """There is, or is no longer, something to write."""
        if self._is_elsewhere():
            self.call_soon(lambda _now: self.wants_to_write(speaker, sock, wants))
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wants else 0)
        try:
            self._selector.modify(sock, events, speaker)
        except (KeyError, ValueError):
            log.debug("socket_was_gone")

    def _is_elsewhere(self) -> bool:
        return threading.get_ident() != self._thread

    def call_at(self, when: int, what: Callable[[int], None]) -> None:
        """Call it in the turn in which that time has come."""
        heapq.heappush(self._timers, (when, next(self._order), what))

    # ---- the loop

    def _populate(self, memories: Memories) -> None:
        """Create all devices; let the powered ones connect, spread over time."""
        now, options = now_ms(), self._options
        for index, device in enumerate(self._devices):
            offline, fails, flaky, faulty = (
                self._chance.random() < share
                for share in (options.offline, options.failing, options.flaky, options.faulty)
            )
            speaker = self._create(index, device, memories, fails)
            self._speakers.append(speaker)
            if not offline:
                self._power(speaker, now + index * 1000 // max(1, options.connects_per_s), flaky, faulty)

    def _power(self, speaker: SimulatedSpeaker, at: int, flaky: bool, faulty: bool) -> None:
        speaker.boot()
        self.call_at(at, speaker.connect)
        self._repeat(speaker.keep_alive, at + self._chance.randrange(KEEP_ALIVE_EVERY_MS), KEEP_ALIVE_EVERY_MS)
        if flaky:
            first, every = (self._chance.randint(*FLAKY_UP_MS) for _ in range(2))
            self._repeat(speaker.drop, at + first, every)
        if faulty:
            self._trouble(speaker, at)

    def _trouble(self, speaker: SimulatedSpeaker, now: int) -> None:
        """A fault comes or goes after a while, and then the next."""
        after = int(self._chance.uniform(*self._options.trouble_s) * 1000)

        def turn(then: int) -> None:
            speaker.get_into_trouble(self._chance)
            self._trouble(speaker, then)

        self.call_at(now + after, turn)

    def _create(self, index: int, device: DeviceFile, memories: Memories, fails: bool) -> SimulatedSpeaker:
        folder = self._options.state_dir
        kept = index < self._options.keep_audio
        sink: Sink = FileSink(folder / "sounded" / device.id) if kept else SilentSink()
        own = AudioCache(folder / "own" / device.id) if self._options.fetch_per_device else None
        shelf = Shelf(device.id, self._audio, own, fails, self)
        return SimulatedSpeaker(device, sink, Drawer(memories, device.id), shelf, self, folder)

    def _repeat(self, what: Callable[[int], None], at: int, every: int) -> None:
        def again(now: int) -> None:
            what(now)
            self.call_at(now + every, again)

        self.call_at(at, again)

    def _turn(self, memories: Memories) -> None:
        """Hear, decide for all, make all memories safe at once, then act for all."""
        for key, events in self._selector.select(self._patience()):
            self._serve(key.data, events)
        self._collect_audio()
        now = now_ms()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2](now)
        happened, self._happened = self._happened, []
        decided = [(speaker, speaker.body, self._decide(speaker, event, now)) for speaker, event in happened]
        memories.commit()
        for speaker, body, actions in decided:
            if speaker.body is body:  # it has not started anew meanwhile
                self._act(speaker, actions, now)

    def _decide(self, speaker: SimulatedSpeaker, event: Event, now: int) -> list[Action]:
        try:
            actions = event(now)
        except Exception:  # one device's fault must not end the others
            log.exception("simulated_speaker_failed", extra={"device": speaker.id})
            return []
        return speaker.body.save(actions, now)

    def _act(self, speaker: SimulatedSpeaker, actions: list[Action], now: int) -> None:
        try:
            speaker.body.carry_out(actions, now)
        except Exception:  # as above
            log.exception("simulated_speaker_failed", extra={"device": speaker.id})
        if speaker.body.starts_anew:
            speaker.start_anew(now)
        speaker.settle(now)

    def _serve(self, speaker: SimulatedSpeaker | None, events: int) -> None:
        if speaker is None:
            self._drain_wakes()
            return
        if events & selectors.EVENT_READ:
            speaker.read()
        if events & selectors.EVENT_WRITE:
            speaker.client.loop_write()

    def _collect_audio(self) -> None:
        while not self._audio.ready.empty():
            tell, reason = self._audio.ready.get()
            tell(reason)

    def _patience(self) -> float:
        if self._happened or not self._audio.ready.empty():
            return 0
        if not self._timers:
            return MAX_WAIT_S
        return min(MAX_WAIT_S, max(0.0, (self._timers[0][0] - now_ms()) / 1000))

    def _wake(self) -> None:
        try:
            self._outer.send(b"x")
        except (BlockingIOError, OSError):
            log.debug("already_awake")

    def _drain_wakes(self) -> None:
        try:
            self._inner.recv(65_536)
        except BlockingIOError:
            log.debug("nothing_to_drain")


def run_simulation(devices: Path, options: SimulationOptions, report: Callable[[Crowd], None] | None = None) -> None:
    """Run all devices of a file (one JSON object per line) until Ctrl-C; `report` is called every second."""
    crowd = load_devices(devices)
    for device in crowd:
        trust_of(device)  # a wrong file is said here, not by a thread
    simulation = Simulation(crowd, options)
    thread = threading.Thread(target=simulation.run, name="simulation")
    thread.start()
    try:
        while thread.is_alive():
            if report is not None:
                report(simulation.crowd())
            time.sleep(1)
    except KeyboardInterrupt:
        log.info("simulation_stopping")
    finally:
        simulation.halt()
        thread.join()
