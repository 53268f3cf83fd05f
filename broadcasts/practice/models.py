"""What people write and answer to practise. It reaches drill loudspeakers only, and no list of real things."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from hub.core.db import Base, StateText


class WorkKind(StrEnum):
    """What is practised."""

    NOTICE = "notice"
    """An announcement: written by one, passed by another."""
    LETTER = "letter"
    """A letter of a resident who does not exist."""


class WorkState(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    """A notice waits for somebody else, a letter for its answer."""
    DONE = "done"


class PracticeWork(Base):
    """One piece of practice."""

    __tablename__ = "practice_work"
    __table_args__ = (
        CheckConstraint("passed_by IS NULL OR passed_by <> written_by", name="two_pairs_of_eyes"),
        Index(None, "kind", "written_by"),
        Index(None, "state", "region_path"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[WorkKind] = mapped_column(StateText(WorkKind))
    state: Mapped[WorkState] = mapped_column(StateText(WorkState), default=WorkState.WAITING)
    region_path: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text, default="")
    written_by: Mapped[UUID]
    """Who wrote the notice, or whom the letter was given to."""
    written_by_name: Mapped[str] = mapped_column(String(40))
    written_at: Mapped[datetime]
    passed_by: Mapped[UUID | None] = mapped_column(index=True)
    passed_by_name: Mapped[str] = mapped_column(String(40), default="")
    done_at: Mapped[datetime | None]
    broadcast_id: Mapped[UUID | None]
