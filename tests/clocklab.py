"""What tests of the timetable's clock share: slots that come once, and a process whose clock can be set."""

import os
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import builders
import pytest
from builders import BRIDGE

from broadcasts.approvals import rounds
from hub.core.runtime import Runtime
from hub.regions.tree import path_of
from schedules import agreed, booking
from schedules.calendar import Rhythm
from schedules.models import Sheet, SheetState, Slot, SlotKind
from schedules.sheets import service as drafts
from schedules.sheets.drafting import content_hash, shown

WORKER = Path(__file__).resolve().parent / "clockworker.py"
READY_S = 60


def lay(
    hub: Runtime,
    wanted: Iterable[tuple[str, datetime, int]],
    *,
    now: datetime,
    plan: bool = False,
    where: str = BRIDGE,
) -> None:
    """Have a sheet agreed to whose slots come once: title, when, and how many seconds late they may still begin."""
    path = path_of(where)
    with hub.sessions.begin() as session:
        clerk = builders.the_actor(session, "clerk")
        sheet = Sheet(
            id=uuid4(), line_id=uuid4(), title="x", region_path=path, state=SheetState.RUNNING, written_by=clerk.id,
            written_by_name="", written_at=now, changed_at=now, approved_by_name="y",
        )  # fmt: skip
        session.add(sheet)
        session.flush()
        session.add_all(_slot(sheet, title, due, tolerance, now) for title, due, tolerance in wanted)
        session.flush()
        slots = drafts.slots_of(session, sheet)
        sheet.content_hash = content_hash(sheet, slots)
        subject = replace(agreed.subject_of(sheet), content=shown(sheet, slots))
        rounds.begin(session, clerk, subject, now=now)
        assert rounds.take_step(session, builders.the_actor(session, "approver"), subject, now=now)
        if plan:
            booking.plan_ahead(session, now=now)


def _slot(sheet: Sheet, title: str, due: datetime, tolerance: int, now: datetime) -> Slot:
    return Slot(
        sheet_id=sheet.id,
        kind=SlotKind.RELAY,
        title=title,
        minutes=1,
        relay_url="line:fm",
        home_path=sheet.region_path,
        rhythm=Rhythm.ONCE,
        once_at=due,
        zone="Asia/Shanghai",
        late_tolerance_s=tolerance,
        planned_until=now - timedelta(hours=1),
        created_at=now,
    )


def begin(url: str, folder: Path, **more: str) -> "subprocess.Popen[bytes]":
    """Start a process that runs the timetable's clock."""
    command = [sys.executable, str(WORKER), url, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | more)


@contextmanager
def running(url: str, folder: Path, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Have such a process, ready, and end it."""
    with begin(url, folder, **more) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], READY_S)[0], "it never was ready"
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


class WallClock:
    """The clock on the wall of processes started with its `environ`: it can be set, as the network's time sets one."""

    def __init__(self, folder: Path) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            pytest.skip("faketime is not installed (Debian: apt install faketime)")
        self._library, self._file = libraries[0], folder / "wall-clock"
        self.set(timedelta())
        folder.chmod(0o755)

    def set(self, ahead: timedelta) -> None:
        """Set it so far ahead of the real time; behind when negative."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead.total_seconds():+.0f}\n", encoding="ascii")
        new.chmod(0o644)
        new.replace(self._file)

    @property
    def environ(self) -> Mapping[str, str]:
        """What makes a process go by it. Waiting is done by the clock that is never set, as everywhere."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
