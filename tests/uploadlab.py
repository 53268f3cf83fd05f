"""Files that people upload: every format made on the fly, and files that are no recordings at all."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
from shoutlab import a_tone, a_wav

from broadcasts.speech.signals import Samples

SECONDS = 2.0
FORMATS: dict[str, tuple[str, str, int, str, str]] = {
    "mp3": ("mp3", "libmp3lame", 44_100, "stereo", "fltp"),
    "mp3 8 kHz": ("mp3", "libmp3lame", 8_000, "mono", "fltp"),
    "wav 16 bit": ("wav", "pcm_s16le", 48_000, "stereo", "s16"),
    "wav 24 bit": ("wav", "pcm_s24le", 48_000, "mono", "s32"),
    "wav float": ("wav", "pcm_f32le", 48_000, "mono", "flt"),
    "wav 192 kHz": ("wav", "pcm_s16le", 192_000, "mono", "s16"),
    "wav 8 channels": ("wav", "pcm_s16le", 48_000, "7.1", "s16"),
    "wav mu-law": ("wav", "pcm_mulaw", 8_000, "mono", "s16"),
    "m4a": ("ipod", "aac", 44_100, "stereo", "fltp"),
    "mp4": ("mp4", "aac", 48_000, "mono", "fltp"),
    "m4a lossless": ("ipod", "alac", 44_100, "mono", "s16p"),
    "amr": ("amr", "libopencore_amrnb", 8_000, "mono", "s16"),
    "3gp": ("3gp", "libopencore_amrnb", 8_000, "mono", "s16"),
    "ogg opus": ("ogg", "libopus", 48_000, "mono", "s16"),
    "ogg flac": ("ogg", "flac", 44_100, "mono", "s16"),
    "webm opus": ("webm", "libopus", 48_000, "stereo", "s16"),
    "flac": ("flac", "flac", 96_000, "stereo", "s16"),
    "aac": ("adts", "aac", 44_100, "mono", "fltp"),
    "wma": ("asf", "wmav2", 44_100, "mono", "fltp"),
}
BIT_RATES = {"libopencore_amrnb": 12_200, "libopus": 32_000, "aac": 64_000, "wmav2": 64_000, "libmp3lame": 64_000}


def encoded(
    container: str,
    codec: str,
    rate: int,
    layout: str,
    sample_format: str,
    *,
    seconds: float = SECONDS,
    hz: float = 1000,
) -> bytes:
    """A tone in that wrapping."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate)
        stream.layout, stream.format = layout, sample_format
        if codec in BIT_RATES:
            stream.bit_rate = BIT_RATES[codec] if rate > 8_000 or codec != "libmp3lame" else 16_000
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate, frame_size=_size(stream))
        frame = av.AudioFrame.from_ndarray(a_tone(seconds, hz=hz, rate=rate)[None, :], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(block))
        file.mux(stream.encode(None))
    return out.getvalue()


def _size(stream: Any) -> int:
    stream.codec_context.open()
    return stream.codec_context.frame_size or 1024


def a_recording(seconds: float = SECONDS, *, hz: float = 1000) -> bytes:
    """A good MP3."""
    return encoded(*FORMATS["mp3"], seconds=seconds, hz=hz)


def with_two_streams() -> bytes:
    """An M4A with a tone of 1000 Hz, and another of 3000 Hz behind it."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        streams = []
        for _ in range(2):
            stream: Any = file.add_stream("aac", rate=48_000)
            stream.layout = "mono"
            streams.append(stream)
        for stream, hz in zip(streams, (1000, 3000), strict=True):
            tone = a_tone(2, hz=hz)
            for start in range(0, len(tone), 1024):
                frame = av.AudioFrame.from_ndarray(tone[start : start + 1024][None, :], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48_000, start
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    return out.getvalue()


def without_sound() -> bytes:
    """A film without sound."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(10):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


def a_png() -> bytes:
    """A real picture."""
    body = b"\x89PNG\r\n\x1a\n"
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\xff\0\0")),
        (b"IEND", b""),
    ):
        body += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return body


