"""Slots in the timetable and their occurrences."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.announcements.models import Announcement
from hub.core.db import Base, StateText


class Rhythm(StrEnum):
    """How often a slot comes round."""

    ONCE = "once"
    DAILY = "daily"


class OccurrenceState(StrEnum):
    """What became of one occurrence."""

    PLANNED = "planned"
    FIRED = "fired"
    MISSED = "missed"
    SKIPPED = "skipped"


class Slot(Base):
    """An approved announcement at a time: once, or every day at a local time."""

    __tablename__ = "slot"
    __table_args__ = (Index(None, "enabled", "planned_until"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    announcement_id: Mapped[UUID] = mapped_column(ForeignKey(Announcement.id), unique=True)
    home_path: Mapped[str] = mapped_column(String(64), index=True)
    rhythm: Mapped[Rhythm] = mapped_column(StateText(Rhythm))
    once_at: Mapped[datetime | None]
    daily_at: Mapped[str] = mapped_column(String(5), default="")
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    zone: Mapped[str] = mapped_column(String(40))
    late_tolerance_s: Mapped[int]
    """How late it may still start; beyond that the occurrence is recorded as missed."""
    enabled: Mapped[bool] = mapped_column(default=True)
    planned_until: Mapped[datetime]
    created_at: Mapped[datetime]


class Occurrence(Base):
    """One time a slot comes round. The unique key is what makes it sound once, whoever looks and however often."""

    __tablename__ = "occurrence"
    __table_args__ = (UniqueConstraint("slot_id", "due_at"), Index(None, "state", "due_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    slot_id: Mapped[UUID] = mapped_column(ForeignKey("slot.id"), index=True)
    due_at: Mapped[datetime]
    state: Mapped[OccurrenceState] = mapped_column(StateText(OccurrenceState), default=OccurrenceState.PLANNED)
    note: Mapped[str] = mapped_column(String(60), default="")
    """Why it was missed or skipped: a code of `templates/errors/words.toml`."""
    fired_at: Mapped[datetime | None]
    broadcast_id: Mapped[UUID | None]
