"""A voice from a speech service on the net, by the REST interface that Azure documents for text to speech.

One request, one attempt: SSML there, a WAV back. The words leave this machine, so it speaks only where somebody put an
address and a key into the configuration, and never in an emergency. Neither key nor words get into a log.
"""

import io
import json
import os
import time
import wave
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

import requests

from broadcasts.speech.engine import (
    N_,
    NORMAL_RATE,
    EngineInfo,
    Language,
    Script,
    SpeechFailed,
    VoiceInfo,
    VoiceSpec,
)
from broadcasts.speech.finding import EngineContext

CONNECT_S: Final = 5.0
MOST_BYTES: Final = 64 * 1024 * 1024
CHUNK: Final = 1 << 16
FORMAT: Final = "riff-24khz-16bit-mono-pcm"
THIS_MACHINE: Final = {"127.0.0.1", "localhost", "::1"}
STOPS: Final = {".": "。", ",": "，", "!": "！", "?": "？"}
VOICES: Final = {Language.CANTONESE: "zh-HK-HiuMaanNeural", Language.ENGLISH: "en-US-JennyNeural"}
LOCALES: Final = {Language.MANDARIN: "zh-CN", Language.CANTONESE: "zh-HK", Language.ENGLISH: "en-US"}


class CloudEngine:
    """Asks the configured service."""

    name = "cloud"

    def __init__(self, context: EngineContext) -> None:
        settings = context.settings
        self._url, self._key = settings.cloud_url, settings.cloud_key
        self._voices = {Language.MANDARIN: settings.cloud_voice, **VOICES}

    def info(self) -> EngineInfo:
        reason = self._reason_not_ready()
        return EngineInfo(
            name=self.name,
            label=N_("云端的声音"),
            version=urlsplit(self._url).hostname or "-",
            voices=tuple(VoiceInfo(voice, voice, language, human=True) for language, voice in self._voices.items()),
            reproducible=False,
            ready=not reason,
            reason=reason,
            typical_rtf=0.2,
            start_s=1.5,
            pitched=True,
            needs_network=True,
        )

    def fingerprint(self, voice: VoiceSpec) -> str:
        asked = [self.name, urlsplit(self._url).hostname, voice.voice or self._voices[voice.language], FORMAT]
        return json.dumps([*asked, voice.rate, voice.pitch])

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        """One request; what comes back is looked at before it gets its name."""
        if reason := self._reason_not_ready():
            raise SpeechFailed(reason)
        if voice.voice not in {"", self._voices[voice.language]}:
            raise SpeechFailed(N_("没有叫“%(voice)s”的声音，请换一个声音"), values={"voice": voice.voice})
        text = _text(script)
        if not any(c.isalnum() for c in text):
            raise SpeechFailed(N_("这段话里没有能读出来的字"))
        body = ssml(text, self._voices[voice.language], voice)
        _write(self._asked(body.encode(), time.monotonic() + timeout_s), target)

    def _asked(self, body: bytes, deadline: float) -> bytes:
        headers = {
            "Ocp-Apim-Subscription-Key": self._key.get_secret_value(),
            "Content-Type": "application/ssml+xml",
            "X-Microsoft-OutputFormat": FORMAT,
            "User-Agent": "cunxiang",
        }
        left = max(0.1, deadline - time.monotonic())
        try:
            with requests.post(
                self._url,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_S, left), left),
                allow_redirects=False,  # a key goes nowhere else
                stream=True,
            ) as answer:
                _check(answer.status_code)
                return _taken(answer, deadline)
        except requests.RequestException as problem:
            raise SpeechFailed(N_("连不上云端的语音服务"), retryable=True, detail=type(problem).__name__) from problem

    def _reason_not_ready(self) -> str:
        if not self._url or not self._key.get_secret_value():
            return N_("还没有配置：[speech] cloud_url 和密钥 CUNXIANG_SPEECH_CLOUD_KEY")
        parts = urlsplit(self._url)
        if parts.scheme != "https" and parts.hostname not in THIS_MACHINE:
            return N_("云端的地址要用 https，不然密钥会被人看到")
        return ""


def ssml(text: str, name: str, voice: VoiceSpec) -> str:
    """The request. Rate and pitch are given as a percentage away from normal."""
    rate, pitch = round(100 * voice.rate / NORMAL_RATE) - 100, (voice.pitch - 50) // 2
    locale = LOCALES[voice.language]
    return (
        f'<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="{locale}">'
        f"<voice name={quoteattr(name)}>"
        f'<prosody rate="{rate:+d}%" pitch="{pitch:+d}%">{escape(text)}</prosody></voice></speak>'
    )


def _text(script: Script) -> str:
    """As it is read, in characters: such a service finds the sounds itself, and our own readings of words are lost."""
    return "".join(
        STOPS[s.text] if s.kind == "pause" else f" {s.text} " if s.kind == "latin" else s.source for s in script
    ).strip()


def _check(status: int) -> None:
    if status == requests.codes.ok:
        return
    if status in {401, 403}:
        raise SpeechFailed(N_("云端的语音服务不认这个密钥"), detail=f"status {status}")
    raise SpeechFailed(
        N_("云端的语音服务没有答应"), retryable=status in {429, 500, 502, 503}, detail=f"status {status}"
    )


def _taken(answer: requests.Response, deadline: float) -> bytes:
    got = bytearray()
    for chunk in answer.iter_content(CHUNK):
        got += chunk
        if len(got) > MOST_BYTES or time.monotonic() > deadline:
            raise SpeechFailed(N_("云端的语音服务太慢，没有等"), retryable=True, detail=f"{len(got)} bytes")
    return bytes(got)


def _sound_of(content: bytes) -> tuple[bytes, int]:
    """Samples and rate. SpeechFailed for what is not a WAV, mono with 16 bits, or has nothing in it."""
    try:
        with wave.open(io.BytesIO(content)) as came:
            shape = came.getnchannels(), came.getsampwidth()
            frames, rate = came.readframes(MOST_BYTES), came.getframerate()
    except (wave.Error, EOFError) as problem:
        raise SpeechFailed(N_("云端的语音服务回的不是声音"), detail=str(problem)) from problem
    if shape != (1, 2) or not frames:
        raise SpeechFailed(N_("云端的语音服务回的不是声音"), detail=f"{shape}, {len(frames)} bytes")
    return frames, rate


def _write(content: bytes, target: Path) -> None:
    """Its sound in a WAV of our own: what a service sends need not say how long it is."""
    frames, rate = _sound_of(content)
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as raw:
            with wave.open(raw, "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(rate)
                out.writeframes(frames)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(target)
    except OSError as problem:
        raise SpeechFailed(
            N_("读好的声音存不下来，请看看磁盘是不是满了"), retryable=True, detail=repr(problem)
        ) from problem
    finally:
        part.unlink(missing_ok=True)
