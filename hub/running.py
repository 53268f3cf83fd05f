"""Run a hub: web server in front, background work behind, everything ended in order."""

import errno
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from flask import Flask
from waitress.server import create_server

from hub.app import RefusedToStart
from hub.core.background import Background, Loop
from hub.core.config import HubSettings
from hub.core.feature import Feature
from hub.core.notify import Pulse
from hub.core.runtime import Runtime
from hub.core.single import AlreadyRunning, OnlyOne
from hub.webhooks.secrets import SecretSafe
from hub.webhooks.sender import WebhookSender

log = logging.getLogger(__name__)
CONNECTIONS = 1000
CHANNEL_TIMEOUT_S = 30


def _webhooks(runtime: Runtime) -> Background:
    sender = WebhookSender(runtime.sessions, runtime.get(SecretSafe), runtime.clock)
    return Loop("webhooks", sender.step)


class Server:
    """The web server of one hub. `serve` returns after SIGTERM, SIGINT or `close`."""

    def __init__(self, app: Flask, runtime: Runtime, features: Sequence[Feature]) -> None:
        settings = runtime.config.section(HubSettings)
        self._runtime = runtime
        self._features = features
        self._stopping = threading.Event()
        try:
            # Idle keep-alive sockets of polling pages count as connections; the default of 100 makes page 101 wait.
            self._server = create_server(
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
        self._background: list[Background] = []
        runtime.port = self.port

    @property
    def port(self) -> int:
        """The port it listens on."""
        first = getattr(self._server, "effective_listen", None)  # several sockets, e.g. IPv4 and IPv6 of one name
        return int(first[0][1] if first else self._server.effective_port)  # type: ignore[union-attr]

    def serve(self) -> None:
        """Start the background work, serve until told to stop, then end everything in the opposite order.

        Raises RefusedToStart when another hub runs on the same SQLite file.
        """
        try:
            with OnlyOne(self._runtime.sessions.engine):
                self._serve()
        except AlreadyRunning as error:
            raise RefusedToStart(str(error)) from None

    def _serve(self) -> None:
        pulse = self._runtime.get(Pulse)
        web = threading.Thread(target=self._server.run, name="web", daemon=True)
        web.start()
        try:
            for part in (_webhooks(self._runtime), *self._parts()):
                part.start()
                self._background.append(part)
            pulse.start()
            self._stopping.wait()
        finally:
            pulse.stop()
            self._end()

    def _parts(self) -> Iterator[Background]:
        for feature in self._features:
            yield from feature.start(self._runtime)

    def close(self) -> None:
        """Make `serve` return."""
        self._stopping.set()

    def close_on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT. Call from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _end(self) -> None:
        # Waitress would drop requests in progress; closing first lets them finish while nothing new comes in.
        self._server.close()
        for part in reversed(self._background):
            part.stop()
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=5)
