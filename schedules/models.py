"""Sheets, their slots and occurrences, and what the calendar says about days."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.announcements.models import Announcement
from broadcasts.approvals.written import Written
from hub.core.db import Base, StateText
from schedules.calendar import Rhythm


class SlotKind(StrEnum):
    """What a slot holds. What exactly it plays each time is asked of its source: `sources.Source`."""

    ANNOUNCEMENT = "announcement"
    CAMPAIGN = "campaign"
    RECORDING = "recording"
    RELAY = "relay"
    SILENCE = "silence"


class OccurrenceState(StrEnum):
    """What became of one occurrence."""

    PLANNED = "planned"
    FIRED = "fired"
    MISSED = "missed"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    """The hub was away, and when it came back the next time of the same slot was due as well."""


class SheetState(StrEnum):
    """How far a version of a programme sheet has come."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    RUNNING = "running"
    """Approved. It never changes again: an edit makes the next version."""
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class Sheet(Base, Written):
    """One version of the programme sheet of a township or village.

    `line_id` is the same for all versions of a sheet. `content_hash` is taken at submission over all slots; approval is
    of that hash, by somebody else.
    """

    __tablename__ = "programme_sheet"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> submitted_by", name="two_pairs_of_eyes"),
        UniqueConstraint("line_id", "version"),
        Index(None, "state", "region_path"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    line_id: Mapped[UUID] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(default=1)
    title: Mapped[str] = mapped_column(String(40))
    region_path: Mapped[str] = mapped_column(String(64))
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    state: Mapped[SheetState] = mapped_column(StateText(SheetState), default=SheetState.DRAFT)
    ended_at: Mapped[datetime | None]


class Slot(Base):
    """A place in time: of an approved announcement with a time of its own, or of a programme sheet.

    `announcement_id` is set for the first. A sheet's slot has `sheet_id` and `subject_id`, which names what its source
    knows it by: an announcement, a recording, a campaign. It sounds in the region of its sheet, which is `home_path`.
    """

    __tablename__ = "slot"
    __table_args__ = (Index(None, "enabled", "planned_until"), Index(None, "kind", "enabled"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    announcement_id: Mapped[UUID | None] = mapped_column(ForeignKey(Announcement.id), unique=True)
    sheet_id: Mapped[UUID | None] = mapped_column(ForeignKey(Sheet.id), index=True)
    kind: Mapped[SlotKind] = mapped_column(
        StateText(SlotKind), default=SlotKind.ANNOUNCEMENT, server_default=SlotKind.ANNOUNCEMENT.value
    )
    subject_id: Mapped[UUID | None] = mapped_column(index=True)
    subject_hash: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """What of its subject was approved with the sheet: another recording in its place is not played."""
    title: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """What the sheet calls it."""
    minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    """How long the slot is; what it plays may be shorter. 0: as long as what it plays."""
    lasts_ms: Mapped[int] = mapped_column(default=0, server_default="0")
    """How long what it holds sounds at most, as it was when the slot was written; 0: as long as the slot."""
    volume: Mapped[int | None]
    relay_url: Mapped[str] = mapped_column(String(1000), default="", server_default="")
    home_path: Mapped[str] = mapped_column(String(64), index=True)
    rhythm: Mapped[Rhythm] = mapped_column(StateText(Rhythm))
    once_at: Mapped[datetime | None]
    daily_at: Mapped[str] = mapped_column(String(5), default="")
    """Local time HH:MM, for everything but ONCE."""
    days: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """The rest of the rule: `calendar.Pattern.as_json`."""
    first_day: Mapped[date | None]
    last_day: Mapped[date | None]
    zone: Mapped[str] = mapped_column(String(40))
    late_tolerance_s: Mapped[int]
    """How late it may still start; beyond that the occurrence is recorded as missed."""
    enabled: Mapped[bool] = mapped_column(default=True)
    planned_until: Mapped[datetime]
    created_at: Mapped[datetime]

    @property
    def length_ms(self) -> int:
        """How long a sheet's slot sounds, before it is known what it plays that time."""
        return self.lasts_ms or self.minutes * 60_000


class Occurrence(Base):
    """One time a slot comes round. The unique key is what makes it sound once, whoever looks and however often."""

    __tablename__ = "occurrence"
    __table_args__ = (UniqueConstraint("slot_id", "due_at"), Index(None, "state", "due_at"), Index(None, "due_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    slot_id: Mapped[UUID] = mapped_column(ForeignKey("slot.id"), index=True)
    due_at: Mapped[datetime]
    state: Mapped[OccurrenceState] = mapped_column(StateText(OccurrenceState), default=OccurrenceState.PLANNED)
    note: Mapped[str] = mapped_column(String(60), default="")
    """Why it was missed or skipped: a code of `templates/errors/words.toml`."""
    fired_at: Mapped[datetime | None]
    """When the hub acted on it, by the database's clock."""
    broadcast_id: Mapped[UUID | None]
    title: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """What a sheet's slot played that time."""
    audio_ms: Mapped[int] = mapped_column(default=0, server_default="0")


class DayKind(StrEnum):
    """What is special about a day."""

    HOLIDAY = "holiday"
    WORKDAY = "workday"
    QUIET = "quiet"
    """An exam, a day of mourning, harvest: only slots that say so sound."""


class CalendarDay(Base):
    """One special day, everywhere or below a region. Official ones are seeded, all can be changed by hand."""

    __tablename__ = "calendar_day"
    __table_args__ = (UniqueConstraint("day", "kind", "region_path"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    day: Mapped[date] = mapped_column(index=True)
    kind: Mapped[DayKind] = mapped_column(StateText(DayKind))
    region_path: Mapped[str] = mapped_column(String(64), default="")
    """Below which region it holds; empty: everywhere."""
    name: Mapped[str] = mapped_column(String(40), default="")
    official: Mapped[bool] = mapped_column(default=False)
