"""Run a hub, or one role of it: web server in front, background work behind, everything ended in order."""

import errno
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Final

from flask import Flask
from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

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
from hub.watching.processes import Register
from hub.webhooks.secrets import SecretSafe
from hub.webhooks.sender import WebhookSender

log = logging.getLogger(__name__)
CONNECTIONS: Final = 1000
CHANNEL_TIMEOUT_S: Final = 30
DRAIN_S: Final = 8.0
"""How long work in progress may take when the hub is asked to end."""
MOST_S: Final = 10.0
"""After so long it ends with whatever is still going on: a hub may be killed at any moment, so this loses nothing."""
LOOK_S: Final = 0.5
LOST_ITS_TURN: Final = 75
"""Exit status (EX_TEMPFAIL): whoever started it starts it again, and it waits for its turn."""
ENDED_HARD: Final = 70


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
        self._server = _open_port(app, runtime.config.section(HubSettings)) if app is not None else None
        runtime.port = self.port

    @property
    def port(self) -> int:
        """The port it listens on; 0 without pages."""
        if self._server is None:
            return 0
        first = getattr(self._server, "effective_listen", None)  # several sockets, e.g. IPv4 and IPv6 of one name
        return int(first[0][1] if first else self._server.effective_port)  # type: ignore[union-attr]

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
        if self._server is not None:
            threading.Thread(target=self._answer, args=(self._server,), name="web", daemon=True).start()
        try:
            self._begin(register)
            pulse.start()
            if self._has_its_turn():
                quiet = Loop("memory", settling())
                for part in (*_webhooks(self._runtime), *self._parts(), self._runtime.get(Bell), quiet):
                    self._begin(part)
                register.on_duty()
            while not self._stopping.wait(LOOK_S):
                self._look_at_its_turn()
        finally:
            pulse.stop()
            self._end()

    def _answer(self, server: BaseWSGIServer | MultiSocketServer) -> None:
        """Serve pages until the end; that closing takes the socket away from under who waits at it is no fault."""
        try:
            server.run()
        except OSError:
            if not self._stopping.is_set():
                raise

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
        # Waitress would drop requests in progress; closing first lets them finish while nothing new comes in.
        if self._server is not None:
            self._server.close()
        for part in self._background:
            if isinstance(part, Loop):
                part.halt()  # all at once: what each of them has in hand may take seconds
        for part in reversed(self._background):
            if isinstance(part, Loop):
                part.stop(max(0.2, end - time.monotonic()))
            else:
                part.stop()
        if self._server is not None:
            self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=max(1, round(end - time.monotonic())))


def _open_port(app: Flask, settings: HubSettings) -> MultiSocketServer | BaseWSGIServer:
    try:
        # Idle keep-alive sockets of polling pages count as connections; the default of 100 makes page 101 wait.
        return create_server(
            app,
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            connection_limit=CONNECTIONS,
            channel_timeout=CHANNEL_TIMEOUT_S,
            ident="cunxiang",
            clear_untrusted_proxy_headers=True,
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
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
