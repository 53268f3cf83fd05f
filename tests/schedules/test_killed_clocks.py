"""Three processes with a clock each on one PostgreSQL, killed at random: nothing is missed, nothing sounds twice."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import builders
import pytest
from builders import BRIDGE
from postgres import new_database
from sqlalchemy import func, select

import cunxiang
from broadcasts.approvals import rounds
from broadcasts.delivery.models import Broadcast
from hub.app import open_runtime
from hub.commands.frame import sections
from hub.core.config import load
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules import agreed
from schedules.calendar import Rhythm
from schedules.models import Occurrence, OccurrenceState, Sheet, SheetState, Slot, SlotKind
from schedules.sheets import service as drafts
from schedules.sheets.drafting import content_hash, shown

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
SECONDS = 300 if LONG else 14
A_SECOND = 10
PROCESSES = 3
WORKER = Path(__file__).resolve().parents[1] / "clockworker.py"


@pytest.fixture
def hub(postgres_url: str, tmp_path: Path) -> Iterator[Runtime]:
    url = new_database(postgres_url, f"hub{uuid4().hex}")
    overrides: dict[str, dict[str, object]] = {"hub": {"data_dir": tmp_path / "var"}, "database": {"url": url}}
    runtime = open_runtime(load(None, sections(cunxiang.FEATURES), environ={}, overrides=overrides))
    with runtime.sessions.begin() as session:
        builders.a_county(session)
    yield runtime
    runtime.sessions.engine.dispose()


def fill(hub: Runtime, first: datetime) -> set[tuple[str, datetime]]:
    """Lay a sheet of slots that come once, so many a second; return what must sound, by plain arithmetic."""
    path = path_of(BRIDGE)
    expected = set()
    with hub.sessions.begin() as session:
        clerk = builders.the_actor(session, "clerk")
        sheet = Sheet(
            id=uuid4(), line_id=uuid4(), title="x", region_path=path, state=SheetState.RUNNING, written_by=clerk.id,
            written_by_name="", written_at=first, changed_at=first, approved_by_name="y",
        )  # fmt: skip
        session.add(sheet)
        session.flush()
        for number in range(SECONDS * A_SECOND):
            due = first + timedelta(milliseconds=number * 1000 // A_SECOND)
            expected.add((f"n{number}", due))
            session.add(
                Slot(
                    sheet_id=sheet.id,
                    kind=SlotKind.RELAY,
                    title=f"n{number}",
                    minutes=1,
                    relay_url="line:fm",
                    home_path=path,
                    rhythm=Rhythm.ONCE,
                    once_at=due,
                    zone="Asia/Shanghai",
                    late_tolerance_s=3600,
                    planned_until=first - timedelta(hours=1),
                    created_at=first,
                )
            )
        session.flush()
        slots = drafts.slots_of(session, sheet)
        sheet.content_hash = content_hash(sheet, slots)
        subject = replace(agreed.subject_of(sheet), content=shown(sheet, slots))
        rounds.begin(session, clerk, subject, now=first)
        assert rounds.take_step(session, builders.the_actor(session, "approver"), subject, now=first)
    return expected


class Pack:
    """The processes, and the one who kills them."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder, self.killed = url, folder, 0
        self.running = [self._begin() for _ in range(PROCESSES)]

    def _begin(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, str(WORKER), self.url, str(self.folder)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill_one(self) -> None:
        number = random.randrange(PROCESSES)
        self.running[number].kill()
        self.running[number].wait()
        self.killed += 1
        self.running[number] = self._begin()

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


@contextmanager
def pack(hub: Runtime, tmp_path: Path) -> Iterator[Pack]:
    found = Pack(hub.sessions.engine.url.render_as_string(hide_password=False), tmp_path / "var")
    try:
        yield found
    finally:
        found.end()


def open_ones(hub: Runtime) -> int:
    with hub.sessions.read() as session:
        waiting = select(func.count()).select_from(Occurrence).where(Occurrence.state == OccurrenceState.PLANNED)
        unplanned = select(func.count()).select_from(Slot).where(Slot.enabled)
        return (session.scalar(waiting) or 0) + (session.scalar(unplanned) or 0)


def test_nothing_is_missed_and_nothing_sounds_twice(hub: Runtime, tmp_path: Path) -> None:
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    expected = fill(hub, first)
    over = first + timedelta(seconds=SECONDS)
    with pack(hub, tmp_path) as clocks:
        while datetime.now(UTC) < over:
            time.sleep(random.uniform(0.5, 2.0))
            clocks.kill_one()
        deadline = time.monotonic() + (120 if LONG else 60)
        while open_ones(hub) and time.monotonic() < deadline:
            time.sleep(0.3)
    with hub.sessions.read() as session:
        rows = session.execute(
            select(Slot.title, Occurrence.due_at, Occurrence.state, Occurrence.broadcast_id).join(
                Occurrence, Occurrence.slot_id == Slot.id
            )
        ).all()
        sounded = Counter(session.scalars(select(Broadcast.title)))
    assert {(title, due) for title, due, _, _ in rows} == expected, "planned: none missing, none twice, none made up"
    assert len(rows) == len(expected)
    assert {state for _, _, state, _ in rows} == {OccurrenceState.FIRED}
    assert sounded == Counter({title for title, _ in expected}), "each went out once"
    assert clocks.killed >= 4
