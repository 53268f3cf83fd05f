"""Whoever reaches the database itself cannot change the log unnoticed, on SQLite and on PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from conftest import NOON, SetClock
from sqlalchemy import Connection, Engine, Executable, delete, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from hub.audit import anchoring, guarding, log
from hub.audit.anchoring import BadAnchorFile, Line
from hub.audit.chain import Anchor, Fault, Proof, prove
from hub.audit.models import AuditEntry
from hub.core.actor import SYSTEM
from hub.core.db import Base, Sessions, make_engine
from hub.core.runtime import Runtime

ROOT = Path(__file__).resolve().parents[3]
ENTRIES = 12
Tamper = Callable[[Connection], object]


@pytest.fixture
def bare_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kept(request: pytest.FixtureRequest) -> Sessions:
    """A log of twelve entries."""
    engine: Engine = request.getfixturevalue("bare_engine" if request.param == "sqlite" else "postgres_engine")
    Base.metadata.create_all(engine, [AuditEntry.__table__])  # type: ignore[list-item]
    sessions = Sessions(engine)
    with sessions.begin() as session:
        for n in range(1, ENTRIES + 1):
            log.record(session, SYSTEM, "speaker.volume", f"speaker:x{n}", "", NOON + timedelta(minutes=n), after=n)
    return sessions


def without_triggers(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE audit_entry DISABLE TRIGGER ALL")
        return
    for verb in ("update", "delete"):
        connection.exec_driver_sql(f"DROP TRIGGER audit_entry_kept_{verb}")


def untouched(connection: Connection) -> None:
    """Only drop the triggers."""


def by_force(sessions: Sessions, tamper: Tamper) -> None:
    """Do what an administrator of the database can: drop the triggers first."""
    with sessions.engine.begin() as connection:
        without_triggers(connection)
        tamper(connection)


def found_after(sessions: Sessions, *steps: Executable) -> Fault | None:
    """Return the fault that is found after tampering, and leave the log as it was."""
    with sessions.engine.connect() as connection:
        without_triggers(connection)
        with Session(connection) as session:
            for step in steps:
                session.execute(step, execution_options={"synchronize_session": False})
            found = prove(session).fault
        connection.rollback()
    return found


def proof(sessions: Sessions, *anchors: Anchor) -> Proof:
    with sessions.read() as session:
        return prove(session, anchors)


def fault(sessions: Sessions, *anchors: Anchor) -> Fault | None:
    return proof(sessions, *anchors).fault


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor_name = 'x' WHERE id = 3",
        "UPDATE audit_entry SET actor_name = 'x' WHERE id = 99999",
        "DELETE FROM audit_entry WHERE id = 12",
        "DELETE FROM audit_entry",
    ],
)
def test_the_database_refuses_to_change_or_delete(kept: Sessions, statement: str) -> None:
    if "99999" in statement and kept.engine.dialect.name == "sqlite":
        pytest.skip("SQLite asks row by row; where there is no row nothing is changed")
    with pytest.raises(DBAPIError, match="never changed or deleted"), kept.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert proof(kept).entries == ENTRIES


@pytest.mark.postgres
def test_postgresql_refuses_to_empty_the_table(postgres_engine: Engine) -> None:
    Base.metadata.create_all(postgres_engine, [AuditEntry.__table__])  # type: ignore[list-item]
    with pytest.raises(DBAPIError, match="never changed"), postgres_engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE audit_entry")


def test_a_change_to_any_part_of_any_entry_is_found(kept: Sessions) -> None:
    changes = {
        "actor_name": "x",
        "origin": "x",
        "via": "x",
        "deed": "x",
        "subject": "x",
        "region_path": "x/",
        "details": {"after": 99},
        "at": NOON - timedelta(days=9),
        "actor_id": UUID("0192b7c1-0000-7000-8000-000000000001"),
        "hash": bytes(32),
    }
    assert changes.keys() | {"id", "previous_hash"} == {column.name for column in AuditEntry.__table__.columns}
    for entry in range(1, ENTRIES + 1):
        for column, value in changes.items():
            found = found_after(kept, update(AuditEntry).where(AuditEntry.id == entry).values({column: value}))
            assert found == Fault(entry, "changed"), (entry, column)
        found = found_after(kept, update(AuditEntry).where(AuditEntry.id == entry).values(previous_hash=b"x" * 32))
        assert found == Fault(entry, "broken")


def test_any_deleted_entry_is_found(kept: Sessions) -> None:
    for entry in range(1, ENTRIES):
        assert found_after(kept, delete(AuditEntry).where(AuditEntry.id == entry)) == Fault(entry + 1, "broken")


def test_any_two_entries_that_changed_places_are_found(kept: Sessions) -> None:
    for first in range(1, ENTRIES):
        moves = ((first, 5000), (first + 1, first), (5000, first + 1))
        steps = [update(AuditEntry).where(AuditEntry.id == old).values(id=new) for old, new in moves]
        assert found_after(kept, *steps) == Fault(first, "broken")


def test_an_entry_put_in_between_is_found(kept: Sessions) -> None:
    def put_in(connection: Connection) -> None:
        connection.exec_driver_sql("UPDATE audit_entry SET id = id + 1000 WHERE id > 5")
        connection.exec_driver_sql(
            "INSERT INTO audit_entry (id, at, actor_id, actor_name, origin, via, deed, subject, region_path, details,"
            " previous_hash, hash) SELECT 6, at, actor_id, actor_name, origin, via, deed, 'x', region_path, details,"
            " hash, hash FROM audit_entry WHERE id = 5"
        )

    by_force(kept, put_in)
    assert fault(kept) == Fault(6, "changed")


@pytest.mark.parametrize("left", [0, 1, 11])
def test_a_tail_cut_off_is_found_by_an_anchor_and_by_nothing_else(kept: Sessions, left: int) -> None:
    last = proof(kept).last
    assert last is not None
    by_force(kept, lambda c: c.execute(text("DELETE FROM audit_entry WHERE id > :left"), {"left": left}))
    assert fault(kept) is None, "the chain alone cannot know"
    assert fault(kept, last) == Fault(ENTRIES, "cut")


def test_a_log_written_anew_from_some_entry_on_is_found_by_an_anchor(kept: Sessions) -> None:
    last = proof(kept).last
    assert last is not None
    by_force(kept, lambda c: c.execute(text("DELETE FROM audit_entry WHERE id > 4")))
    with kept.begin() as session:
        for n in range(5, ENTRIES + 3):
            log.record(session, SYSTEM, "speaker.volume", f"speaker:y{n}", "", NOON, after=n)
    assert fault(kept) is None, "a forged chain fits together"
    found = fault(kept, last)
    assert found is not None
    assert found.kind == "replaced"


def test_lost_triggers_are_noticed_and_put_back(kept: Sessions) -> None:
    by_force(kept, untouched)
    with kept.read() as session:
        assert not guarding.is_kept(session, "audit_entry")
    with kept.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE audit_entry ENABLE TRIGGER ALL")
        guarding.restore(connection, "audit_entry")
    with kept.read() as session:
        assert guarding.is_kept(session, "audit_entry")


# ---- the file of daily lines


def anchor(sessions: Sessions, path: Path, days: int = 0) -> Line | Fault | None:
    with sessions.read() as session:
        return anchoring.anchor_now(session, path, day=date(2026, 11, 23) + timedelta(days), at=NOON)


def test_every_line_of_the_file_is_held_against_the_log(kept: Sessions, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "anchors.txt"
    first = anchor(kept, path)
    assert isinstance(first, Line)
    with kept.begin() as session:
        log.record(session, SYSTEM, "speaker.volume", "speaker:x", "", NOON, after=1)
    anchor(kept, path, days=1)
    lines = anchoring.read_lines(path)
    assert [line.anchor.entry_id for line in lines] == [ENTRIES, ENTRIES + 1]
    assert fault(kept, *(line.anchor for line in lines)) is None


def test_a_log_with_a_fault_gets_no_new_line(kept: Sessions, tmp_path: Path) -> None:
    path = tmp_path / "anchors.txt"
    anchor(kept, path)
    by_force(kept, lambda c: c.execute(text("DELETE FROM audit_entry WHERE id > 6")))
    assert anchor(kept, path, days=1) == Fault(ENTRIES, "cut")
    assert len(anchoring.read_lines(path)) == 1


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "anchors.txt"
    path.write_text("2026-11-23 now 12 abc\n")
    with pytest.raises(BadAnchorFile, match="line 1"):
        anchoring.read_lines(path)


def test_the_hub_adds_one_line_a_day_and_notes_a_fault_once(runtime: Runtime, clock: SetClock) -> None:
    path = anchoring.file_of(runtime)
    for hours in (0, 1, 24):
        clock.now = NOON + timedelta(hours=hours)
        anchoring.daily(runtime)
    assert [str(line.day) for line in anchoring.read_lines(path)] == ["2026-11-23", "2026-11-24"]
    by_force(runtime.sessions, lambda c: c.exec_driver_sql("UPDATE audit_entry SET subject = 'x' WHERE id > 3"))
    with runtime.sessions.begin() as session:
        log.record(session, SYSTEM, "speaker.volume", "speaker:x", "", NOON, after=1)
    clock.now = NOON + timedelta(days=2)
    by_hand = path.read_text().splitlines()[:1]
    path.write_text("\n".join(by_hand) + "\n")  # as if nothing had been anchored yet
    for _ in range(2):
        anchoring.daily(runtime)
    with runtime.sessions.read() as session:
        found = session.execute(text("SELECT count(*) FROM audit_entry WHERE deed = 'audit.fault'")).scalar()
    assert found == 1
    assert len(anchoring.read_lines(path)) == 0


def test_a_folder_that_cannot_be_written_stops_nothing(runtime: Runtime) -> None:
    path = anchoring.file_of(runtime)
    path.mkdir()
    anchoring.daily(runtime)
    with runtime.sessions.read() as session:
        standing = anchoring.standing(session, runtime)
    assert standing.late
    assert standing.last is None


FULL = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from hub.audit import anchoring
from hub.audit.chain import Anchor

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python has it: writing fails instead
path, now = Path(sys.argv[1]), datetime(2026, 11, 23, 2, tzinfo=UTC)
anchoring.write_line(path, Anchor(1, b"a" * 32), day=now.date(), at=now)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, hard))
try:
    anchoring.write_line(path, Anchor(2, b"b" * 32), day=now.date(), at=now)
except OSError:
    pass
else:
    raise SystemExit("there was room for it")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
anchoring.write_line(path, Anchor(3, b"c" * 32), day=now.date(), at=now)
print([line.anchor.entry_id for line in anchoring.read_lines(path)])
"""


def test_a_full_disk_leaves_no_half_line_that_would_spoil_all_further_ones(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("file sizes are limited by setrlimit here")
    command = [sys.executable, "-c", FULL, str(tmp_path / "anchors.txt")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[1, 3]"), done.stderr
