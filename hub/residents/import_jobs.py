"""Imports that take their time: a file is matched, checked and laid out beside the list, then put in at once.

Whoever works on a job holds a lease. When the hub is killed over it, the job is taken up again from its last safe
point: checking begins anew, and of putting in nothing was done.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor, Permission
from hub.core.clock import Clock
from hub.core.db import Sessions
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, NotSignedIn, WrongState
from hub.regions.lookup import places_for
from hub.residents import importing, intake
from hub.residents.import_models import ImportJob, JobState
from hub.residents.importing import ImportPlan, Layout
from hub.residents.intake import Known
from hub.residents.phones import PhoneSafe
from hub.web.spreadsheets import bad_file, read_table
from hub.web.uploads import LIFE, Uploads
from hub.web.words import sentence

LEASE = timedelta(seconds=30)
IDLE_S = 1.0
AT_ONCE = 300_000
"""Files up to so many bytes are worked off while their owner waits: that takes a moment."""
WAITED_FOR = 3000
"""So many people are put in while their owner waits; more are put in by the background."""
PIECE = 1000
_WORKED_ON = (JobState.CHECKING, JobState.WRITING)


@dataclass(frozen=True, slots=True)
class WrongRow:
    """A row that is skipped: its place in the file, its cells, and what is wrong in which of them."""

    number: int
    cells: tuple[str, ...]
    faults: Mapping[int, tuple[str, ...]]

    @property
    def why(self) -> str:
        """Everything that is wrong with it."""
        return "；".join(text for texts in self.faults.values() for text in texts)


@dataclass(frozen=True, slots=True)
class Wrong:
    """The wrong rows of a file, below its headings."""

    header: tuple[str, ...]
    rows: tuple[WrongRow, ...]


def begin(session: Session, actor: Actor, data: bytes, *, uploads: Uploads, language: str, now: datetime) -> ImportJob:
    """Take a file in. BadInput when it is no table. With all columns found it is checked, else matched first."""
    if actor.id is None:
        raise NotSignedIn("sign_in_needed")
    head = read_table(data, most_bytes=importing.MOST_BYTES, head=importing.HEAD)
    layout = importing.layout_of(head)
    if len([row for row in head[layout.at :] if any(row)]) < 2:
        raise bad_file("import_empty")
    sweep(session, now=now, owner=actor.id)
    job = ImportJob(
        owner_id=actor.id,
        language=language,
        state=JobState.MATCHING if layout.missing else JobState.CHECKING,
        token=uploads.keep(actor.id, data, now=now),
        layout=_stored(layout),
        created_at=now,
    )
    session.add(job)
    session.flush()
    return job


def get(session: Session, actor: Actor, job_id: UUID, *, now: datetime) -> ImportJob:
    """Return one's own job; NotFound when it is somebody else's or too old."""
    job = session.get(ImportJob, job_id)
    if job is None or job.owner_id != actor.id or job.created_at < now - LIFE:
        raise NotFound("upload_gone")
    return job


def match(
    session: Session, actor: Actor, job_id: UUID, columns: Mapping[str, int], village: str, *, now: datetime
) -> ImportJob:
    """Say which column is which; then it is checked. BadInput when one is missing, or named twice."""
    job = get(session, actor, job_id, now=now)
    if job.state is not JobState.MATCHING:
        raise WrongState("import_not_now")
    if len(set(columns.values())) != len(columns):
        raise BadInput("import_column_twice", field="columns")
    if village and village not in places_for(session, actor, Permission.EDIT_RESIDENTS).by_code:
        raise BadInput("import_village_unknown", field="village", village=village[:14])
    layout = Layout(int(job.layout["at"]), (), dict(columns), village)
    if layout.missing:
        raise BadInput("import_column_missing", field="columns", column="、".join(layout.missing))
    job.layout = _stored(layout)
    job.state = JobState.CHECKING
    return job


def press(session: Session, actor: Actor, job_id: UUID, *, now: datetime) -> ImportJob:
    """Put the good rows on the list; the pressing of a moment ago counts for this one too."""
    job = get(session, actor, job_id, now=now)
    if job.state is JobState.READY:
        job.state, job.lease_until = JobState.WRITING, None
    return job


def commit(session: Session, actor: Actor, job_id: UUID, *, now: datetime) -> ImportJob:
    """Press, for programs: WrongState while there is nothing to press yet, or nothing any more."""
    job = press(session, actor, job_id, now=now)
    if job.state not in (JobState.WRITING, JobState.DONE):
        raise WrongState("import_not_ready")
    return job


def head_of(job: ImportJob, data: bytes) -> list[list[str]]:
    """Return the heading row of a file and some rows below it."""
    return read_table(data, most_bytes=importing.MOST_BYTES, head=importing.HEAD)[int(job.layout["at"]) :]


def sweep(session: Session, *, now: datetime, owner: UUID | None = None) -> None:
    """Forget jobs that are too old, and everything before of somebody who begins anew, unless it is being put in."""
    old = ImportJob.created_at < now - LIFE
    gone = or_(old, ImportJob.owner_id == owner) if owner else old
    ids = session.scalars(select(ImportJob.id).where(gone, ImportJob.state != JobState.WRITING)).all()
    for job_id in ids:
        intake.clear(session, job_id)
    session.execute(delete(ImportJob).where(ImportJob.id.in_(ids)))


def wrong_rows(data: bytes) -> Wrong:
    """Return the wrong rows as they were kept."""
    stored = json.loads(data)
    rows = tuple(
        WrongRow(row["n"], tuple(row["cells"]), {int(i): tuple(texts) for i, texts in row["faults"].items()})
        for row in stored["rows"]
    )
    return Wrong(tuple(stored["header"]), rows)


class ImportWork:
    """Works jobs off. `step` fits `hub.core.background.Loop`."""

    def __init__(self, sessions: Sessions, uploads: Uploads, safe: PhoneSafe, *, clock: Clock) -> None:
        self._sessions, self._uploads, self._safe, self._clock = sessions, uploads, safe, clock
        self._swept: datetime | None = None

    def step(self) -> float:
        """Do the next job that nobody works on; return the seconds to rest."""
        now = self._clock()
        free = or_(ImportJob.lease_until.is_(None), ImportJob.lease_until < now)
        with self._sessions.read() as session:
            job_id = session.scalar(
                select(ImportJob.id).where(ImportJob.state.in_(_WORKED_ON), free).order_by(ImportJob.created_at)
            )
        if job_id is None:
            self._sweep(now)
            return IDLE_S
        self.work_off(job_id)
        return 0.0

    def work_off(self, job_id: UUID) -> None:
        """Do what a job waits for, if nobody else does."""
        job = self._claim(job_id)
        if job is None:
            return
        try:
            if job.state is JobState.CHECKING:
                self._check(job)
            else:
                self._put_in(job)
        except (HubError, NotAllowed) as error:
            self._fail(job, error.code)

    def _claim(self, job_id: UUID) -> ImportJob | None:
        now = self._clock()
        free = or_(ImportJob.lease_until.is_(None), ImportJob.lease_until < now)
        with self._sessions.begin() as session:
            return session.scalar(
                update(ImportJob)
                .where(ImportJob.id == job_id, ImportJob.state.in_(_WORKED_ON), free)
                .values(lease_until=now + LEASE)
                .returning(ImportJob)
            )

    def _check(self, job: ImportJob) -> None:
        data = self._uploads.read(job.owner_id, job.token, now=job.created_at)
        with self._sessions.begin() as session:
            intake.clear(session, job.id)
            actor = _owner(session, job)
            places = places_for(session, actor, Permission.EDIT_RESIDENTS)
        layout = _read_layout(job.layout, data)
        plan = importing.read(data, places, layout, step=lambda done, total: self._tell(job, done, total))
        known, before = 0, Known()
        for at, piece in enumerate(intake.chunks(plan.good, PIECE)):
            with self._sessions.begin() as session:
                known += intake.lay_out(session, actor, job.id, piece, before, safe=self._safe)
            self._tell(job, at * PIECE, len(plan.good))
        # The file has done its work; only its wrong rows are kept, for their owner to mend.
        token = ""
        if plan.problems:
            token = self._uploads.keep(job.owner_id, _wrong(plan, layout, job.language), now=job.created_at)
        else:
            self._uploads.drop(job.owner_id, job.token)
        with self._sessions.begin() as session:
            session.execute(
                update(ImportJob)
                .where(ImportJob.id == job.id)
                .values(
                    state=JobState.READY,
                    token=token,
                    lease_until=None,
                    good=len(plan.good),
                    faulty=plan.faulty_rows,
                    merged=plan.merged,
                    shared=plan.shared,
                    known=known,
                )
            )

    def _put_in(self, job: ImportJob) -> None:
        now = self._clock()
        with self._sessions.begin() as session:
            intake.put_in(session, _owner(session, job), job, now=now)
            session.execute(
                update(ImportJob)
                .where(ImportJob.id == job.id)
                .values(state=JobState.DONE, lease_until=None, done_at=now)
            )

    def _fail(self, job: ImportJob, code: str) -> None:
        with self._sessions.begin() as session:
            intake.clear(session, job.id)
            session.execute(
                update(ImportJob)
                .where(ImportJob.id == job.id)
                .values(state=JobState.FAILED, failure=code[:60], lease_until=None)
            )
        self._uploads.drop(job.owner_id, job.token)

    def _tell(self, job: ImportJob, done: int, total: int) -> None:
        """Say how far it is, and hold the lease."""
        with self._sessions.begin() as session:
            session.execute(
                update(ImportJob)
                .where(ImportJob.id == job.id)
                .values(rows_done=done, rows_total=total, lease_until=self._clock() + LEASE)
            )

    def _sweep(self, now: datetime) -> None:
        if self._swept is None or now - self._swept > timedelta(minutes=5):
            self._swept = now
            with self._sessions.begin() as session:
                sweep(session, now=now)


def _owner(session: Session, job: ImportJob) -> Actor:
    account = session.get(Account, job.owner_id)
    if account is None or not account.active:
        raise NotFound("upload_gone")
    return actor_for(session, account, origin="")


def _stored(layout: Layout) -> dict[str, Any]:
    return {"at": layout.at, "columns": dict(layout.columns), "village": layout.village}


def _read_layout(stored: Mapping[str, Any], data: bytes) -> Layout:
    head = read_table(data, most_bytes=importing.MOST_BYTES, head=importing.HEAD)
    at = int(stored["at"])
    header = tuple(head[at]) if at < len(head) else ()
    return Layout(at, header, {str(k): int(v) for k, v in stored["columns"].items()}, str(stored["village"]))


def _wrong(plan: ImportPlan, layout: Layout, language: str) -> bytes:
    faults: dict[int, dict[int, list[str]]] = {}
    for problem in plan.problems:
        at = layout.columns.get(problem.column, 0)
        faults.setdefault(problem.row, {}).setdefault(at, []).append(sentence(problem.code, language, **problem.params))
    rows = [{"n": n, "cells": list(plan.cells[n]), "faults": faults[n]} for n in sorted(faults)]
    return json.dumps({"header": list(plan.header), "rows": rows}, ensure_ascii=False).encode()
