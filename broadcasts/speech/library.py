"""Every rendering kept once, found by the hash of everything that shapes its sound."""

import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from broadcasts.speech import audio
from broadcasts.speech.engine import N_, EngineInfo, SpeechEngine, SpeechFailed, VoiceSpec
from broadcasts.speech.pronunciation import BUILT_IN, Lexicon
from broadcasts.speech.reading import Reading, as_read, estimate_seconds, to_script
from broadcasts.speech.signals import Samples, Signal
from broadcasts.speech.storage import Store, write_whole

SCHEMA = 1
PEAKS = 96
HEX64 = 64


@dataclass(frozen=True)
class RenderOrder:
    """What is to be heard: the words, in which voice, with what around them (seconds).

    `fallback` names the engines to try, in order and in their own default voice, when `voice.engine` fails.
    """

    text: str
    voice: VoiceSpec = field(default_factory=VoiceSpec)
    repeats: int = 2
    signal: Signal | None = Signal.ROUTINE
    end_signal: Signal | None = None
    lead_s: float = 1.0
    after_signal_s: float = 0.6
    gap_s: float = 1.2
    tail_s: float = 0.5
    lexicon: Lexicon = BUILT_IN
    fallback: tuple[str, ...] = ()
    timeout_s: float = field(default=60.0, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.repeats <= 20:
            raise ValueError("repeats is from 1 to 20")
        if not all(0.0 <= s <= 60.0 for s in (self.lead_s, self.after_signal_s, self.gap_s, self.tail_s)):
            raise ValueError("a silence is from 0 to 60 seconds")

    @property
    def plan(self) -> audio.Plan:
        return audio.Plan(
            lead_s=self.lead_s,
            signal=self.signal,
            after_signal_s=self.after_signal_s,
            repeats=self.repeats,
            gap_s=self.gap_s,
            end_signal=self.end_signal,
            tail_s=self.tail_s,
        )


@dataclass(frozen=True, slots=True)
class Rendering:
    """One finished file. `speech_ms` is one pass of the words; `engine` is the one that really spoke."""

    key: str
    sha256: str
    bytes: int
    duration_ms: int
    speech_ms: int
    peaks: tuple[int, ...]
    engine: str
    voice: str
    spoken: str


def estimate_ms(order: RenderOrder) -> int:
    """How long the file will last, without rendering it."""
    speech = estimate_seconds(as_read(order.text, order.lexicon), order.voice, order.lexicon)
    return round(1000 * (order.repeats * speech + audio.around_s(order.plan)))


class Library:
    """Renders orders and keeps the files under `root`. Safe for threads and for several processes at once."""

    def __init__(self, root: Path, engines: Mapping[str, SpeechEngine]) -> None:
        self._engines = dict(engines)
        self._store = Store(root)

    def render(self, order: RenderOrder) -> Rendering:
        """The file for this order, made now or found. SpeechFailed when no engine of the order can speak."""
        reading = as_read(order.text, order.lexicon)
        if not reading.spoken.strip():
            raise SpeechFailed(N_("还没有写要播的话"))
        first: SpeechFailed | None = None
        for spoken_by in self._attempts(order):
            try:
                return self._found(spoken_by, reading) or self._made(spoken_by, reading)
            except SpeechFailed as failure:
                first = first or failure
        raise first or SpeechFailed(N_("没有可用的语音引擎，请联系管理员"))

    def info(self, engine: str) -> EngineInfo | None:
        """What an engine of this library is; None when there is no such one."""
        found = self._engines.get(engine)
        return found.info() if found else None

    def key_of(self, order: RenderOrder) -> str:
        """Raises SpeechFailed when the order's engine is not there."""
        return self._key(order, as_read(order.text, order.lexicon))

    def find(self, key: str) -> Rendering | None:
        """A finished rendering by its key."""
        sidecar = self._store.read_sidecar(key)
        if sidecar is None or (path := self.path_of(sidecar["sha256"])) is None:
            return None
        if path.stat().st_size != sidecar["bytes"]:
            return None
        with suppress(OSError):
            os.utime(path)  # eviction goes by last use
        return Rendering(**{**sidecar, "peaks": tuple(sidecar["peaks"])})

    def find_order(self, order: RenderOrder) -> Rendering | None:
        """As `render`, but only what is already there from the order's first engine."""
        return self._found(order, as_read(order.text, order.lexicon))

    def path_of(self, digest: str) -> Path | None:
        """The file whose bytes have this SHA-256 (64 hexadecimal digits), or None."""
        if len(digest) != HEX64 or any(c not in "0123456789abcdef" for c in digest):
            return None
        path = self._store.file(digest)
        return path if path.is_file() else None

    def take_in(self, encoded: bytes) -> str:
        """Keep a finished MP3 that was not rendered here, a voice that was recorded; return its SHA-256."""
        digest = sha256(encoded).hexdigest()
        if self.path_of(digest) is None:
            write_whole(self._store.file(digest), encoded)
        return digest

    def evict(self, max_bytes: int, keep: Collection[str] = (), *, spare_s: float = 600.0) -> int:
        """Delete what was used longest ago until `max_bytes` are left; how many bytes that freed.

        Never a file whose SHA-256 is in `keep` (queued, scheduled), nor one used in the last `spare_s` seconds.
        """
        return self._store.evict(max_bytes, frozenset(keep), older_than=time.time() - spare_s)

    def _attempts(self, order: RenderOrder) -> list[RenderOrder]:
        others = [name for name in order.fallback if name != order.voice.engine]
        return [order, *(replace(order, voice=replace(order.voice, engine=n, voice="")) for n in others)]

    def _engine(self, order: RenderOrder) -> SpeechEngine:
        engine = self._engines.get(order.voice.engine)
        if engine is None:
            raise SpeechFailed(N_("语音引擎“%(name)s”没有装上，请联系管理员"), values={"name": order.voice.engine})
        return engine

    def _found(self, order: RenderOrder, reading: Reading) -> Rendering | None:
        try:
            return self.find(self._key(order, reading))
        except SpeechFailed:
            return None

    def _made(self, order: RenderOrder, reading: Reading) -> Rendering:
        key = self._key(order, reading)
        try:
            with self._store.lock("final", key):
                return self.find(key) or self._render(order, reading, key)
        except OSError as problem:
            raise SpeechFailed(
                N_("读好的声音存不下来，请看看磁盘是不是满了"), retryable=True, detail=repr(problem)
            ) from problem

    def _render(self, order: RenderOrder, reading: Reading, key: str) -> Rendering:
        voice = audio.prepare_voice(self._speech(order, reading))
        whole = audio.assemble(voice, order.plan)
        encoded = audio.encode_mp3(whole)
        rendering = Rendering(
            key=key,
            sha256=sha256(encoded).hexdigest(),
            bytes=len(encoded),
            duration_ms=round(len(whole) * 1000 / audio.RATE),
            speech_ms=round(len(voice) * 1000 / audio.RATE),
            peaks=audio.peaks(whole, PEAKS),
            engine=order.voice.engine,
            voice=order.voice.voice,
            spoken=reading.spoken,
        )
        write_whole(self._store.file(rendering.sha256), encoded)
        self._store.write_sidecar(key, asdict(rendering))
        return rendering

    def _speech(self, order: RenderOrder, reading: Reading) -> Samples:
        """The words alone, kept by what shapes them, so that another tone or repeat needs no new speech."""
        key = _hash(self._words(order, reading))
        path = self._store.speech(key)
        with self._store.lock("speech", key):
            try:
                return audio.decode(path)
            except ValueError:  # not there yet, or not whole
                path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            script = to_script(reading, order.lexicon)
            self._engine(order).synthesize(script, order.voice, path, timeout_s=order.timeout_s)
            return self._checked(path)

    def _checked(self, path: Path) -> Samples:
        try:
            return audio.decode(path)
        except ValueError as problem:
            path.unlink(missing_ok=True)
            raise SpeechFailed(N_("这段话没能读出来，请再试一次"), retryable=True, detail=str(problem)) from problem

    def _words(self, order: RenderOrder, reading: Reading) -> dict[str, object]:
        """Everything that shapes the words: not the whole lexicon, only what it changes here."""
        return {
            "schema": SCHEMA,
            "spoken": reading.spoken,
            "pronounced": [*order.lexicon.hits(reading.spoken), *reading.chosen()],
            "pypinyin": _version("pypinyin"),
            "engine": order.voice.engine,
            "voice": self._engine(order).fingerprint(order.voice),
        }

    def _key(self, order: RenderOrder, reading: Reading) -> str:
        chain = {
            "version": audio.CHAIN_VERSION,
            "lufs": audio.TARGET_LUFS,
            "peak": audio.TRUE_PEAK_DB,
            "filters": audio.HORN2,
            "encoder": f"mp3 {audio.RATE} {audio.BIT_RATE} av {_version('av')}",
        }
        return _hash({"words": self._words(order, reading), "plan": asdict(order.plan), "chain": chain})


def _hash(content: Mapping[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


@cache
def _version(package: str) -> str:
    return version(package)
