"""The programs that can sound PCM on a machine's sound device."""

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from hub.speakers.device.sounds import RATE

Feed = Literal["raw", "wav", "file"]


@dataclass(frozen=True, slots=True)
class SystemPlayer:
    """A player and how it takes sound: raw PCM or WAV on its standard input, or the name of a file at the end."""

    command: tuple[str, ...]
    feed: Feed


PLAYERS: Final = (
    SystemPlayer(("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", str(RATE), "-c", "1", "-"), "raw"),
    SystemPlayer(("paplay", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1"), "raw"),
    SystemPlayer(("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-f", "wav", "-i", "pipe:0"), "wav"),
    SystemPlayer(("afplay",), "file"),
)


def find_player() -> SystemPlayer | None:
    """The system's player, where there is one and a sound device to go with it."""
    for player in PLAYERS:
        path = shutil.which(player.command[0])
        if path is not None and _can_sound(player.command[0]):
            return SystemPlayer((path, *player.command[1:]), player.feed)
    return None


def _can_sound(player: str, cards: Path = Path("/proc/asound/cards")) -> bool:
    if player == "afplay" or not Path("/proc").is_dir():
        return True
    try:
        text = cards.read_text()
    except OSError:
        return player == "paplay"
    return "no soundcards" not in text and text.strip() != ""


def wav_head() -> bytes:
    """The head of a WAV whose end is not known yet."""
    endless = 0xFFFFFFFF
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16)
    return b"RIFF" + struct.pack("<I", endless) + b"WAVE" + form + b"data" + struct.pack("<I", endless)
