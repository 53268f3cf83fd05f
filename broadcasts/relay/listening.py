"""Whether a programme can be received: the hub has it listened to for a few seconds, as a loudspeaker would.

What comes from elsewhere is decoded in a process of its own, with limits on time and memory, that can start nothing,
change nothing and sees nothing of the hub's memory.
"""

import json
import logging
import sys
import time
from dataclasses import dataclass
from typing import Final

from broadcasts.relay.addresses import CONNECT_S, LINE, Found, can_be_relayed
from broadcasts.speech.cage import run_once
from broadcasts.speech.engine import SpeechFailed

log = logging.getLogger(__name__)
LISTEN_S: Final = 5.0
LOWEST_DB: Final = -99
SPARE_S: Final = 20.0
"""What starting takes on a busy machine, and a name that is slow to be found."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the hub heard, and how loud (dB below full scale), where there was sound."""

    found: Found
    level_db: int | None = None


def listen(url: str, *, seconds: float = LISTEN_S) -> Heard:
    """Listen for some seconds. Takes as long, and up to twice that when nobody answers."""
    if url.startswith(LINE):
        return Heard(Found.LINE)
    if not can_be_relayed(url):
        return Heard(Found.NO_SOUND)
    question = json.dumps({"url": url, "seconds": seconds}).encode() + b"\n"
    deadline = time.monotonic() + seconds + 2 * CONNECT_S + SPARE_S
    try:
        ended = run_once([sys.executable, "-m", "broadcasts.relay.worker"], question, deadline)
        return _understood(ended.stdout)
    except SpeechFailed:
        return Heard(Found.AWAY)
    except (ValueError, KeyError, TypeError) as problem:
        log.warning("a programme could not be listened to", extra={"problem": repr(problem)[:200]})
        return Heard(Found.NO_SOUND)


def _understood(said: bytes) -> Heard:
    """Read the answer; a decoder that was broken into may say anything. ValueError, KeyError, TypeError."""
    answer = json.loads(said)
    level = answer.get("level_db")
    return Heard(Found(answer["found"]), None if level is None else max(LOWEST_DB, min(0, int(level))))
