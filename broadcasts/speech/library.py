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
from broadcasts.speech.pronunciation import BUILT_IN, PRONUNCIATION, Lexicon
from broadcasts.speech.reading import Reading
from broadcasts.speech.signals import Signal
from broadcasts.speech.storage import Store
from broadcasts.speech.tongues import read, script_of, seconds_of

SCHEMA = 1
PEAKS = 96
HEX64 = 64
LEAST_S = 2.0
"""An engine that was tried at all gets so many seconds."""


@dataclass(frozen=True)
class RenderOrder:
    """What is to be heard: the words, in which voice, with what around them (seconds).

    `fallback` names the engines to try, in order and in their own default voice, when `voice.engine` fails or would
    need more than `within_s` seconds; what lies there already is always in time. `timeout_s` is when one is stopped.
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
    within_s: float | None = field(default=None, compare=False)

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
    """One finished file. `speech_ms` is one pass of the words; `engine` is the one that really spoke.

    `late` is true when it spoke because the one that was meant would have needed too long.
    """

    key: str
    sha256: str
    bytes: int
    duration_ms: int
    speech_ms: int
    peaks: tuple[int, ...]
    engine: str
    voice: str
    spoken: str
    late: bool = False


def estimate_ms(order: RenderOrder) -> int:
    """How long the file will last, without rendering it."""
    speech = seconds_of(_read(order), order.voice, order.lexicon)
    return round(1000 * (order.repeats * speech + audio.around_s(order.plan)))


class Library:
    """Renders orders and keeps the files under `root`. Safe for threads and for several processes at once."""

    def __init__(self, root: Path, engines: Mapping[str, SpeechEngine]) -> None:
        self._engines = dict(engines)
        self._store = Store(root)

    def render(self, order: RenderOrder) -> Rendering:
        """The file for this order, made now or found. SpeechFailed when no engine of the order can speak."""
        reading = _read(order)
        if not reading.spoken.strip():
            raise SpeechFailed(N_("还没有写要播的话"))
        first: SpeechFailed | None = None
        late: list[tuple[float, RenderOrder]] = []
        for spoken_by in self._attempts(order):
            try:
                if found := self._found(spoken_by, reading):
                    return replace(found, late=bool(late))
                if (over_s := self._too_late_by(spoken_by, reading)) > 0:
                    late.append((over_s, spoken_by))
                    continue
                return replace(self._made(spoken_by, reading), late=bool(late))
            except SpeechFailed as failure:
                first = first or failure
        return self._made_late(late, reading, first)

    def info(self, engine: str) -> EngineInfo | None:
        """What an engine of this library is; None when there is no such one."""
        found = self._engines.get(engine)
        return found.info() if found else None

    def engines(self) -> tuple[str, ...]:
        """The names of what can speak here, ready or not."""
        return tuple(self._engines)

    def key_of(self, order: RenderOrder) -> str:
        """Raises SpeechFailed when the order's engine is not there."""
        return self._key(order, _read(order))

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
        return self._found(order, _read(order))

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
            self._store.write_whole(self._store.file(digest), encoded)
        return digest

    def evict(self, max_bytes: int, keep: Collection[str] = (), *, spare_s: float = 600.0) -> int:
        """Delete what was used longest ago until `max_bytes` are left; how many bytes that freed.

        Never a file whose SHA-256 is in `keep` (queued, scheduled), nor one used in the last `spare_s` seconds.
        """
        return self._store.evict(max_bytes, frozenset(keep), older_than=time.time() - spare_s)

    def _attempts(self, order: RenderOrder) -> list[RenderOrder]:
        """One order for each engine; all but the last leave the next one time, where time is short."""
        others = [name for name in order.fallback if name != order.voice.engine]
        orders = [order, *(replace(order, voice=replace(order.voice, engine=n, voice="")) for n in others)]
        if order.within_s is None:
            return orders
        cut_s = min(order.timeout_s, max(order.within_s, LEAST_S))
        return [*(replace(o, timeout_s=cut_s) for o in orders[:-1]), orders[-1]]

    def _too_late_by(self, order: RenderOrder, reading: Reading) -> float:
        """How many seconds too long its engine would take; 0 when it is in time."""
        if order.within_s is None:
            return 0.0
        speech_s = seconds_of(reading, order.voice, order.lexicon)
        return max(0.0, self._engine(order).info().seconds_for(speech_s) - order.within_s)

    def _made_late(
        self, late: list[tuple[float, RenderOrder]], reading: Reading, first: SpeechFailed | None
    ) -> Rendering:
        """Nobody is in time: the quickest speaks."""
        for _, spoken_by in sorted(late, key=lambda each: each[0]):
            try:
                return self._made(spoken_by, reading)
            except SpeechFailed as failure:
                first = first or failure
        raise first or SpeechFailed(N_("没有可用的语音引擎，请联系管理员"))

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
            with self._store.lock(f"final-{order.voice.engine}", key):
                return self.find(key) or self._render(order, reading, key)
        except OSError as problem:
            raise SpeechFailed(
                N_("读好的声音存不下来，请看看磁盘是不是满了"), retryable=True, detail=repr(problem)
            ) from problem

    def _render(self, order: RenderOrder, reading: Reading, key: str) -> Rendering:
        voice = audio.prepare_words(self._speech(order, reading), order.voice.gain_db)
        made = audio.finish(voice, order.plan)
        rendering = Rendering(
            key=key,
            sha256=sha256(made.encoded).hexdigest(),
            bytes=len(made.encoded),
            duration_ms=round(made.samples * 1000 / audio.RATE),
            speech_ms=round(len(voice) * 1000 / audio.RATE),
            peaks=audio.peaks(made.peaks, PEAKS),
            engine=order.voice.engine,
            voice=order.voice.voice,
            spoken=reading.spoken,
        )
        self._store.write_whole(self._store.file(rendering.sha256), made.encoded)
        self._store.write_sidecar(key, asdict(rendering))
        return rendering

    def _speech(self, order: RenderOrder, reading: Reading) -> audio.Words:
        """The words alone, kept by what shapes them, so that another tone or repeat needs no new speech."""
        key = _hash(self._words(order, reading))
        path = self._store.speech(key)
        with self._store.lock(f"speech-{order.voice.engine}", key):
            try:
                return audio.read_words(path)
            except ValueError:  # not there yet, or not whole
                path.unlink(missing_ok=True)
            return self._spoken(order, reading, path)

    def _spoken(self, order: RenderOrder, reading: Reading, path: Path) -> audio.Words:
        """Spoken now, and put to `path` when it is whole."""
        script = script_of(reading, order.voice.language, order.lexicon)
        made = self._store.under_way(path.name)
        try:
            self._engine(order).synthesize(script, order.voice, made, timeout_s=order.timeout_s)
            words = audio.read_words(made)
            self._store.adopt(made, path)
        except ValueError as problem:
            raise SpeechFailed(N_("这段话没能读出来，请再试一次"), retryable=True, detail=str(problem)) from problem
        finally:
            made.unlink(missing_ok=True)
        return words

    def _words(self, order: RenderOrder, reading: Reading) -> dict[str, object]:
        """Everything that shapes the words: not the whole lexicon, only what it changes here."""
        return {
            "schema": SCHEMA,
            "spoken": reading.spoken,
            "pronounced": [*order.lexicon.hits(reading.spoken), *reading.chosen()],
            "pypinyin": _version("pypinyin"),
            "pronunciation": PRONUNCIATION,
            "language": order.voice.language,
            "engine": order.voice.engine,
            "voice": self._engine(order).fingerprint(order.voice),
        }

    def _key(self, order: RenderOrder, reading: Reading) -> str:
        chain = {
            "version": audio.CHAIN_VERSION,
            "lufs": audio.TARGET_LUFS,
            "peak": audio.TRUE_PEAK_DB,
            "gain_db": order.voice.gain_db,
            "filters": audio.HORN2,
            "encoder": f"mp3 {audio.RATE} {audio.BIT_RATE} av {_version('av')}",
        }
        return _hash({"words": self._words(order, reading), "plan": asdict(order.plan), "chain": chain})


def _read(order: RenderOrder) -> Reading:
    return read(order.text, order.voice.language, order.lexicon)


def _hash(content: Mapping[str, object]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()


@cache
def _version(package: str) -> str:
    return version(package)
