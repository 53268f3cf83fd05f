"""Plans: one for each hazard and colour of a place, in versions that never change once they are signed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from uuid6 import uuid7

from broadcasts.kinds import Colour
from hub.core.db import Base, StateText


class PlanState(StrEnum):
    """How far a version has come."""

    DRAFT = "draft"
    WAITING = "waiting"
    """Handed in: two people have to sign."""
    RETURNED = "returned"
    APPROVED = "approved"
    REPLACED = "replaced"
    """A later version was begun: whatever was signed holds no more."""
    WITHDRAWN = "withdrawn"


class Plan(Base):
    """What a place says in one kind of emergency. `version` is the latest one, whatever became of it."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("region_code", "hazard", "colour"), Index(None, "home_path"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_code: Mapped[str] = mapped_column(String(14))
    home_path: Mapped[str] = mapped_column(String(64))
    hazard: Mapped[str] = mapped_column(String(20))
    colour: Mapped[Colour] = mapped_column(StateText(Colour))
    version: Mapped[int] = mapped_column(default=1)


class PlanVersion(Base):
    """The words and the area as somebody wrote them, and who has signed. `{place}` may stand in every text."""

    __tablename__ = "plan_version"
    __table_args__ = (
        CheckConstraint("first_by <> second_by", name="two_different_people"),
        CheckConstraint("first_by <> written_by AND second_by <> written_by", name="never_the_author"),
        Index(None, "state"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey(Plan.id), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[PlanState] = mapped_column(StateText(PlanState), default=PlanState.DRAFT)
    speech: Mapped[str] = mapped_column(Text)
    sms: Mapped[str] = mapped_column(Text)
    correction_speech: Mapped[str] = mapped_column(Text)
    correction_sms: Mapped[str] = mapped_column(Text)
    clear_speech: Mapped[str] = mapped_column(Text)
    clear_sms: Mapped[str] = mapped_column(Text)
    regions: Mapped[list[str]]
    """Codes of the area it is meant for, unless the officer chooses another one inside the plan's own place."""
    content_hash: Mapped[str] = mapped_column(String(64), default="")
    """Over everything above, when it was handed in: what is signed is what was handed in."""
    written_by: Mapped[UUID]
    written_by_name: Mapped[str] = mapped_column(String(60))
    written_at: Mapped[datetime]
    handed_in_at: Mapped[datetime | None]
    first_by: Mapped[UUID | None]
    first_by_name: Mapped[str] = mapped_column(String(60), default="")
    first_at: Mapped[datetime | None]
    second_by: Mapped[UUID | None]
    second_by_name: Mapped[str] = mapped_column(String(60), default="")
    second_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by_name: Mapped[str] = mapped_column(String(60), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    """Why it was returned or withdrawn."""
