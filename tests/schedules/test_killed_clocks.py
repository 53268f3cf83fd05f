"""Three processes with a clock each on one PostgreSQL, killed at random, while the database goes away and comes back.

Nothing is missed that may be late, nothing sounds twice.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import builders
import pytest
from clocklab import Forked, lay
from postgres import Server, a_server, new_database
from sqlalchemy import func, select

import cunxiang
from broadcasts.delivery.models import Broadcast
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.config import load
from hub.core.runtime import Runtime
from schedules.models import Occurrence, OccurrenceState, Slot

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
SECONDS = 300 if LONG else 14
A_SECOND = 10
PROCESSES = 3
AWAY_S = 3
KILLS = SECONDS // 2
PATIENCE = timedelta(seconds=120)
PATIENT, IMPATIENT = 3600, 1


@pytest.fixture
def server() -> Iterator[Server]:
    with a_server() as found:
        yield found


@pytest.fixture
def hub(server: Server, tmp_path: Path) -> Iterator[Runtime]:
    url = new_database(server.url, f"hub{uuid4().hex}")
    overrides: dict[str, dict[str, object]] = {"hub": {"data_dir": tmp_path / "var"}, "database": {"url": url}}
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    with runtime.sessions.begin() as session:
        builders.a_county(session)
    yield runtime
    runtime.sessions.engine.dispose()


def fill(hub: Runtime, first: datetime) -> dict[tuple[str, datetime], int]:
    """Lay a sheet of slots that come once, so many a second; return what must sound, by plain arithmetic.

    With it, how many seconds late each may begin: every tenth cannot wait until a database is back.
    """
    wanted = [
        (f"n{n}", first + timedelta(milliseconds=n * 1000 // A_SECOND), IMPATIENT if n % 10 == 0 else PATIENT)
        for n in range(SECONDS * A_SECOND)
    ]
    lay(hub, wanted, now=first)
    return {(title, due): tolerance for title, due, tolerance in wanted}


class Pack:
    """The processes, and the one who kills them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder, self.killed = url, folder, 0
        self.running = [self._begin() for _ in range(PROCESSES)]

    def _begin(self) -> Forked:
        return Forked(self.url, self.folder)

    def kill_one(self) -> None:
        """Kill one that is at work, if any is."""
        working = [number for number, process in enumerate(self.running) if process.ready]
        if working:
            number = random.choice(working)
            self.running[number].kill()
            self.running[number] = self._begin()
            self.killed += 1
        self.look_after()

    def look_after(self) -> None:
        """Start anew what has ended: a hub that finds no database gives up, and whoever watches it starts it again."""
        for number, process in enumerate(self.running):
            if process.ended:
                process.kill()
                self.running[number] = self._begin()

    def end(self) -> None:
        for process in self.running:
            process.kill()


@contextmanager
def pack(hub: Runtime, tmp_path: Path) -> Iterator[Pack]:
    found = Pack(hub.sessions.engine.url.render_as_string(hide_password=False), tmp_path / "var")
    try:
        yield found
    finally:
        found.end()


def count(hub: Runtime, state: OccurrenceState) -> int:
    with hub.sessions.read() as session:
        query = select(func.count()).select_from(Occurrence).where(Occurrence.state == state)
        return session.scalar(query) or 0


def open_ones(hub: Runtime) -> int:
    with hub.sessions.read() as session:
        unplanned = session.scalar(select(func.count()).select_from(Slot).where(Slot.enabled)) or 0
    return count(hub, OccurrenceState.PLANNED) + unplanned


def test_nothing_is_missed_and_nothing_sounds_twice(server: Server, hub: Runtime, tmp_path: Path) -> None:
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    expected = fill(hub, first)
    away = [first + timedelta(seconds=s) for s in range(5, SECONDS - AWAY_S, 40)]
    over = first + timedelta(seconds=SECONDS)
    with pack(hub, tmp_path) as clocks:
        # On a machine with much else to do it takes longer until enough was killed at work.
        while datetime.now(UTC) < over or clocks.killed < KILLS:
            assert datetime.now(UTC) < over + PATIENCE, f"only {clocks.killed} were at work when they were killed"
            time.sleep(random.uniform(0.3, 1.5))
            if away and datetime.now(UTC) > away[0]:
                away.pop(0)
                server.stop(signal.SIGQUIT)
                time.sleep(AWAY_S)
                server.start()
            clocks.kill_one()
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while open_ones(hub) and time.monotonic() < deadline:
            time.sleep(0.3)
            clocks.look_after()
    assert not away, "the database was away as often as it should be"
    assert open_ones(hub) == 0, "whoever is left when nobody is killed any more does what is still to be done"
    with hub.sessions.read() as session:
        rows = session.execute(
            select(Slot.title, Occurrence.due_at, Occurrence).join(Occurrence, Occurrence.slot_id == Slot.id)
        ).all()
        sounded = Counter(session.scalars(select(Broadcast.title)))
    assert {(title, due) for title, due, _ in rows} == set(expected), "planned: none missing, none twice, none made up"
    assert len(rows) == len(expected)
    for title, due, occurrence in rows:
        tolerance = timedelta(seconds=expected[title, due])
        assert occurrence.fired_at is not None, title
        if occurrence.state is OccurrenceState.FIRED:
            assert occurrence.fired_at - due <= tolerance, "later than it may be"
        else:
            assert (occurrence.state, occurrence.note) == (OccurrenceState.MISSED, "hub_was_down")
            assert occurrence.fired_at - due > tolerance, "it could still have been heard"
    went = Counter(title for title, _, occurrence in rows if occurrence.state is OccurrenceState.FIRED)
    assert sounded == went, "each went out once"
    assert set(went) >= {title for (title, _), tolerance in expected.items() if tolerance == PATIENT}
    assert len(went) < len(expected), "what could not wait for the database is recorded as missed"
