"""Backups made beside a working hub, proved, damaged, and put back for real."""

import errno
import shutil
import tarfile
import tempfile
import threading
from io import BytesIO
from pathlib import Path
from typing import IO
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from conftest import NOON, SetClock
from postgres import new_database, programs
from sqlalchemy import create_engine, func, select, text

import cunxiang
from broadcasts.delivery.models import Broadcast
from broadcasts.materials.models import Material, MaterialKind
from broadcasts.sms.models import SmsMessage, SmsRun, SmsSubmission
from broadcasts.sms.states import MessageState, RunState, SubmissionState
from broadcasts.studio import Studio
from hub.app import open_runtime, provide
from hub.audit.models import AuditEntry
from hub.commands.frame import sections
from hub.commands.top import command_line
from hub.core.backups import latest_backup
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.keeping import service
from hub.keeping.archive import BackupError, read_manifest
from hub.speakers import registry
from hub.speakers.models import Speaker

SOUND = b"ID3" + b"\0" * 2000


@pytest.fixture
def hub(runtime: Runtime) -> Runtime:
    """The small county with one recording, one message in hand, one run not yet expanded."""
    provide(runtime, cunxiang.FEATURES)
    digest = runtime.get(Studio).library.take_in(SOUND)
    with runtime.sessions.begin() as session:
        session.add(
            Material(
                kind=MaterialKind.RECORDING,
                title="村规民约",
                home_path="",
                audio_sha256=digest,
                written_by=uuid4(),
                written_by_name="云",
                written_at=NOON,
                changed_at=NOON,
            )
        )
        registry.next_value(session, registry.COMMANDS, 40)
    return runtime


def run(folder: Path, *arguments: str) -> Result:
    config = folder.parent / f"{folder.name}.toml"
    config.write_text(f'[hub]\ndata_dir = "{folder}"\n', encoding="utf-8")
    return CliRunner().invoke(command_line(cunxiang.FEATURES), ["--config", str(config), *arguments])


def reopened(folder: Path, url: str = "") -> Runtime:
    overrides: dict[str, dict[str, object]] = {"hub": {"data_dir": folder}, "database": {"url": url}}
    return open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides), clock=SetClock())


def a_backup(hub: Runtime, tmp_path: Path) -> Path:
    return service.make_backup(hub, tmp_path / "kept", version="0.1.0", now=NOON).path


def test_what_a_person_types_keeps_proves_and_restores_a_hub(hub: Runtime, tmp_path: Path) -> None:
    made = run(hub.config.data_dir, "backup", "make", "--to", str(tmp_path / "kept"))
    assert made.exit_code == 0, made.output
    [file] = (tmp_path / "kept").iterdir()
    assert file.stat().st_mode & 0o077 == 0, "it holds the keys"
    assert latest_backup(hub.config.data_dir) is not None
    proved = run(hub.config.data_dir, "backup", "verify", str(file))
    assert proved.exit_code == 0, proved.output
    assert "an unbroken chain" in proved.output

    new_home = tmp_path / "new"
    restored = run(new_home, "backup", "restore", str(file))
    assert restored.exit_code == 0, restored.output
    again = reopened(new_home)
    provide(again, cunxiang.FEATURES)
    with again.sessions.read() as session:
        assert session.scalar(select(func.count()).select_from(Speaker)) == 6
        [recording] = session.scalars(select(Material.audio_sha256).where(Material.title == "村规民约"))
        assert registry.next_value(session, registry.COMMANDS) > 40 + registry.LEAP - 1, "devices know the old numbers"
    path = again.get(Studio).library.path_of(recording)
    assert path is not None
    assert path.read_bytes() == SOUND
    assert again.secrets.phone_key == hub.secrets.phone_key


