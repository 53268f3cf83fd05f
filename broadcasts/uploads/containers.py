"""Which wrapping a recording comes in, told by its first bytes, and how it is opened without trusting it.

FFmpeg is never left to guess: some of its formats are lists of further files and addresses to open.
"""

from typing import Any

import av
from av.container import InputContainer

ENOUGH = 512
"""So many bytes tell."""
WHITE = "matroska,webm,ogg,mp3,flac,amr,caf,asf,mov,mp4,m4a,3gp,3g2,mj2,wav,aac"
_BEGINNINGS = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"fLaC", "flac"),
    (b"#!AMR", "amr"),
    (b"caff", "caf"),
    (b"\x30\x26\xb2\x75", "asf"),
)


_OTHER_THINGS = (
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"BM", "picture"),
    (b"%PDF", "document"),
    (b"PK\x03\x04", "archive"),
    (b"Rar!", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"\xd0\xcf\x11\xe0", "document"),
    (b"#EXTM3U", "list"),
    (b"[playlist]", "list"),
    (b"ffconcat", "list"),
    (b"MThd", "notes"),
)


def what_it_is(head: bytes) -> str:
    """Return what was sent in place of a recording, as far as its first bytes tell; `unknown` when they do not."""
    for beginning, name in _OTHER_THINGS:
        if head.startswith(beginning):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "picture"
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    return "web_page" if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<smil", b"<asx", b"<svg")) else "unknown"


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
    options = {"protocol_whitelist": "none", "format_whitelist": WHITE}
    if at_once:
        options |= {"fflags": "nobuffer", "analyzeduration": "0", "probesize": "2048"}
    opened: InputContainer = av.open(source, mode="r", format=container, options=options, metadata_errors="ignore")
    return opened
