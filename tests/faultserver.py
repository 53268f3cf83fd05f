"""A provider's web server that misbehaves on request and counts what it was sent. Real sockets, no TLS."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass
class FaultServer:
    """What the server does next, and what reached it."""

    mode: str = "ok"
    slow_s: float = 3.0
    delay_s: float = 0.0
    posts: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    good: tuple[int, bytes] | Callable[[bytes], tuple[int, bytes]] | None = None
    """How a provider that is not Twilio says yes."""
    listed: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


ERRORS = {
    "429": (429, {"code": 20429, "message": "Too Many Requests", "status": 429}),
    "429 bare": (429, {}),
    "503": (503, {"code": 20503, "message": "Service unavailable", "status": 503}),
    "500": (500, {"code": 20500, "message": "Internal", "status": 500}),
    "404": (404, {"code": 20404, "message": "not found", "status": 404}),
    "401": (401, {"code": 20003, "message": "Authenticate", "status": 401}),
    "307": (307, {}),
    "400 odd": (400, {"code": 99999, "message": "?", "status": 400}),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        state = self.server.state
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        raw = body.decode("utf-8", "replace")
        if len(body) < length:
            # The client died while it was still sending: that was no request.
            self.close_connection = True
            return
        form = {key: values[0] for key, values in parse_qs(raw).items()}
        with state.lock:
            state.posts.append(form)
            state.paths.append(self.path)
            state.bodies.append(body)
            state.heads.append(dict(self.headers.items()))
            number = len(state.posts)
        time.sleep(state.delay_s)
        self._misbehave(state, form, number)

    def do_GET(self) -> None:
        state = self.server.state
        with state.lock:
            state.paths.append(self.path)
        self._answer(200, {"messages": state.listed, "page_size": 1000, "next_page_uri": None})

    def _misbehave(self, state: FaultServer, form: dict[str, str], number: int) -> None:
        if state.good is not None:
            status, content = state.good if isinstance(state.good, tuple) else state.good(state.bodies[number - 1])
            good = content.decode()
        else:
            status, good = 201, json.dumps(self._twilio(form, number))
        self._do(state, status, good)

    def _twilio(self, form: dict[str, str], number: int) -> dict[str, Any]:
        return {"sid": f"SM{number:032x}", "status": "queued", "to": form.get("To"), "body": form.get("Body")}

    def _do(self, state: FaultServer, status: int, good: str) -> None:
        if state.mode == "cut":
            self.close_connection = True
            self.connection.close()
        elif state.mode == "truncated":
            body = good.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif state.mode == "garbage":
            self._raw(201, b"<html>ok</html>")
        elif state.mode == "no sid":
            self._answer(201, {"status": "queued"})
        elif state.mode == "slow":
            time.sleep(state.slow_s)
            self._raw(status, good.encode())
        elif state.mode.startswith("code "):
            self._answer(400, {"code": int(state.mode[5:]), "message": "no", "status": 400})
        elif state.mode in ERRORS:
            self._answer(*ERRORS[state.mode])
        else:
            self._raw(status, good.encode())

    def _answer(self, status: int, body: Any) -> None:
        self._raw(status, json.dumps(body).encode() if body else b"")

    def _raw(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if status == 307:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    state: FaultServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is part of the game."""


@contextmanager
def fault_server() -> Iterator[FaultServer]:
    """Run a server on a free port."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.state = FaultServer(address=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
