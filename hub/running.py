"""Run a hub, or one role of it: web server in front, background work behind, everything ended in order."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Final

from flask import Flask

from hub.app import RefusedToStart
from hub.core.background import Background, Loop
from hub.core.bell import Bell
from hub.core.config import HubSettings
from hub.core.feature import Feature
from hub.core.memory import settling
from hub.core.notify import Pulse
from hub.core.pooling import ADVICE, by_transaction
from hub.core.reaching import guard_of
from hub.core.roles import Role, WorkLane
from hub.core.runtime import Runtime
from hub.core.single import AlreadyRunning, OnlyOne
from hub.core.turns import HOUSE, Turns
from hub.watching.certificates import PublicCertificate
from hub.watching.processes import Register
from hub.web.ending import Ending
from hub.web.port import Port, PortTaken
from hub.webhooks.secrets import SecretSafe
from hub.webhooks.sender import WebhookSender

log = logging.getLogger(__name__)
DRAIN_S: Final = 8.0
"""How long work in progress may take when the hub is asked to end."""
HANG_UP_S: Final = 2.0
"""How much of that is left, at the latest, when the last request in hand has to be answered."""
MOST_S: Final = 10.0
"""After so long it ends with whatever is still going on: a hub may be killed at any moment, so this loses nothing."""
LOOK_S: Final = 0.5
LOST_ITS_TURN: Final = 75
"""Exit status (EX_TEMPFAIL): whoever started it starts it again, and it waits for its turn."""
ENDED_HARD: Final = 70


def _of_the_house(runtime: Runtime) -> Iterator[Background]:
    if runtime.duties.has(Role.WEB):
        yield Loop("public_certificate", runtime.get(PublicCertificate).step)
    yield from _webhooks(runtime)


def _webhooks(runtime: Runtime) -> Iterator[Background]:
    if runtime.duties.has(WorkLane.NORMAL):
        guard = guard_of(runtime.settings)
        yield Loop("webhooks", WebhookSender(runtime.sessions, runtime.get(SecretSafe), runtime.clock, guard).step)


class Server:
    """One hub, or one process of several. `serve` returns after SIGTERM, SIGINT or `close`."""

    def __init__(self, app: Flask | None, runtime: Runtime, features: Sequence[Feature]) -> None:
        self._runtime = runtime
        self._features = features
        self._stopping = threading.Event()
        self._background: list[Background] = []
        self.status = 0
        """What the process should say when it ends."""
        # Only whoever shows pages opens a port.
        self._port = _open_port(app, runtime) if app is not None else None
        runtime.port = self.port

    @property
    def port(self) -> int:
        """The port it listens on; 0 without pages."""
        return self._port.number if self._port is not None else 0

    def serve(self) -> None:
        """Start the background work, serve until told to stop, then end everything in the opposite order.

        Raises RefusedToStart when another hub runs on the same database, or turns would not hold on it.
        """
        if by_transaction(self._runtime.sessions.engine):
            raise RefusedToStart(ADVICE)
        turns = self._runtime.get(Turns)
        try:
            with OnlyOne(self._runtime.sessions.engine):
                turns.start()
                if turns.taken(HOUSE):
                    raise RefusedToStart(_refusal(self._runtime))
                self._serve()
        except AlreadyRunning as error:
            raise RefusedToStart(str(error)) from None
        finally:
            turns.stop()

    def _serve(self) -> None:
        pulse, register = self._runtime.get(Pulse), Register(self._runtime)
        if self._port is not None:
            threading.Thread(target=self._port.serve, name="web", daemon=True).start()
        try:
            self._begin(register)
            pulse.start()
            if self._has_its_turn():
                quiet = Loop("memory", settling())
                for part in (*_of_the_house(self._runtime), *self._parts(), self._runtime.get(Bell), quiet):
                    self._begin(part)
                register.on_duty()
            while not self._stopping.wait(LOOK_S):
                self._look_at_its_turn()
        finally:
            pulse.stop()
            self._end()

    def _begin(self, part: Background) -> None:
        part.start()
        self._background.append(part)

    def _parts(self) -> Iterator[Background]:
        for feature in self._features:
            yield from feature.start(self._runtime)

    def _has_its_turn(self) -> bool:
        """Wait until a bridge is alone at the line to the loudspeakers; False when told to stop before."""
        if not self._needs_turn:
            return True
        turns, told = self._runtime.get(Turns), False
        while not turns.mine(Role.BRIDGE):
            if not told:
                log.info("standing_by")
                told = True
            if self._stopping.wait(LOOK_S / 5):
                return False
        return True

    def _look_at_its_turn(self) -> None:
        """End when another process has taken over: the database was away, and the other one was quicker."""
        if self._needs_turn and self._runtime.get(Turns).taken(Role.BRIDGE):
            log.warning("turn_lost")
            self.status = LOST_ITS_TURN
            self._stopping.set()

    @property
    def _needs_turn(self) -> bool:
        duties = self._runtime.duties
        return duties.has(Role.BRIDGE) and not duties.whole

    def close(self) -> None:
        """Make `serve` return."""
        self._stopping.set()

    def close_on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT, within ten seconds. Call from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._stopping.is_set():
            last = threading.Timer(MOST_S, _end_hard, [self._still_going])
            last.daemon = True
            last.start()
        self._stopping.set()

    def _still_going(self) -> list[str]:
        return [part.name for part in self._background if isinstance(part, Loop) and part.alive]

    def _end(self) -> None:
        end = time.monotonic() + DRAIN_S
        # Open pages that ask again and again are put off; a form is served to the last.
        self._runtime.get(Ending).begin()
        loops = [part for part in self._background if isinstance(part, Loop)]
        for loop in loops:
            loop.halt()  # all at once: what each of them has in hand may take seconds
        for loop in reversed(loops):
            loop.stop(max(0.2, end - time.monotonic()))
        if self._port is not None:
            self._port.close(max(0.2, end - HANG_UP_S - time.monotonic()))
        # Last, what the loops and the pages stood on: the line to the loudspeakers, voices, the broker.
        for part in reversed(self._background):
            if not isinstance(part, Loop):
                part.stop()


def _open_port(app: Flask, runtime: Runtime) -> Port:
    settings = runtime.config.section(HubSettings)
    try:
        return Port(app, settings, runtime.get(Ending))
    except PortTaken:
        raise RefusedToStart(
            f"Port {settings.port} on {settings.host} is taken by another program. Stop it, or set another port: "
            "[hub] port in config.toml, or --port."
        ) from None


def _refusal(runtime: Runtime) -> str:
    if runtime.duties.whole:
        return (
            "Another hub works on this database. Stop it first; for several processes start "
            "'cunxiang web', 'scheduler', 'worker' and 'bridge' instead of 'cunxiang run'."
        )
    return f"'cunxiang run' works on this database. Stop it before you start 'cunxiang {runtime.duties.name}'."


def _end_hard(still_going: Callable[[], list[str]]) -> None:
    log.error("ended_hard", extra={"still": still_going()})
    os._exit(ENDED_HARD)