def test_a_backup_taken_while_the_hub_writes_is_consistent(hub: Runtime, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with hub.sessions.begin() as session:
                registry.next_value(session, "left")
                registry.next_value(session, "right")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        file = a_backup(hub, tmp_path)
    finally:
        stop.set()
        writer.join()
    service.restore(file, tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'cunxiang.db'}")
    with reopened(tmp_path / "new").sessions.read() as session:
        assert registry.next_value(session, "left") == registry.next_value(session, "right")


@pytest.mark.parametrize("where", [600, 5_000, -14_000])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(hub: Runtime, tmp_path: Path, where: int) -> None:
    file = a_backup(hub, tmp_path)
    content = bytearray(file.read_bytes())
    content[where] ^= 0xFF
    file.write_bytes(content)
    new_home = tmp_path / "new"
    with pytest.raises(BackupError):
        service.restore(file, new_home, f"sqlite:///{new_home / 'cunxiang.db'}")
    assert not new_home.exists() or not any(new_home.iterdir())


def test_a_backup_cut_short_is_refused(hub: Runtime, tmp_path: Path) -> None:
    file = a_backup(hub, tmp_path)
    content = file.read_bytes()
    for length in (0, 400, len(content) // 2, len(content) - 12_000):
        file.write_bytes(content[:length])
        with pytest.raises(BackupError):
            service.prove(file, scratch=tmp_path)
    assert [path.name for path in tmp_path.glob(".backup-*")] == [], "nothing is left lying about"


def test_a_backup_that_would_write_elsewhere_is_refused(hub: Runtime, tmp_path: Path) -> None:
    file = a_backup(hub, tmp_path)
    evil = tmp_path / "evil.backup"
    with tarfile.open(file) as old, tarfile.open(evil, "w") as new:
        for entry in old:
            content: IO[bytes] | None = old.extractfile(entry)
            if entry.name == "manifest.json":
                assert content
                page = content.read().replace(b'"secrets.toml"', b'"../evil.toml"')
                entry.size = len(page)
                content = BytesIO(page)
            elif entry.name == "secrets.toml":
                entry.name = "../evil.toml"
            new.addfile(entry, content)
    with pytest.raises(BackupError, match="elsewhere"):
        service.restore(evil, tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'cunxiang.db'}")
    assert not (tmp_path / "evil.toml").exists()


def test_a_hub_is_never_overwritten(hub: Runtime, tmp_path: Path) -> None:
    file = a_backup(hub, tmp_path)
    before = (hub.config.data_dir / "secrets.toml").read_bytes()
    refused = run(hub.config.data_dir, "backup", "restore", str(file))
    assert refused.exit_code == 2
    assert "holds a hub already" in refused.output
    assert (hub.config.data_dir / "secrets.toml").read_bytes() == before


def test_a_text_message_in_hand_is_not_sent_again_after_a_restore(hub: Runtime, tmp_path: Path) -> None:
    in_hand, expanding = uuid4(), uuid4()
    with hub.sessions.begin() as session:
        for broadcast_id, state in ((in_hand, RunState.GOING), (expanding, RunState.EXPANDING)):
            session.add(a_run(broadcast_id, state))
        session.flush()
        call = SmsSubmission(
            broadcast_id=in_hand, priority=2, state=SubmissionState.SUBMITTING, provider="local", attempt=1, people=1,
            lease_until=NOON,
        )  # fmt: skip
        session.add(call)
        session.flush()
        for n, stage in enumerate((MessageState.CREATED, MessageState.SUBMITTING, MessageState.DELIVERED)):
            session.add(a_message(in_hand, n, stage))
    file = a_backup(hub, tmp_path)
    assert run(tmp_path / "new", "backup", "restore", str(file)).exit_code == 0
    with reopened(tmp_path / "new").sessions.read() as session:
        states = session.scalars(select(SmsMessage.state).order_by(SmsMessage.id)).all()
        assert states == [MessageState.UNKNOWN, MessageState.UNKNOWN, MessageState.DELIVERED]
        assert session.get_one(SmsRun, expanding).state is RunState.CANCELLED
        assert session.scalars(select(SmsSubmission.state)).all() == [SubmissionState.UNKNOWN]
        assert session.scalars(select(AuditEntry.deed).order_by(AuditEntry.id.desc())).first() == "hub.restore"
        assert session.scalar(select(func.count()).select_from(Broadcast)) == 0


def a_run(broadcast_id: object, state: RunState) -> SmsRun:
    return SmsRun(
        broadcast_id=broadcast_id, priority=2, text="【试县】开会", parts=1, price_hundredths=450, audience={},
        created_at=NOON, served_at=NOON, expires_at=NOON, state=state,
    )  # fmt: skip


def a_message(broadcast_id: object, number: int, state: MessageState) -> SmsMessage:
    return SmsMessage(
        broadcast_id=broadcast_id, phone_index=bytes([number]) * 16, sealed=b"x", masked="138****0000",
        resident_id=uuid4(), region_path="", state=state, parts=1, next_try_at=NOON, changed_at=NOON,
    )  # fmt: skip


def test_a_folder_that_is_not_ours_is_named_with_what_to_do(
    hub: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="name another folder"):
        service.make_backup(hub, tmp_path / "file" / "kept", version="0.1.0", now=NOON)

    def refused(**_: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refused)
    with pytest.raises(BackupError, match="install -d -m 0700 -o cunxiang"):
        service.make_backup(hub, tmp_path / "kept", version="0.1.0", now=NOON)


def test_only_the_newest_are_kept(hub: Runtime, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for day in range(1, 6):
        (folder / f"cunxiang-2026110{day}-020000.backup").write_bytes(b"")
    (folder / "letters.txt").write_text("mine")
    assert service.thin_out(folder, 2) == 3
    assert sorted(path.name for path in folder.iterdir()) == [
        "cunxiang-20261104-020000.backup",
        "cunxiang-20261105-020000.backup",
        "letters.txt",
    ]


@pytest.fixture
def two_databases(postgres_url: str) -> tuple[str, str]:
    folder = programs()
    if folder is None or shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not installed (Debian: apt install postgresql-client)")
    return (new_database(postgres_url, f"t{uuid4().hex}"), new_database(postgres_url, f"t{uuid4().hex}"))


@pytest.mark.postgres
@pytest.mark.slow
def test_the_same_on_postgresql(two_databases: tuple[str, str], tmp_path: Path) -> None:
    first, second = two_databases
    hub = reopened(tmp_path / "old", first)
    provide(hub, cunxiang.FEATURES)
    with hub.sessions.begin() as session:
        registry.next_value(session, registry.COMMANDS, 7)
    file = a_backup(hub, tmp_path)
    hub.sessions.engine.dispose()
    assert read_manifest(file).database == "postgresql"
    service.restore(file, tmp_path / "new", second)
    engine = create_engine(second)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT value FROM counter WHERE name = 'command_seq'")).scalar_one() == 7
    engine.dispose()
    with pytest.raises(BackupError, match="not empty"):
        service.restore(file, tmp_path / "third", second)
    assert not any((tmp_path / "third").glob("secrets.toml"))


def test_the_note_of_the_last_backup_survives_damage(hub: Runtime) -> None:
    (hub.config.data_dir / "last-backup.json").write_text("{not json")
    assert latest_backup(hub.config.data_dir) is None
