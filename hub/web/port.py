"""The open port: waitress, and an end that drops no request in hand."""

import errno
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import WSGITask
from waitress.wasyncore import dispatcher

from hub.core.config import HubSettings
from hub.web.ending import Ending

CONNECTIONS: Final = 1000
CHANNEL_TIMEOUT_S: Final = 30
LOOK_S: Final = 0.02


class PortTaken(Exception):
    """Another program listens there."""


class Port:
    """Listens, and answers with a number of threads. `serve` returns some time after `close`."""

    def __init__(self, app: Flask, settings: HubSettings, ending: Ending) -> None:
        self._sockets: dict[int, Any] = {}
        try:
            # Idle keep-alive sockets of polling pages count as connections; the default of 100 makes page 101 wait.
            self._server = create_server(
                app,
                map=self._sockets,
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
            raise PortTaken from None
        listeners: list[Any] = list(self._listeners())  # several, e.g. IPv4 and IPv6 of one name
        for listener in listeners:
            listener.channel_class = _channels(ending)
        self._trigger: Any = listeners[0].trigger
        self.number = int(listeners[0].effective_port)
        """The port it listens on."""

    def serve(self) -> None:
        """Answer until the end."""
        self._server.run()

    def close(self, timeout_s: float) -> None:
        """Take no new connection, let what is in hand end, then hang up.

        Sockets are closed by the thread that serves. Waitress's own `close`, from another thread, takes them away from
        under it, and with them the pipe that answering threads write to: they would then write into whatever file was
        opened next and got its number.
        """
        end = time.monotonic() + timeout_s
        self._tell(self._stop_listening)
        while self._busy() and time.monotonic() < end:
            time.sleep(LOOK_S)
        threads = self._server.task_dispatcher
        threads.shutdown(cancel_pending=True, timeout=max(LOOK_S, end - time.monotonic()))  # type: ignore[arg-type]
        if not threads.threads:  # else one of them may still write to the pipe: it stays open, the process ends anyway
            self._tell(self._hang_up)

    def _listeners(self) -> Iterator[BaseWSGIServer]:
        return (each for each in list(self._sockets.values()) if isinstance(each, BaseWSGIServer))

    def _tell(self, what: Callable[[], None]) -> None:
        if self._sockets:
            self._trigger.pull_trigger(what)

    def _stop_listening(self) -> None:
        for listener in self._listeners():
            dispatcher.close(listener)

    def _hang_up(self) -> None:
        for each in list(self._sockets.values()):
            each.close()

    def _busy(self) -> bool:
        threads = self._server.task_dispatcher
        with threads.lock:
            if threads.queue or threads.active_count:
                return True
        return any(isinstance(each, HTTPChannel) and _in_hand(each) for each in list(self._sockets.values()))


def _in_hand(channel: HTTPChannel) -> bool:
    """Whether a request is just coming in, waits, or its answer is on the way out."""
    return channel.request is not None or bool(channel.requests) or channel.total_outbufs_len > 0


def _channels(ending: Ending) -> type[HTTPChannel]:
    """Return the kind of connection that says `Connection: close` with its last answer."""

    class Answer(WSGITask):
        def build_response_header(self) -> bytes:
            if ending.begun:
                request: Any = self.request
                request.headers["CONNECTION"] = "close"
            return super().build_response_header()

    class Channel(HTTPChannel):
        task_class = Answer

    return Channel
