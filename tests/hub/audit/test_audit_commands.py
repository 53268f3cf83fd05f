"""`cunxiang audit`: what an inspector types, and what it answers."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import NOON

import cunxiang
from hub.audit import anchoring, log
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime


@pytest.fixture
def audit(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    monkeypatch.setenv("CUNXIANG_HUB_DATA_DIR", str(runtime.config.data_dir))
    monkeypatch.chdir(runtime.config.data_dir)
    return runtime


def run(*words: str) -> Result:
    return CliRunner().invoke(cunxiang.main, ["audit", *words])


def by_force(hub: Runtime, statement: str) -> None:
    with hub.sessions.engine.begin() as connection:
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER audit_entry_kept_{verb}")
        connection.exec_driver_sql(statement)


def test_a_whole_log_is_whole(audit: Runtime) -> None:
    assert "no daily marks yet" in run("verify").output
    assert run("anchor").exit_code == 0
    answer = run("verify")
    assert answer.exit_code == 0
    assert "1 daily marks fit" in answer.output


def test_a_tail_cut_off_is_found_by_a_copy_even_when_the_hubs_own_file_is_gone(audit: Runtime, tmp_path: Path) -> None:
    with audit.sessions.begin() as session:
        log.record(session, SYSTEM, "speaker.volume", "speaker:x", "", NOON, after=1)
    copy = tmp_path / "copy.txt"
    assert run("anchor", "--to", str(copy)).exit_code == 0
    by_force(audit, "DELETE FROM audit_entry WHERE id = (SELECT max(id) FROM audit_entry)")
    anchoring.file_of(audit).unlink(missing_ok=True)
    answer = run("verify", "--anchors", str(copy))
    assert answer.exit_code == 1
    assert "the end was cut off" in answer.output


def test_a_changed_entry_is_named(audit: Runtime) -> None:
    by_force(audit, "UPDATE audit_entry SET actor_name = 'x' WHERE id = 2")
    answer = run("verify")
    assert answer.exit_code == 1
    assert "Entry 2:" in answer.output
    assert "Entry 2:" in run("anchor").output


def test_lost_guards_are_noticed_and_put_back(audit: Runtime) -> None:
    by_force(audit, "SELECT 1")
    assert "audit guard" in run("verify").output
    assert run("guard").exit_code == 0
    assert run("verify").exit_code == 0
