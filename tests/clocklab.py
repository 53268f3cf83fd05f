"""What tests of the timetable's clock share: slots that come once, and a process whose clock can be set."""

import multiprocessing
import os
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import uuid4

import builders
import clockworker
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

WORKER = Path(clockworker.__file__).resolve()
READY_S = 60
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["cunxiang", "schedules.runner"])
"""What is installed; the tests' own modules it would not find."""


def lay(hub: Runtime, wanted: Iterable[tuple[str, datetime, int]], *, now: datetime, plan: bool = False) -> None:
    """Have a sheet agreed to whose slots come once: title, when, and how many seconds late they may still begin."""
    path = path_of(BRIDGE)
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


class Forked:
    """A process that runs the timetable's clock, there in a moment: it is forked from one that has imported everything.

    What is killed while it starts would try nothing.
    """

    def __init__(self, url: str, folder: Path) -> None:
        ours, theirs = FORKS.Pipe(duplex=False)
        self._said = ours
        self._process = FORKS.Process(target=_run, args=(url, str(folder), theirs), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def ready(self) -> bool:
        """Whether its clock goes."""
        return self._process.is_alive() and self._said.poll()

    @property
    def ended(self) -> bool:
        """Whether it has given up by itself."""
        return not self._process.is_alive()

    def kill(self) -> None:
        """Kill it, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._said.close()


def _run(url: str, folder: str, said: Connection) -> None:
    # What it complains of while the database is away is no news.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    clockworker.main(url, folder, ready=lambda: said.send_bytes(b"ready"))


@contextmanager
def running(url: str, folder: Path, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Have a process that runs the timetable's clock, ready, and end it."""
    command = [sys.executable, str(WORKER), url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | more) as process:
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
