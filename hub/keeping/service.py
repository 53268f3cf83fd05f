"""Make a backup, prove that it can be put back, and put it back."""

import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, func, select

from hub.audit import chain
from hub.audit import log as audit
from hub.audit.models import AuditEntry
from hub.core import migrating
from hub.core.actor import SYSTEM
from hub.core.backups import note_backup
from hub.core.db import Base, Sessions, make_engine
from hub.core.keeping import Keeping, Moment
from hub.core.runtime import Runtime
from hub.core.secrets import FILE_NAME as SECRETS
from hub.keeping.archive import BackupError, Manifest, Member, described, read_manifest, unpack, write_archive
from hub.keeping.databases import copy_out, put_back, sqlite_is_whole
from hub.regions import service as regions

log = logging.getLogger(__name__)
DATABASE: Final = "database"
NAME: Final = "cunxiang-%Y%m%d-%H%M%S.backup"


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written."""

    path: Path
    manifest: Manifest


def make_backup(runtime: Runtime, folder: Path, *, version: str, now: datetime) -> Made:
    """Write one backup into `folder`; the hub may be running. Raises BackupError."""
    out = folder / now.astimezone(runtime.zone).strftime(NAME)
    with _no_room_said(folder), _room(folder) as work:
        if out.exists():
            raise BackupError(f"{out} is there already.")
        copy = work / DATABASE
        kind = copy_out(runtime.sessions.engine, copy)
        with runtime.sessions.read() as session:
            wanted = runtime.get(Keeping).files(session)
        root = runtime.config.data_dir
        files = [(DATABASE, copy), (SECRETS, root / SECRETS)]
        files += [(f"files/{path.relative_to(root).as_posix()}", path) for path in wanted if path.is_file()]
        members = tuple(described(name, path) for name, path in files)
        revision = migrating.current(runtime.sessions.engine) or ""
        missing = sum(1 for path in wanted if not path.is_file())
        manifest = Manifest(1, version, revision, kind, now.isoformat(), members, missing)
        write_archive(out, manifest, files)
    note_backup(root, now=now)
    log.info("backup_made", extra={"file": out.name, "files": len(members), "bytes": out.stat().st_size})
    return Made(out, manifest)


@contextmanager
def _no_room_said(folder: Path) -> Iterator[None]:
    """Say in a sentence that the disk is full, gone or not ours; what was kept before is untouched."""
    try:
        yield
    except PermissionError as error:
        raise BackupError(
            f"No backup was made: this user may not write in {folder}. As root: install -d -m 0700 -o cunxiang {folder}"
        ) from error
    except (OSError, sqlite3.OperationalError) as error:
        raise BackupError(
            f"No backup was made in {folder}: {error}. Make room there, or name another folder with --to; earlier "
            "backups are untouched."
        ) from error


def thin_out(folder: Path, keep: int) -> int:
    """Delete all but the newest `keep` backups of a folder; return how many went."""
    old = sorted(folder.glob("cunxiang-*.backup"))[:-keep] if keep > 0 else []
    for path in old:
        path.unlink()
    return len(old)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found in a backup that was put back for trial."""

    manifest: Manifest
    rows: int
    entries: int


def prove(archive: Path, *, scratch: Path | None = None, trial_database: str = "") -> Proof:
    """Put a backup back for trial and look at it; nothing of the hub is touched. Raises BackupError.

    A copy of PostgreSQL needs `trial_database`, the URL of an empty database; without it only the bytes are checked.
    """
    with _room(scratch or Path(tempfile.gettempdir())) as work:
        manifest = unpack(archive, work)
        _refuse_newer(manifest)
        if manifest.database == "sqlite":
            if not sqlite_is_whole(work / DATABASE):
                raise BackupError("The copy of the database is damaged. Take an older backup.")
            engine = make_engine(f"sqlite:///{work / DATABASE}")
        elif trial_database:
            engine = make_engine(trial_database)
            put_back(engine, manifest.database, work / DATABASE)
        else:
            return Proof(manifest, 0, 0)
        try:
            return _look(manifest, engine)
        finally:
            engine.dispose()


def _look(manifest: Manifest, engine: Engine) -> Proof:
    migrating.upgrade(engine, Base.metadata)
    with Sessions(engine).read() as session:
        fault = chain.prove(session).fault
        if fault is not None:
            raise BackupError(f"The log in this backup was changed from outside: entry {fault.entry_id} does not fit.")
        tables = Base.metadata.sorted_tables
        rows = sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)
        entries = session.scalar(select(func.count()).select_from(AuditEntry)) or 0
    return Proof(manifest, rows, entries)


def restore(archive: Path, data_dir: Path, database_url: str) -> Manifest:
    """Put a backup back into an empty data folder and database. Raises BackupError, and then nothing was changed.

    Call `set_right` on the opened hub before anything is started.
    """
    manifest = read_manifest(archive)
    _refuse_newer(manifest)
    _refuse_a_hub(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _room(data_dir) as work:
        unpack(archive, work)
        engine = make_engine(database_url)
        try:
            put_back(engine, manifest.database, work / DATABASE)
            migrating.upgrade(engine, Base.metadata)
        finally:
            engine.dispose()
        for member in manifest.members:
            _move(work, member, data_dir)
        (work / SECRETS).replace(data_dir / SECRETS)
    return manifest


def _refuse_newer(manifest: Manifest) -> None:
    if manifest.revision and manifest.revision not in migrating.revisions():
        raise BackupError(
            f"The backup was made by version {manifest.version}, which is newer than this program: its tables are at "
            f"revision {manifest.revision}. Install that version, or a newer one, and restore with it."
        )


def _refuse_a_hub(data_dir: Path) -> None:
    there = [name for name in (SECRETS, "cunxiang.db") if (data_dir / name).exists()]
    if there:
        raise BackupError(
            f"{data_dir} holds a hub already ({', '.join(there)}). Stop that hub and move the folder away, "
            "or name another [hub] data_dir."
        )


def _move(work: Path, member: Member, data_dir: Path) -> None:
    if not member.name.startswith("files/"):
        return
    to = data_dir / member.name.removeprefix("files/")
    to.parent.mkdir(parents=True, exist_ok=True)
    (work / member.name).replace(to)


def set_right(runtime: Runtime, manifest: Manifest, *, now: datetime) -> int:
    """Keep a restored hub from doing again what was done after the backup; return how many rows that changed."""
    moment = Moment(manifest.moment, now)
    with runtime.sessions.begin() as session:
        changed = runtime.get(Keeping).set_right(session, moment)
        home = next(iter(regions.roots(session)), "")
        audit.record(session, SYSTEM, "hub.restore", "hub", home, now, backup=manifest.made_at, rows=changed)
    return changed


@contextmanager
def _room(beside: Path) -> Iterator[Path]:
    """A folder of one's own on the same disk, gone afterwards."""
    beside.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = Path(tempfile.mkdtemp(prefix=".backup-", dir=beside))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
