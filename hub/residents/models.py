"""Residents, how to reach them, and what they do not want."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship
from uuid6 import uuid7

from hub.core.db import Base, StateText
from hub.regions.models import Region
from hub.residents.phones import NumberKind
from hub.residents.wanted import AwayConsent

__all__ = [
    "AwayConsent",
    "BlockReason",
    "BlockedNumber",
    "ExtraNumber",
    "NumberKind",
    "Phone",
    "Resident",
    "ResidentTag",
    "TopicOptOut",
]


class BlockReason(StrEnum):
    """Why a number gets nothing."""

    OPTED_OUT = "opted_out"
    WRONG_NUMBER = "wrong_number"


class Resident(Base):
    """Somebody who lives here, or belongs here and works elsewhere (`away`)."""

    __tablename__ = "resident"
    __table_args__ = (Index(None, "region_path", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    region_code: Mapped[str] = mapped_column(ForeignKey(Region.code))
    region_path: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(40))
    away: Mapped[bool] = mapped_column(default=False)
    away_consent: Mapped[AwayConsent] = mapped_column(
        StateText(AwayConsent), default=AwayConsent.UNASKED, server_default=AwayConsent.UNASKED.value
    )
    """What they said about messages from home; counts only while they are away."""
    household: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """Which household of the village they belong to: its number, or the name of its head. Empty: not known."""
    created_at: Mapped[datetime]
    phones: Mapped[list["Phone"]] = relationship(back_populates="resident", cascade="all, delete-orphan")
    tags: Mapped[list["ResidentTag"]] = relationship(back_populates="resident", cascade="all, delete-orphan")


class Phone(Base):
    """A number, readable only with the hub's key; `index` finds it without reading it."""

    __tablename__ = "phone"
    __table_args__ = (UniqueConstraint("resident_id", "index"), Index(None, "index"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    resident_id: Mapped[UUID] = mapped_column(ForeignKey("resident.id"), index=True)
    index: Mapped[bytes] = mapped_column(LargeBinary(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    kind: Mapped[NumberKind] = mapped_column(StateText(NumberKind))
    resident: Mapped[Resident] = relationship(back_populates="phones")


class ResidentTag(Base):
    """A group a resident belongs to: 独居老人, 沿河户, 外出务工 … Groups are tags; both words mean this row."""

    __tablename__ = "resident_tag"
    __table_args__ = (Index(None, "tag"),)

    resident_id: Mapped[UUID] = mapped_column(ForeignKey("resident.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(20), primary_key=True)
    resident: Mapped[Resident] = relationship(back_populates="tags")


class BlockedNumber(Base):
    """A number that must not be written to: opted out (emergencies still go) or simply wrong (nothing goes)."""

    __tablename__ = "blocked_number"

    index: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    reason: Mapped[BlockReason] = mapped_column(StateText(BlockReason))
    since: Mapped[datetime]


class TopicOptOut(Base):
    """A number whose owner wants no messages about one topic. Emergencies still go."""

    __tablename__ = "topic_opt_out"

    index: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    topic: Mapped[str] = mapped_column(String(24), primary_key=True)
    since: Mapped[datetime]


class ExtraNumber(Base):
    """A number somebody added to an announcement by hand. Announcements name it by `index` alone."""

    __tablename__ = "extra_number"

    index: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    masked: Mapped[str] = mapped_column(String(24))
    kind: Mapped[NumberKind] = mapped_column(StateText(NumberKind))
    used_at: Mapped[datetime]
    """When it was last given; long unused ones are forgotten."""
