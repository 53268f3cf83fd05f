"""What lies below a place: the same as "begins with" says, on both databases, and found through an index."""

from collections.abc import Iterator

import pytest
from conftest import BOTH_DATABASES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Engine, Index, MetaData, String, Table, create_engine, insert, or_, select

from hub.core.below import below
from hub.core.runtime import Runtime

TABLE = Table("place", MetaData(), Column("path", String(64)), Column("name", String(8)), Index("ix_place", "path"))
CODES = st.sampled_from(["330199000000", "330199100000", "33019910000", "3301990000000", "_", "%", "a", "A", "/", "镇"])
"""Codes, and what a pattern, a capital, a neighbour of the slash or another script could confuse."""
PATHS = st.lists(CODES, max_size=4).map(lambda codes: "".join(f"{code}/" for code in codes))


@pytest.fixture(scope="module")
def small() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    TABLE.create(engine)
    yield engine
    engine.dispose()


def agrees(engine: Engine, paths: list[str], asked: list[str]) -> None:
    with engine.begin() as connection:
        connection.execute(TABLE.delete())
        connection.execute(insert(TABLE), [{"path": path, "name": ""} for path in paths])
        condition = or_(*(below(TABLE.c.path, each) for each in asked))
        found = sorted(connection.scalars(select(TABLE.c.path).where(condition)))
        others = sorted(connection.scalars(select(TABLE.c.path).where(~condition)))
    expected = sorted(path for path in paths if path.startswith(tuple(asked)))
    assert found == expected
    assert sorted(found + others) == sorted(paths)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATHS, min_size=1, max_size=12), st.lists(PATHS, min_size=1, max_size=3))
def test_it_means_begins_with(small: Engine, paths: list[str], asked: list[str]) -> None:
    agrees(small, paths, asked)


@BOTH_DATABASES
def test_both_databases_agree_on_the_boundaries(runtime: Runtime) -> None:
    top = "990101000000/"
    paths = [top, f"{top}990101100000/", f"{top}990101100000/990101100001/", "990101000001/", "9901010000000/", "99/"]
    engine = runtime.sessions.engine
    TABLE.create(engine)
    for asked in ([top], [f"{top}990101100000/"], ["99/", f"{top}990101100000/990101100001/"], [""], ["98/"]):
        agrees(engine, paths, asked)


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(ValueError, match="no region path"):
        below(TABLE.c.path, "330199000000")


@pytest.mark.parametrize("many", [1, 2])
def test_sqlite_looks_it_up(small: Engine, many: int) -> None:
    condition = or_(*(below(TABLE.c.path, f"{number}/") for number in range(many)))
    with small.connect() as connection:
        text = str(select(TABLE.c.path).where(condition).compile(small, compile_kwargs={"literal_binds": True}))
        plan = " ".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    assert "path>? AND path<?" in plan
    assert "SCAN place" not in plan
