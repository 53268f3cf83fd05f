"""The key of telephone numbers is changed beside a running hub: no number is lost, and the old key opens none."""

from pathlib import Path

import builders
import pytest
from click.testing import CliRunner
from conftest import BOTH_DATABASES, NOON
from sqlalchemy import LargeBinary, select, update

import cunxiang
from hub.audit.models import AuditEntry
from hub.commands.top import command_line
from hub.core.actor import SYSTEM
from hub.core.db import Base
from hub.core.errors import Unavailable
from hub.core.runtime import Runtime
from hub.core.secrets import add_phone_key, load_or_create, read_phone_keys
from hub.residents import searching, service
from hub.residents.models import Phone
from hub.residents.phones import PhoneSafe
from hub.residents.resealing import PORTION, anything_old, reseal, sealed_tables
from hub.residents.service import ResidentInput

NUMBERS = ("+8613900000001", "+8613900000002", "+8613900000003")


def with_people(runtime: Runtime) -> PhoneSafe:
    """Add three people; return the safe of the hub that runs."""
    folder = runtime.config.data_dir
    running = PhoneSafe(runtime.secrets, lambda: read_phone_keys(folder))
    with runtime.sessions.begin() as session:
        for number in NUMBERS:
            given = ResidentInput(name="陈一", phones=(number,), region_code=builders.BRIDGE)
            service.add_resident(session, SYSTEM, given, safe=running, now=NOON)
    return running


def numbers(runtime: Runtime, safe: PhoneSafe) -> set[str]:
    with runtime.sessions.read() as session:
        return {safe.open(sealed) for sealed in session.scalars(select(Phone.sealed))}


@BOTH_DATABASES
def test_every_number_is_under_the_new_key_and_the_running_hub_reads_on(runtime: Runtime) -> None:
    running, before = with_people(runtime), PhoneSafe(runtime.secrets)
    folder = runtime.config.data_dir
    add_phone_key(folder)
    after = PhoneSafe(load_or_create(folder, "production"))
    assert anything_old(runtime.sessions, after)
    done = reseal(runtime.sessions, after)
    assert (done.changed, done.unreadable) == (3, 0)
    assert not anything_old(runtime.sessions, after)
    assert numbers(runtime, after) == numbers(runtime, running) == set(NUMBERS)
    with pytest.raises(Unavailable):
        numbers(runtime, before)
    assert running.open(before.seal(NUMBERS[0])) == NUMBERS[0], "what lay in a queue meanwhile is read as well"
    with runtime.sessions.read() as session:
        found = searching.list_residents(session, SYSTEM, safe=after, query=NUMBERS[1])
        assert [one.phones[0].masked for one in found.residents] == ["139****0002"], "found by number as before"
    assert reseal(runtime.sessions, after).changed == 0


def test_a_damaged_one_is_counted_and_left(runtime: Runtime) -> None:
    with_people(runtime)
    with runtime.sessions.begin() as session:
        session.execute(update(Phone).where(Phone.masked == "139****0003").values(sealed=b"\0" * 40))
    add_phone_key(runtime.config.data_dir)
    after = PhoneSafe(load_or_create(runtime.config.data_dir, "production"))
    done = reseal(runtime.sessions, after)
    assert (done.changed, done.unreadable) == (2, 1)
    assert not anything_old(runtime.sessions, after)


def test_no_table_is_forgotten() -> None:
    sealed = {
        table.name
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name == "sealed" and isinstance(column.type, LargeBinary)
    }
    assert sealed - {table.name for table in sealed_tables()} == {"webhook"}
    assert len(sealed) > 7
    assert PORTION > 1


def test_the_command_makes_a_key_each_time_and_says_so(tmp_path: Path, runtime: Runtime) -> None:
    with_people(runtime)
    config = tmp_path / "config.toml"
    config.write_text(f'[hub]\ndata_dir = "{runtime.config.data_dir}"\n')
    arguments = ["--config", str(config), "keys", "phones", "--at-once"]
    seen = [runtime.secrets.phone_key]
    for _ in range(2):
        result = CliRunner().invoke(command_line(cunxiang.FEATURES), arguments)
        assert result.exit_code == 0, result.output
        assert "3 numbers are sealed with a new key" in result.output
        keys = read_phone_keys(runtime.config.data_dir)
        assert keys[0] not in seen
        seen.append(keys[0])
        assert numbers(runtime, PhoneSafe(load_or_create(runtime.config.data_dir, "production"))) == set(NUMBERS)
    with runtime.sessions.read() as session:
        deeds = session.scalars(select(AuditEntry).where(AuditEntry.deed == "phones.reseal")).all()
    assert [deed.details["count"] for deed in deeds] == [3, 3]
