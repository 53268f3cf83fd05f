"""Rosters, who is on them, and every time somebody is due."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship
from uuid6 import uuid7

from hub.core.db import Base, StateText


class RoundKind(StrEnum):
    """What people are due for."""

    PATROL = "patrol"
    """Volunteers take turns, reminded the day before; they report when they are there."""
    DAILY = "daily"
    """Everybody, every day; they report when it is done."""
    WEEKLY = "weekly"


class RoundState(StrEnum):
    """How far a roster has come."""

    DRAFT = "draft"
    WAITING = "waiting"
    """Handed in; somebody else has to agree before anybody gets a message."""
    RETURNED = "returned"
    ON = "on"
    OFF = "off"


class CallState(StrEnum):
    """What became of one person's turn."""

    PLANNED = "planned"
    REMINDED = "reminded"
    CONFIRMED = "confirmed"
    UNTOLD = "untold"
    """The hub was down when the reminder should have gone out."""


class Round(Base):
    """A roster over some weeks."""

    __tablename__ = "round"
    __table_args__ = (
        CheckConstraint("approved_by IS NULL OR approved_by <> written_by", name="two_pairs_of_eyes"),
        Index(None, "state", "home_path"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[RoundKind] = mapped_column(StateText(RoundKind))
    title: Mapped[str] = mapped_column(String(30))
    home_path: Mapped[str] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(Text)
    """The reminder; 〔日期〕 stands for the day."""
    at: Mapped[str] = mapped_column(String(5))
    """Local time HH:MM of the reminder."""
    first_day: Mapped[date]
    last_day: Mapped[date]
    weekday: Mapped[int] = mapped_column(default=0)
    """Of a weekly duty: 1 (Monday) to 7."""
    each: Mapped[int] = mapped_column(default=2)
    """Of a patrol: how many people a day."""
    state: Mapped[RoundState] = mapped_column(StateText(RoundState), default=RoundState.DRAFT)
    content_hash: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Taken when it is handed in; approval is of it."""
    return_reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    written_by: Mapped[UUID]
    written_by_name: Mapped[str] = mapped_column(String(40))
    written_at: Mapped[datetime]
    approved_by: Mapped[UUID | None]
    approved_by_name: Mapped[str] = mapped_column(String(40), default="")
    approved_at: Mapped[datetime | None]
    calls: Mapped[list["RoundCall"]] = relationship(
        back_populates="round", cascade="all, delete-orphan", order_by="(RoundCall.day, RoundCall.id)"
    )


class RoundCall(Base):
    """One person's turn on one day. Name and mask are kept: the record outlives the resident."""

    __tablename__ = "round_call"
    __table_args__ = (
        UniqueConstraint("round_id", "day", "resident_id"),
        Index(None, "phone_index", "day"),
        Index(None, "state", "day"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    round_id: Mapped[UUID] = mapped_column(ForeignKey(Round.id))
    day: Mapped[date]
    resident_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(40))
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    masked: Mapped[str] = mapped_column(String(24))
    state: Mapped[CallState] = mapped_column(StateText(CallState), default=CallState.PLANNED)
    broadcast_id: Mapped[UUID | None]
    """The reminder that was sent."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by_name: Mapped[str] = mapped_column(String(40), default="")
    """Which of the staff noted it; empty: the person's own reply."""
    round: Mapped[Round] = relationship(back_populates="calls")