def a_wav_saying(*, rate: int = 48_000, channels: int = 1, data_bytes: int | None = None, seconds: float = 1) -> bytes:
    """A WAV whose header says what is not so."""
    good = bytearray(a_wav(a_tone(seconds)))
    good[22:24] = struct.pack("<H", channels)
    good[24:28] = struct.pack("<I", rate)
    if data_bytes is not None:
        good[4:8] = good[40:44] = struct.pack("<I", data_bytes)
    return bytes(good)


def a_float_wav(samples: Samples, rate: int = 48_000) -> bytes:
    """Floating-point samples, which need not be numbers."""
    data = samples.astype("<f4").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, 1, rate, 4 * rate, 4, 32,
                       b"data", len(data))  # fmt: skip
    return head + data


def hours_of_silence() -> bytes:
    """Ten hours in some kilobytes: FLAC writes silence in a few bytes a frame."""
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        stream: Any = file.add_stream("flac", rate=8_000)
        stream.layout, stream.format = "mono", "s16"
        stream.codec_context.options = {"frame_size": "32768"}
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 32768), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8_000
        for n in range(10 * 3600 * 8_000 // 32768):
            frame.pts = n * 32768
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def faststart_cut(share: float) -> bytes:
    """An M4A whose index stands in front and promises all, cut off."""
    folder = TemporaryDirectory()
    path = Path(folder.name) / "whole.m4a"
    with av.open(str(path), "w", format="ipod", options={"movflags": "faststart"}) as file:
        stream: Any = file.add_stream("aac", rate=44_100)
        stream.layout = "mono"
        tone = a_tone(20, rate=44_100)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[start : start + 1024][None, :], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with folder:
        whole = path.read_bytes()
    return whole[: int(len(whole) * share)]


RANDOM = np.random.default_rng(11).integers(0, 256, 300_000, np.uint8).tobytes()
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "recording_missing"),
    "a web page": (lambda: b"<!DOCTYPE html><html><body>404</body></html>", "recording_web_page"),
    "random bytes": (lambda: b"\x01\x02" + RANDOM, "recording_unknown"),
    "random bytes that begin like MP3": (lambda: b"ID3\x04\x00\x00\x00\x00\x00\x00" + RANDOM, "recording_"),
    "random bytes that begin like OGG": (lambda: b"OggS" + RANDOM, "recording_"),
    "random bytes that begin like M4A": (lambda: b"\0\0\0\x20ftypM4A " + RANDOM, "recording_unreadable"),
    "random bytes that begin like WebM": (lambda: b"\x1a\x45\xdf\xa3" + RANDOM, "recording_unreadable"),
    "a picture": (a_png, "recording_picture"),
    "an archive": (lambda: b"PK\x03\x04" + bytes(100), "recording_archive"),
    "a playlist": (lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "recording_list"),
    "a list of files": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", "recording_list"),
    "a playlist in a WAV's clothes": (
        lambda: b"RIFF\0\0\0\0WAVE#EXTM3U\nhttp://127.0.0.1:9/\n",
        "recording_unreadable",
    ),
    "an M4A without its end": (lambda: encoded(*FORMATS["m4a"])[:9000], "recording_unreadable"),
    "an M4A cut in the middle": (lambda: faststart_cut(0.5), "recording_truncated"),
    "a WAV cut in the middle": (lambda: a_wav(a_tone(20))[:400_000], "recording_truncated"),
    "an MP3 cut in the middle": (lambda: a_recording(20)[:40_000], "recording_truncated"),
    "a kilobyte that claims ten hours": (
        lambda: a_wav_saying(data_bytes=3_456_000_000)[:1000],
        "recording_truncated",
    ),
    "a header of gigabytes": (lambda: b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + bytes(1000), "recording_"),
    "ten hours of silence": (hours_of_silence, "recording_too_long"),
    "0 Hz": (lambda: a_wav_saying(rate=0), "recording_unreadable"),
    "4 GHz": (lambda: a_wav_saying(rate=4_000_000_000), "recording_unreadable"),
    "60,000 channels": (lambda: a_wav_saying(channels=60_000), "recording_unreadable"),
    "nothing but no-numbers": (lambda: a_float_wav(np.full(96_000, np.nan, np.float32)), "recording_silent"),
    "silence": (lambda: a_wav(np.zeros(96_000, np.float32)), "recording_silent"),
    "a click": (lambda: a_wav(a_tone(0.1)), "recording_too_short"),
    "a film without sound": (without_sound, "recording_no_sound"),
}
