"""A device that asks for its papers: patient with a hub that is away, deaf to a hub that is not its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub.core.typed import new_code
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.envelope import SigningKey
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.device import Applicant, CannotJoin, join
from hub.speakers.joining.papers import Issuer, seal_papers

pytestmark = pytest.mark.slow

Answer = tuple[int, bytes]
CODE = new_code()
ISSUER = Issuer("", 8883, True, "-----BEGIN CERTIFICATE-----\n", {"h1": SigningKey.generate("h1").public()})
PAPERS = ISSUER.papers("h0007", "a-secret-of-16-characters", ("990101001001",))
WAIT = (202, b'{"status":"wait","again_in_s":30}')


def given(code: str = CODE) -> Answer:
    return 200, json.dumps({"status": "papers", "papers": seal_papers(code, PAPERS)}).encode()


class Hub:
    """A web server that answers as it is told, one answer after the other, and keeps what it was asked."""

    def __init__(self, answers: list[Answer]) -> None:
        self.asked: list[dict[str, str]] = []
        self.slept: list[float] = []
        self.url = ""
        self.answers = answers

    def join(self, out: Path, *, code: str = CODE, url: str = "") -> DeviceFile:
        """Let a device ask until it has its papers."""
        applicant = Applicant(url or self.url, code, serial="SN-7")
        return DeviceFile.load(join(applicant, out, sleep=self.slept.append))


@contextmanager
def a_hub(*answers: Answer) -> Iterator[Hub]:
    hub = Hub(list(answers))

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hub.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = hub.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_waits_and_then_becomes_what_its_papers_say(tmp_path: Path) -> None:
    out = tmp_path / "d" / "speaker.toml"
    with a_hub(WAIT, WAIT, given()) as hub:
        device = hub.join(out)
    assert (device.id, device.broker_host, device.broker_port, device.broker_tls) == ("h0007", "127.0.0.1", 8883, True)
    assert device.broker_ca is not None
    assert Path(device.broker_ca).read_text("ascii") == ISSUER.ca
    assert out.stat().st_mode & 0o777 == 0o600
    assert len(hub.slept) == 2
    assert all(24 <= seconds <= 36 for seconds in hub.slept)


def test_the_code_never_crosses_the_line(tmp_path: Path) -> None:
    with a_hub(given()) as hub:
        hub.join(tmp_path / "speaker.toml")
    assert hub.asked == [{"claim": claim_id(CODE), "serial": "SN-7", "model": "", "version": ""}]
    assert CODE not in str(hub.asked)


def test_a_hub_that_is_busy_or_talks_nonsense_is_asked_less_and_less_often(tmp_path: Path) -> None:
    bad = [(503, b""), (500, b"<html>"), (429, b"{"), (502, b"[]"), (302, b"")]
    with a_hub(*bad, WAIT, given()) as hub:
        hub.join(tmp_path / "speaker.toml")
    assert len(hub.slept) == 6
    assert hub.slept[4] > hub.slept[0] * 4
    assert max(hub.slept) <= 300 * 1.2


def test_a_hub_that_is_away_is_waited_for(tmp_path: Path) -> None:
    with a_hub(given()) as hub:
        away = Hub([])

        def rest(seconds: float) -> None:
            away.slept.append(seconds)
            if len(away.slept) == 2:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            join(Applicant("http://127.0.0.1:9", CODE), tmp_path / "speaker.toml", sleep=rest)
        assert hub.join(tmp_path / "speaker.toml").id == "h0007"


def test_papers_of_somebody_who_does_not_know_the_code_are_refused(tmp_path: Path) -> None:
    with a_hub(given(new_code())) as hub, pytest.raises(CannotJoin, match="not the hub its owner meant"):
        hub.join(tmp_path / "speaker.toml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((410, b'{"why":"used"}'), "has been used"),
        ((410, b'{"why":"dismissed"}'), "taken back"),
        ((410, b"nonsense"), "has been used"),
        ((404, b""), "Is the address right"),
        ((422, b"{}"), "Is the address right"),
    ],
)
def test_a_last_word_is_a_last_word(tmp_path: Path, answer: Answer, words: str) -> None:
    with a_hub(answer) as hub, pytest.raises(CannotJoin, match=words):
        hub.join(tmp_path / "speaker.toml")
    assert hub.slept == []


def test_an_endless_answer_is_not_read_to_its_end(tmp_path: Path) -> None:
    with a_hub((200, b'{"papers":"' + b"A" * 5_000_000 + b'"}')) as hub, pytest.raises(CannotJoin):
        hub.join(tmp_path / "speaker.toml")
