"""A speech service on the net, here a real HTTP server of the test's own that speaks the documented interface."""

import io
import logging
import struct
import threading
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pydantic import SecretStr

from broadcasts.settings import SpeechSettings
from broadcasts.speech.cloud_engine import CloudEngine
from broadcasts.speech.engine import Language, SpeechFailed, VoiceSpec
from broadcasts.speech.finding import EngineContext
from broadcasts.speech.reading import as_read, to_script

KEY = "k3y-of-the-county"
SCRIPT = to_script(as_read("张三<李四>，请下载App & 开会。"))
SSML = "{http://www.w3.org/2001/10/synthesis}"


def a_riff(seconds: float = 1.0, *, channels: int = 1, honest: bool = True) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(24_000)
        out.writeframes(b"\x10\x10" * int(24_000 * seconds) * channels)
    content = buffer.getvalue()
    if honest:
        return content
    endless = struct.pack("<I", 0xFFFFFFFF)  # a service that streams does not know how long it will be
    return content[:4] + endless + content[8:40] + endless + content[44:]


@dataclass
class Service:
    """What it answers, and what it was asked."""

    status: int = 200
    body: bytes = field(default_factory=a_riff)
    delay_s: float = 0.0
    location: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def service() -> Iterator[Service]:
    behaviour = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            behaviour.asked.append((self.path, dict(self.headers), body))
            time.sleep(behaviour.delay_s)
            self.send_response(behaviour.status)
            if behaviour.location:
                self.send_header("Location", behaviour.location)
            self.send_header("Content-Length", str(len(behaviour.body)))
            self.end_headers()
            try:
                self.wfile.write(behaviour.body)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    behaviour.url = f"http://127.0.0.1:{server.server_port}/cognitiveservices/v1"
    yield behaviour
    server.shutdown()
    thread.join()
    server.server_close()


def an_engine(url: str, key: str = KEY) -> CloudEngine:
    return CloudEngine(EngineContext(SpeechSettings(cloud_url=url, cloud_key=SecretStr(key)), Path()))


def test_it_sends_what_the_interface_asks_for_and_keeps_what_comes(service: Service, tmp_path: Path) -> None:
    spec = VoiceSpec(rate=120, pitch=60)
    an_engine(service.url).synthesize(SCRIPT, spec, tmp_path / "out.wav", timeout_s=10)
    [(path, headers, body)] = service.asked
    assert path == "/cognitiveservices/v1"
    assert headers["Ocp-Apim-Subscription-Key"] == KEY
    assert headers["X-Microsoft-OutputFormat"] == "riff-24khz-16bit-mono-pcm"
    assert headers["Content-Type"] == "application/ssml+xml"
    speak = ET.fromstring(body)  # noqa: S314 - our own
    voice, prosody = speak[0], speak[0][0]
    assert speak.tag == f"{SSML}speak"
    assert speak.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == "zh-CN"
    assert voice.attrib["name"] == "zh-CN-XiaoxiaoNeural"
    assert prosody.attrib == {"rate": "-20%", "pitch": "+5%"}
    assert "张三" in (prosody.text or "")
    with wave.open(str(tmp_path / "out.wav")) as recording:
        assert recording.getnframes() == 24_000


def test_a_length_the_service_did_not_know_is_put_right(service: Service, tmp_path: Path) -> None:
    service.body = a_riff(honest=False)
    an_engine(service.url).synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=10)
    with wave.open(str(tmp_path / "out.wav")) as recording:
        assert recording.getnframes() == 24_000


@pytest.mark.parametrize(
    ("status", "words", "retryable"),
    [(401, "不认这个密钥", False), (403, "不认这个密钥", False), (400, "没有答应", False), (429, "没有答应", True),
     (503, "没有答应", True), (302, "没有答应", False)],
)  # fmt: skip
def test_a_refusal_is_said_once_and_not_tried_again(
    service: Service, tmp_path: Path, status: int, words: str, retryable: bool
) -> None:
    service.status, service.location = status, "http://127.0.0.1:9/elsewhere"
    with pytest.raises(SpeechFailed, match=words) as caught:
        an_engine(service.url).synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=10)
    assert caught.value.retryable is retryable
    assert len(service.asked) == 1
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("body", [b"", b"<html>captive portal</html>", a_riff(0), a_riff(channels=2), a_riff()[:30]])
def test_what_is_no_sound_is_refused(service: Service, tmp_path: Path, body: bytes) -> None:
    service.body = body
    with pytest.raises(SpeechFailed, match="回的不是声音"):
        an_engine(service.url).synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=10)
    assert list(tmp_path.iterdir()) == []


def test_a_slow_service_is_not_waited_for(service: Service, tmp_path: Path) -> None:
    service.delay_s = 30.0
    began = time.monotonic()
    with pytest.raises(SpeechFailed, match=r"连不上|太慢"):
        an_engine(service.url).synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=0.4)
    assert time.monotonic() - began < 15


def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SpeechFailed, match="连不上"):
        an_engine("http://127.0.0.1:9/v1").synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=5)


def test_neither_key_nor_words_get_into_a_log_or_an_error(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.status = 500
    engine = an_engine(service.url)
    with caplog.at_level(logging.DEBUG), pytest.raises(SpeechFailed) as caught:
        engine.synthesize(SCRIPT, VoiceSpec(), tmp_path / "out.wav", timeout_s=5)
    for text in (
        caplog.text,
        str(caught.value),
        caught.value.detail,
        repr(engine.info()),
        engine.fingerprint(VoiceSpec()),
    ):
        assert KEY not in text
        assert "张三" not in text


def test_it_is_off_until_address_and_key_are_given_and_never_without_https() -> None:
    assert "CUNXIANG_SPEECH_CLOUD_KEY" in an_engine("").info().reason
    assert "CUNXIANG_SPEECH_CLOUD_KEY" in an_engine("https://speech.example/v1", key="").info().reason
    assert "https" in an_engine("http://speech.example/v1").info().reason
    ready = an_engine("https://speech.example/v1").info()
    assert ready.ready
    assert ready.needs_network
    assert not ready.at_once


def test_it_speaks_other_languages_with_voices_of_their_own(service: Service, tmp_path: Path) -> None:
    spec = VoiceSpec(language=Language.CANTONESE)
    an_engine(service.url).synthesize(SCRIPT, spec, tmp_path / "out.wav", timeout_s=10)
    assert b'xml:lang="zh-HK"' in service.asked[0][2]
    with pytest.raises(SpeechFailed, match="换一个声音"):
        an_engine(service.url).synthesize(SCRIPT, VoiceSpec(voice="x"), tmp_path / "out.wav", timeout_s=10)
