"""The process that decodes what strangers send: started for one file, caged, ended after it.

Request: a line of JSON on stdin, with the numbers of the files that were opened for it: the recording, two scratch
files, and where the result goes. Answer: a line of JSON on stdout. It is given no path and no name, knows no secret and
closes every door behind it before it looks at the first byte.
"""

import importlib
import io
import json
import os
import resource
import sys
from typing import Any, BinaryIO, NoReturn

import av
import numpy as np

from broadcasts.speech import mp3
from broadcasts.speech.audio import RATE
from broadcasts.uploads import cage, decoding, finishing
from broadcasts.uploads.decoding import Refused

STRETCHES = 96
STATUS = os.open("/proc/self/status", os.O_RDONLY) if sys.platform.startswith("linux") else -1
LATE = ("av.audio.codeccontext", "av.video.codeccontext", "av.subtitles.codeccontext")
"""What PyAV loads when it meets such a stream, when no file can be opened any more."""


def take(request: dict[str, Any], files: list[BinaryIO]) -> dict[str, object]:
    """Make a recording ready."""
    source, first, second, out = files
    decoded = decoding.decode(source, request["container"], first, longest_s=request["longest_s"])
    first.flush()
    start, count = finishing.extent(decoded, request["kind"])
    piece = finishing.finish(first, start, count, request["kind"], second)
    out.write(mp3.join([piece]).encoded)
    out.flush()
    return {"ms": round(piece.samples * 1000 / RATE), "peaks": finishing.outline(piece, STRETCHES)}


def answer(request: dict[str, Any]) -> dict[str, object]:
    """Do what is asked; what cannot be done is an answer too."""
    files: list[BinaryIO] = [os.fdopen(number, "r+b", closefd=False) for number in request["files"]]
    try:
        made = take(request, files)
    except Refused as refused:
        return {"ok": False, "problem": refused.problem, "facts": refused.facts}
    except (av.FFmpegError, ValueError, OverflowError) as problem:
        return {"ok": False, "problem": "unreadable", "detail": repr(problem)[:200]}
    except MemoryError:
        return {"ok": False, "problem": "too_heavy", "detail": "memory"}
    except OSError as problem:
        return {"ok": False, "problem": "no_room", "detail": repr(problem)[:200]}
    return {"ok": True, **made}


def warm_up(scratch: BinaryIO) -> None:
    """Load whatever is loaded at its first use, while files can still be opened: half a second goes all the way."""
    for module in LATE:
        importlib.import_module(module)
    tone = np.sin(np.arange(RATE // 2, dtype=np.float32) / 4)
    decoded = decoding.decode(io.BytesIO(mp3.encode(tone)), "mp3", io.BytesIO(), longest_s=2)
    finishing.finish(io.BytesIO(tone.tobytes()), 0, min(len(tone), decoded.samples), "voice", scratch)
    scratch.seek(0)
    scratch.truncate()


def _peak_kb() -> int:
    """Return how much memory this program took at most; the system's own figure counts its parent's too."""
    try:
        os.lseek(STATUS, 0, os.SEEK_SET)
        said = os.read(STATUS, 4096).decode()
        return int(said.partition("VmHWM:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def main() -> NoReturn:
    """Answer and end at once."""
    result = os.dup(1)
    os.dup2(2, 1)  # a library that prints must not stand in the answer
    request = json.loads(sys.stdin.buffer.readline())
    cage.limit(**request["limits"])
    warm_up(os.fdopen(request["files"][2], "r+b", closefd=False))
    closed = cage.close_doors()
    np.seterr(all="ignore")
    found = answer(request)
    used = resource.getrusage(resource.RUSAGE_SELF)
    found |= {"cpu_s": used.ru_utime + used.ru_stime, "peak_kb": _peak_kb(), "closed": closed}
    os.write(result, json.dumps(found).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
