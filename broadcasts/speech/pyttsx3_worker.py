"""Speaks one utterance into one WAV file and ends: the only process, and the only module, that holds pyttsx3.

Why a whole process for each utterance: pyttsx3's espeak driver loses files, settings or the process itself when it
is used from threads, after a fork, or a second time. The order of the steps in `speak` is what makes it dependable:

1. the espeak-ng library of the wheel is loaded first, so that the driver's own dlopen finds it by SONAME;
2. the command queue is drained before settings (the driver queued its own) and after them (Synth takes a snapshot);
3. `finished-utterance` is awaited, since a callback thread writes the file;
4. a new name is given to the file only when it is known to be whole.

Request: JSON on stdin. Answer: a line of JSON on stdout, {"ok": true} or {"ok": false, "problem": ..., "detail": ...}.
"""

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import espeakng_loader
import pyttsx3

from broadcasts.speech.espeak_data import NameTooLong, short_data_path

WAV_HEADER = 44


class Refusal(Exception):
    """Asking again would give the same answer."""


def restrict(cpu_s: int, file_bytes: int, wall_s: int) -> None:
    """Bound this process. Memory is left alone: address-space limits make espeak's own threads fail to start."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(wall_s)  # should the hub die first, nobody else would end us


def speak(request: dict[str, Any], data_path: str) -> None:
    os.environ["ESPEAK_DATA_PATH"] = data_path
    library = ctypes.CDLL(espeakng_loader.get_library_path())  # kept: the driver must find it loaded
    espeak = importlib.import_module("pyttsx3.drivers._espeak")
    engine = pyttsx3.init("espeak")
    errors: list[str] = []
    endings: list[bool] = []
    finished = threading.Event()

    def on_error(name: object, exception: Exception) -> None:
        errors.append(str(exception))

    def on_finished(name: object, completed: bool) -> None:
        endings.append(completed)
        finished.set()

    engine.connect("error", on_error)
    engine.connect("finished-utterance", on_finished)
    espeak.Synchronize()
    engine.runAndWait()  # leaves the driver's initial busy state: from here settings apply at once
    for setting in ("voice", "rate", "volume", "pitch"):
        engine.setProperty(setting, request[setting])
    espeak.SetParameter(espeak.RANGE, request["pitch_range"], 0)  # pyttsx3 has no name for it
    espeak.Synchronize()
    if errors:
        raise Refusal(errors[0])
    target = Path(request["target"])
    part = target.with_name(target.name + ".part")
    engine.save_to_file(request["text"], str(part))
    engine.runAndWait()
    if not finished.wait(request["wall_s"]):
        raise TimeoutError("no finished-utterance")
    if errors or endings != [True]:
        raise RuntimeError(f"errors {errors}, endings {endings}")
    if part.stat().st_size <= WAV_HEADER:
        raise RuntimeError(f"an empty recording from {library._name}")
    part.replace(target)


def answer(request: dict[str, Any]) -> dict[str, object]:
    try:
        speak(request, short_data_path(espeakng_loader.get_data_path(), Path(request["target"]).parent))
    except (Refusal, NameTooLong) as refusal:
        return {"ok": False, "problem": "refused", "detail": str(refusal)}
    except Exception as failure:  # noqa: BLE001 - whatever broke in there, the hub is told
        return {"ok": False, "problem": "failed", "detail": repr(failure)}
    return {"ok": True}


def main() -> NoReturn:
    """Never returns: `os._exit` spares the interpreter's teardown, which espeak's own thread does not survive."""
    result_pipe = os.dup(1)
    os.dup2(2, 1)  # the driver prints, and so does the C library

    def finish(result: dict[str, object]) -> NoReturn:
        os.write(result_pipe, json.dumps(result).encode() + b"\n")
        os._exit(0 if result["ok"] else 1)

    def swallowed(lost: "sys.UnraisableHookArgs") -> None:
        """An error within espeak's callback reaches nobody else, and the driver would wait for ever."""
        cause = getattr(lost.exc_value, "__context__", None) or lost.exc_value
        finish({"ok": False, "problem": "failed", "detail": repr(cause)})

    sys.unraisablehook = swallowed
    request = json.load(sys.stdin)
    restrict(request["cpu_s"], request["file_bytes"], int(request["wall_s"]) + 2)
    finish(answer(request))


if __name__ == "__main__":
    main()
