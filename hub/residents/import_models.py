"""A list of residents on its way in: the job, and the good rows laid out beside the real tables until all are there."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText
from hub.residents.models import AwayConsent, NumberKind


class JobState(StrEnum):
    """How far an import is."""

    MATCHING = "matching"
    """Somebody has to say which column is which."""
    CHECKING = "checking"
    READY = "ready"
    """Checked and laid out: somebody has to press."""
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


class ImportJob(Base):
    """One file. `token` names the file among the uploads: first the whole one, then the wrong rows alone."""

    __tablename__ = "import_job"
    __table_args__ = (Index(None, "state", "lease_until"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    owner_id: Mapped[UUID] = mapped_column(index=True)
    language: Mapped[str] = mapped_column(String(2))
    state: Mapped[JobState] = mapped_column(StateText(JobState))
    token: Mapped[str] = mapped_column(String(32), default="")
    layout: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Where the heading row stands and which column is which; no cell of the file."""
    created_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    """Until when somebody works on it; when that is past, somebody died over it."""
    rows_done: Mapped[int] = mapped_column(default=0)
    rows_total: Mapped[int] = mapped_column(default=0)
    good: Mapped[int] = mapped_column(default=0)
    faulty: Mapped[int] = mapped_column(default=0)
    merged: Mapped[int] = mapped_column(default=0)
    shared: Mapped[int] = mapped_column(default=0)
    known: Mapped[int] = mapped_column(default=0)
    """Of the good ones: already on the list."""
    failure: Mapped[str] = mapped_column(String(60), default="")
    """Code of the sentence that says why it failed."""
    done_at: Mapped[datetime | None]


class ImportPerson(Base):
    """One person of a file, as they will stand on the list."""

    __tablename__ = "import_person"
    __table_args__ = (Index(None, "job_id", "known"),)

    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey(ImportJob.id, ondelete="CASCADE"), primary_key=True)
    known: Mapped[bool]
    region_code: Mapped[str] = mapped_column(String(14))
    region_path: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(40))
    away: Mapped[bool | None]
    away_consent: Mapped[AwayConsent | None] = mapped_column(StateText(AwayConsent))
    household: Mapped[str] = mapped_column(String(40))


class ImportPhone(Base):
    """One number of theirs that is not on the list yet."""

    __tablename__ = "import_phone"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey(ImportJob.id, ondelete="CASCADE"), index=True)
    resident_id: Mapped[UUID]
    index: Mapped[bytes] = mapped_column(LargeBinary(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    kind: Mapped[NumberKind] = mapped_column(StateText(NumberKind))


class ImportTag(Base):
    """One tag of theirs that they do not carry yet."""

    __tablename__ = "import_tag"

    job_id: Mapped[UUID] = mapped_column(ForeignKey(ImportJob.id, ondelete="CASCADE"), primary_key=True)
    resident_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(String(20), primary_key=True)
