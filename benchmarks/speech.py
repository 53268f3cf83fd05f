"""From text to MP3 with pyttsx3, beside its bare peers in the same run: espeak-ng alone, and MP3 encoding alone.

Bare engine: benchmarks/bare_speech.py, a process of ctypes and nothing else, with the same voice and pinyin.
Bare encoder: PyAV's libmp3lame with the samples of the same finished file, at the same bit rate and quality.
Run on a quiet machine: .venv/bin/python benchmarks/speech.py [--rounds 40] [--announcements 120] [--renderings 1000]
"""

import argparse
import gc
import io
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import espeakng_loader
import numpy as np

from broadcasts.speech import audio, mp3
from broadcasts.speech.engine import Script, VoiceSpec
from broadcasts.speech.library import Library, Rendering, RenderOrder
from broadcasts.speech.limiter import true_peak_db
from broadcasts.speech.loudness import loudness
from broadcasts.speech.pyttsx3_engine import DEFAULT_VOICE, Pyttsx3Engine, split_utterances
from broadcasts.speech.reading import as_read, to_script
from broadcasts.speech.signals import Samples, Signal

BARE = Path(__file__).with_name("bare_speech.py")
PLACES = (
    "一组",
    "二组",
    "三组",
    "四组",
    "五组",
    "六组",
    "东头",
    "西头",
    "南边",
    "北边",
    "上湾",
    "下湾",
    "河口",
    "桥头",
)
VOICE = VoiceSpec(voice=DEFAULT_VOICE)


class CountingEngine(Pyttsx3Engine):
    """Knows how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        self.asked += 1
        super().synthesize(script, voice, target, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class Cost:
    wall_s: float
    cpu_s: float


def texts() -> Iterator[str]:
    """Announcements of ten seconds, no two alike."""
    for hour, place, other in itertools.product(range(6, 22), PLACES, PLACES):
        yield f"各位村民请注意，{place}今天{hour}点到{hour + 2}点停水，{other}的住户请提前接好水。"


def measured(work: Callable[[], object]) -> Cost:
    """Of this process and the children that ended in it."""
    cpu, begin = cpu_s(), time.perf_counter()
    work()
    return Cost(time.perf_counter() - begin, cpu_s() - cpu)


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def bare_engine(text: str, target: Path) -> None:
    """espeak-ng and nothing around it."""
    spoken = " ".join(split_utterances(to_script(as_read(text))))
    paths = (espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    how = (VOICE.voice, str(VOICE.rate), str(VOICE.pitch_range), str(target))
    subprocess.run([sys.executable, "-I", "-S", str(BARE), *paths, *how], input=spoken.encode(), check=True)


def bare_encoder(samples: Samples) -> bytes:
    """PyAV and nothing around it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=audio.RATE, options={"compression_level": str(mp3.QUALITY)})
        stream.layout, stream.bit_rate, stream.format = "mono", audio.BIT_RATE, "fltp"
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.sample_rate = audio.RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def decoded(library: Library, made: Rendering) -> Samples:
    path = library.path_of(made.sha256)
    if path is None:
        raise SystemExit("a rendering has no file")
    return audio.decode(path)


