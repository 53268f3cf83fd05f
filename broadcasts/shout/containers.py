"""Which wrapping a recording comes in, told by its first bytes, and how it is opened without trusting it.

FFmpeg is never left to guess: some of its formats are lists of further files and addresses to open.
"""

from typing import Any

import av
from av.container import InputContainer

ENOUGH = 12
"""So many bytes tell."""
_BEGINNINGS = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"fLaC", "flac"),
    (b"#!AMR", "amr"),
    (b"caff", "caf"),
    (b"\x30\x26\xb2\x75", "asf"),
)


def container_of(head: bytes) -> str | None:
    """Return FFmpeg's name of the wrapping; None for what is no recording we take."""
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    if head[4:8] == b"ftyp":
        return "mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    return _elementary(head)


def _elementary(head: bytes) -> str | None:
    """Return the name of a bare stream of frames: AAC (layer bits 00) or MPEG audio."""
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    return "aac" if head[1] & 0xF6 == 0xF0 else "mp3"


def open_sound(source: Any, container: str, *, at_once: bool = False) -> InputContainer:
    """Open it as that wrapping and no other; nothing it names inside is opened.

    `at_once` begins with the first bytes there are, for what is still being spoken. av.FFmpegError.
    """
    options = {"protocol_whitelist": "none"}
    if at_once:
        options |= {"fflags": "nobuffer", "analyzeduration": "0", "probesize": "2048"}
    opened: InputContainer = av.open(source, mode="r", format=container, options=options, metadata_errors="ignore")
    return opened
