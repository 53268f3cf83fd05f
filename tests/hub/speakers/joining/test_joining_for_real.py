"""A device with nothing but a code becomes a loudspeaker: real web server, real broker, with TLS; and leaves again."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from builders import BRIDGE, HILL, a_county
from flask_openapi3.openapi import OpenAPI

import cunxiang
from hub.app import build, open_runtime
from hub.commands.frame import sections
from hub.core.actor import SYSTEM
from hub.core.clock import utc_now
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.core.typed import new_code, shown
from hub.speakers.broker.authority import make
from hub.speakers.broker.process import find_mosquitto
from hub.speakers.device.client import ReferenceSpeaker, SpeakerSettings
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.joining import desk, device
from hub.speakers.joining.claims import Place
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import Station

pytestmark = pytest.mark.slow
PATIENCE_S = 20.0


class Quiet(WSGIRequestHandler):
    """A web server that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def soon(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(params=["embedded", "mosquitto"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    files = make(tmp_path / "tls", ["127.0.0.1"], now=utc_now())
    mqtt = {
        "engine": request.param,
        "port": 0,
        "tls_port": 0,
        "tls_cert": files.cert,
        "tls_key": files.key,
        "ca_file": files.ca,
        "heartbeat_seconds": 5,
    }
    overrides: dict[str, dict[str, object]] = {
        "hub": {"data_dir": tmp_path / "var", "port": 0},
        "speech": {"engines": ("tone",)},
        "mqtt": mqtt,
    }
    found = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=utc_now)
    with found.sessions.begin() as session:
        a_county(session)
    yield found
    found.sessions.engine.dispose()


@pytest.fixture
def app(runtime: Runtime) -> OpenAPI:
    return build(runtime, cunxiang.FEATURES)


@pytest.fixture
def hub(app: OpenAPI, runtime: Runtime) -> Iterator[str]:
    """A running hub; its address."""
    station, book = runtime.get(Station), runtime.get(SettingsBook)
    station.start()
    halt = threading.Event()

    def keep_book() -> None:
        while not halt.wait(0.2):
            book.step()

    server = make_server("127.0.0.1", 0, app.wsgi_app, handler_class=Quiet)
    threads = [threading.Thread(target=work, daemon=True) for work in (keep_book, server.serve_forever)]
    for thread in threads:
        thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    halt.set()
    server.shutdown()
    server.server_close()
    for thread in threads:
        thread.join(5)
    station.stop()


def state(runtime: Runtime, name: str) -> Speaker:
    with runtime.sessions.read() as session:
        return session.get_one(Speaker, name)


def test_from_a_code_to_service_to_another_village_and_out_again(hub: str, runtime: Runtime, tmp_path: Path) -> None:
    code, told = new_code(), []
    applicant = device.Applicant(hub, code, serial="SN-7", model="horn-2", version="1")
    out = tmp_path / "device" / "speaker.toml"

    def rest(_seconds: float) -> None:
        """Instead of waiting half a minute a person types the code."""
        told.append(desk.offer(runtime, SYSTEM, shown(code), Place("学校旁", BRIDGE)).id)

    device.join(applicant, out, sleep=rest)
    assert len(told) == 1
    name = told[0]
    papers = DeviceFile.load(out)
    assert (papers.id, papers.broker_tls, papers.broker_host) == (name, True, "127.0.0.1")
    assert out.stat().st_mode & 0o777 == 0o600
    assert state(runtime, name).state is SpeakerState.EXPECTED
    time.sleep(1)  # brokers take a new account over within half a second; who comes sooner is sent away for a while
    horn = ReferenceSpeaker(SpeakerSettings(papers, sink="silent"))
    horn.start()
    try:
        assert soon(lambda: state(runtime, name).state is SpeakerState.ACTIVE)
        number = state(runtime, name).number
        assert soon(lambda: horn.body.core.settings.number == number), "its first settings give it its number"
        desk.move(runtime, SYSTEM, name, HILL)
        assert soon(lambda: horn.body.core.settings.regions[-1] == HILL)
        assert soon(lambda: state(runtime, name).keys_taken == ["h1"])
        desk.retire(runtime, SYSTEM, name)
        began = time.monotonic()
        assert soon(lambda: not horn.connected)
        assert time.monotonic() - began < 10, "at once, not when its next message is due"
    finally:
        horn.stop()
    with pytest.raises(device.CannotJoin, match="has been used"):
        device.join(applicant, out, sleep=rest)


def test_without_the_authority_nobody_speaks_to_the_broker(hub: str, runtime: Runtime, tmp_path: Path) -> None:
    label = desk.make_codes(runtime, SYSTEM, Place("学校旁", BRIDGE))[0]
    papers = DeviceFile.load(device.join(device.Applicant(hub, label.code), tmp_path / "d" / "speaker.toml"))

    def shakes_hands(context: ssl.SSLContext, host: str) -> bool:
        with socket.create_connection(("127.0.0.1", papers.broker_port), 5) as plain:
            try:
                context.wrap_socket(plain, server_hostname=host).close()
            except ssl.SSLCertVerificationError:
                return False
            return True

    knowing = ssl.create_default_context(cafile=papers.broker_ca)
    assert shakes_hands(knowing, "127.0.0.1")
    assert not shakes_hands(knowing, "broker.example")
    assert not shakes_hands(ssl.create_default_context(), "127.0.0.1")
