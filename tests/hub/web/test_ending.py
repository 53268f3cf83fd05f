"""A process is told to end while people work: who looks is put off at once, who sends something is served."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI

from hub.core.config import HubSettings
from hub.core.runtime import Runtime
from hub.web.ending import Ending
from hub.web.port import Port

SignIn = Callable[[str], FlaskClient]
HTMX = {"HX-Request": "true"}


class Told:
    """A bare application that is told when to answer, and counts what it has done."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self.done = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        body = environ["wsgi.input"].read()
        if environ["PATH_INFO"] == "/slow":
            self.begun.release()
            assert self.go_on.wait(20)
        self.done += environ["REQUEST_METHOD"] == "POST"
        answer = body or b"well" * 50_000  # more than a socket takes at once
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]


class Open:
    """A port that is open in a thread of its own."""

    def __init__(self, app: Any) -> None:
        self.ending = Ending()
        self.port = Port(app, HubSettings(host="127.0.0.1", port=0, threads=4), self.ending)
        self.browsers: list[http.client.HTTPConnection] = []
        self.thread = threading.Thread(target=self.port.serve, daemon=True)
        self.thread.start()

    def connection(self) -> http.client.HTTPConnection:
        self.browsers.append(http.client.HTTPConnection("127.0.0.1", self.port.number, timeout=20))
        return self.browsers[-1]

    def refuses(self) -> bool:
        """Whether nobody listens any more."""
        try:
            self.connection().connect()
        except ConnectionRefusedError:
            return True
        return False

    def close(self, timeout_s: float = 10) -> None:
        self.ending.begin()
        self.port.close(timeout_s)


@contextmanager
def opened(app: Any) -> Iterator[Open]:
    found = Open(app)
    yield found
    found.close(0.2)
    for browser in found.browsers:
        browser.close()


def test_what_is_in_hand_ends_before_the_port_hangs_up() -> None:
    told = Told()
    with opened(told) as there:
        idle = there.connection()
        idle.request("GET", "/")
        assert len(idle.getresponse().read()) == 200_000
        waiting = [there.connection() for _ in range(5)]  # four are answered, one waits for its turn
        for each in waiting:
            each.request("POST", "/slow", b"form")
        told.begun.acquire()
        half = there.connection()  # its form is still on the way
        half.putrequest("POST", "/")
        half.putheader("Content-Length", "4")
        half.endheaders(b"fo")
        time.sleep(0.05)
        closing = threading.Thread(target=there.close)
        closing.start()
        time.sleep(0.1)
        assert there.refuses()
        assert closing.is_alive()
        half.send(b"rm")
        told.go_on.set()
        for each in (*waiting, half):
            answer = each.getresponse()
            assert answer.read() == b"form"
            assert answer.headers["Connection"] == "close"
        closing.join(10)
        there.thread.join(10)
        assert not there.thread.is_alive(), "nobody serves any more, and everything was given back"
        assert told.done == 6
        assert not there.port._sockets


def test_a_request_that_does_not_end_is_left_behind_and_nothing_is_written_into_other_files() -> None:
    told = Told()
    with opened(told) as there:
        pipe = there.port._trigger
        stuck = there.connection()
        stuck.request("POST", "/slow", b"form")
        told.begun.acquire()
        begin = time.monotonic()
        there.close(0.3)
        assert time.monotonic() - begin < 2
        assert pipe._fds, "the pipe that the thread left behind will write to is still its own"
        told.go_on.set()
        while there.port._server.task_dispatcher.threads:
            time.sleep(0.01)
    there.thread.join(5)
    assert not pipe._fds


@pytest.fixture
def ending(runtime: Runtime, sign_in: SignIn) -> FlaskClient:
    """Somebody signed in at a hub that was told to end."""
    browser = sign_in("clerk")
    runtime.get(Ending).begin()
    return browser


def test_who_looks_is_told_to_ask_again(ending: FlaskClient, app: OpenAPI) -> None:
    page = ending.get("/announcements?state=draft")
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "10"
    assert "这一页自己会打开" in page.text
    assert '<meta http-equiv="refresh" content="10">' in page.text
    assert 'href="/announcements?state=draft"' in page.text
    assert page.headers["Content-Security-Policy"]
    part = ending.get("/", headers=HTMX)
    assert (part.status_code, part.text, part.headers["Retry-After"]) == (503, "", "3")
    program = app.test_client().get("/api/v1/announcements", headers={"Accept-Language": "en"})
    assert program.status_code == 503
    assert program.json is not None
    assert program.json["code"] == "hub_ending"
    assert program.headers["Retry-After"] == "10"
    assert ending.get("/readyz").json == {"status": "ending", "bad": ["hub_ending"]}
    assert ending.get("/readyz").status_code == 503


def test_nobody_is_asked_for_it(ending: FlaskClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(runtime.sessions, "read", never)
    monkeypatch.setattr(runtime.sessions, "begin", never)
    assert ending.get("/").status_code == 503
    assert ending.get("/", headers=HTMX).status_code == 503


def test_who_sends_something_is_served_and_so_is_a_loudspeaker(ending: FlaskClient) -> None:
    assert ending.post("/language", data={"language": "zh"}).status_code == 302
    assert ending.get("/", headers=HTMX).status_code == 503
    assert ending.get(f"/a/{'0' * 64}.mp3").status_code == 404, "it was looked for"
    assert ending.get("/static/nothing.css").status_code == 404
    assert ending.get("/healthz").status_code == 200


def test_an_app_of_flask_says_goodbye_over_the_wire(app: Flask) -> None:
    with opened(app) as there:
        app.extensions["cunxiang"].provide(Ending, there.ending)
        tab = there.connection()
        tab.request("GET", "/sign-in")
        first = tab.getresponse()
        first.read()
        assert first.status == 200
        assert first.headers["Connection"] is None
        there.ending.begin()
        tab.request("GET", "/sign-in")
        second = tab.getresponse()
        assert second.status == 503
        assert second.headers["Connection"] == "close"
        assert second.headers["Retry-After"] == "10"
