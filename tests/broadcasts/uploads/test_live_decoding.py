"""A voice that is speaking now is decoded outside the hub, and nothing of it is left behind."""

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from shoutlab import a_tone, pieces_of

from broadcasts.speech.audio import RATE
from broadcasts.uploads.live import LiveDecoding

pytestmark = pytest.mark.slow

VOICE = b"".join(pieces_of(a_tone(3)))


def decoding_of(data: bytes, *, longest_s: float = 30) -> LiveDecoding:
    return LiveDecoding(io.BytesIO(data).read, longest_s=longest_s)


def heard(decoding: LiveDecoding) -> int:
    return sum(len(samples) for samples in decoding.samples() if samples is not None)


def a_long_silence() -> bytes:
    time.sleep(60)
    return b""


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_all_of_it_comes_out_and_the_process_ends() -> None:
    decoding = decoding_of(VOICE)
    assert heard(decoding) / RATE == pytest.approx(3, abs=0.1)
    assert decoding.close() == 0
    assert not is_there(decoding.pid)


@pytest.mark.parametrize(
    "data", [b"", b"<html>", VOICE[:40] + bytes(100_000), b"\x1a\x45\xdf\xa3" + os.urandom(50_000)]
)
def test_what_is_no_voice_is_silence_and_ends(data: bytes) -> None:
    decoding = decoding_of(data)
    assert heard(decoding) < RATE
    decoding.close()
    assert not is_there(decoding.pid)


def test_who_stops_listening_ends_the_process_while_somebody_still_speaks() -> None:
    pieces = iter(pieces_of(a_tone(3)))
    decoding = LiveDecoding(lambda _size: next(pieces, b"") or a_long_silence(), longest_s=30)
    next(samples for samples in decoding.samples() if samples is not None)
    began = time.monotonic()
    decoding.close()
    assert time.monotonic() - began < 15
    assert not is_there(decoding.pid)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_while_it_decodes_every_door_is_closed() -> None:
    pieces = iter(pieces_of(a_tone(3))[:2])
    decoding = LiveDecoding(lambda _size: next(pieces, b"") or a_long_silence(), longest_s=30)
    samples = next(samples for samples in decoding.samples() if samples is not None)
    status = Path(f"/proc/{decoding.pid}/status").read_text(encoding="ascii")
    decoding.close()
    assert np.abs(samples).max() <= 1.0
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
