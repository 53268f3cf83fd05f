"""The certificate that browsers are shown: near its end, over, renewed, or nobody there. Real servers with TLS."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import NOON
from flask_openapi3.openapi import OpenAPI

from hub.core.checks import Checks, Finding, Level
from hub.core.config import HubSettings, Section
from hub.core.gauges import Gauges
from hub.core.runtime import Runtime
from hub.speakers.broker import authority
from hub.watching import certificates
from hub.watching.certificates import ASKED_AGAIN_S, ASKED_EVERY_S, PublicCertificate, seen_at


@contextmanager
def proxy(folder: Path, *, made_days_ago: int) -> Iterator[str]:
    """A server with a certificate of its own, which holds for 825 days; return its address."""
    files = authority.make(folder, ["127.0.0.1"], now=NOON - timedelta(days=made_days_ago))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.cert, files.key)
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = door.accept()
                    with line, suppress(OSError), context.wrap_socket(line, server_side=True) as talk:
                        talk.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def watched(runtime: Runtime, app: OpenAPI) -> PublicCertificate:
    return runtime.get(PublicCertificate)


def shown_at(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    changed = runtime.config.section(HubSettings).model_copy(update={"public_url": url})
    kind: type[Section] = HubSettings
    monkeypatch.setitem(runtime.config._sections, kind, changed)


def said(runtime: Runtime) -> list[Finding]:
    return [found for found in runtime.get(Checks).ask(runtime) if found.code.startswith("check_public")]


@pytest.mark.parametrize(
    ("made_days_ago", "code", "level", "days", "left"),
    [
        (0, "check_public_certificate", Level.GOOD, 825, 825.0),
        (815, "check_public_certificate_ends", Level.LOOK, 10, 10.0),
        (900, "check_public_certificate_over", Level.BAD, 75, -75.0),
    ],
)
def test_it_is_spoken_of(
    runtime: Runtime,
    watched: PublicCertificate,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    made_days_ago: int,
    code: str,
    level: Level,
    days: int,
    left: float,
) -> None:
    with proxy(tmp_path / "tls", made_days_ago=made_days_ago) as url:
        shown_at(runtime, monkeypatch, url)
        assert watched.step() == (ASKED_EVERY_S if level is Level.GOOD else ASKED_AGAIN_S)
    assert said(runtime) == [Finding(code, level, {"url": url, "days": days}, in_part=level is Level.BAD)]
    with runtime.sessions.read() as session:
        [readings] = [r for g, r in runtime.get(Gauges).read(session) if g.name == "cunxiang_certificate_days"]
    assert [(each.labels, each.value) for each in readings] == [({"of": "public_url"}, left)]


def test_nobody_there_is_to_be_looked_at_and_a_later_look_forgets_it(
    runtime: Runtime, watched: PublicCertificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        number = door.getsockname()[1]
    shown_at(runtime, monkeypatch, f"https://127.0.0.1:{number}")
    assert watched.step() == ASKED_AGAIN_S
    assert [(found.code, found.level) for found in said(runtime)] == [("check_public_silent", Level.LOOK)]
    with proxy(tmp_path / "tls", made_days_ago=0) as url:
        shown_at(runtime, monkeypatch, url)
        watched.step()
    assert [found.level for found in said(runtime)] == [Level.GOOD]


def test_who_says_nothing_is_left_after_a_while_and_no_page_waits_for_it(
    runtime: Runtime, app: OpenAPI, watched: PublicCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        begin = time.monotonic()
        assert seen_at(url, wait_s=0.3).why == "TimeoutError"
        assert time.monotonic() - begin < 3
        shown_at(runtime, monkeypatch, url)
        monkeypatch.setattr(certificates, "seen_at", lambda *_: pytest.fail("a page looked"))
        assert app.test_client().get("/readyz").status_code == 200
        assert said(runtime) == [], "not looked at yet"


def test_without_https_nothing_is_asked(runtime: Runtime, watched: PublicCertificate) -> None:
    assert not runtime.settings.public_url.startswith("https://")
    assert watched.step() == ASKED_EVERY_S
    assert watched.seen is None
    assert said(runtime) == []
