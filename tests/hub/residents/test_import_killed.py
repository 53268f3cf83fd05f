"""An import that is killed: nothing of it stands on the list until all of it does."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from smslab import PINE, lab_safe, lab_sessions
from sqlalchemy import func, select, update

from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.db import Sessions
from hub.regions.tree import path_of
from hub.residents import import_jobs
from hub.residents.import_jobs import ImportWork
from hub.residents.import_models import ImportJob, ImportPerson, ImportPhone, ImportTag, JobState
from hub.residents.models import Phone, Resident, ResidentTag
from hub.web.uploads import Uploads

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
PEOPLE = 100_000 if LONG else 3_000
KILLS = 12 if LONG else 2
PASSWORD = "correct-horse-7"


@contextmanager
def a_worker(database: Path, uploads: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that works imports off."""
    worker = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "importworker.py"), f"sqlite:///{database}", str(uploads)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        yield worker
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
        worker.stdout.close() if worker.stdout else None


def counts(sessions: Sessions) -> tuple[int, ...]:
    with sessions.read() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(table)) or 0 for table in (Resident, Phone, ResidentTag)
        )


def state_of(sessions: Sessions, job_id: UUID) -> tuple[JobState, int]:
    with sessions.read() as session:
        job = session.get_one(ImportJob, job_id)
        return job.state, job.rows_done


def lift_the_lease(sessions: Sessions) -> None:
    """Do what half a minute does."""
    with sessions.begin() as session:
        session.execute(update(ImportJob).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))


@pytest.mark.parametrize("phase", [JobState.CHECKING, JobState.WRITING])
def test_killed_again_and_again_nothing_is_half_done(tmp_path: Path, phase: JobState) -> None:
    database, folder = tmp_path / "import.db", tmp_path / "uploads"
    sessions, uploads = lab_sessions(database), Uploads(folder)
    now = datetime.now(UTC)
    rows = [f"村民{i},{13800000000 + i},松林村,,沿河户" for i in range(PEOPLE)]
    data = "\n".join(["姓名,电话,村,组,标签", *rows]).encode()
    with sessions.begin() as session:
        grants = [(Role.CLERK, path_of(PINE))]
        accounts.create_account(
            session, SYSTEM, login="clerk", name="广播员", password=PASSWORD, grants=grants, now=now
        )
        clerk = actor_for(session, session.scalars(select(Account)).one(), origin="")
        job_id = import_jobs.begin(session, clerk, data, uploads=uploads, language="zh", now=now).id
    here = ImportWork(sessions, uploads, lab_safe(), clock=lambda: datetime.now(UTC))
    if phase is JobState.WRITING:
        here.step()
        with sessions.begin() as session:
            import_jobs.press(session, clerk, job_id, now=datetime.now(UTC))
    dice = random.Random(7)
    for _ in range(KILLS):
        with a_worker(database, folder):
            time.sleep(dice.uniform(0.0, 0.4))
        assert counts(sessions) in [(0, 0, 0), (PEOPLE,) * 3], "all of it or nothing"
        lift_the_lease(sessions)
    with sessions.read() as session:
        job = session.get_one(ImportJob, job_id)
    if job.state is JobState.CHECKING:
        here.step()
    with sessions.begin() as session:
        import_jobs.press(session, clerk, job_id, now=datetime.now(UTC))
    here.step()
    assert state_of(sessions, job_id)[0] is JobState.DONE
    assert counts(sessions) == (PEOPLE,) * 3
    with sessions.read() as session:
        for table in (ImportPerson, ImportPhone, ImportTag):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        assert session.scalar(select(func.count(Phone.index.distinct()))) == PEOPLE
    assert list(folder.glob("*")) == [], "nothing is left of the file"
    sessions.engine.dispose()
