"""The clock on the wall is set forward and back while the timetable runs: nothing is lost, nothing sounds twice."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import builders
import pytest
from clocklab import WallClock, lay, running
from postgres import new_database, running_postgres
from sqlalchemy import select

import cunxiang
from broadcasts.delivery.models import Broadcast
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.config import load
from hub.core.runtime import Runtime
from schedules.models import Occurrence, OccurrenceState, Slot

pytestmark = pytest.mark.slow
LONG = os.environ.get("CUNXIANG_LONG") == "1"
only_long = pytest.mark.skipif(not LONG, reason="CUNXIANG_LONG=1 runs it")
FORWARD = timedelta(minutes=5)
BACK = timedelta(minutes=-3)
SECOND = timedelta(seconds=1)
PROMPT = 5
"""So many seconds late at most, on a machine that has other things to do; a clock that was lost would be minutes."""
FIRED, MISSED = OccurrenceState.FIRED, OccurrenceState.MISSED


class Row(NamedTuple):
    state: OccurrenceState
    late: float
    note: str


@pytest.fixture
def wall() -> Iterator[WallClock]:
    # Not in pytest's own folder, which the database server's user may not read.
    with TemporaryDirectory(prefix="cunxiang-clock-") as place:
        yield WallClock(Path(place))


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Runtime]:
    overrides: dict[str, dict[str, object]] = {"hub": {"data_dir": folder}, "database": {"url": url}}
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    with runtime.sessions.begin() as session:
        builders.a_county(session)
    try:
        yield runtime
    finally:
        runtime.sessions.engine.dispose()


def rows(hub: Runtime) -> dict[str, Row]:
    """Return what became of each, by title; each has one row, and as many broadcasts as it should."""
    with hub.sessions.read() as session:
        if session.get_bind().dialect.name == "postgresql":  # both questions about the same moment
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        query = select(Slot.title, Occurrence).join(Occurrence, Occurrence.slot_id == Slot.id)
        found = [
            (title, Row(o.state, (o.fired_at - o.due_at).total_seconds() if o.fired_at else -1, o.note))
            for title, o in session.execute(query)
        ]
        sounded = Counter(session.scalars(select(Broadcast.title)))
    assert len(found) == len(dict(found)), "planned twice"
    assert sounded == Counter(title for title, row in found if row.state is FIRED), "went out not once each"
    return dict(found)


def until_settled(hub: Runtime, titles: set[str], seconds: float = 60) -> dict[str, Row]:
    deadline = time.monotonic() + seconds
    while True:
        found = rows(hub)
        if all(found[title].state is not OccurrenceState.PLANNED for title in titles) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def at(start: datetime, *seconds: float) -> list[datetime]:
    return [start + timedelta(seconds=s) for s in seconds]


def walk(hub: Runtime, wall: WallClock) -> None:
    """Set the clock five minutes forward, back again, three minutes back, and right; count after every step."""
    now = datetime.now(UTC)
    first, second = at(now, 1, 1.6)
    jumped = {
        "late-1": (now + timedelta(seconds=60), 3600),
        "late-2": (now + timedelta(seconds=240), 100),
        "gone-1": (now + timedelta(seconds=30), 100),
        "gone-2": (now + timedelta(seconds=120), 10),
        "then": (now + FORWARD + timedelta(seconds=4), 10),
    }
    lay(
        hub,
        [("first", first, 10), ("second", second, 10), *((title, *one) for title, one in jumped.items())],
        now=now,
        plan=True,
    )
    found = until_settled(hub, {"first", "second"})
    assert all(found[title].state is FIRED and found[title].late < PROMPT for title in ("first", "second"))

    wall.set(FORWARD)
    after = until_settled(hub, set(jumped))
    assert {title: after[title].state for title in jumped} == {
        "late-1": FIRED, "late-2": FIRED, "gone-1": MISSED, "gone-2": MISSED, "then": FIRED,
    }  # fmt: skip
    assert after["gone-1"].note == "hub_was_down"
    assert after["late-1"].late <= 3600
    assert after["then"].late < PROMPT, "the new time holds at once"

    for name, ahead in (("back", timedelta()), ("further-back", BACK), ("right", timedelta())):
        wall.set(ahead)
        time.sleep(1)  # who has just read the clock, and looks now, still has the old time
        moment = datetime.now(UTC) + ahead
        soon = moment + timedelta(seconds=0.8)
        lay(hub, [(name, soon, 10)], now=moment, plan=True)
        found = until_settled(hub, {name})
        assert found[name].state is FIRED, f"{name}: the timetable rests until the old time comes again"
        assert found[name].late < PROMPT
    time.sleep(1.1)
    assert {title: rows(hub)[title] for title in after} == after, "what was settled stays as it was"


def test_a_hub_with_its_own_clock(wall: WallClock, tmp_path: Path) -> None:
    with opened("", tmp_path / "var") as hub:
        url = hub.sessions.engine.url.render_as_string(hide_password=False)
        with running(url, tmp_path / "var", **wall.environ):
            walk(hub, wall)


@only_long
@pytest.mark.postgres
def test_a_database_server_whose_clock_is_set(wall: WallClock, tmp_path: Path) -> None:
    with running_postgres(**wall.environ) as server:
        url = new_database(server, f"hub{uuid4().hex}")
        with opened(url, tmp_path / "var") as hub, running(url, tmp_path / "var", **wall.environ):
            walk(hub, wall)


@only_long
@pytest.mark.postgres
def test_a_hub_whose_clock_is_set_beside_a_database_that_knows_the_time(
    postgres_url: str, wall: WallClock, tmp_path: Path
) -> None:
    """Neither early nor late by more than the pause in which the step is seen, and nothing missed."""
    url = new_database(postgres_url, f"hub{uuid4().hex}")
    titles = {f"n{n}" for n in range(2, 42)}
    with opened(url, tmp_path / "var") as hub, running(url, tmp_path / "var", **wall.environ):
        now = datetime.now(UTC)
        lay(hub, [(title, now + int(title[1:]) * SECOND, 30) for title in titles], now=now, plan=True)
        for step in (5, 0, -60, 5, -3, 0):
            time.sleep(6)
            wall.set(timedelta(minutes=step))
        found = until_settled(hub, titles, 60)
    assert {row.state for row in found.values()} == {FIRED}
    assert max(row.late for row in found.values()) < PROMPT
    assert min(row.late for row in found.values()) > -0.5