def one_at_a_time(folder: Path, rounds: int) -> None:
    """On one core: how long an announcement takes, what it costs, and what the bare peers cost for the same."""
    library, ours, engines, encoders, lengths = Library(folder, {"pyttsx3": Pyttsx3Engine()}), [], [], [], []
    for text in itertools.islice(texts(), rounds + 1):
        made: list[Rendering] = []
        order = RenderOrder(text, voice=VOICE, repeats=2)
        ours.append(measured(lambda order=order, made=made: made.append(library.render(order))))  # type: ignore[misc]
        engines.append(measured(lambda text=text: bare_engine(text, folder / "bare.wav")))  # type: ignore[misc]
        samples = decoded(library, made[0])
        encoders.append(measured(lambda samples=samples: bare_encoder(samples)))  # type: ignore[misc]
        lengths.append(made[0].speech_ms / 1000)
    ours, engines, encoders = ours[1:], engines[1:], encoders[1:]  # the first one loads dictionaries and tones
    wall = sorted(each.wall_s for each in ours)
    line("speech, once", f"{np.median(lengths):.1f} s", "10 s")
    middle, late = wall[len(wall) // 2], wall[int(0.95 * len(wall))]
    line("text to MP3, twice, one core", f"p50 {middle:.2f} s, p95 {late:.2f} s", "p95 1.5 s")
    mine, engine, encoder = (1000 * float(np.median([e.cpu_s for e in each])) for each in (ours, engines, encoders))
    line("CPU of the whole chain", f"{mine:.0f} ms")
    line("CPU of bare engine + bare MP3", f"{engine:.0f} + {encoder:.0f} ms")
    line("ratio", f"{mine / (engine + encoder):.2f}", "1.5")


def as_many_as_go(folder: Path, count: int, cores: int) -> None:
    """All cores: announcements a minute."""
    library = Library(folder, {"pyttsx3": Pyttsx3Engine()})
    orders = [RenderOrder(text, voice=VOICE) for text in itertools.islice(texts(), count)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(library.render, orders))
    line(f"announcements a minute, {cores} cores", f"{60 * count / (time.perf_counter() - begin):.0f}", "80")


def found_again(folder: Path) -> None:
    engine = CountingEngine()
    library = Library(folder, {"pyttsx3": engine})
    order = RenderOrder(next(texts()), voice=VOICE)
    library.render(order)
    taken = []
    for _ in range(200):
        as_read.cache_clear()
        taken.append(measured(lambda: library.render(order)).wall_s)
    taken.sort()
    line("found again", f"p50 {1000 * taken[100]:.2f} ms, p95 {1000 * taken[190]:.2f} ms", "5 ms")
    line("renderings for 201 requests", str(engine.asked), "1")


def memory(folder: Path, count: int) -> None:
    """How much this process grows, after a twentieth of the renderings has filled the caches."""
    library, settled = Library(folder, {"pyttsx3": Pyttsx3Engine()}), 0.0
    for number, text in enumerate(itertools.islice(texts(), count)):
        if number == count // 20:
            settled = resident_mb()
        library.render(RenderOrder(text, voice=VOICE))
    line(f"growth over {count} renderings", f"{resident_mb() - settled:+.1f} MB", "5 MB")


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def sound(folder: Path) -> None:
    """What a speaker plays of a dozen announcements with every signal: the farthest from the target."""
    library = Library(folder, {"pyttsx3": Pyttsx3Engine()})
    levels, tops, lows, sizes = [], [], [], []
    for text, signal in zip(texts(), (*Signal, None, None, None), strict=False):
        made = library.render(RenderOrder(text, voice=VOICE, signal=signal))
        samples = decoded(library, made)
        power = np.abs(np.fft.rfft(samples)) ** 2
        levels.append(loudness(samples, audio.RATE))
        tops.append(true_peak_db(samples))
        lows.append(100 * power[np.fft.rfftfreq(len(samples), 1 / audio.RATE) < 250].sum() / power.sum())
        sizes.append(made.bytes / 1000 / (made.duration_ms / 60_000))
    line("loudness", f"{min(levels):.2f} to {max(levels):.2f} LUFS", "-16 ± 0.5")
    line("decoded true peak", f"{max(tops):.2f} dBTP", "-1")
    line("energy below 250 Hz", f"{max(lows):.2f} %", "2 %")
    line("size", f"{max(sizes):.0f} kB a minute", "370")


def line(what: str, figure: str, goal: str = "") -> None:
    print(f"{what:36s} {figure:34s} {'goal ' + goal if goal else ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--announcements", type=int, default=120)
    parser.add_argument("--renderings", type=int, default=1000)
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    print(f"load at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        folders = iter(Path(scratch, str(n)) for n in range(5))
        os.sched_setaffinity(0, cores[:1])
        one_at_a_time(next(folders), asked.rounds)
        os.sched_setaffinity(0, cores)
        as_many_as_go(next(folders), asked.announcements, len(cores))
        found_again(next(folders))
        sound(next(folders))
        memory(next(folders), asked.renderings)
    print(f"load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
