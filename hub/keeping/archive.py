"""The backup file: a tar whose first member says what is in it, each with its sha256."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, Self

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 20
LARGEST_MANIFEST: Final = 64 << 20


class BackupError(Exception):
    """A backup was not made, not read or not put back; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a backup: its name there, its size in bytes, its sha256 in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `revision` is that of the tables, `database` the kind of the copy."""

    format: int
    version: str
    revision: str
    database: str
    made_at: str
    members: tuple[Member, ...]
    missing: int = 0

    @property
    def moment(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.made_at).astimezone(UTC)

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Self:
        """Read a manifest. Raises BackupError."""
        try:
            members = tuple(Member(str(m["name"]), int(m["size"]), str(m["sha256"])) for m in raw["members"])
            found = cls(
                int(raw["format"]),
                str(raw["version"]),
                str(raw["revision"]),
                str(raw["database"]),
                str(raw["made_at"]),
                members,
                int(raw.get("missing", 0)),
            )
            datetime.fromisoformat(found.made_at)
        except (KeyError, TypeError, ValueError):
            raise BackupError("This is not a backup of Cunxiang, or its first page is damaged.") from None
        if found.format != FORMAT:
            raise BackupError(f"The backup has format {found.format}, this program reads {FORMAT}. Use a newer one.")
        return found


def write_archive(out: Path, manifest: Manifest, files: Iterable[tuple[str, Path]]) -> None:
    """Write the archive under its name only when it is whole and on the disk; readable by its owner alone."""
    part = out.with_name(f".{out.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
                page = json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()
                _add(tar, MANIFEST, io.BytesIO(page), len(page))
                for member, path in files:
                    with path.open("rb") as content:
                        _add(tar, member, content, path.stat().st_size)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    tar.addfile(entry, content)


def read_manifest(archive: Path) -> Manifest:
    """Return what an archive says of itself. Raises BackupError."""
    try:
        with tarfile.open(archive, "r:") as tar:
            return _first(tar)
    except (OSError, tarfile.TarError):
        raise BackupError(f"{archive} cannot be read as a backup. Is it the right file, and all of it?") from None


def _first(tar: tarfile.TarFile) -> Manifest:
    entry = tar.next()
    content = tar.extractfile(entry) if entry and entry.name == MANIFEST and entry.size < LARGEST_MANIFEST else None
    if content is None:
        raise BackupError("This is not a backup of Cunxiang.")
    try:
        raw = json.loads(content.read())
    except ValueError:
        raise BackupError("The first page of this backup is damaged.") from None
    return Manifest.parse(raw)


def unpack(archive: Path, into: Path) -> Manifest:
    """Unpack everything into an empty folder, checking every byte. Raises BackupError."""
    try:
        with tarfile.open(archive, "r:") as tar:
            manifest = _first(tar)
            wanted = {member.name: member for member in manifest.members}
            for entry in tar:
                if entry.name == MANIFEST:
                    continue
                member = wanted.pop(entry.name, None)
                if member is None or not entry.isfile():
                    raise BackupError(f"The backup holds {entry.name}, of which its first page knows nothing.")
                _unpack_one(tar, entry, member, into)
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"{archive} is damaged or cut short ({type(error).__name__}). Take an older one.") from None
    if wanted:
        raise BackupError(f"The backup is cut short: {len(wanted)} files are missing. Take an older backup.")
    return manifest


def _unpack_one(tar: tarfile.TarFile, entry: tarfile.TarInfo, member: Member, into: Path) -> None:
    path = into / safe(member.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(entry)
    assert content is not None  # noqa: S101 - it is a file, as was looked at
    digest = hashlib.sha256()
    with path.open("wb") as out:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
    path.chmod(0o600)
    if digest.hexdigest() != member.sha256:
        raise BackupError(f"{member.name} in the backup is damaged. Take an older backup.")


def safe(name: str) -> PurePosixPath:
    """Return a member's name as a path that stays below its folder. Raises BackupError."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BackupError(f"The backup holds a file that would land elsewhere: {name}")
    return path


def described(name: str, path: Path) -> Member:
    """Return the entry of a file on the disk."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return Member(name, path.stat().st_size, digest.hexdigest())
